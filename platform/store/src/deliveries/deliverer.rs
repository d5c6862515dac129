use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::Expr,
};
use yunling_domain::{AccountId, Micros};

use super::{Delivery, DeliveryState};
use crate::{
    StoreError, backend,
    entity::{
        delivery::{Column, Entity},
        delivery_attempt, endpoint,
    },
};

/// Which deliveries are wanted.
#[derive(Debug, Clone)]
pub struct Due {
    /// Due at this instant or before.
    pub now: Micros,
    /// At most this many of one receiver: a dead one slows nobody.
    pub per_endpoint: u64,
    /// Of at most this many receivers.
    pub endpoints: u64,
    /// At most this many in all.
    pub limit: u64,
    /// Of receivers with keys above this one: where the look before stopped.
    pub above: i64,
    /// Receivers that have enough in flight.
    pub exclude: Vec<i64>,
    /// Accounts that have enough in flight.
    pub exclude_accounts: Vec<AccountId>,
}

/// Deliveries that are due.
#[derive(Debug, Clone)]
pub struct FoundDue {
    /// The longest due first.
    pub deliveries: Vec<Delivery>,
    /// Where to go on, if there may be more than was wanted.
    pub go_on_above: Option<i64>,
}

/// One attempt at a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// When it began.
    pub at: Micros,
    /// The receiver's HTTP status; absent where it did not answer.
    pub status: Option<u16>,
    /// From the begin to the answer or the failure.
    pub latency_ms: u32,
    /// Why it failed.
    pub error: Option<String>,
    /// The first bytes of the answer.
    pub answer_head: Option<String>,
}

impl From<delivery_attempt::Model> for DeliveryAttempt {
    fn from(row: delivery_attempt::Model) -> Self {
        Self {
            at: Micros(row.at),
            status: row.status.map(i16::unsigned_abs),
            latency_ms: u32::try_from(row.latency_ms).unwrap_or(u32::MAX),
            error: row.error,
            answer_head: row.answer_head,
        }
    }
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Acknowledged.
    Delivered,
    /// To be tried again then.
    Retry(Micros),
    /// Given up.
    Failed,
    /// Held back: its address wants no more.
    HeldBack,
}

#[derive(FromQueryResult)]
struct Waiting {
    endpoint_id: i64,
}

/// Receivers with pending deliveries, due or not, found by leaps over the index; the parameter is
/// the key that they are above.
const WAITING: &str = "WITH RECURSIVE waiting (endpoint_id) AS (\
     SELECT MIN(endpoint_id) FROM delivery WHERE state = 0 AND endpoint_id > ? \
     UNION ALL \
     SELECT (SELECT MIN(d.endpoint_id) FROM delivery d \
             WHERE d.state = 0 AND d.endpoint_id > waiting.endpoint_id) \
     FROM waiting WHERE waiting.endpoint_id IS NOT NULL) ";

/// Receivers with something due, in the order of their keys. Only one table is walked, so that the
/// databases stop leaping once the limit is reached.
async fn endpoints_due(
    connection: &impl ConnectionTrait,
    wanted: &Due,
) -> Result<Vec<i64>, StoreError> {
    let mut sql = format!(
        "{WAITING} SELECT endpoint_id FROM waiting WHERE endpoint_id IS NOT NULL \
         AND EXISTS (SELECT 1 FROM delivery d WHERE d.state = 0 \
                     AND d.endpoint_id = waiting.endpoint_id AND d.next_at <= ?)"
    );
    let mut values = vec![wanted.above.into(), wanted.now.0.into()];
    if !wanted.exclude.is_empty() {
        // Keys of ours, and possibly more of them than a statement has parameters.
        let keys: Vec<String> = wanted.exclude.iter().map(ToString::to_string).collect();
        sql.push_str(&format!(" AND endpoint_id NOT IN ({})", keys.join(", ")));
    }
    if !wanted.exclude_accounts.is_empty() {
        let marks = vec!["?"; wanted.exclude_accounts.len()].join(", ");
        sql.push_str(&format!(
            " AND (SELECT account FROM endpoint WHERE endpoint.id = waiting.endpoint_id) \
             NOT IN ({marks})"
        ));
        values.extend(wanted.exclude_accounts.iter().map(|account| account.as_str().into()));
    }
    sql.push_str(" LIMIT ?");
    values.push(i64::try_from(wanted.endpoints).unwrap_or(i64::MAX).into());
    let statement = backend::statement(connection.get_database_backend(), &sql, values);
    let rows = Waiting::find_by_statement(statement).all(connection).await?;
    Ok(rows.into_iter().map(|row| row.endpoint_id).collect())
}

/// Deliveries that are due, of every receiver its share. They are not taken yet: [`claim`] does
/// that.
///
/// # Errors
/// Those of a read.
pub async fn due(connection: &impl ConnectionTrait, wanted: &Due) -> Result<FoundDue, StoreError> {
    backend::in_time(find_due(connection, wanted)).await
}

async fn find_due(connection: &impl ConnectionTrait, wanted: &Due) -> Result<FoundDue, StoreError> {
    let endpoints = endpoints_due(connection, wanted).await?;
    let mut room = wanted.limit;
    let mut deliveries = Vec::new();
    let mut last = None;
    for endpoint in &endpoints {
        if room == 0 {
            break;
        }
        let rows = Entity::find()
            .filter(Column::EndpointId.eq(*endpoint))
            .filter(Expr::cust("state = 0"))
            .filter(Column::NextAt.lte(wanted.now.0))
            .order_by_asc(Column::NextAt)
            .order_by_asc(Column::Seq)
            .order_by_asc(Column::Id)
            .limit(wanted.per_endpoint.min(room))
            .all(connection)
            .await?;
        room = room.saturating_sub(rows.len() as u64);
        for row in rows {
            deliveries.push(Delivery::try_from(row)?);
        }
        last = Some(*endpoint);
    }
    deliveries.sort_by(|a, b| {
        (a.next_at, a.caused.seq, &a.caused.id).cmp(&(b.next_at, b.caused.seq, &b.caused.id))
    });
    let all_read = (endpoints.len() as u64) < wanted.endpoints && last == endpoints.last().copied();
    Ok(FoundDue { deliveries, go_on_above: last.filter(|_| !all_read) })
}

#[derive(FromQueryResult)]
struct Earliest {
    next_at: Option<i64>,
}

/// When the next delivery is due, whether that is past or to come.
///
/// # Errors
/// Those of a read.
pub async fn next_due_at(connection: &impl ConnectionTrait) -> Result<Option<Micros>, StoreError> {
    let sql = format!(
        "{WAITING} SELECT MIN(due_at) AS next_at FROM (\
         SELECT (SELECT MIN(d.next_at) FROM delivery d \
                 WHERE d.state = 0 AND d.endpoint_id = waiting.endpoint_id) AS due_at \
         FROM waiting WHERE endpoint_id IS NOT NULL) AS earliest"
    );
    let statement = backend::statement(connection.get_database_backend(), &sql, vec![0_i64.into()]);
    let row = Earliest::find_by_statement(statement).one(connection).await?;
    Ok(row.and_then(|row| row.next_at).map(Micros))
}

/// The first attempt of a delivery's present round, of which `tries` were made.
///
/// # Errors
/// Those of a read.
pub async fn first_of_round(
    connection: &impl ConnectionTrait,
    id: &str,
    tries: u32,
) -> Result<Option<DeliveryAttempt>, StoreError> {
    let Some(before) = tries.checked_sub(1) else { return Ok(None) };
    let row = delivery_attempt::Entity::find()
        .filter(delivery_attempt::Column::DeliveryId.eq(id))
        .order_by_desc(delivery_attempt::Column::N)
        .offset(u64::from(before))
        .limit(1)
        .one(connection)
        .await?;
    Ok(row.map(Into::into))
}

/// Puts a claimed delivery off until `next_at` without an attempt: nothing was sent, through no
/// fault of its receiver. Gives whether it was still as it was claimed.
///
/// # Errors
/// Those of a write.
pub async fn postpone(
    tx: &impl ConnectionTrait,
    id: &str,
    version: i64,
    next_at: Micros,
) -> Result<bool, StoreError> {
    Ok(claim(tx, id, version, next_at).await?.is_some())
}

/// Takes a delivery as it was read: until `until` nobody else finds it due, and if this process
/// dies it is due again then. Gives the version that [`record_attempt`] needs, or none where
/// another was faster.
///
/// # Errors
/// Those of a write.
pub async fn claim(
    tx: &impl ConnectionTrait,
    id: &str,
    version: i64,
    until: Micros,
) -> Result<Option<i64>, StoreError> {
    let taken = Entity::update_many()
        .col_expr(Column::Version, Expr::value(version + 1))
        .col_expr(Column::NextAt, Expr::value(until.0))
        .filter(Column::Id.eq(id))
        .filter(Column::Version.eq(version))
        .filter(Expr::cust("state = 0"))
        .exec(tx)
        .await?;
    Ok((taken.rows_affected == 1).then_some(version + 1))
}

/// Stores an attempt and what follows from it. The attempt is kept in any case; what follows is
/// kept where the delivery is still as it was claimed, which is what this gives. On success the
/// address's count of failures starts anew, else it grows.
///
/// # Errors
/// [`StoreError::NotFound`] where there is no such delivery.
pub async fn record_attempt(
    tx: &impl ConnectionTrait,
    id: &str,
    version: i64,
    attempt: &DeliveryAttempt,
    after: After,
) -> Result<bool, StoreError> {
    let delivery = Entity::find_by_id(id).one(tx).await?.ok_or(StoreError::NotFound("delivery"))?;
    keep(tx, id, attempt).await?;
    let (state, next_at) = match after {
        After::Delivered => (DeliveryState::Delivered, attempt.at),
        After::Retry(next_at) => (DeliveryState::Pending, next_at),
        After::Failed => (DeliveryState::Failed, attempt.at),
        After::HeldBack => (DeliveryState::Disabled, attempt.at),
    };
    let mut update = Entity::update_many()
        .col_expr(Column::State, Expr::value(state as i16))
        .col_expr(Column::NextAt, Expr::value(next_at.0))
        .col_expr(Column::Tries, Expr::cust("tries + 1"))
        .col_expr(Column::Version, Expr::value(version + 1));
    if after == After::Delivered {
        update = update.col_expr(
            Column::DeliveredAt,
            Expr::value(attempt.at.plus_ms(i64::from(attempt.latency_ms)).0),
        );
    }
    let changed = update
        .filter(Column::Id.eq(id))
        .filter(Column::Version.eq(version))
        .filter(Expr::cust("state = 0"))
        .exec(tx)
        .await?;
    let failures = match after {
        After::Delivered => "0",
        After::Retry(_) | After::Failed | After::HeldBack => "consecutive_failures + 1",
    };
    endpoint::Entity::update_many()
        .col_expr(endpoint::Column::ConsecutiveFailures, Expr::cust(failures))
        .filter(endpoint::Column::Id.eq(delivery.endpoint_id))
        .exec(tx)
        .await?;
    Ok(changed.rows_affected == 1)
}

async fn keep(
    tx: &impl ConnectionTrait,
    id: &str,
    attempt: &DeliveryAttempt,
) -> Result<(), StoreError> {
    let last = delivery_attempt::Entity::find()
        .filter(delivery_attempt::Column::DeliveryId.eq(id))
        .order_by_desc(delivery_attempt::Column::N)
        .one(tx)
        .await?;
    let row = delivery_attempt::ActiveModel {
        id: NotSet,
        delivery_id: Set(id.to_owned()),
        n: Set(last.map_or(0, |last| last.n) + 1),
        at: Set(attempt.at.0),
        status: Set(attempt.status.map(|status| i16::try_from(status).unwrap_or(i16::MAX))),
        latency_ms: Set(attempt.latency_ms.into()),
        error: Set(attempt.error.clone()),
        answer_head: Set(attempt.answer_head.clone()),
    };
    delivery_attempt::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
