//! Voice captchas. Their envelope speaks Chinese, as the document's samples do.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use yunling_app::principal::SendNotices;
use yunling_app::submit_captcha::{self, CaptchaRequest};
use yunling_app::{App, Refusal, submit_notice, trace_context};
use yunling_domain::error_code::{BODY_TOO_LARGE, MISSING_PARAMETER, VoiceSurface};

use super::answer::Envelope;
use super::authorization::Authorization;
use super::request::{CaptchaRequest as CaptchaShape, VoiceBody};
use super::wants_semantic_status;
use crate::api::answer::{Answer, detail};
use crate::api::idempotency_key::IdempotencyKey;
use crate::api::soft_version::SoftVersion;
use crate::api::tags::Tags;

/// The operation.
pub(super) struct CaptchaApi;

#[OpenApi]
impl CaptchaApi {
    /// Send a voice captcha
    ///
    /// Calls one number and spells a code, twice. Captchas go before notices and batches; one that
    /// finds no free line within seconds fails. The answer never waits for the telephone network: a
    /// request answered `0` is stored, its result comes as the callback `captchaResult`. A request
    /// that was not answered `0` never causes a call or a callback.
    ///
    /// The path is also taken behind `/{SoftVersion}`. An API key needs the scope `notices:send`.
    #[oai(
        path = "/Accounts/:accountSid/VoiceCaptchas",
        method = "post",
        operation_id = "createVoiceCaptcha",
        tag = "Tags::VoiceCaptchas"
    )]
    async fn create_voice_captcha(
        &self,
        app: Data<&App>,
        authorization: Authorization,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// Addition: the same request with the same key gets the same answer and causes no second
        /// call. Kept for 24 h; another body with the same key is refused.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: IdempotencyKey,
        version: SoftVersion,
        body: VoiceBody<CaptchaShape>,
    ) -> Answer<Envelope> {
        // Authorization before anything else of the request is looked at: -1, then -2, -3, -4, -5.
        let caller = match authorization.grant::<SendNotices>(&app, &account_sid.0) {
            Ok(caller) => caller,
            Err(refusal) => return refused(&refusal),
        };
        let read = async {
            let bytes = body.read().await?;
            Ok((CaptchaRequest::from_body(&bytes)?, bytes))
        };
        let (request, bytes) = match read.await {
            Ok(read) => read,
            Err(refusal) => return refused(&refusal),
        };
        let outcome = match idempotency_key.of(&bytes) {
            Ok(idempotency) => {
                let envelope = submit_notice::Envelope {
                    api_version: version.0,
                    idempotency,
                    traceparent: trace_context::current(),
                };
                Box::pin(submit_captcha::run(&app, &caller, &request, envelope)).await
            }
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(accepted) => super::accepted_answer(&accepted, ACCEPTED),
            Err(refusal) => {
                let semantic = wants_semantic_status(&app, caller.account(), request.appid.text());
                let answer = refused(&refusal);
                if semantic { answer.semantic(&refusal) } else { answer }
            }
        }
    }
}

/// As in the document's sample.
const ACCEPTED: &str = "提交成功";

/// A failure: no identifier is made for it (RESOLUTIONS, `requestid` in failures).
fn refused(refusal: &Refusal) -> Answer<Envelope> {
    let envelope = Envelope {
        status_code: refusal.code.surface_on(VoiceSurface::Captcha).to_string(),
        statusmsg: statusmsg(refusal).to_owned(),
        requestid: Some(String::new()),
        callid: None,
        error_code: Some(format!("{:05}", refusal.code.number)),
        error_detail: Some(detail(refusal)),
    };
    Answer::failed(envelope, refusal)
}

/// The document's words for each `statusCode`; `-2` is its sample's where a field is missing.
fn statusmsg(refusal: &Refusal) -> &'static str {
    if refusal.code == MISSING_PARAMETER {
        return "缺少必要参数";
    }
    if refusal.code == BODY_TOO_LARGE {
        return refusal.code.zh;
    }
    match refusal.code.surface_on(VoiceSurface::Captcha) {
        -1 => "鉴权失败",
        -2 => "JSON 解析失败",
        -3 => "appid 错误",
        -4 => "参数错误",
        _ => "发起呼叫失败",
    }
}
