//! The voice surface as the document publishes it, and what can be read of its requests.

mod answer;
mod authorization;
mod batch;
mod captcha;
mod filter;
mod request;
mod view;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use yunling_app::principal::{ReadCalls, SendNotices};
use yunling_app::submit_notice::{self, Accepted, NoticeRequest};
use yunling_app::{
    App, Refusal, get_call, get_request, list_calls, list_request_calls, trace_context,
};
use yunling_domain::{AccountId, ApplicationId, CallId, RequestId};

use self::answer::{Envelope, refused_with_id};
use self::authorization::Authorization;
use self::filter::CallQuery;
use self::request::{NoticeRequest as NoticeShape, VoiceBody};
use self::view::{CallRecord, NoticeRecord};
use super::answer::{Answer, OfRefusal};
use super::idempotency_key::IdempotencyKey;
use super::soft_version::SoftVersion;
use super::tags::Tags;

pub(super) use self::answer::failure;
pub(super) use self::authorization::{BASIC, register_basic};
pub(super) use self::filter::{page, stamp};
pub(super) use self::view::{live_state, national};

/// A request with its calls.
#[derive(Debug, Default, Object)]
struct NoticeAnswer {
    #[oai(flatten)]
    envelope: Envelope,
    /// The request.
    #[oai(skip_serializing_if_is_none)]
    request: Option<NoticeRecord>,
    /// Its calls, newest first.
    #[oai(skip_serializing_if_is_none)]
    calls: Option<Vec<CallRecord>>,
    /// Where the next page begins; absent on the last one.
    #[oai(rename = "nextCursor", skip_serializing_if_is_none)]
    next_cursor: Option<String>,
}

/// One call.
#[derive(Debug, Default, Object)]
struct CallAnswer {
    #[oai(flatten)]
    envelope: Envelope,
    /// The call.
    #[oai(skip_serializing_if_is_none)]
    call: Option<CallRecord>,
}

/// A page of calls.
#[derive(Debug, Default, Object)]
struct CallsAnswer {
    #[oai(flatten)]
    envelope: Envelope,
    /// Calls that are over, newest first.
    #[oai(skip_serializing_if_is_none)]
    calls: Option<Vec<CallRecord>>,
    /// Where the next page begins; absent on the last one.
    #[oai(rename = "nextCursor", skip_serializing_if_is_none)]
    next_cursor: Option<String>,
}

macro_rules! answers {
    ($($name:ident)+) => {$(
        impl From<Envelope> for $name {
            fn from(envelope: Envelope) -> Self {
                Self { envelope, ..Self::default() }
            }
        }

        impl OfRefusal for $name {
            fn of_refusal(refusal: &Refusal) -> Self {
                Envelope::of_refusal(refusal).into()
            }
        }
    )+};
}
answers!(NoticeAnswer CallAnswer CallsAnswer);

/// Every operation of the voice surface.
pub(super) fn operations() -> impl OpenApi {
    (VoiceApi, batch::BatchApi, captcha::CaptchaApi)
}

/// Notices, and what became of calls.
struct VoiceApi;

#[OpenApi]
impl VoiceApi {
    /// Send a voice notice
    ///
    /// Calls one number and plays the contents. The answer never waits for the telephone network: a
    /// request answered `0` is stored, its result comes as the callback `noticeResult` and can be
    /// read at any time. A request that was not answered `0` never causes a call or a callback.
    ///
    /// The path is also taken behind `/{SoftVersion}`, any 1 to 16 of `A-Za-z0-9._-`. An API key
    /// needs the scope `notices:send`.
    #[oai(
        path = "/Accounts/:accountSid/VoiceNotices",
        method = "post",
        operation_id = "createVoiceNotice",
        tag = "Tags::VoiceNotices"
    )]
    async fn create_voice_notice(
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
        body: VoiceBody<NoticeShape>,
    ) -> Answer<Envelope> {
        // Authorization before anything else of the request is looked at: -1, then -2, -3, -4, -5.
        let caller = match authorization.grant::<SendNotices>(&app, &account_sid.0) {
            Ok(caller) => caller,
            Err(refusal) => return refused_with_id(&app, &refusal),
        };
        let read = async {
            let bytes = body.read().await?;
            Ok((NoticeRequest::from_body(&bytes)?, bytes))
        };
        let (request, bytes) = match read.await {
            Ok(read) => read,
            Err(refusal) => return refused_with_id(&app, &refusal),
        };
        let outcome = match idempotency_key.of(&bytes) {
            Ok(idempotency) => {
                let envelope = submit_notice::Envelope {
                    api_version: version.0,
                    idempotency,
                    traceparent: trace_context::current(),
                };
                Box::pin(submit_notice::run(&app, &caller, &request, envelope)).await
            }
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(accepted) => accepted_answer(&accepted, "succ"),
            Err(refusal) => {
                let answer: Answer<Envelope> = refused_with_id(&app, &refusal);
                let semantic = wants_semantic_status(&app, caller.account(), request.appid.text());
                if semantic { answer.semantic(&refusal) } else { answer }
            }
        }
    }

    /// Read a voice notice
    ///
    /// The request, how far it is, and its calls. An API key needs the scope `calls:read`.
    #[oai(
        path = "/Accounts/:accountSid/VoiceNotices/:requestid",
        method = "get",
        operation_id = "getVoiceNotice",
        tag = "Tags::VoiceNotices"
    )]
    async fn get_voice_notice(
        &self,
        app: Data<&App>,
        authorization: Authorization,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// The `requestid` of its answer.
        requestid: Path<String>,
        /// The most calls to give, 1 to 500.
        limit: Query<Option<String>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Answer<NoticeAnswer> {
        let outcome: Result<_, Refusal> = async {
            let caller = authorization.grant::<ReadCalls>(&app, &account_sid.0)?;
            let (id, zone) = (RequestId::new(requestid.0), zone(&app, caller.account()));
            let page = filter::page(limit.0, cursor.0)?;
            let request = get_request::run(&app, &caller, &id).await?;
            let calls = list_request_calls::run(&app, &caller, &id, &page).await?;
            Ok(NoticeAnswer {
                envelope: Envelope { requestid: Some(id.to_string()), ..Envelope::success() },
                request: Some(NoticeRecord::of(request, zone)),
                calls: Some(
                    calls.rows.into_iter().map(|call| CallRecord::of(call, zone)).collect(),
                ),
                next_cursor: calls.next.map(|cursor| cursor.encode()),
            })
        }
        .await;
        outcome.map_or_else(|refusal| Answer::refused(&refusal), Answer::of)
    }

    /// Read a call
    ///
    /// One call, waiting, under way or over. An API key needs the scope `calls:read`.
    #[oai(
        path = "/Accounts/:accountSid/Calls/:callid",
        method = "get",
        operation_id = "getAccountCall",
        tag = "Tags::Calls"
    )]
    async fn get_account_call(
        &self,
        app: Data<&App>,
        authorization: Authorization,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// The `callid`.
        callid: Path<String>,
    ) -> Answer<CallAnswer> {
        let outcome: Result<_, Refusal> = async {
            let caller = authorization.grant::<ReadCalls>(&app, &account_sid.0)?;
            let id = CallId::new(callid.0);
            let call = get_call::run(&app, &caller, &id).await?;
            Ok(CallAnswer {
                envelope: Envelope { callid: Some(id.to_string()), ..Envelope::success() },
                call: Some(CallRecord::of(call, zone(&app, caller.account()))),
            })
        }
        .await;
        outcome.map_or_else(|refusal| Answer::refused(&refusal), Answer::of)
    }

    /// List calls
    ///
    /// The account's calls that are over, newest first, page by page. Conditions are joined by "and";
    /// an empty one counts as absent. An API key needs the scope `calls:read`.
    #[oai(
        path = "/Accounts/:accountSid/Calls",
        method = "get",
        operation_id = "listAccountCalls",
        tag = "Tags::Calls"
    )]
    #[expect(clippy::too_many_arguments, reason = "one argument for each parameter of the query")]
    async fn list_account_calls(
        &self,
        app: Data<&App>,
        authorization: Authorization,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// Of this application.
        appid: Query<Option<String>>,
        /// Of this request.
        requestid: Query<Option<String>>,
        /// To this number.
        to: Query<Option<String>>,
        /// With this line number shown.
        from: Query<Option<String>>,
        /// `0` answered, `1` not.
        result: Query<Option<String>>,
        /// Begun at this time or later: 14 digits in the account's zone.
        starttime: Query<Option<String>>,
        /// Begun before this time: 14 digits in the account's zone.
        endtime: Query<Option<String>>,
        /// The most calls to give, 1 to 500.
        limit: Query<Option<String>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Answer<CallsAnswer> {
        let outcome: Result<_, Refusal> = async {
            let caller = authorization.grant::<ReadCalls>(&app, &account_sid.0)?;
            let zone = zone(&app, caller.account());
            let query = CallQuery {
                appid: appid.0,
                requestid: requestid.0,
                to: to.0,
                from: from.0,
                result: result.0,
                starttime: starttime.0,
                endtime: endtime.0,
            };
            let (filter, page) = (query.filter(zone)?, filter::page(limit.0, cursor.0)?);
            let calls = list_calls::run(&app, &caller, &filter, &page).await?;
            Ok(CallsAnswer {
                envelope: Envelope::success(),
                calls: Some(
                    calls.rows.into_iter().map(|record| CallRecord::ended(record, zone)).collect(),
                ),
                next_cursor: calls.next.map(|cursor| cursor.encode()),
            })
        }
        .await;
        outcome.map_or_else(|refusal| Answer::refused(&refusal), Answer::of)
    }
}

fn accepted_answer(accepted: &Accepted, statusmsg: &str) -> Answer<Envelope> {
    let span = tracing::Span::current();
    span.record("requestid", accepted.request_id.as_str());
    span.record("callid", accepted.call_id.as_str());
    let envelope = Envelope {
        statusmsg: statusmsg.to_owned(),
        requestid: Some(accepted.request_id.to_string()),
        callid: Some(accepted.call_id.to_string()),
        ..Envelope::success()
    };
    Answer::of(envelope).replayed(accepted.replayed)
}

fn wants_semantic_status(app: &App, account: &AccountId, appid: Option<&str>) -> bool {
    appid.is_some_and(|appid| is_semantic(app, account, appid))
}

/// Whether an application has switched semantic statuses on.
pub(super) fn is_semantic(app: &App, account: &AccountId, appid: &str) -> bool {
    let id = ApplicationId::new(appid.trim());
    app.directory().application(account, &id).is_some_and(|application| application.semantic_status)
}

/// The zone of the account's stamps.
pub(super) fn zone(app: &App, account: &AccountId) -> chrono_tz::Tz {
    app.directory().account(account).map_or(app.settings().zone.0, |account| account.zone)
}
