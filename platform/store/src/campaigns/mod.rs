//! Campaigns: a list of numbers that is called by rules. A number waits, is out for a call, or is
//! done; from each of its calls it comes back until it is done.
//!
//! A campaign is [defined](define), [fed](feed) to the dispatcher, may be [paused, resumed and
//! cancelled](control); its calls are [settled](settle) when they are over. A recurring one calls
//! nobody itself: each time that it comes round a [run](runs) of it is made, a campaign of its own.
//! What came of it is in the [report](report).

mod control;
mod define;
mod feed;
mod purge;
mod report;
mod runs;
mod settle;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
};
use yunling_domain::campaign::{NumberResult, Rules};
use yunling_domain::{AccountId, ApplicationId, Micros, RequestId};

pub use control::{Changed, cancel, pause, resume, start};
pub use define::{
    ListCounts, NewCampaign, NewEntry, add_entries, add_rejected, drop_entries, insert, list_done,
    list_failed, open_list,
};
pub use feed::{DueNumber, upcoming};
pub use report::{Hour, NumberRow, Outcomes, hours, numbers, outcomes, rejected};
pub use settle::{Ended, note_result};

use crate::{
    Cursor, Page, PageRequest, StoreError, backend, compare,
    entity::campaign::{Column, Entity, Model},
};

/// What the platform needs across tenants.
pub mod platform_side {
    pub use super::{
        define::reset_lists,
        feed::{
            Briefing, NewCall, briefing, close, count_shown, defer, due, has_due, hold,
            insert_calls, line_calls, lines, live, past_calls, queued, send_out,
        },
        purge::{finished_before, purge, purge_rows},
        runs::{
            NewRun, begin_run, copy_entries, end_recurring, finish_copy, has_unfinished_run,
            next_fire,
        },
        settle::{Back, Counts, Settled, add_counts, close_waiting, finish, has_ended, take_ended},
    };
}

/// How far a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CampaignState {
    /// It is being made: its list may be replaced.
    Draft,
    /// A list is being taken in, or the run of a recurring one is being made.
    Loading,
    /// Its numbers are called; of a recurring one, its runs are made.
    Running,
    /// No further number is called until it is resumed.
    Paused,
    /// No further number is called.
    Cancelled,
    /// Every number has its result.
    Finished,
}

impl CampaignState {
    /// All.
    pub const ALL: [Self; 6] =
        [Self::Draft, Self::Loading, Self::Running, Self::Paused, Self::Cancelled, Self::Finished];

    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Loading => "loading",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            StoreError::Undecodable { table: "campaign", what: format!("the state {text:?}") }
        })
    }
}

/// A stored campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Its identifier, which is its request's.
    pub id: RequestId,
    /// Whose it is.
    pub account: AccountId,
    /// The application it is made for.
    pub application: ApplicationId,
    /// For people.
    pub name: String,
    /// How far it is.
    pub state: CampaignState,
    /// Of a run: the recurring campaign.
    pub parent: Option<RequestId>,
    /// Of a recurring one: when, as cron writes it, in its default zone.
    pub cron: Option<String>,
    /// Of a recurring one: when the next run is due.
    pub next_fire_at: Option<Micros>,
    /// Its rules.
    pub rules: Rules,
    /// Its numbers.
    pub total: u32,
    /// Rows of its list that were not taken.
    pub rejected: u32,
    /// Rows that named a number again.
    pub duplicates: u32,
    /// Calls that were dialled and are over.
    pub calls: u32,
    /// How long they talked, seconds.
    pub talk_s: u64,
    /// What numbers came to in the end, in the order of [`NumberResult::ALL`].
    pub results: [u32; NumberResult::ALL.len()],
    /// When it was made.
    pub created_at: Micros,
    /// When it was started.
    pub started_at: Option<Micros>,
    /// When its last number had its result.
    pub finished_at: Option<Micros>,
}

impl Campaign {
    /// Numbers that are done.
    pub fn done(&self) -> u32 {
        self.results.iter().sum()
    }

    /// How many came to this.
    pub fn count(&self, result: NumberResult) -> u32 {
        NumberResult::ALL
            .iter()
            .position(|one| *one == result)
            .map_or(0, |place| self.results[place])
    }
}

impl TryFrom<Model> for Campaign {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let rules = serde_json::from_value(row.rules).map_err(|error| StoreError::Undecodable {
            table: "campaign",
            what: format!("the rules of {}: {error}", row.request_id),
        })?;
        let results = [
            row.confirmed,
            row.answered,
            row.busy,
            row.no_answer,
            row.declined,
            row.no_such_number,
            row.failed,
            row.refused,
            row.cancelled,
        ];
        Ok(Self {
            state: CampaignState::parse(&row.state)?,
            id: RequestId::new(row.request_id),
            account: AccountId::new(row.account),
            application: ApplicationId::new(row.application),
            name: row.name,
            parent: row.parent.map(RequestId::new),
            cron: row.cron,
            next_fire_at: row.next_fire_at.map(Micros),
            rules,
            total: row.total.unsigned_abs(),
            rejected: row.rejected.unsigned_abs(),
            duplicates: row.duplicates.unsigned_abs(),
            calls: row.calls.unsigned_abs(),
            talk_s: row.talk_s.unsigned_abs(),
            results: results.map(i32::unsigned_abs),
            created_at: Micros(row.created_at),
            started_at: row.started_at.map(Micros),
            finished_at: row.finished_at.map(Micros),
        })
    }
}

/// A campaign and its numbers that are out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The campaign.
    pub campaign: Campaign,
    /// Numbers that are queued for the dispatcher, or whose call is under way.
    pub out: u32,
}

impl Progress {
    /// Numbers that wait for their time.
    pub fn waiting(&self) -> u32 {
        self.campaign.total.saturating_sub(self.campaign.done()).saturating_sub(self.out)
    }
}

#[derive(FromQueryResult)]
struct Out {
    request_id: String,
    rows: i64,
}

async fn with_out(
    connection: &impl ConnectionTrait,
    campaigns: Vec<Campaign>,
) -> Result<Vec<Progress>, StoreError> {
    if campaigns.is_empty() {
        return Ok(Vec::new());
    }
    let marks = vec!["?"; campaigns.len()].join(", ");
    // The condition of the partial index, word for word.
    let sql = format!(
        "SELECT request_id, COUNT(*) AS rows FROM campaign_number \
         WHERE state = 1 AND request_id IN ({marks}) GROUP BY request_id"
    );
    let ids = campaigns.iter().map(|campaign| campaign.id.as_str().into()).collect();
    let statement = backend::statement(connection.get_database_backend(), &sql, ids);
    let out = Out::find_by_statement(statement).all(connection).await?;
    let progress = campaigns.into_iter().map(|campaign| {
        let rows = out.iter().find(|one| one.request_id == campaign.id.as_str());
        let out = rows.map_or(0, |one| u32::try_from(one.rows).unwrap_or(u32::MAX));
        Progress { campaign, out }
    });
    Ok(progress.collect())
}

/// The account's campaign of that identifier.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<Option<Progress>, StoreError> {
    let row = Entity::find_by_id(id.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .one(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(with_out(connection, vec![Campaign::try_from(row)?]).await?.pop())
}

/// The account's campaigns, newest first; with `parent` the runs of that one.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    parent: Option<&RequestId>,
    page: &PageRequest,
) -> Result<Page<Progress>, StoreError> {
    let mut find = Entity::find().filter(Column::Account.eq(account.as_str()));
    if let Some(parent) = parent {
        find = find.filter(Column::Parent.eq(parent.as_str()));
    }
    if let Some(cursor) = &page.after {
        find = find.filter(compare::after(
            Column::CreatedAt,
            cursor.at,
            Column::RequestId,
            cursor.id.as_str(),
        ));
    }
    let rows = find
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::RequestId)
        .limit(page.rows() + 1)
        .all(connection)
        .await?;
    let campaigns = rows.into_iter().map(Campaign::try_from).collect::<Result<Vec<_>, _>>()?;
    let rows = with_out(connection, campaigns).await?;
    Ok(Page::cut(rows, page, |row| Cursor {
        at: row.campaign.created_at,
        id: row.campaign.id.to_string(),
    }))
}

#[derive(FromQueryResult)]
struct Unfinished {
    campaigns: i64,
    numbers: Option<i64>,
}

/// How many campaigns of the account are not finished, and how many numbers of them are not done.
///
/// # Errors
/// Those of a read.
pub async fn unfinished_of(
    connection: &impl ConnectionTrait,
    account: &AccountId,
) -> Result<(u64, u64), StoreError> {
    // The condition of the partial index, word for word.
    let sql = "SELECT COUNT(*) AS campaigns, CAST(SUM(total - confirmed - answered - busy - \
               no_answer - declined - no_such_number - failed - refused - cancelled) AS BIGINT) \
               AS numbers FROM campaign WHERE finished_at IS NULL AND account = ?";
    let values = vec![account.as_str().into()];
    let statement = backend::statement(connection.get_database_backend(), sql, values);
    let found = Unfinished::find_by_statement(statement).one(connection).await?;
    Ok(found.map_or((0, 0), |found| {
        (found.campaigns.unsigned_abs(), found.numbers.unwrap_or(0).unsigned_abs())
    }))
}

/// The state of a number, as stored.
mod number_state {
    pub(super) const WAITS: i16 = 0;
    pub(super) const OUT: i16 = 1;
    pub(super) const DONE: i16 = 2;
}

/// The state of a call, as stored.
mod call_state {
    pub(super) const OUT: i16 = 0;
    pub(super) const OVER: i16 = 1;
    pub(super) const COUNTED: i16 = 2;
}
