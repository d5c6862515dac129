use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    UpdateMany,
    sea_query::{Expr, ExprTrait},
};
use yunling_domain::{AccountId, Micros};

use super::{DeliveryFilter, DeliveryState};
use crate::{
    Cursor, StoreError, compare,
    entity::delivery::{Column, Entity},
};

/// What is to be sent again.
#[derive(Debug, Clone)]
pub enum Resend {
    /// One, in whatever state it is, delivered ones too.
    One(String),
    /// Those that were given up or held back and that the filter picks; with a state in the filter,
    /// those of that state.
    Matching(DeliveryFilter),
}

/// Due at `now`, with the same identifier and body and a fresh round of retries.
fn due_again(account: &AccountId, now: Micros) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(DeliveryState::Pending as i16))
        .col_expr(Column::NextAt, Expr::value(now.0))
        .col_expr(Column::Tries, Expr::value(0))
        .col_expr(Column::Version, Expr::cust("version + 1"))
        .col_expr(Column::DeliveredAt, Expr::value(Option::<i64>::None))
        .filter(Column::Account.eq(account.as_str()))
}

fn picked(filter: &DeliveryFilter) -> Condition {
    let states = match filter.state {
        Some(state) => vec![state as i16],
        None => vec![DeliveryState::Failed as i16, DeliveryState::Disabled as i16],
    };
    Condition::all()
        .add(compare::within(Column::CreatedAt, filter.created))
        .add(Column::State.is_in(states))
        .add_option(filter.endpoint_id.map(|endpoint| Column::EndpointId.eq(endpoint)))
        .add_option(
            filter
                .conversation_id
                .as_ref()
                .map(|conversation| Column::ConversationId.eq(conversation.as_str())),
        )
}

/// Makes one delivery due at `now`, whatever became of it.
///
/// # Errors
/// [`StoreError::NotFound`] where the account does not have it.
pub async fn resend_one(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let changed = due_again(account, now).filter(Column::Id.eq(id)).exec(tx).await?;
    if changed.rows_affected == 0 { Err(StoreError::NotFound("delivery")) } else { Ok(()) }
}

/// Deliveries that the filter picks for sending again, oldest first (the cursors' instants are
/// their causes'), at most `limit` after `after`.
///
/// # Errors
/// Those of a read.
pub async fn resendable(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    filter: &DeliveryFilter,
    after: Option<&Cursor>,
    limit: u64,
) -> Result<Vec<Cursor>, StoreError> {
    let after = after.map(|after| {
        Expr::tuple([Expr::col(Column::CreatedAt), Expr::col(Column::Id)])
            .gt(Expr::tuple([Expr::val(after.at.0), Expr::val(after.id.as_str())]))
    });
    let rows: Vec<(i64, String)> = Entity::find()
        .select_only()
        .columns([Column::CreatedAt, Column::Id])
        .filter(Column::Account.eq(account.as_str()))
        .filter(picked(filter))
        .filter(Condition::all().add_option(after))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|(at, id)| Cursor { at: Micros(at), id }).collect())
}

/// Makes those of `ids` due at `now` that the filter still picks. Gives how many.
///
/// # Errors
/// Those of a write.
pub async fn resend_these(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    filter: &DeliveryFilter,
    ids: &[String],
    now: Micros,
) -> Result<u64, StoreError> {
    let changed = due_again(account, now)
        .filter(Column::Id.is_in(ids.iter().map(String::as_str)))
        .filter(picked(filter))
        .exec(tx)
        .await?;
    Ok(changed.rows_affected)
}
