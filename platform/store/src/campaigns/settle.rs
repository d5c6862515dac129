//! What calls came to. The transaction that ends a call only notes its result in the call's own row;
//! whoever feeds takes the number back later, so that no two calls wait for one another.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult};
use yunling_domain::campaign::{CallResult, NumberResult, Tries};
use yunling_domain::{CallId, Micros, RequestId};

use super::{CampaignState, call_state, number_state};
use crate::{
    StoreError,
    backend::{self, in_time},
};

/// A call of a campaign that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When dialling began, or when it was decided that it does not.
    pub at: Micros,
    /// The answer.
    pub answered_at: Option<Micros>,
    /// The end.
    pub ended_at: Micros,
    /// How long was talked, seconds.
    pub talk_s: u32,
    /// What it came to.
    pub result: CallResult,
    /// The line number shown, where it is known better than before, as stored.
    pub from_number: Option<String>,
}

/// Notes what a call came to, in the transaction that ends it.
///
/// # Errors
/// Those of a write.
pub async fn note_result(
    tx: &impl ConnectionTrait,
    call: &CallId,
    ended: &Ended,
) -> Result<(), StoreError> {
    let sql = "UPDATE campaign_call SET at = ?, answered_at = ?, ended_at = ?, talk_s = ?, \
               result = ?, state = ?, from_number = COALESCE(?, from_number) \
               WHERE call_id = ? AND state = ?";
    let values = vec![
        ended.at.0.into(),
        ended.answered_at.map(|at| at.0).into(),
        ended.ended_at.0.into(),
        i64::from(ended.talk_s).into(),
        (ended.result as i16).into(),
        call_state::OVER.into(),
        ended.from_number.clone().into(),
        call.as_str().into(),
        call_state::OUT.into(),
    ];
    tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Found {
    found: i64,
}

/// Whether calls of the campaign are over and not counted yet.
///
/// # Errors
/// Those of a read.
pub async fn has_ended(
    connection: &impl ConnectionTrait,
    id: &RequestId,
) -> Result<bool, StoreError> {
    // The condition of the partial index, word for word.
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM campaign_call \
               WHERE request_id = ? AND state = 1) THEN 1 ELSE 0 END + CAST(0 AS BIGINT) AS found";
    let values = vec![id.as_str().into()];
    let statement = backend::statement(connection.get_database_backend(), sql, values);
    let find = Found::find_by_statement(statement);
    let found = in_time(async { Ok(find.one(connection).await?) }).await?;
    Ok(found.is_some_and(|row| row.found != 0))
}

/// A call that is over, with its number's calls before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which number of the list.
    pub n: u32,
    /// What it came to.
    pub result: CallResult,
    /// The end.
    pub ended_at: Micros,
    /// How long was talked, seconds.
    pub talk_s: u64,
    /// The line number shown.
    pub from_number: Option<String>,
    /// The number's calls before this one.
    pub tries: Tries,
}

#[derive(FromQueryResult)]
struct Row {
    call_id: String,
    n: i32,
    result: Option<i16>,
    ended_at: Option<i64>,
    talk_s: i64,
    from_number: Option<String>,
    busy: i16,
    no_answer: i16,
    failed: i16,
    unconfirmed: i16,
}

/// Takes calls that are over, at most `limit`: each is given once, to one taker. Calls that were
/// never dialled are forgotten; the others stay as history.
///
/// # Errors
/// Those of a write.
pub async fn take_ended(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    limit: u32,
) -> Result<Vec<Settled>, StoreError> {
    // Of several nodes that settle at the same time each takes calls of its own.
    let lock = match tx.get_database_backend() {
        DbBackend::Postgres => " FOR UPDATE OF k SKIP LOCKED",
        _ => "",
    };
    let sql = format!(
        "SELECT k.call_id, k.n, k.result, k.ended_at, k.talk_s, k.from_number, \
         n.busy, n.no_answer, n.failed, n.unconfirmed \
         FROM campaign_call k \
         JOIN campaign_number n ON n.request_id = k.request_id AND n.n = k.n \
         WHERE k.request_id = ? AND k.state = 1 LIMIT ?{lock}"
    );
    let values = vec![id.as_str().into(), i64::from(limit).into()];
    let statement = backend::statement(tx.get_database_backend(), &sql, values);
    let rows = Row::find_by_statement(statement).all(tx).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let marks = vec!["?"; rows.len()].join(", ");
    let of_calls = || rows.iter().map(|row| sea_orm::Value::from(row.call_id.as_str()));
    let never_dialled = [CallResult::Refused as i16, CallResult::PutBack as i16];
    let sql = format!("DELETE FROM campaign_call WHERE result IN (?, ?) AND call_id IN ({marks})");
    let mut values: Vec<sea_orm::Value> = never_dialled.into_iter().map(Into::into).collect();
    values.extend(of_calls());
    tx.execute_raw(backend::statement(tx.get_database_backend(), &sql, values)).await?;
    let sql = format!("UPDATE campaign_call SET state = ? WHERE call_id IN ({marks})");
    let mut values: Vec<sea_orm::Value> = vec![call_state::COUNTED.into()];
    values.extend(of_calls());
    tx.execute_raw(backend::statement(tx.get_database_backend(), &sql, values)).await?;
    rows.into_iter().map(settled).collect()
}

fn settled(row: Row) -> Result<Settled, StoreError> {
    let result = row.result.and_then(CallResult::from_stored).ok_or_else(|| {
        let what = format!("the result {:?} of call {}", row.result, row.call_id);
        StoreError::Undecodable { table: "campaign_call", what }
    })?;
    Ok(Settled {
        n: row.n.unsigned_abs(),
        result,
        ended_at: Micros(row.ended_at.unwrap_or_default()),
        talk_s: row.talk_s.unsigned_abs(),
        from_number: row.from_number,
        tries: Tries {
            by_kind: [row.busy, row.no_answer, row.failed, row.unconfirmed].map(i16::unsigned_abs),
        },
    })
}

/// How a number comes back from its call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// It waits again.
    Waits {
        /// When it is asked about next.
        due_at: Micros,
        /// What it waits for.
        rule: Option<&'static str>,
        /// The caller ID that the next call shall not show.
        avoid: Option<String>,
        /// What its last call came to, if this was one.
        last: Option<NumberResult>,
    },
    /// It is done.
    Done(NumberResult),
}

impl Back {
    /// Stores it, with the number's calls by now. `dialled` says that the call was one.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn store(
        &self,
        tx: &impl ConnectionTrait,
        id: &RequestId,
        n: u32,
        tries: Tries,
        dialled: bool,
    ) -> Result<(), StoreError> {
        let counts = tries.by_kind.map(|count| i16::try_from(count).unwrap_or(i16::MAX));
        let mut values: Vec<sea_orm::Value> = counts.into_iter().map(Into::into).collect();
        values.push(i16::from(dialled).into());
        let set = match self {
            Self::Waits { due_at, rule, avoid, last } => {
                values.extend([
                    number_state::WAITS.into(),
                    due_at.0.into(),
                    (*rule).map(str::to_owned).into(),
                    avoid.clone().into(),
                    last.map(|result| result as i16).into(),
                ]);
                "state = ?, due_at = ?, rule = ?, avoid = ?, result = COALESCE(?, result)"
            }
            Self::Done(result) => {
                values.extend([number_state::DONE.into(), (*result as i16).into()]);
                "state = ?, result = ?"
            }
        };
        let sql = format!(
            "UPDATE campaign_number SET busy = ?, no_answer = ?, failed = ?, unconfirmed = ?, \
             calls = calls + ?, {set} WHERE request_id = ? AND n = ? AND state = 1"
        );
        values.extend([id.as_str().into(), i32::try_from(n).unwrap_or(i32::MAX).into()]);
        tx.execute_raw(backend::statement(tx.get_database_backend(), &sql, values)).await?;
        Ok(())
    }
}

/// What a turn adds to a campaign's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Numbers that are done, in the order of [`NumberResult::ALL`].
    pub results: [u32; NumberResult::ALL.len()],
    /// Calls that were dialled.
    pub calls: u32,
    /// How long they talked, seconds.
    pub talk_s: u64,
}

impl Counts {
    /// One number more is done.
    pub fn done(&mut self, result: NumberResult) {
        self.results[result as usize] += 1;
    }
}

/// Adds up.
///
/// # Errors
/// Those of a write.
pub async fn add_counts(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    counts: &Counts,
) -> Result<(), StoreError> {
    if *counts == Counts::default() {
        return Ok(());
    }
    let sets: String =
        NumberResult::ALL.map(|result| format!("{0} = {0} + ?, ", result.name())).concat();
    let sql = format!(
        "UPDATE campaign SET {sets}calls = calls + ?, talk_s = talk_s + ? WHERE request_id = ?"
    );
    let narrow = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let mut values: Vec<sea_orm::Value> =
        counts.results.iter().map(|count| narrow(*count).into()).collect();
    let talk_s = i64::try_from(counts.talk_s).unwrap_or(i64::MAX);
    values.extend([narrow(counts.calls).into(), talk_s.into(), id.as_str().into()]);
    tx.execute_raw(backend::statement(tx.get_database_backend(), &sql, values)).await?;
    Ok(())
}

/// Closes waiting numbers of a cancelled campaign, at most `limit`, and counts them. Gives how many.
///
/// # Errors
/// Those of a write.
pub async fn close_waiting(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    limit: u32,
) -> Result<u32, StoreError> {
    let some = backend::among(
        tx.get_database_backend(),
        "n",
        "SELECT n FROM campaign_number WHERE request_id = ? AND state = 0 LIMIT ?",
    );
    let sql = format!(
        "UPDATE campaign_number SET state = ?, result = ?, rule = ? WHERE request_id = ? \
         AND state = 0 AND {some} AND EXISTS (\
         SELECT 1 FROM campaign WHERE request_id = ? AND state = 'cancelled')"
    );
    let values = vec![
        number_state::DONE.into(),
        (NumberResult::Cancelled as i16).into(),
        yunling_domain::campaign::CANCELLED_RULE.into(),
        id.as_str().into(),
        id.as_str().into(),
        i64::from(limit).into(),
        id.as_str().into(),
    ];
    let statement = backend::statement(tx.get_database_backend(), &sql, values);
    let closed = tx.execute_raw(statement).await?.rows_affected();
    let closed = u32::try_from(closed).unwrap_or(u32::MAX);
    let mut counts = Counts::default();
    counts.results[NumberResult::Cancelled as usize] = closed;
    add_counts(tx, id, &counts).await?;
    Ok(closed)
}

/// Finishes a campaign whose every number is done. Says whether it did.
///
/// # Errors
/// Those of a write.
pub async fn finish(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    now: Micros,
) -> Result<bool, StoreError> {
    let done = NumberResult::ALL.map(NumberResult::name).join(" + ");
    let sql = format!(
        "UPDATE campaign SET finished_at = ?, state = CASE WHEN state = ? THEN state ELSE ? END \
         WHERE request_id = ? AND finished_at IS NULL AND cron IS NULL \
         AND state IN ('running', 'paused', 'cancelled') AND {done} >= total"
    );
    let values = vec![
        now.0.into(),
        CampaignState::Cancelled.as_str().into(),
        CampaignState::Finished.as_str().into(),
        id.as_str().into(),
    ];
    let statement = backend::statement(tx.get_database_backend(), &sql, values);
    if tx.execute_raw(statement).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let sql = "UPDATE request SET state = 'finished' WHERE id = ? AND state = 'accepted'";
    let values = vec![id.as_str().into()];
    tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
    Ok(true)
}
