//! What came of a campaign: by hour, by what calls came to, and number by number.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::Value;
use yunling_domain::campaign::{CallResult, NumberResult};
use yunling_domain::{AccountId, Micros, RequestId};

use super::number_state;
use crate::{
    StoreError, backend,
    entity::{campaign_number, campaign_rejected},
};

/// The calls that were made within one hour since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// Its beginning.
    pub at: Micros,
    /// Calls that were dialled and are over.
    pub calls: u32,
    /// Those that were answered.
    pub answered: u32,
    /// Those that were confirmed by a key.
    pub confirmed: u32,
    /// How long they talked, seconds.
    pub talk_s: u64,
}

const HOUR_MICROS: i64 = 3_600_000_000;

#[derive(FromQueryResult)]
struct HourRow {
    hour: i64,
    calls: i64,
    answered: i64,
    confirmed: i64,
    talk_s: i64,
}

fn narrow(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The results of calls that were none, as an SQL list: their rows are there until they are taken.
fn undialled() -> String {
    let results = CallResult::ALL.into_iter().filter(|result| !result.was_dialled());
    results.map(|result| (result as i16).to_string()).collect::<Vec<_>>().join(", ")
}

/// The hours in which the account's campaign called somebody, oldest first.
///
/// # Errors
/// Those of a read.
pub async fn hours(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<Vec<Hour>, StoreError> {
    let (confirmed, undialled) = (CallResult::Confirmed as i16, undialled());
    let sql = format!(
        "SELECT at / {HOUR_MICROS} AS hour, COUNT(*) AS calls, COUNT(answered_at) AS answered, \
         COUNT(CASE WHEN result = {confirmed} THEN 1 END) AS confirmed, \
         CAST(SUM(talk_s) AS BIGINT) AS talk_s FROM campaign_call \
         WHERE request_id = ? AND account = ? AND state > 0 AND result NOT IN ({undialled}) \
         GROUP BY at / {HOUR_MICROS} \
         ORDER BY at / {HOUR_MICROS}"
    );
    let values = vec![id.as_str().into(), account.as_str().into()];
    let statement = backend::statement(connection.get_database_backend(), &sql, values);
    let rows = HourRow::find_by_statement(statement).all(connection).await?;
    let hour = |row: HourRow| Hour {
        at: Micros(row.hour.saturating_mul(HOUR_MICROS)),
        calls: narrow(row.calls),
        answered: narrow(row.answered),
        confirmed: narrow(row.confirmed),
        talk_s: row.talk_s.unsigned_abs(),
    };
    Ok(rows.into_iter().map(hour).collect())
}

/// How many calls came to what, in the order of [`CallResult::ALL`].
pub type Outcomes = [u32; CallResult::ALL.len()];

#[derive(FromQueryResult)]
struct OutcomeRow {
    result: Option<i16>,
    calls: i64,
}

/// The calls of the account's campaign that were dialled and are over, by what they came to.
///
/// # Errors
/// Those of a read.
pub async fn outcomes(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<Outcomes, StoreError> {
    let sql = format!(
        "SELECT result, COUNT(*) AS calls FROM campaign_call WHERE request_id = ? \
         AND account = ? AND state > 0 AND result NOT IN ({}) GROUP BY result",
        undialled()
    );
    let values = vec![id.as_str().into(), account.as_str().into()];
    let statement = backend::statement(connection.get_database_backend(), &sql, values);
    let mut outcomes = Outcomes::default();
    for row in OutcomeRow::find_by_statement(statement).all(connection).await? {
        if let Some(result) = row.result.and_then(CallResult::from_stored) {
            outcomes[result as usize] = narrow(row.calls);
        }
    }
    Ok(outcomes)
}

/// One number of a campaign, as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberRow {
    /// Its place in the list.
    pub n: u32,
    /// The callee as callbacks echo it.
    pub to_shown: String,
    /// What its callbacks echo.
    pub userdata: Option<String>,
    /// The row's texts for the places of the contents.
    pub variables: Value,
    /// Its calls that were dialled.
    pub calls: u32,
    /// What it came to; absent while it waits or its call is under way.
    pub result: Option<NumberResult>,
    /// It is queued for the dispatcher, or its call is under way.
    pub is_out: bool,
    /// What it waits for, or what ended it without a call.
    pub rule: Option<String>,
    /// When it is asked about next; absent where it does not wait.
    pub due_at: Option<Micros>,
}

impl From<campaign_number::Model> for NumberRow {
    fn from(row: campaign_number::Model) -> Self {
        let result = row.result.and_then(NumberResult::from_stored);
        let waits = row.state == number_state::WAITS && row.due_at > 0;
        Self {
            n: row.n.unsigned_abs(),
            to_shown: row.to_shown,
            userdata: row.userdata,
            variables: row.variables,
            calls: u32::from(row.calls.unsigned_abs()),
            result: result.filter(|_| row.state == number_state::DONE),
            is_out: row.state == number_state::OUT,
            rule: row.rule,
            due_at: waits.then_some(Micros(row.due_at)),
        }
    }
}

/// Numbers of the account's campaign in the order of the list, behind the place `after`.
///
/// # Errors
/// [`StoreError::NotFound`] where the account has no such campaign.
pub async fn numbers(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    after: Option<u32>,
    limit: u64,
) -> Result<Vec<NumberRow>, StoreError> {
    is_there(connection, account, id).await?;
    let mut find =
        campaign_number::Entity::find().filter(campaign_number::Column::RequestId.eq(id.as_str()));
    if let Some(after) = after {
        find = find.filter(campaign_number::Column::N.gt(i32::try_from(after).unwrap_or(i32::MAX)));
    }
    let find = find.order_by_asc(campaign_number::Column::N).limit(limit);
    Ok(find.all(connection).await?.into_iter().map(NumberRow::from).collect())
}

/// Rows of the campaign's list that were not taken: line, reason and content, behind the line
/// `after`.
///
/// # Errors
/// [`StoreError::NotFound`] where the account has no such campaign.
pub async fn rejected(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    after: u32,
    limit: u64,
) -> Result<Vec<(u32, String, String)>, StoreError> {
    is_there(connection, account, id).await?;
    let rows = campaign_rejected::Entity::find()
        .filter(campaign_rejected::Column::RequestId.eq(id.as_str()))
        .filter(campaign_rejected::Column::Line.gt(i32::try_from(after).unwrap_or(i32::MAX)))
        .order_by_asc(campaign_rejected::Column::Line)
        .limit(limit)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.line.unsigned_abs(), row.reason, row.content)).collect())
}

async fn is_there(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<(), StoreError> {
    match super::get(connection, account, id).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::NotFound("campaign")),
    }
}
