//! From a campaign's numbers to attempts: what is due, what the decision needs to know, and what
//! becomes of a number.

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult,
    QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde_json::Value;
use yunling_domain::campaign::{LineCall, NumberResult, PastCall, Rule, Tries};
use yunling_domain::{AccountId, CallId, Micros, RequestId};

use super::{Campaign, CampaignState, call_state, number_state};
use crate::{
    StoreError,
    backend::{self, in_time},
    entity::{
        campaign::{Column, Entity},
        campaign_call, campaign_line, campaign_number,
    },
};

/// An arbitrary number that whoever feeds campaigns locks on PostgreSQL.
const ADVISORY_LOCK: i64 = 0x0079_756E_6361_6D70;

/// A number whose time to be asked about has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueNumber {
    /// Its place in the list.
    pub n: u32,
    /// The callee, as stored.
    pub to_number: String,
    /// The callee as callbacks echo it.
    pub to_shown: String,
    /// The callee's area code.
    pub area: Option<String>,
    /// When its next call is due.
    pub due_at: Micros,
    /// What it waits for; a retry's pause where there was a call before.
    pub rule: Option<String>,
    /// Its calls so far.
    pub tries: Tries,
    /// The caller ID that the next call shall not show.
    pub avoid: Option<String>,
    /// What its last call came to, if there was one.
    pub last_result: Option<NumberResult>,
}

impl From<campaign_number::Model> for DueNumber {
    fn from(row: campaign_number::Model) -> Self {
        Self {
            n: row.n.unsigned_abs(),
            to_number: row.to_number,
            to_shown: row.to_shown,
            area: row.area,
            due_at: Micros(row.due_at),
            rule: row.rule,
            tries: Tries {
                by_kind: [row.busy, row.no_answer, row.failed, row.unconfirmed]
                    .map(i16::unsigned_abs),
            },
            avoid: row.avoid,
            last_result: row.result.and_then(NumberResult::from_stored),
        }
    }
}

/// Every campaign that is started and not finished, and every run that is being made, oldest first.
///
/// # Errors
/// Those of a read.
pub async fn live(connection: &impl ConnectionTrait) -> Result<Vec<Campaign>, StoreError> {
    let find = Entity::find()
        // The condition of the partial index, word for word.
        .filter(Expr::cust("finished_at IS NULL"))
        .filter(Column::StartedAt.is_not_null())
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::RequestId);
    let rows = in_time(async { Ok(find.all(connection).await?) }).await?;
    rows.into_iter().map(Campaign::try_from).collect()
}

/// Whether a number of the campaign is due.
///
/// # Errors
/// Those of a read.
pub async fn has_due(
    connection: &impl ConnectionTrait,
    id: &RequestId,
    now: Micros,
) -> Result<bool, StoreError> {
    let find = campaign_number::Entity::find()
        .select_only()
        .column(campaign_number::Column::N)
        .filter(campaign_number::Column::RequestId.eq(id.as_str()))
        .filter(Expr::cust("state = 0"))
        .filter(campaign_number::Column::DueAt.lte(now.0))
        .limit(1)
        .into_tuple::<i32>();
    let found = in_time(async { Ok(find.one(connection).await?) }).await?;
    Ok(found.is_some())
}

#[derive(FromQueryResult)]
struct Queued {
    request_id: String,
    rows: i64,
}

/// How many attempts of each campaign no dispatcher has taken yet.
///
/// # Errors
/// Those of a read.
pub async fn queued(
    connection: &impl ConnectionTrait,
) -> Result<HashMap<RequestId, u32>, StoreError> {
    let sql = "SELECT request_id, COUNT(*) AS rows FROM attempt \
               WHERE state = 0 AND lane = 2 GROUP BY request_id";
    let statement = backend::statement(connection.get_database_backend(), sql, Vec::new());
    let find = Queued::find_by_statement(statement);
    let rows = in_time(async { Ok(find.all(connection).await?) }).await?;
    let pairs = rows
        .into_iter()
        .map(|row| (RequestId::new(row.request_id), u32::try_from(row.rows).unwrap_or(u32::MAX)));
    Ok(pairs.collect())
}

/// Until the transaction's end nobody else feeds: what it reads of callees' calls is all there is.
/// False, and nothing is to be fed, where the campaign does not run.
///
/// # Errors
/// Those of a write.
pub async fn hold(tx: &impl ConnectionTrait, id: &RequestId) -> Result<bool, StoreError> {
    // SQLite has one writer.
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")).await?;
    }
    let lock = match tx.get_database_backend() {
        DbBackend::Postgres => " FOR SHARE",
        _ => "",
    };
    let sql = format!("SELECT state FROM campaign WHERE request_id = ?{lock}");
    let values = vec![id.as_str().into()];
    let statement = backend::statement(tx.get_database_backend(), &sql, values);
    let found = Held::find_by_statement(statement).one(tx).await?;
    Ok(found.is_some_and(|held| held.state == CampaignState::Running.as_str()))
}

#[derive(FromQueryResult)]
struct Held {
    state: String,
}

/// The numbers that are due, at most `limit`, those that have waited longest first.
///
/// # Errors
/// Those of a read.
pub async fn due(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    now: Micros,
    limit: u32,
) -> Result<Vec<DueNumber>, StoreError> {
    let rows = campaign_number::Entity::find()
        .filter(campaign_number::Column::RequestId.eq(id.as_str()))
        .filter(Expr::cust("state = 0"))
        .filter(campaign_number::Column::DueAt.lte(now.0))
        .order_by_asc(campaign_number::Column::DueAt)
        .order_by_asc(campaign_number::Column::N)
        .limit(u64::from(limit))
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(DueNumber::from).collect())
}

/// Numbers of the account's campaign that wait, in the order of the list, behind the place `after`.
///
/// # Errors
/// Those of a read.
pub async fn upcoming(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    after: Option<u32>,
    limit: u64,
) -> Result<Vec<DueNumber>, StoreError> {
    if super::get(connection, account, id).await?.is_none() {
        return Err(StoreError::NotFound("campaign"));
    }
    let mut find = campaign_number::Entity::find()
        .filter(campaign_number::Column::RequestId.eq(id.as_str()))
        .filter(Expr::cust("state = 0"));
    if let Some(after) = after {
        find = find.filter(campaign_number::Column::N.gt(i32::try_from(after).unwrap_or(i32::MAX)));
    }
    let find = find.order_by_asc(campaign_number::Column::N).limit(limit);
    Ok(find.all(connection).await?.into_iter().map(DueNumber::from).collect())
}

#[derive(FromQueryResult)]
struct Past {
    to_number: String,
    from_number: Option<String>,
    at: i64,
}

/// Calls of the account's campaigns to these numbers since an instant, those that are under way too.
///
/// # Errors
/// Those of a read.
pub async fn past_calls(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    numbers: &[&str],
    since: Micros,
) -> Result<HashMap<String, Vec<PastCall>>, StoreError> {
    let mut calls: HashMap<String, Vec<PastCall>> = HashMap::new();
    if numbers.is_empty() {
        return Ok(calls);
    }
    let marks = vec!["?"; numbers.len()].join(", ");
    let sql = format!(
        "SELECT to_number, from_number, at FROM campaign_call \
         WHERE account = ? AND to_number IN ({marks}) AND at >= ?"
    );
    let mut values: Vec<sea_orm::Value> = vec![account.as_str().into()];
    values.extend(numbers.iter().map(|number| (*number).into()));
    values.push(since.0.into());
    let statement = backend::statement(connection.get_database_backend(), &sql, values);
    for row in Past::find_by_statement(statement).all(connection).await? {
        let call = PastCall { at: Micros(row.at), from: row.from_number };
        calls.entry(row.to_number).or_default().push(call);
    }
    Ok(calls)
}

/// The newest calls of the account's campaigns that showed a caller ID and are over, newest first.
///
/// # Errors
/// Those of a read.
pub async fn line_calls(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    from: &str,
    limit: u32,
) -> Result<Vec<LineCall>, StoreError> {
    let rows: Vec<(i64, Option<i64>)> = campaign_call::Entity::find()
        .select_only()
        .column(campaign_call::Column::At)
        .column(campaign_call::Column::AnsweredAt)
        .filter(campaign_call::Column::Account.eq(account.as_str()))
        .filter(campaign_call::Column::FromNumber.eq(from))
        .filter(campaign_call::Column::State.gt(call_state::OUT))
        .order_by_desc(campaign_call::Column::At)
        .limit(u64::from(limit))
        .into_tuple()
        .all(connection)
        .await?;
    let call = |(at, answered_at): (i64, Option<i64>)| LineCall {
        at: Micros(at),
        answered: answered_at.is_some(),
    };
    Ok(rows.into_iter().map(call).collect())
}

/// How often the campaign has shown each of its caller IDs.
///
/// # Errors
/// Those of a read.
pub async fn lines(
    connection: &impl ConnectionTrait,
    id: &RequestId,
) -> Result<HashMap<String, u64>, StoreError> {
    let rows = campaign_line::Entity::find()
        .filter(campaign_line::Column::RequestId.eq(id.as_str()))
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.number, row.calls.unsigned_abs())).collect())
}

/// Counts that a caller ID is shown so many times more.
///
/// # Errors
/// Those of a write.
pub async fn count_shown(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    number: &str,
    more: u32,
) -> Result<(), StoreError> {
    let sql = "UPDATE campaign_line SET calls = calls + ? WHERE request_id = ? AND number = ?";
    let values = vec![i64::from(more).into(), id.as_str().into(), number.into()];
    tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}

/// A call that is queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCall {
    /// Its identifier, which is its attempt's.
    pub call_id: CallId,
    /// Whose it is.
    pub account: AccountId,
    /// The campaign.
    pub request_id: RequestId,
    /// Which number of its list.
    pub n: u32,
    /// The callee, as stored.
    pub to_number: String,
    /// What it will see; absent: chosen when it is dialled.
    pub from_number: Option<String>,
    /// When it was queued.
    pub at: Micros,
}

/// Notes calls that are queued in the same transaction.
///
/// # Errors
/// Those of a write.
pub async fn insert_calls(tx: &impl ConnectionTrait, calls: &[NewCall]) -> Result<(), StoreError> {
    if calls.is_empty() {
        return Ok(());
    }
    let rows = calls.iter().map(|call| campaign_call::ActiveModel {
        call_id: Set(call.call_id.to_string()),
        request_id: Set(call.request_id.to_string()),
        account: Set(call.account.to_string()),
        n: Set(i32::try_from(call.n).unwrap_or(i32::MAX)),
        to_number: Set(call.to_number.clone()),
        from_number: Set(call.from_number.clone()),
        at: Set(call.at.0),
        answered_at: Set(None),
        ended_at: Set(None),
        talk_s: Set(0),
        result: Set(None),
        state: Set(call_state::OUT),
    });
    campaign_call::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

async fn change_waiting(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    n: u32,
    set: &str,
    mut values: Vec<sea_orm::Value>,
) -> Result<bool, StoreError> {
    let sql =
        format!("UPDATE campaign_number SET {set} WHERE request_id = ? AND n = ? AND state = 0");
    values.extend([id.as_str().into(), i32::try_from(n).unwrap_or(i32::MAX).into()]);
    let statement = backend::statement(tx.get_database_backend(), &sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected() > 0)
}

/// Takes a number out for a call. False where it does not wait any more.
///
/// # Errors
/// Those of a write.
pub async fn send_out(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    n: u32,
) -> Result<bool, StoreError> {
    change_waiting(tx, id, n, "state = ?, rule = NULL", vec![number_state::OUT.into()]).await
}

/// Has a number asked about again later.
///
/// # Errors
/// Those of a write.
pub async fn defer(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    n: u32,
    at: Micros,
    rule: Rule,
) -> Result<(), StoreError> {
    let values = vec![at.0.into(), rule.name().into()];
    change_waiting(tx, id, n, "due_at = ?, rule = ?", values).await.map(drop)
}

/// Closes a number that is not called any more. False where it does not wait any more. It is still to
/// be counted.
///
/// # Errors
/// Those of a write.
pub async fn close(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    n: u32,
    result: NumberResult,
    rule: &str,
) -> Result<bool, StoreError> {
    let values = vec![number_state::DONE.into(), (result as i16).into(), rule.into()];
    change_waiting(tx, id, n, "state = ?, result = ?, rule = ?", values).await
}

/// What there is to know of a call right before it is dialled.
#[derive(Debug, Clone, PartialEq)]
pub struct Briefing {
    /// How far its campaign is.
    pub state: CampaignState,
    /// The row's texts for the places of the contents.
    pub variables: Value,
    /// What its callbacks echo, instead of the campaign's own.
    pub userdata: Option<String>,
    /// The account's do-not-call list has its number.
    pub is_listed: bool,
}

#[derive(FromQueryResult)]
struct Briefed {
    state: String,
    variables: Value,
    userdata: Option<String>,
    listed: i64,
}

/// The briefing of a call; nothing where it is none of a campaign.
///
/// # Errors
/// Those of a read.
pub async fn briefing(
    connection: &impl ConnectionTrait,
    call: &CallId,
) -> Result<Option<Briefing>, StoreError> {
    let sql = "SELECT c.state, n.variables, n.userdata, \
               (SELECT COUNT(*) FROM do_not_call d \
               WHERE d.account = k.account AND d.number = k.to_number) AS listed \
               FROM campaign_call k \
               JOIN campaign c ON c.request_id = k.request_id \
               JOIN campaign_number n ON n.request_id = k.request_id AND n.n = k.n \
               WHERE k.call_id = ?";
    let values = vec![call.as_str().into()];
    let statement = backend::statement(connection.get_database_backend(), sql, values);
    let find = Briefed::find_by_statement(statement);
    let found = in_time(async { Ok(find.one(connection).await?) }).await?;
    found
        .map(|row| {
            Ok(Briefing {
                state: CampaignState::parse(&row.state)?,
                variables: row.variables,
                userdata: row.userdata,
                is_listed: row.listed > 0,
            })
        })
        .transpose()
}
