//! Call detail records: exactly one for each leg, written when its attempt ends.
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};
use serde_json::Value;
use yunling_domain::campaign::PastCall;
use yunling_domain::conversation::ByeType;
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId, Micros, RequestId};

use crate::{
    Cursor, Page, PageRequest, RequestKind, StoreError, TimeRange, compare,
    entity::call::{ActiveModel, Column, Entity, Model},
};

/// A call detail record.
#[derive(Debug, Clone, PartialEq)]
pub struct Cdr {
    /// Its `callid`.
    pub call_id: CallId,
    /// The conversation that it was part of.
    pub conversation_id: ConversationId,
    /// The request that asked for it.
    pub request_id: RequestId,
    /// The application it was made for.
    pub application: ApplicationId,
    /// What was asked for.
    pub kind: RequestKind,
    /// The line number shown.
    pub from_number: String,
    /// The callee, as [`NewAttempt::to_number`](crate::attempts::NewAttempt).
    pub to_number: String,
    /// The trunk that it was last dialled on.
    pub trunk: Option<String>,
    /// When it was dialled first.
    pub started_at: Micros,
    /// The first 180 or 183.
    pub ring_at: Option<Micros>,
    /// The answer.
    pub answered_at: Option<Micros>,
    /// The end.
    pub ended_at: Micros,
    /// From the answer to the end as the printed stamps show it; 0 unanswered.
    pub duration_s: u32,
    /// 0 if and only if the callee answered.
    pub result: u8,
    /// Why it was not answered.
    pub reason: Option<u8>,
    /// The `callCause`.
    pub cause: String,
    /// Whose fault it was.
    pub fault: Option<String>,
    /// The final SIP status, where there was one.
    pub sip_code: Option<u16>,
    /// The Q.850 cause, where there was one.
    pub q850: Option<u8>,
    /// The confirming key.
    pub input_key: Option<String>,
    /// Media measurements.
    pub figures: Option<Value>,
    /// The deciding rule of the gate.
    pub rule: Option<String>,
    /// Its place in the conversation, the published `callSeq`.
    pub leg: u8,
    /// How the conversation ended, of click-to-call.
    pub bye_type: Option<ByeType>,
    /// Additive `hangupReason`, of click-to-call.
    pub hangup_reason: Option<String>,
}

/// Which calls a list shows. Conditions are joined by "and".
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// To this number, as stored.
    pub to_number: Option<String>,
    /// For a reader who sees numbers of masked conversations only in part: [`Self::to_number`] does
    /// not find them then.
    pub masked_numbers: bool,
    /// With this line number shown.
    pub from_number: Option<String>,
    /// Of this application.
    pub application: Option<ApplicationId>,
    /// Of this request.
    pub request_id: Option<RequestId>,
    /// With this result.
    pub result: Option<u8>,
    /// Begun in this range.
    pub started: TimeRange,
}

impl TryFrom<Model> for Cdr {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            kind: RequestKind::parse(&row.kind, "call")?,
            call_id: CallId::new(row.call_id),
            conversation_id: ConversationId::new(row.conversation_id),
            request_id: RequestId::new(row.request_id),
            application: ApplicationId::new(row.application),
            from_number: row.from_number,
            to_number: row.to_number,
            trunk: row.trunk,
            started_at: Micros(row.started_at),
            ring_at: row.ring_at.map(Micros),
            answered_at: row.answered_at.map(Micros),
            ended_at: Micros(row.ended_at),
            duration_s: narrow(row.duration_s, "duration_s")?,
            result: narrow(row.result.into(), "result")?,
            reason: row.reason.map(|reason| narrow(reason.into(), "reason")).transpose()?,
            cause: row.cause,
            fault: row.fault,
            sip_code: row.sip_code.map(|code| narrow(code.into(), "sip_code")).transpose()?,
            q850: row.q850.map(|cause| narrow(cause.into(), "q850")).transpose()?,
            input_key: row.input_key,
            figures: row.figures,
            rule: row.rule,
            leg: narrow(row.leg.into(), "leg")?,
            bye_type: row.bye_type.map(bye_type).transpose()?,
            hangup_reason: row.hangup_reason,
        })
    }
}

fn bye_type(number: i16) -> Result<ByeType, StoreError> {
    let number: u8 = narrow(number.into(), "bye_type")?;
    ByeType::try_from(number).map_err(|what| StoreError::Undecodable { table: "call", what })
}

fn narrow<T: TryFrom<i64>>(value: i64, column: &str) -> Result<T, StoreError> {
    T::try_from(value)
        .map_err(|_| StoreError::Undecodable { table: "call", what: format!("{column} {value}") })
}

/// Writes call records.
///
/// # Errors
/// [`StoreError::Conflict`] where a call has its record already.
pub(crate) async fn insert(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    records: &[Cdr],
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let rows = records.iter().map(|record| row(account, record));
    Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

fn row(account: &AccountId, record: &Cdr) -> ActiveModel {
    ActiveModel {
        call_id: Set(record.call_id.to_string()),
        conversation_id: Set(record.conversation_id.to_string()),
        request_id: Set(record.request_id.to_string()),
        account: Set(account.to_string()),
        application: Set(record.application.to_string()),
        kind: Set(record.kind.as_str().to_owned()),
        from_number: Set(record.from_number.clone()),
        to_number: Set(record.to_number.clone()),
        trunk: Set(record.trunk.clone()),
        started_at: Set(record.started_at.0),
        ring_at: Set(record.ring_at.map(|at| at.0)),
        answered_at: Set(record.answered_at.map(|at| at.0)),
        ended_at: Set(record.ended_at.0),
        duration_s: Set(record.duration_s.into()),
        result: Set(record.result.into()),
        reason: Set(record.reason.map(i16::from)),
        cause: Set(record.cause.clone()),
        fault: Set(record.fault.clone()),
        // SIP statuses end at 699 (RFC 3261 §21).
        sip_code: Set(record.sip_code.map(|code| i16::try_from(code).unwrap_or(i16::MAX))),
        q850: Set(record.q850.map(i16::from)),
        input_key: Set(record.input_key.clone()),
        figures: Set(record.figures.clone()),
        rule: Set(record.rule.clone()),
        leg: Set(record.leg.into()),
        bye_type: Set(record.bye_type.map(|bye_type| bye_type.number().into())),
        hangup_reason: Set(record.hangup_reason.clone()),
    }
}

/// The account's call of that identifier.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    call: &CallId,
) -> Result<Option<Cdr>, StoreError> {
    Entity::find_by_id(call.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .one(connection)
        .await?
        .map(Cdr::try_from)
        .transpose()
}

/// The calls of the account's conversation, in the order in which they were dialled.
///
/// # Errors
/// Those of a read.
pub async fn of_conversation(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<Vec<Cdr>, StoreError> {
    let rows = Entity::find()
        .filter(Column::ConversationId.eq(conversation.as_str()))
        .filter(compare::besides(Column::Account, account.as_str()))
        .order_by_asc(Column::StartedAt)
        .order_by_asc(Column::CallId)
        .all(connection)
        .await?;
    rows.into_iter().map(Cdr::try_from).collect()
}

/// The calls of those of the account's conversations, each conversation's by their places in it.
///
/// # Errors
/// Those of a read.
pub async fn of_conversations(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversations: &[ConversationId],
) -> Result<Vec<Cdr>, StoreError> {
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find()
        .filter(Column::ConversationId.is_in(conversations.iter().map(ConversationId::as_str)))
        .filter(compare::besides(Column::Account, account.as_str()))
        .order_by_asc(Column::ConversationId)
        .order_by_asc(Column::Leg)
        .order_by_asc(Column::CallId)
        .all(connection)
        .await?;
    rows.into_iter().map(Cdr::try_from).collect()
}

/// Calls of these kinds to these numbers that were dialled since an instant and are over, each with
/// its number.
///
/// # Errors
/// Those of a read.
pub async fn dialled_to(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    numbers: &[&str],
    kinds: &[RequestKind],
    since: Micros,
) -> Result<Vec<(String, PastCall)>, StoreError> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String, i64)> = Entity::find()
        .select_only()
        .columns([Column::ToNumber, Column::FromNumber, Column::StartedAt])
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::ToNumber.is_in(numbers.iter().copied()))
        .filter(Column::StartedAt.gte(since.0))
        .filter(Column::Kind.is_in(kinds.iter().map(|kind| kind.as_str())))
        // What no trunk was chosen for was never dialled.
        .filter(Column::Trunk.is_not_null())
        .into_tuple()
        .all(connection)
        .await?;
    let call = |(to, from, at): (String, String, i64)| {
        (to, PastCall { at: Micros(at), from: Some(from).filter(|from| !from.is_empty()) })
    };
    Ok(rows.into_iter().map(call).collect())
}

/// The account's calls, newest first.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    filter: &CallFilter,
    page: &PageRequest,
) -> Result<Page<Cdr>, StoreError> {
    let mut find = Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(compare::within(Column::StartedAt, filter.started));
    if let Some(number) = &filter.to_number {
        find = find.filter(Column::ToNumber.eq(number.as_str()));
        if filter.masked_numbers {
            // As long a query as there are calls to the number: "click" is found by its key.
            find = find.filter(Expr::cust(
                "NOT EXISTS (SELECT 1 FROM click WHERE click.conversation_id = \"call\".conversation_id \
                 AND click.masked <> 0 AND click.caller_call_id <> \"call\".call_id)",
            ));
        }
    }
    if let Some(number) = &filter.from_number {
        find = find.filter(Column::FromNumber.eq(number.as_str()));
    }
    if let Some(application) = &filter.application {
        find = find.filter(Column::Application.eq(application.as_str()));
    }
    if let Some(request) = &filter.request_id {
        find = find.filter(Column::RequestId.eq(request.as_str()));
    }
    if let Some(result) = filter.result {
        find = find.filter(Column::Result.eq(i16::from(result)));
    }
    if let Some(cursor) = &page.after {
        find = find.filter(compare::after(
            Column::StartedAt,
            cursor.at,
            Column::CallId,
            cursor.id.as_str(),
        ));
    }
    let rows = find
        .order_by_desc(Column::StartedAt)
        .order_by_desc(Column::CallId)
        .limit(page.rows() + 1)
        .all(connection)
        .await?;
    let rows = rows.into_iter().map(Cdr::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut(rows, page, |row| Cursor { at: row.started_at, id: row.call_id.to_string() }))
}
