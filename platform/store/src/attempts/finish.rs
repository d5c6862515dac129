use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use yunling_domain::{AccountId, ConversationId, Micros, RequestId};

use super::AttemptState;
use crate::{
    StoreError,
    calls::{self, Cdr},
    conversations::{self, NewConversation},
    deliveries::{self, NewDelivery},
    entity::attempt::{Column, Entity},
};

/// Everything that the end of an attempt leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// Which attempt.
    pub attempt_id: i64,
    /// When it ended.
    pub ended_at: Micros,
    /// The call detail record of each leg; none where nothing was dialled.
    pub calls: Vec<Cdr>,
    /// The conversation's record and story.
    pub conversation: Option<NewConversation>,
    /// The callback events that it causes.
    pub deliveries: Vec<NewDelivery>,
}

/// Ends an attempt: the row, its call records, its conversation and its callback events in one
/// transaction, exactly once. Gives false, and changes nothing, where it had ended already.
///
/// # Errors
/// [`StoreError::NotFound`] where the account has no such attempt.
pub async fn finish_attempt(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    ending: &Ending,
) -> Result<bool, StoreError> {
    let ended = Entity::update_many()
        .col_expr(Column::State, Expr::value(AttemptState::Ended as i16))
        .col_expr(Column::EndedAt, Expr::value(ending.ended_at.0))
        .col_expr(Column::LeaseUntil, Expr::value(Option::<i64>::None))
        .filter(Column::Id.eq(ending.attempt_id))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.ne(AttemptState::Ended as i16))
        .exec(tx)
        .await?;
    if ended.rows_affected == 0 {
        let there = Entity::find_by_id(ending.attempt_id)
            .filter(Column::Account.eq(account.as_str()))
            .one(tx)
            .await?;
        return match there {
            Some(_) => Ok(false),
            None => Err(StoreError::NotFound("attempt")),
        };
    }
    calls::insert(tx, account, &ending.calls).await?;
    if let Some(conversation) = &ending.conversation {
        conversations::insert(tx, account, conversation).await?;
    }
    for delivery in &ending.deliveries {
        deliveries::insert(tx, account, delivery).await?;
    }
    Ok(true)
}

/// Ends every attempt of a conversation that has not ended: at `ended_at`, or when it left. Gives
/// how many. Found by the request, of which a conversation is a part.
pub(crate) async fn end_all(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    request: &RequestId,
    conversation: &ConversationId,
    ended_at: Micros,
) -> Result<u64, StoreError> {
    let ended = Entity::update_many()
        .col_expr(Column::State, Expr::value(AttemptState::Ended as i16))
        .col_expr(Column::EndedAt, Expr::col(Column::EndedAt).if_null(ended_at.0))
        .col_expr(Column::LeaseUntil, Expr::value(Option::<i64>::None))
        .filter(Column::RequestId.eq(request.as_str()))
        .filter(Column::ConversationId.eq(conversation.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.ne(AttemptState::Ended as i16))
        .exec(tx)
        .await?;
    Ok(ended.rows_affected)
}
