//! Voice notices to many numbers.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use yunling_app::principal::SendNotices;
use yunling_app::submit_notice::NoticeRequest;
use yunling_app::{App, submit_batch, submit_notice, trace_context};

use super::answer::{Envelope, refused_with_id};
use super::authorization::Authorization;
use super::request::{BATCH_BYTES, BatchNoticeRequest, VoiceBody};
use super::wants_semantic_status;
use crate::api::answer::Answer;
use crate::api::idempotency_key::IdempotencyKey;
use crate::api::soft_version::SoftVersion;
use crate::api::tags::Tags;

/// The operation.
pub(super) struct BatchApi;

#[OpenApi]
impl BatchApi {
    /// Send a voice notice to many numbers
    ///
    /// Calls every number once and plays the contents, within the limits of the account and of the
    /// lines; captchas and single notices go first. Every entry that is no duplicate gets a callback
    /// `noticeResult` of its own, also one that is no number. A request answered `0` is stored whole;
    /// one that was not never causes a call or a callback. `/api/v1/batches` shows how far it is,
    /// pauses, resumes and cancels it.
    ///
    /// The path is also taken behind `/{SoftVersion}`. An API key needs the scope `notices:send`.
    #[oai(
        path = "/Accounts/:accountSid/BatchVoiceNotices",
        method = "post",
        operation_id = "createBatchVoiceNotice",
        tag = "Tags::VoiceNotices"
    )]
    async fn create_batch_voice_notice(
        &self,
        app: Data<&App>,
        authorization: Authorization,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// Addition: the same request with the same key gets the same answer and causes no second
        /// batch. Kept for 24 h; another body with the same key is refused.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: IdempotencyKey,
        version: SoftVersion,
        body: VoiceBody<BatchNoticeRequest, BATCH_BYTES>,
    ) -> Answer<Envelope> {
        // Authorization before anything else of the request is looked at: -1, then -2, -3, -4, -5.
        let caller = match authorization.grant::<SendNotices>(&app, &account_sid.0) {
            Ok(caller) => caller,
            Err(refusal) => return refused_with_id(&app, &refusal),
        };
        let read = async {
            let place = app.batch_room().enter(caller.account())?;
            let bytes = body.read().await?;
            let idempotency = idempotency_key.of(&bytes);
            Ok((place, NoticeRequest::from_body(&bytes)?, idempotency))
        };
        let (place, request, idempotency) = match read.await {
            Ok(read) => read,
            Err(refusal) => return refused_with_id(&app, &refusal),
        };
        let appid = request.appid.clone();
        let outcome = match idempotency {
            Ok(idempotency) => {
                let envelope = submit_notice::Envelope {
                    api_version: version.0,
                    idempotency,
                    traceparent: trace_context::current(),
                };
                Box::pin(submit_batch::run(&app, &caller, request, envelope, &place)).await
            }
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(accepted) => {
                tracing::Span::current().record("requestid", accepted.request_id.as_str());
                let requestid = Some(accepted.request_id.to_string());
                let envelope = Envelope { requestid, ..Envelope::success() };
                Answer::of(envelope).replayed(accepted.replayed)
            }
            Err(refusal) => {
                let answer: Answer<Envelope> = refused_with_id(&app, &refusal);
                let semantic = wants_semantic_status(&app, caller.account(), appid.text());
                if semantic { answer.semantic(&refusal) } else { answer }
            }
        }
    }
}
