//! Call records as they are searched: one result a conversation, shown at the first of its legs that
//! the conditions pick, newest first.
//!
//! A condition with an index of its own ([`Driver`]) is answered from it, and a page costs what its
//! rows cost, however deep it lies. Other conditions are looked at row by row behind that index, at
//! most so many rows a page; what was found until there is given, with a cursor to go on from. So no
//! page is slow, and none is counted.

mod purge;
mod text;

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Value};
use serde::{Deserialize, Serialize};
use yunling_domain::conversation::ByeType;
use yunling_domain::{AccountId, ApplicationId, Micros, RequestId};

use crate::{Cursor, RequestKind, StoreError, TimeRange, calls::Cdr, entity::call};
use text::Text;

/// What the platform needs besides.
pub mod platform_side {
    pub use super::purge::{Old, begun_before, purge};
}

/// How many rows a page looks at where a condition has no index.
pub const SCANNED_ROWS: u64 = 50_000;

/// Which call records are wanted. Conditions are joined by "and". Stored with an export, so its form
/// is one that older rows have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CdrFilter {
    /// One of whose legs called this number, as stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_number: Option<String>,
    /// For a reader who sees numbers of masked conversations only in part: [`Self::to_number`] does
    /// not find them then.
    pub masked_numbers: bool,
    /// One of whose legs showed this line number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_number: Option<String>,
    /// One of whose legs was last dialled on this trunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// One of whose legs has this published cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Of this application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationId>,
    /// Of this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<RequestKind>,
    /// With this result: 0 if and only if the callee answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<u8>,
    /// Click-to-call that ended so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bye_type: Option<ByeType>,
    /// Whose leg began in this range.
    pub started: TimeRange,
}

/// Which part of the results is wanted.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// Behind this place; from the newest where absent.
    pub after: Option<&'a Cursor>,
    /// At most so many results.
    pub limit: u64,
    /// Without the first so many.
    pub skip: u64,
    /// At most so many rows are looked at where a condition has no index.
    pub scanned_rows: u64,
}

/// A part of the results.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The leg that stands for each result, newest first.
    pub rows: Vec<Cdr>,
    /// Where the next part begins; absent behind the last one.
    pub next: Option<Cursor>,
    /// Where the look ended before the part was full; absent where it was full, or nothing is left.
    pub scanned_until: Option<Micros>,
}

/// The condition whose index is read: the first that is given, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Driver {
    Request,
    To,
    From,
    Application,
    /// None: the account's calls in order.
    Account,
}

impl CdrFilter {
    fn driver(&self) -> Driver {
        if self.request_id.is_some() {
            Driver::Request
        } else if self.to_number.is_some() {
            Driver::To
        } else if self.from_number.is_some() {
            Driver::From
        } else if self.application.is_some() {
            Driver::Application
        } else {
            Driver::Account
        }
    }

    /// Whether a condition picks among a conversation's legs.
    fn picks_legs(&self) -> bool {
        self.to_number.is_some()
            || self.from_number.is_some()
            || self.trunk.is_some()
            || self.cause.is_some()
    }
}

#[derive(FromQueryResult)]
struct Place {
    started_at: i64,
    call_id: String,
}

/// A part of the account's results.
///
/// # Errors
/// Those of a read.
pub async fn find(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    filter: &CdrFilter,
    part: &Part<'_>,
) -> Result<Found, StoreError> {
    let backend = connection.get_database_backend();
    let bound = bound(connection, account, filter, part).await?;
    let look = page(account, filter, part, bound.as_ref());
    let rows = call::Entity::find().from_raw_sql(look.statement(backend)).all(connection).await?;
    let mut rows = rows.into_iter().map(Cdr::try_from).collect::<Result<Vec<_>, _>>()?;
    let limit = usize::try_from(part.limit).unwrap_or(usize::MAX);
    if rows.len() > limit {
        rows.truncate(limit);
        let next =
            rows.last().map(|row| Cursor { at: row.started_at, id: row.call_id.to_string() });
        return Ok(Found { rows, next, scanned_until: None });
    }
    let next = bound.map(|bound| Cursor { at: Micros(bound.started_at), id: bound.call_id });
    let is_short = rows.len() < limit;
    let scanned_until = next.as_ref().filter(|_| is_short).map(|next| next.at);
    Ok(Found { rows, next, scanned_until })
}

async fn bound(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    filter: &CdrFilter,
    part: &Part<'_>,
) -> Result<Option<Place>, StoreError> {
    let Some(look) = last_scanned(account, filter, part) else { return Ok(None) };
    let look = look.statement(connection.get_database_backend());
    Ok(Place::find_by_statement(look).one(connection).await?)
}

/// The place of the last row that may be looked at; nothing where an index answers every condition.
fn last_scanned(account: &AccountId, filter: &CdrFilter, part: &Part<'_>) -> Option<Text> {
    let driver = filter.driver();
    let mut rest = Text::default();
    rest.rest(filter, driver);
    if !rest.is_scanned() {
        return None;
    }
    let mut look = Text::new("SELECT c.started_at, c.call_id FROM \"call\" AS c");
    look.driven(account, filter, driver, part.after);
    look.newest_first();
    look.push(" LIMIT 1 OFFSET ?", [number(part.scanned_rows.saturating_sub(1))]);
    Some(look)
}

/// One row more than are wanted, until that place.
fn page(account: &AccountId, filter: &CdrFilter, part: &Part<'_>, bound: Option<&Place>) -> Text {
    let driver = filter.driver();
    let mut look = Text::new(&format!("SELECT {COLUMNS} FROM \"call\" AS c"));
    look.driven(account, filter, driver, part.after);
    look.rest(filter, driver);
    if let Some(bound) = bound {
        let place = [bound.started_at.into(), bound.call_id.as_str().into()];
        look.push(" AND (c.started_at, c.call_id) >= (?, ?)", place);
    }
    look.newest_first();
    look.push(" LIMIT ? OFFSET ?", [number(part.limit.saturating_add(1)), number(part.skip)]);
    look
}

/// How the database answers a part of the results, in its own words: for tests, and for whoever
/// wonders at a slow page.
///
/// # Errors
/// Those of a read.
pub async fn plan(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    filter: &CdrFilter,
    part: &Part<'_>,
) -> Result<Vec<String>, StoreError> {
    let backend = connection.get_database_backend();
    let (explain, column) = match backend {
        DbBackend::Postgres => ("EXPLAIN", "QUERY PLAN"),
        _ => ("EXPLAIN QUERY PLAN", "detail"),
    };
    let bound = bound(connection, account, filter, part).await?;
    let page = page(account, filter, part, bound.as_ref());
    let mut lines = Vec::new();
    for look in [last_scanned(account, filter, part), Some(page)] {
        let Some(look) = look else { continue };
        let mut statement = look.statement(backend);
        statement.sql = format!("{explain} {}", statement.sql);
        for row in connection.query_all_raw(statement).await? {
            lines.push(row.try_get("", column)?);
        }
    }
    Ok(lines)
}

/// What a result shows: not the measurements, which would have to be read as JSON.
const COLUMNS: &str = "c.call_id, c.conversation_id, c.request_id, c.account, c.application, \
    c.kind, c.from_number, c.to_number, c.trunk, c.started_at, c.ring_at, c.answered_at, \
    c.ended_at, c.duration_s, c.result, c.reason, c.cause, c.fault, c.sip_code, c.q850, \
    c.input_key, NULL AS figures, c.rule, c.leg, c.bye_type, c.hangup_reason";

fn number(count: u64) -> Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}
