use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, Statement, Value as SqlValue};
use yunling_domain::{AccountId, Micros, NodeNumber};

use super::{Attempt, AttemptLane, read_all};
use crate::{
    StoreError,
    backend::{among, in_time},
    entity::attempt::Entity,
};

/// What a dispatcher asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who asks.
    pub node: NodeNumber,
    /// Rows due at this instant or before.
    pub now: Micros,
    /// Until when the rows count as held.
    pub lease_until: Micros,
    /// At most this many rows to be dialled of each lane, in the order of [`AttemptLane::ALL`].
    pub limits: [u32; AttemptLane::ALL.len()],
    /// At most this many expired rows.
    pub expired_limit: u32,
    /// Accounts that have enough rows of a lane at a limit already: those rows stay where they are.
    pub skip: Vec<(AttemptLane, AccountId)>,
}

/// What it gets. All are [`AttemptState::Claimed`](super::AttemptState::Claimed) by it now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claimed {
    /// To be dialled: by lane, within a lane in turns between the accounts, each account's by due
    /// time.
    pub due: Vec<Attempt>,
    /// Their deadline has passed: to be finished without a call (result 1, reason 2).
    pub expired: Vec<Attempt>,
}

/// Takes rows that are due, and rows whose deadline has passed (of every account, skipped ones
/// too).
///
/// Within a lane each account gets an equal share of the lane's limit, then the rest goes
/// round again, so that a batch of a hundred thousand does not keep another tenant's notice
/// waiting.
///
/// # Errors
/// Those of a write.
pub async fn claim_due(tx: &impl ConnectionTrait, claim: &Claim) -> Result<Claimed, StoreError> {
    let mut expired = take(
        tx,
        claim,
        "deadline_at <= ? ORDER BY deadline_at, id",
        vec![claim.now.0.into()],
        u64::from(claim.expired_limit),
    )
    .await?;
    expired.sort_by_key(|attempt| (attempt.queued.deadline_at, attempt.id));
    let mut due = Vec::new();
    for (lane, limit) in AttemptLane::ALL.into_iter().zip(claim.limits) {
        take_lane(tx, claim, lane, u64::from(limit), &mut due).await?;
    }
    Ok(Claimed { due, expired })
}

async fn take_lane(
    tx: &impl ConnectionTrait,
    claim: &Claim,
    lane: AttemptLane,
    mut left: u64,
    due: &mut Vec<Attempt>,
) -> Result<(), StoreError> {
    if left == 0 {
        return Ok(());
    }
    let mut accounts = accounts_waiting(tx, lane).await?;
    accounts.retain(|account| {
        !claim.skip.iter().any(|(of, skipped)| *of == lane && skipped.as_str() == account)
    });
    if accounts.len() as u64 > left {
        // Not everyone gets a row this time: who begins changes from time to time.
        let first = claim.now.0.unsigned_abs() % accounts.len() as u64;
        accounts.rotate_left(usize::try_from(first).unwrap_or_default());
    }
    let mut taken: Vec<Vec<Attempt>> = Vec::new();
    while left > 0 && !accounts.is_empty() {
        let share = left.div_ceil(accounts.len() as u64);
        let mut unsatisfied = Vec::new();
        for account in accounts {
            let wanted = share.min(left);
            if wanted == 0 {
                break;
            }
            let rows = take(
                tx,
                claim,
                "lane = ? AND account = ? AND due_at <= ? ORDER BY due_at, id",
                vec![(lane as i16).into(), account.clone().into(), claim.now.0.into()],
                wanted,
            )
            .await?;
            left -= rows.len() as u64;
            if rows.len() as u64 == wanted {
                unsatisfied.push(account);
            }
            taken.push(rows);
        }
        accounts = unsatisfied;
    }
    in_turns(taken, due);
    Ok(())
}

/// The first of each, then the second of each…
fn in_turns(groups: Vec<Vec<Attempt>>, into: &mut Vec<Attempt>) {
    let mut groups: Vec<_> = groups.into_iter().map(Vec::into_iter).collect();
    while !groups.is_empty() {
        groups.retain_mut(|group| match group.next() {
            Some(attempt) => {
                into.push(attempt);
                true
            }
            None => false,
        });
    }
}

#[derive(FromQueryResult)]
struct Waiting {
    account: String,
}

/// The accounts with rows in a lane, found by leaps over the index: as many steps as accounts, not
/// as rows.
async fn accounts_waiting(
    tx: &impl ConnectionTrait,
    lane: AttemptLane,
) -> Result<Vec<String>, StoreError> {
    let sql = "WITH RECURSIVE waiting (account) AS (\
         SELECT MIN(account) FROM attempt WHERE state = 0 AND lane = ? \
         UNION ALL \
         SELECT (SELECT MIN(a.account) FROM attempt a \
                 WHERE a.state = 0 AND a.lane = ? AND a.account > waiting.account) \
         FROM waiting WHERE waiting.account IS NOT NULL) \
         SELECT account FROM waiting WHERE account IS NOT NULL";
    let lane = SqlValue::from(lane as i16);
    let statement = statement(tx, sql, vec![lane.clone(), lane]);
    let rows = Waiting::find_by_statement(statement).all(tx).await?;
    Ok(rows.into_iter().map(|row| row.account).collect())
}

/// Claims up to `limit` queued rows that `condition` picks, and gives them by due time.
async fn take(
    tx: &impl ConnectionTrait,
    claim: &Claim,
    condition: &str,
    values: Vec<SqlValue>,
    limit: u64,
) -> Result<Vec<Attempt>, StoreError> {
    // Nodes that claim at the same time pass by each other's rows; SQLite has one writer.
    let select = format!("SELECT id FROM attempt WHERE state = 0 AND {condition} LIMIT ?");
    let picked = among(tx.get_database_backend(), "id", &select);
    let sql = format!(
        "UPDATE attempt SET state = 1, node = ?, lease_until = ? WHERE {picked} RETURNING *"
    );
    let mut all = vec![claim.node.to_string().into(), claim.lease_until.0.into()];
    all.extend(values);
    all.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let rows = Entity::find().from_raw_sql(statement(tx, &sql, all)).all(tx).await?;
    let mut attempts = read_all(rows)?;
    // RETURNING has no order of its own.
    attempts.sort_by_key(|attempt| (attempt.queued.due_at, attempt.id));
    Ok(attempts)
}

#[derive(FromQueryResult)]
struct Earliest {
    due_at: Option<i64>,
}

/// When the next queued row that is not due at `now` becomes due: how long a dispatcher with
/// nothing to do may sleep.
///
/// # Errors
/// Those of a read.
pub async fn next_due_at(
    connection: &impl ConnectionTrait,
    now: Micros,
) -> Result<Option<Micros>, StoreError> {
    let sql = "SELECT MIN(due_at) AS due_at FROM attempt WHERE state = 0 AND due_at > ?";
    let find = Earliest::find_by_statement(statement(connection, sql, vec![now.0.into()]));
    let row = in_time(async { Ok(find.one(connection).await?) }).await?;
    Ok(row.and_then(|row| row.due_at).map(Micros))
}

#[derive(FromQueryResult)]
struct Length {
    account: String,
    rows: i64,
}

/// How many rows wait for each account, for the limits and the metrics.
///
/// # Errors
/// Those of a read.
pub async fn queue_lengths(
    connection: &impl ConnectionTrait,
) -> Result<Vec<(AccountId, u64)>, StoreError> {
    let sql = "SELECT account, COUNT(*) AS rows FROM attempt WHERE state = 0 GROUP BY account";
    let rows =
        Length::find_by_statement(statement(connection, sql, Vec::new())).all(connection).await?;
    Ok(rows.into_iter().map(|row| (AccountId::new(row.account), row.rows.unsigned_abs())).collect())
}

pub(super) async fn count_queued(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    lane: AttemptLane,
) -> Result<u64, StoreError> {
    let sql = "SELECT account, COUNT(*) AS rows FROM attempt \
               WHERE state = 0 AND lane = ? AND account = ? GROUP BY account";
    let values = vec![(lane as i16).into(), account.as_str().into()];
    let row = Length::find_by_statement(statement(connection, sql, values)).one(connection).await?;
    Ok(row.map_or(0, |row| row.rows.unsigned_abs()))
}

/// Writes `?` as the backend wants its parameters.
fn statement(connection: &impl ConnectionTrait, sql: &str, values: Vec<SqlValue>) -> Statement {
    crate::backend::statement(connection.get_database_backend(), sql, values)
}
