//! Making a campaign, and taking its list in: in turns, under a campaign that loads, so that half a
//! list is never called.

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};
use serde_json::Value;
use yunling_domain::campaign::Rules;
use yunling_domain::{AccountId, ApplicationId, Micros, NodeNumber, RequestId};

use super::{CampaignState, number_state};
use crate::{
    StoreError, backend,
    entity::{campaign, campaign_line, campaign_number, campaign_rejected},
};

/// A campaign to be made; its request is stored in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCampaign {
    /// Its identifier.
    pub id: RequestId,
    /// Whose it is.
    pub account: AccountId,
    /// The application it is made for.
    pub application: ApplicationId,
    /// For people.
    pub name: String,
    /// Its rules.
    pub rules: Rules,
    /// When it comes round, for a recurring one.
    pub cron: Option<String>,
    /// When it was made.
    pub created_at: Micros,
}

/// One number of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Its place in the list, from 0.
    pub n: u32,
    /// The callee, as [`NewAttempt::to_number`](crate::attempts::NewAttempt).
    pub to_number: String,
    /// The callee as callbacks echo it.
    pub to_shown: String,
    /// The row's texts for the places of the contents: an object.
    pub variables: Value,
    /// What its callbacks echo, instead of the campaign's own.
    pub userdata: Option<String>,
    /// The callee's area code.
    pub area: Option<String>,
}

/// What a list came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListCounts {
    /// Numbers that were taken.
    pub total: u32,
    /// Rows that were not.
    pub rejected: u32,
    /// Rows that named a number again.
    pub duplicates: u32,
}

fn narrow(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A row without numbers yet.
pub(super) fn row(
    new: &NewCampaign,
    state: CampaignState,
) -> Result<campaign::ActiveModel, StoreError> {
    let rules = serde_json::to_value(&new.rules).map_err(|error| StoreError::Undecodable {
        table: "campaign",
        what: format!("rules that cannot be written: {error}"),
    })?;
    Ok(campaign::ActiveModel {
        request_id: Set(new.id.to_string()),
        account: Set(new.account.to_string()),
        application: Set(new.application.to_string()),
        name: Set(new.name.clone()),
        state: Set(state.as_str().to_owned()),
        node: Set(String::new()),
        parent: Set(None),
        fires_at: Set(None),
        cron: Set(new.cron.clone()),
        next_fire_at: Set(None),
        rules: Set(rules),
        total: Set(0),
        rejected: Set(0),
        duplicates: Set(0),
        calls: Set(0),
        talk_s: Set(0),
        confirmed: Set(0),
        answered: Set(0),
        busy: Set(0),
        no_answer: Set(0),
        declined: Set(0),
        no_such_number: Set(0),
        failed: Set(0),
        refused: Set(0),
        cancelled: Set(0),
        created_at: Set(new.created_at.0),
        started_at: Set(None),
        finished_at: Set(None),
    })
}

/// The counters of a campaign's caller IDs.
pub(super) async fn insert_lines(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    rules: &Rules,
) -> Result<(), StoreError> {
    if rules.lines.numbers.is_empty() {
        return Ok(());
    }
    let rows = rules.lines.numbers.iter().map(|number| campaign_line::ActiveModel {
        request_id: Set(id.to_string()),
        number: Set(number.clone()),
        calls: Set(0),
    });
    campaign_line::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

/// Makes a campaign: [`CampaignState::Draft`], without numbers.
///
/// # Errors
/// [`StoreError::Conflict`] where the identifier is taken.
pub async fn insert(tx: &impl ConnectionTrait, new: &NewCampaign) -> Result<(), StoreError> {
    let row = row(new, CampaignState::Draft)?;
    campaign::Entity::insert(row).exec_without_returning(tx).await?;
    insert_lines(tx, &new.id, &new.rules).await
}

/// Begins to take a list in, which replaces the one before. False where the account has no such
/// campaign that is a draft.
///
/// # Errors
/// Those of a write.
pub async fn open_list(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    node: NodeNumber,
) -> Result<bool, StoreError> {
    let sql = "UPDATE campaign SET state = 'loading', node = ?, total = 0, rejected = 0, \
               duplicates = 0 WHERE request_id = ? AND account = ? AND state = 'draft'";
    let values = vec![node.to_string().into(), id.as_str().into(), account.as_str().into()];
    let statement = backend::statement(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected() > 0)
}

/// Drops some rows of the list before: of those that were taken, and then of the others. Gives how
/// many; 0 when there is none left.
///
/// # Errors
/// Those of a write.
pub async fn drop_entries(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    limit: u32,
) -> Result<u64, StoreError> {
    for (table, key) in [("campaign_number", "n"), ("campaign_rejected", "line")] {
        let sql = format!(
            "DELETE FROM {table} WHERE request_id = ? AND {key} IN (\
             SELECT {key} FROM {table} WHERE request_id = ? LIMIT ?) AND EXISTS (\
             SELECT 1 FROM campaign WHERE request_id = ? AND state = 'loading')"
        );
        let of = || sea_orm::Value::from(id.as_str());
        let values = vec![of(), of(), i64::from(limit).into(), of()];
        let statement = backend::statement(tx.get_database_backend(), &sql, values);
        let dropped = tx.execute_raw(statement).await?.rows_affected();
        if dropped > 0 {
            return Ok(dropped);
        }
    }
    Ok(0)
}

/// Adds numbers, at most [`BULK_ROWS`](crate::BULK_ROWS) at a time. All are due at once: the rules
/// say when they are called.
///
/// # Errors
/// Those of a write.
pub async fn add_entries(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    entries: &[NewEntry],
) -> Result<(), StoreError> {
    let rows = entries.iter().map(|entry| campaign_number::ActiveModel {
        request_id: Set(id.to_string()),
        n: Set(narrow(entry.n)),
        to_number: Set(entry.to_number.clone()),
        to_shown: Set(entry.to_shown.clone()),
        variables: Set(entry.variables.clone()),
        userdata: Set(entry.userdata.clone()),
        area: Set(entry.area.clone()),
        state: Set(number_state::WAITS),
        due_at: Set(0),
        rule: Set(None),
        result: Set(None),
        busy: Set(0),
        no_answer: Set(0),
        failed: Set(0),
        unconfirmed: Set(0),
        calls: Set(0),
        avoid: Set(None),
    });
    campaign_number::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

/// Adds rows that were not taken: line, reason and content, at most
/// [`BULK_ROWS`](crate::BULK_ROWS) at a time.
///
/// # Errors
/// Those of a write.
pub async fn add_rejected(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    rows: &[(u32, String, String)],
) -> Result<(), StoreError> {
    let rows = rows.iter().map(|(line, reason, content)| campaign_rejected::ActiveModel {
        request_id: Set(id.to_string()),
        line: Set(narrow(*line)),
        reason: Set(reason.clone()),
        content: Set(content.clone()),
    });
    campaign_rejected::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

/// The last step: the list is whole.
///
/// # Errors
/// [`StoreError::NotFound`] where the campaign does not load any more.
pub async fn list_done(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    counts: ListCounts,
) -> Result<(), StoreError> {
    let sql = "UPDATE campaign SET state = 'draft', total = ?, rejected = ?, duplicates = ? \
               WHERE request_id = ? AND account = ? AND state = 'loading'";
    let values = vec![
        narrow(counts.total).into(),
        narrow(counts.rejected).into(),
        narrow(counts.duplicates).into(),
        id.as_str().into(),
        account.as_str().into(),
    ];
    let statement = backend::statement(tx.get_database_backend(), sql, values);
    match tx.execute_raw(statement).await?.rows_affected() {
        0 => Err(StoreError::NotFound("campaign")),
        _ => Ok(()),
    }
}

/// A list was not taken in to its end: the campaign is a draft without numbers, whatever rows of it
/// are left. The next list drops them.
///
/// # Errors
/// Those of a write.
pub async fn list_failed(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<(), StoreError> {
    let sql = "UPDATE campaign SET state = 'draft', total = 0 \
               WHERE request_id = ? AND account = ? AND state = 'loading' AND parent IS NULL";
    let values = vec![id.as_str().into(), account.as_str().into()];
    tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}

/// The same for every list that a node was taking in when it died: it has just started, so it takes
/// in none. Gives how many.
///
/// # Errors
/// Those of a write.
pub async fn reset_lists(tx: &impl ConnectionTrait, node: NodeNumber) -> Result<u64, StoreError> {
    // The condition of the partial index, word for word.
    let sql = "UPDATE campaign SET state = 'draft', total = 0 WHERE finished_at IS NULL \
               AND state = 'loading' AND parent IS NULL AND node = ?";
    let values = vec![node.to_string().into()];
    let statement = backend::statement(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}
