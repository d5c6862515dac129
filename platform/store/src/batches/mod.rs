//! Batches: a request to many numbers. Its numbers wait in rows of their own and become attempts a
//! few at a time, so that the table that the dispatcher works on stays small.
//!
//! A batch is [loaded](load) in many turns and is nothing to anybody until the last one; then it is
//! [fed](feed) to the dispatcher, may be [paused, resumed and cancelled](control), and its
//! [results](results) are counted.

mod control;
mod feed;
mod load;
mod results;

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
};
use yunling_domain::batch::BatchOutcome;
use yunling_domain::{AccountId, ApplicationId, Micros, NodeNumber, RequestId};

pub use control::{Changed, cancel, pause, resume};
pub use load::{BatchNumber, NewBatch, add, begin, drop_numbers, drop_unready, make_ready};
pub use results::note_result;

use crate::{
    Cursor, Page, PageRequest, StoreError, backend, compare,
    entity::batch::{Column, Entity, Model},
};

/// What the platform needs across tenants.
pub mod platform_side {
    pub use super::{
        feed::{LiveBatch, PARKED, live, park, take},
        load::unready_of,
        results::{Tally, add_up, finish, tally},
    };
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchState {
    /// Its numbers are still being written; nobody was told of it yet.
    Loading,
    /// Its numbers are called.
    Running,
    /// No further number is called until it is resumed.
    Paused,
    /// No further number is called; the rest get their results.
    Cancelled,
    /// Every number has its result.
    Finished,
}

impl BatchState {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        [Self::Loading, Self::Running, Self::Paused, Self::Cancelled, Self::Finished]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Undecodable {
                table: "batch",
                what: format!("the state {text:?}"),
            })
    }
}

/// A stored batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its `requestid`.
    pub request_id: RequestId,
    /// Whose it is.
    pub account: AccountId,
    /// The application it was made for.
    pub application: ApplicationId,
    /// How far it is.
    pub state: BatchState,
    /// The line number to be shown, as [`NewAttempt`](crate::attempts::NewAttempt).
    pub from_number: Option<String>,
    /// Its numbers, each counted once.
    pub total: u32,
    /// Entries that were dropped because they named a number again.
    pub duplicates: u32,
    /// Numbers that are not queued yet.
    pub unqueued: u32,
    /// When it was accepted.
    pub created_at: Micros,
    /// When its last number had its result.
    pub finished_at: Option<Micros>,
}

impl TryFrom<Model> for Batch {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            state: BatchState::parse(&row.state)?,
            request_id: RequestId::new(row.request_id),
            account: AccountId::new(row.account),
            application: ApplicationId::new(row.application),
            from_number: row.from_number,
            total: row.total.unsigned_abs(),
            duplicates: row.duplicates.unsigned_abs(),
            unqueued: row.unqueued.unsigned_abs(),
            created_at: Micros(row.created_at),
            finished_at: row.finished_at.map(Micros),
        })
    }
}

/// A batch and its counts, which belong to the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The batch.
    pub batch: Batch,
    /// Its results, in the order of [`BatchOutcome::ALL`].
    pub results: [u32; BatchOutcome::ALL.len()],
    /// How many of them came since the instant that was asked about.
    pub recent: u32,
    /// Its calls that are under way.
    pub in_progress: u32,
}

impl Progress {
    /// Numbers that have their result.
    pub fn done(&self) -> u32 {
        self.results.iter().sum()
    }

    /// Numbers that wait for their turn or for a line.
    pub fn waiting(&self) -> u32 {
        self.batch.total.saturating_sub(self.done()).saturating_sub(self.in_progress)
    }

    /// How many came to this.
    pub fn count(&self, outcome: BatchOutcome) -> u32 {
        let place = BatchOutcome::ALL.iter().position(|one| *one == outcome);
        place.map_or(0, |place| self.results[place])
    }
}

/// The account's batch of that identifier. `since` is for [`Progress::recent`].
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    since: Micros,
) -> Result<Option<Progress>, StoreError> {
    let row = Entity::find_by_id(id.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.ne(BatchState::Loading.as_str()))
        .select_only()
        .column(Column::RequestId)
        .into_tuple::<String>()
        .one(connection)
        .await?;
    let Some(id) = row else { return Ok(None) };
    Ok(progress(connection, account, &[id], since).await?.pop())
}

/// The account's batches, newest first. `since` is for [`Progress::recent`].
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    since: Micros,
    page: &PageRequest,
) -> Result<Page<Progress>, StoreError> {
    let mut find = Condition::all()
        .add(Column::Account.eq(account.as_str()))
        .add(Column::State.ne(BatchState::Loading.as_str()));
    if let Some(cursor) = &page.after {
        find = find.add(compare::after(
            Column::CreatedAt,
            cursor.at,
            Column::RequestId,
            cursor.id.as_str(),
        ));
    }
    let ids = Entity::find()
        .select_only()
        .column(Column::RequestId)
        .filter(find)
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::RequestId)
        .limit(page.rows() + 1)
        .into_tuple::<String>()
        .all(connection)
        .await?;
    let rows = progress(connection, account, &ids, since).await?;
    Ok(Page::cut(rows, page, |row| Cursor {
        at: row.batch.created_at,
        id: row.batch.request_id.to_string(),
    }))
}

#[derive(FromQueryResult)]
struct Waiting {
    numbers: Option<i64>,
}

/// How many numbers of the account's batches are not queued yet, those of batches that are being
/// taken in too.
///
/// # Errors
/// Those of a read.
pub async fn waiting_of(
    connection: &impl ConnectionTrait,
    account: &AccountId,
) -> Result<u64, StoreError> {
    // The condition of the partial index, word for word.
    let sql = "SELECT CAST(SUM(unqueued) AS BIGINT) AS numbers FROM batch \
               WHERE finished_at IS NULL AND account = ?";
    let values = vec![account.as_str().into()];
    let statement = backend::statement(connection.get_database_backend(), sql, values);
    let found = Waiting::find_by_statement(statement).one(connection).await?;
    Ok(found.and_then(|found| found.numbers).map_or(0, i64::unsigned_abs))
}

/// The latest results of a batch, added up by the database.
#[derive(Debug, Default, FromQueryResult)]
struct Counted {
    latest_0: i64,
    latest_1: i64,
    latest_2: i64,
    latest_3: i64,
    latest_4: i64,
    latest_5: i64,
    recent: i64,
}

#[derive(FromQueryResult)]
struct UnderWay {
    request_id: String,
    calls: i64,
}

/// The batches with their counts, newest first. One statement for a batch and its results: between
/// two, some could be added up and be seen twice or not at all.
async fn progress(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    ids: &[String],
    since: Micros,
) -> Result<Vec<Progress>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let marks = vec!["?"; ids.len()].join(", ");
    let latest: String = BatchOutcome::ALL
        .iter()
        .map(|outcome| {
            let n = *outcome as i16;
            format!("COUNT(CASE WHEN r.outcome = {n} THEN 1 END) AS latest_{n}, ")
        })
        .collect();
    let sql = format!(
        "SELECT b.*, {latest} COUNT(CASE WHEN r.at >= ? THEN 1 END) AS recent \
         FROM batch b LEFT JOIN batch_result r ON r.request_id = b.request_id \
         WHERE b.account = ? AND b.request_id IN ({marks}) \
         GROUP BY b.request_id ORDER BY b.created_at DESC, b.request_id DESC"
    );
    let mut values = vec![since.0.into(), account.as_str().into()];
    values.extend(ids.iter().map(|id| id.as_str().into()));
    let statement = backend::statement(connection.get_database_backend(), &sql, values);
    let rows = connection.query_all_raw(statement).await?;

    // The condition of the partial index on held rows, word for word: those of ended calls are many.
    let sql = "SELECT request_id, COUNT(*) AS calls FROM attempt \
               WHERE state IN (1, 2, 3) AND state > 1 AND account = ? AND lane = 2 \
               GROUP BY request_id";
    let statement =
        backend::statement(connection.get_database_backend(), sql, vec![account.as_str().into()]);
    let under_way = UnderWay::find_by_statement(statement).all(connection).await?;

    rows.iter()
        .map(|row| {
            let stored = Model::from_query_result(row, "")?;
            let counted = Counted::from_query_result(row, "")?;
            let in_progress = under_way
                .iter()
                .find(|one| one.request_id == stored.request_id)
                .map_or(0, |one| one.calls);
            let narrow = |count: i64| u32::try_from(count).unwrap_or(0);
            let results = [
                narrow(i64::from(stored.answered) + counted.latest_0),
                narrow(i64::from(stored.unanswered) + counted.latest_1),
                narrow(i64::from(stored.failed) + counted.latest_2),
                narrow(i64::from(stored.refused) + counted.latest_3),
                narrow(i64::from(stored.invalid) + counted.latest_4),
                narrow(i64::from(stored.cancelled) + counted.latest_5),
            ];
            Ok(Progress {
                batch: Batch::try_from(stored)?,
                results,
                recent: narrow(counted.recent),
                in_progress: narrow(in_progress),
            })
        })
        .collect()
}

/// The node's number as it stands in rows.
fn node_text(node: NodeNumber) -> String {
    node.to_string()
}
