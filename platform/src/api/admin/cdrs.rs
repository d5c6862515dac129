//! Call detail records, one a conversation: searching, looking up, pushing again.

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use yunling_app::principal::{ReadCalls, ResendDeliveries};
use yunling_app::{App, Refusal, exports, get_cdr, list_cdrs, push_cdrs};
use yunling_domain::cdr::{CdrLegObject, CdrObject};
use yunling_domain::error_code::{BAD_PARAMETER, MISSING_PARAMETER};
use yunling_store::PageRequest;
use yunling_store::exports::ExportFormat;

use super::Problem;
use super::body::JsonBody;
use super::caller::Caller;
use super::cdr_conditions::{CallType, Cause, Conditions};
use super::cdr_exports::CdrExport;
use super::query::{page, shown};
use crate::api::tags::Tags;

/// A call detail record: the very object that is pushed when a click-to-call conversation ends, for
/// every kind of call. Every value is a string, an absent one is `""`; stamps have 14 digits in the
/// account's zone.
#[derive(Debug, Object)]
#[oai(rename = "CallDetailRecord", rename_all = "camelCase")]
struct CallDetailRecord {
    account_sid: String,
    app_sid: String,
    conversation_sid: String,
    /// Needs the scope `recordings:read`; expires.
    recording_url: String,
    /// Seconds.
    recording_duration: String,
    user_data: String,
    /// How a click-to-call conversation ended, `0` to `5`.
    bye_type: String,
    /// Its legs, newest first.
    cdrs: Vec<CallDetailLeg>,
    /// Who or what ended a click-to-call conversation.
    ended_by: String,
    hangup_reason: String,
    /// `notice`, `captcha`, `batch` or `click`.
    call_type: String,
    request_id: String,
    /// `0` if and only if the callee answered, else `1`.
    result: String,
    /// Of a notice or captcha: `1` not answered in time, `2` any other failure.
    reason: String,
    /// The confirming key.
    input_key: String,
}

/// A leg of a call detail record.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CallDetailLeg {
    /// From `0`; of a click `0` is the caller and `1` the callee.
    call_seq: String,
    call_sid: String,
    /// The line number shown.
    from: String,
    to: String,
    start_time: String,
    ring_time: String,
    answer_time: String,
    stop_time: String,
    /// Seconds from the answer to the end.
    duration: String,
    /// `completed`, `no-answer`, `time-out` or `failed`.
    cause: String,
    hangup_reason: String,
    /// The final SIP status.
    sip_code: String,
}

impl From<CdrObject> for CallDetailRecord {
    fn from(record: CdrObject) -> Self {
        Self {
            account_sid: record.account_sid,
            app_sid: record.app_sid,
            conversation_sid: record.conversation_sid,
            recording_url: record.recording_url,
            recording_duration: record.recording_duration,
            user_data: record.user_data,
            bye_type: record.bye_type,
            cdrs: record.cdrs.into_iter().map(CallDetailLeg::from).collect(),
            ended_by: record.ended_by,
            hangup_reason: record.hangup_reason,
            call_type: record.call_type,
            request_id: record.request_id,
            result: record.result,
            reason: record.reason,
            input_key: record.input_key,
        }
    }
}

impl From<CdrLegObject> for CallDetailLeg {
    fn from(leg: CdrLegObject) -> Self {
        Self {
            call_seq: leg.call_seq,
            call_sid: leg.call_sid,
            from: leg.from,
            to: leg.to,
            start_time: leg.start_time,
            ring_time: leg.ring_time,
            answer_time: leg.answer_time,
            stop_time: leg.stop_time,
            duration: leg.duration,
            cause: leg.cause,
            hangup_reason: leg.hangup_reason,
            sip_code: leg.sip_code,
        }
    }
}

/// A page of call detail records.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CdrPage {
    /// Newest first.
    cdrs: Vec<CallDetailRecord>,
    /// Where the next page begins; absent behind the last record. A page may be short, even empty, and
    /// have one: see `scannedUntil`.
    #[oai(skip_serializing_if_is_none)]
    next_cursor: Option<String>,
    /// Conditions without an index left so many records out that the page ended here before it was
    /// full: everything that began after this time has been looked at.
    #[oai(skip_serializing_if_is_none)]
    scanned_until: Option<String>,
}

/// What is to be pushed: records by `ids`, or else all that the other conditions pick.
#[derive(Debug, Default, Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct CdrPush {
    /// Up to 500, each a `conversationSid`, `callSid` or `callid`.
    ids: Option<Vec<String>>,
    /// Of this application.
    application: Option<String>,
    /// Begun at this time or later (RFC 3339).
    since: Option<String>,
    /// Begun before this time (RFC 3339).
    until: Option<String>,
}

/// What a push came to.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CdrPushed {
    /// The `webhook-id` of each callback that is on its way.
    #[oai(skip_serializing_if_is_none)]
    callbacks: Option<Vec<String>>,
    /// Of a range: it is pushed in the background, and its progress can be read there.
    #[oai(skip_serializing_if_is_none)]
    export: Option<CdrExport>,
}

/// The operations.
pub(super) struct CdrsApi;

#[OpenApi]
impl CdrsApi {
    /// Search call detail records
    ///
    /// The account's conversations that are over, of every kind, newest first, page by page; each once,
    /// at the first of its legs that the conditions pick. Conditions are joined by "and". `requestId`,
    /// `to`, `from`, `application` and the time are answered from an index, however many records there
    /// are; the others look at up to 50,000 records a page, give what was found, and say in
    /// `scannedUntil` how far they came: `nextCursor` goes on from there. Nothing is counted. Needs the
    /// scope `calls:read`.
    #[oai(
        path = "/api/v1/cdrs",
        method = "get",
        operation_id = "listCdrs",
        tag = "Tags::CallRecords"
    )]
    #[expect(clippy::too_many_arguments, reason = "one argument for each parameter of the query")]
    async fn list_cdrs(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// Of this application.
        application: Query<Option<String>>,
        /// Of this request.
        #[oai(name = "requestId")]
        request_id: Query<Option<String>>,
        /// Of this kind.
        #[oai(name = "callType")]
        call_type: Query<Option<CallType>>,
        /// One of whose legs called this number, in any form: a click's caller or callee.
        to: Query<Option<String>>,
        /// One of whose legs showed this line number, in any form.
        from: Query<Option<String>>,
        /// One of whose legs was last dialled on this trunk.
        trunk: Query<Option<String>>,
        /// One of whose legs has this cause.
        cause: Query<Option<Cause>>,
        /// 0 the callee answered, 1 not.
        result: Query<Option<u8>>,
        /// Click-to-call that ended so, 0 to 5.
        #[oai(name = "byeType")]
        bye_type: Query<Option<u8>>,
        /// Begun at this time or later (RFC 3339).
        since: Query<Option<String>>,
        /// Begun before this time (RFC 3339).
        until: Query<Option<String>>,
        /// The most records to give, 1 to 500.
        limit: Query<Option<u32>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
        /// For clients that count pages, from 1, within the first 50,000 records; in place of `cursor`.
        #[oai(name = "pageNo")]
        page_no: Query<Option<u32>>,
        /// The same as `limit`.
        #[oai(name = "pageSize")]
        page_size: Query<Option<u32>>,
    ) -> Result<Json<CdrPage>, Problem> {
        let conditions = Conditions {
            application: application.0,
            request_id: request_id.0,
            call_type: call_type.0,
            to: to.0,
            from: from.0,
            trunk: trunk.0,
            cause: cause.0,
            result: result.0,
            bye_type: bye_type.0,
            since: since.0,
            until: until.0,
        };
        let filter = conditions.filter()?;
        let (page, skip) = counted(limit.0, cursor.0.as_deref(), page_no.0, page_size.0)?;
        let found = list_cdrs::run(&app, &caller.0, &filter, &page, skip).await?;
        Ok(Json(CdrPage {
            cdrs: found.records.into_iter().map(CallDetailRecord::from).collect(),
            next_cursor: found.next.map(|cursor| cursor.encode()),
            scanned_until: found.scanned_until.map(shown),
        }))
    }

    /// Read a call detail record
    ///
    /// By its `conversationSid`, or by the `callSid` or `callid` of any of its legs. Needs the scope
    /// `calls:read`.
    #[oai(
        path = "/api/v1/cdrs/:cdrId",
        method = "get",
        operation_id = "getCdr",
        tag = "Tags::CallRecords"
    )]
    async fn get_cdr(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The conversation, or one of its calls.
        #[oai(name = "cdrId")]
        cdr_id: Path<String>,
    ) -> Result<Json<CallDetailRecord>, Problem> {
        Ok(Json(get_cdr::run(&app, &caller.0, &cdr_id.0).await?.into()))
    }

    /// Push a call detail record again
    ///
    /// What was sent of it is sent again, with the same `webhook-id` and body and a fresh round of
    /// retries. Where nothing was sent, for there was no address then, its record goes to the
    /// application's `cdr_url`. Needs the scope `deliveries:resend`.
    #[oai(
        path = "/api/v1/cdrs/:cdrId/push",
        method = "post",
        operation_id = "pushCdr",
        tag = "Tags::CallRecords"
    )]
    async fn push_cdr(
        &self,
        caller: Caller<ResendDeliveries>,
        app: Data<&App>,
        /// The conversation, or one of its calls.
        #[oai(name = "cdrId")]
        cdr_id: Path<String>,
    ) -> Result<Json<CdrPushed>, Problem> {
        let callbacks = push_cdrs::one(&app, &caller.0, &cdr_id.0).await?;
        Ok(Json(CdrPushed { callbacks: Some(callbacks), export: None }))
    }

    /// Push call detail records again
    ///
    /// As callbacks `{"cdrs":[…]}` of up to 500 records each to the `cdr_url` of their applications:
    /// those of `ids` at once, or else a range of any length in the background. Needs the scope
    /// `deliveries:resend`.
    #[oai(
        path = "/api/v1/cdrs/push",
        method = "post",
        operation_id = "pushCdrs",
        tag = "Tags::CallRecords"
    )]
    async fn push_cdrs(
        &self,
        caller: Caller<ResendDeliveries>,
        app: Data<&App>,
        body: JsonBody<CdrPush>,
    ) -> Result<Json<CdrPushed>, Problem> {
        let request = body.0;
        if let Some(ids) = request.ids {
            let callbacks = push_cdrs::these(&app, &caller.0, &ids).await?;
            return Ok(Json(CdrPushed { callbacks: Some(callbacks), export: None }));
        }
        // An empty object must not push a year of records again.
        if request.since.is_none() {
            return Err(Refusal::field(MISSING_PARAMETER, "ids", "missing ids or since").into());
        }
        let conditions = Conditions {
            application: request.application,
            since: request.since,
            until: request.until,
            ..Conditions::default()
        };
        let filter = conditions.filter()?;
        let export = exports::order(&app, &caller.0, filter, ExportFormat::Push).await?;
        Ok(Json(CdrPushed {
            callbacks: None,
            export: Some(CdrExport::of(&app, &caller.0, export)),
        }))
    }
}

/// Which page is asked for, and how many records before it are counted off.
fn counted(
    limit: Option<u32>,
    cursor: Option<&str>,
    page_no: Option<u32>,
    page_size: Option<u32>,
) -> Result<(PageRequest, u64), Refusal> {
    let page = page(limit.or(page_size), cursor)?;
    let Some(number) = page_no else { return Ok((page, 0)) };
    if number == 0 {
        return Err(Refusal::field(BAD_PARAMETER, "pageNo", "expected 1 or more"));
    }
    if page.after.is_some() {
        let expected = "expected a pageNo or a cursor, not both";
        return Err(Refusal::field(BAD_PARAMETER, "pageNo", expected));
    }
    let skip = u64::from(number - 1) * u64::from(page.limit);
    Ok((page, skip))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn pages_are_counted_from_one() {
        let skipped =
            |no, size| counted(None, None, no, size).map(|(page, skip)| (page.limit, skip));
        assert_eq!(skipped(None, None).unwrap(), (50, 0));
        assert_eq!(skipped(Some(1), Some(20)).unwrap(), (20, 0));
        assert_eq!(skipped(Some(3), Some(20)).unwrap(), (20, 40));
        assert_eq!(skipped(Some(u32::MAX), Some(500)).unwrap().0, 500);
        assert_eq!(skipped(Some(0), None).unwrap_err().field.as_deref(), Some("pageNo"));
        assert_eq!(skipped(None, Some(0)).unwrap_err().field.as_deref(), Some("limit"));
        let cursor = yunling_store::Cursor { at: yunling_domain::Micros(1), id: "x".into() };
        let both = counted(None, Some(&cursor.encode()), Some(2), None);
        assert_eq!(both.unwrap_err().field.as_deref(), Some("pageNo"));
    }
}
