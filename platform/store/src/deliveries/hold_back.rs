//! Holding back what waits for a receiver or an address that was disabled: read and then written in
//! turns, because a dead receiver may have millions of rows.
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use yunling_domain::Micros;

use super::DeliveryState;
use crate::{
    Cursor, StoreError,
    entity::delivery::{Column, Entity},
};

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// For this receiver.
    pub endpoint_id: i64,
    /// For this address of it; absent for all of them.
    pub url: Option<String>,
}

/// Pending deliveries in the order in which they are due (the cursors' instants), at most `limit`
/// after `after`.
///
/// # Errors
/// Those of a read.
pub async fn waiting(
    connection: &impl ConnectionTrait,
    what: &Waiting,
    after: Option<&Cursor>,
    limit: u64,
) -> Result<Vec<Cursor>, StoreError> {
    let after = after.map(|after| {
        Expr::tuple([Expr::col(Column::NextAt), Expr::col(Column::Id)])
            .gt(Expr::tuple([Expr::val(after.at.0), Expr::val(after.id.as_str())]))
    });
    let mut find = Entity::find()
        .select_only()
        .columns([Column::NextAt, Column::Id])
        .filter(Column::EndpointId.eq(what.endpoint_id))
        .filter(Expr::cust("state = 0"));
    if let Some(url) = &what.url {
        find = find.filter(Column::Url.eq(url.as_str()));
    }
    if let Some(after) = after {
        find = find.filter(after);
    }
    let rows: Vec<(i64, String)> = find
        .order_by_asc(Column::NextAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|(at, id)| Cursor { at: Micros(at), id }).collect())
}

/// Holds back those of `ids` that are still pending. Gives how many.
///
/// # Errors
/// Those of a write.
pub async fn hold_back(tx: &impl ConnectionTrait, ids: &[String]) -> Result<u64, StoreError> {
    let held = Entity::update_many()
        .col_expr(Column::State, Expr::value(DeliveryState::Disabled as i16))
        .col_expr(Column::Version, Expr::cust("version + 1"))
        .filter(Column::Id.is_in(ids.iter().map(String::as_str)))
        .filter(Expr::cust("state = 0"))
        .exec(tx)
        .await?;
    Ok(held.rows_affected)
}
