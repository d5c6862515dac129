use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter,
    UpdateMany, sea_query::Expr,
};
use serde_json::Value;
use yunling_domain::{AccountId, ConversationId, Micros, NodeNumber, RequestId};

use super::{AttemptState, NewAttempt};
use crate::{
    StoreError,
    entity::attempt::{ActiveModel, Column, Entity},
};

/// That an INVITE is about to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The node that dials.
    pub node: NodeNumber,
    /// On this trunk.
    pub trunk: String,
    /// The how manieth trunk it is, from 1.
    pub try_no: u8,
    /// The line number shown.
    pub from_number: String,
    /// The rule of the gate that let it pass.
    pub rule: Option<String>,
    /// When.
    pub at: Micros,
}

/// Must be committed before the INVITE leaves: after a crash, a row with this mark is never dialled
/// again.
///
/// # Errors
/// [`StoreError::Conflict`] where the node does not hold the row any more, or it was answered or
/// ended, or cancelled before anybody was dialled: then nothing may be dialled.
pub async fn mark_invited(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: i64,
    invite: &Invite,
) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::State, Expr::value(AttemptState::Invited as i16))
        .col_expr(Column::InvitedAt, Expr::value(invite.at.0))
        .col_expr(Column::Trunk, Expr::value(invite.trunk.as_str()))
        .col_expr(Column::TryNo, Expr::value(i16::from(invite.try_no)))
        .col_expr(Column::FromNumber, Expr::value(invite.from_number.as_str()))
        .col_expr(Column::Rule, Expr::value(invite.rule.clone()))
        .filter(Column::Node.eq(invite.node.to_string()))
        .filter(
            Condition::any()
                .add(
                    Column::State
                        .eq(AttemptState::Claimed as i16)
                        .and(Column::CancelledAt.is_null()),
                )
                // What is to end a conversation that runs reaches whoever runs it by itself.
                .add(Column::State.eq(AttemptState::Invited as i16)),
        );
    one(tx, account, id, update, "held by this node, not cancelled and not answered").await
}

/// A leg that joins a conversation which runs: its row begins as invited, by the same rule as
/// [`mark_invited`]. Gives the row's key.
///
/// # Errors
/// [`StoreError::Conflict`] where the call identifier is taken.
pub async fn insert_invited(
    tx: &impl ConnectionTrait,
    new: &NewAttempt,
    invite: &Invite,
    lease_until: Micros,
) -> Result<i64, StoreError> {
    let row = ActiveModel {
        state: Set(AttemptState::Invited as i16),
        node: Set(Some(invite.node.to_string())),
        lease_until: Set(Some(lease_until.0)),
        invited_at: Set(Some(invite.at.0)),
        trunk: Set(Some(invite.trunk.clone())),
        try_no: Set(i16::from(invite.try_no)),
        from_number: Set(Some(invite.from_number.clone())),
        rule: Set(invite.rule.clone()),
        ..super::row(new)
    };
    Ok(Entity::insert(row).exec(tx).await?.last_insert_id)
}

/// A leg of a conversation that runs which was refused before it went out: its row is ended from the
/// beginning, so that nobody dials it and the conversation's record has it after a crash too.
///
/// # Errors
/// [`StoreError::Conflict`] where the call identifier is taken.
pub async fn insert_undialled(
    tx: &impl ConnectionTrait,
    new: &NewAttempt,
    at: Micros,
    left_as: Value,
) -> Result<(), StoreError> {
    let row = ActiveModel {
        state: Set(AttemptState::Ended as i16),
        ended_at: Set(Some(at.0)),
        left_as: Set(Some(left_as)),
        ..super::row(new)
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// The first 180 or 183; a later one changes nothing.
///
/// # Errors
/// [`StoreError::Conflict`] where the attempt is not under way.
pub async fn mark_ringing(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: i64,
    at: Micros,
) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::RingAt, Expr::col(Column::RingAt).if_null(at.0))
        .filter(Column::State.is_in([AttemptState::Invited as i16, AttemptState::Answered as i16]));
    one(tx, account, id, update, "under way").await
}

/// The answer, with what is needed to end the leg after a crash.
///
/// # Errors
/// [`StoreError::Conflict`] where the attempt is not under way or was answered before.
pub async fn mark_answered(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: i64,
    at: Micros,
    dialog: Value,
) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::State, Expr::value(AttemptState::Answered as i16))
        .col_expr(Column::AnsweredAt, Expr::value(at.0))
        .col_expr(Column::Dialog, Expr::value(dialog))
        .filter(Column::State.eq(AttemptState::Invited as i16));
    one(tx, account, id, update, "invited").await
}

/// Nobody is to be dialled for a conversation, whichever node has claimed it by now. Gives whether
/// that was in time: false, and nothing is changed, where somebody has been dialled already.
///
/// # Errors
/// Those of a write.
pub async fn mark_cancelled(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    request: &RequestId,
    conversation: &ConversationId,
    at: Micros,
) -> Result<bool, StoreError> {
    let marked = Entity::update_many()
        .col_expr(Column::CancelledAt, Expr::col(Column::CancelledAt).if_null(at.0))
        .filter(Column::RequestId.eq(request.as_str()))
        .filter(Column::ConversationId.eq(conversation.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.is_in([AttemptState::Queued as i16, AttemptState::Claimed as i16]))
        .filter(Column::InvitedAt.is_null())
        .exec(tx)
        .await?;
    Ok(marked.rows_affected > 0)
}

/// A conversation that runs is to be ended by the node that runs it. Gives whether one runs: false,
/// and nothing is changed, where nobody has been dialled, or all have left.
///
/// # Errors
/// Those of a write.
pub async fn mark_to_end(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    request: &RequestId,
    conversation: &ConversationId,
    at: Micros,
) -> Result<bool, StoreError> {
    let marked = Entity::update_many()
        .col_expr(Column::CancelledAt, Expr::col(Column::CancelledAt).if_null(at.0))
        .filter(Column::RequestId.eq(request.as_str()))
        .filter(Column::ConversationId.eq(conversation.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.is_in([AttemptState::Invited as i16, AttemptState::Answered as i16]))
        .exec(tx)
        .await?;
    Ok(marked.rows_affected > 0)
}

/// The leg has left its conversation, which goes on: it is not ended once more after a crash, and
/// `left_as` says what it came to.
///
/// # Errors
/// [`StoreError::Conflict`] where the attempt is not under way.
pub async fn mark_left(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: i64,
    at: Micros,
    left_as: Value,
) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(at.0))
        .col_expr(Column::LeftAs, Expr::value(left_as))
        .filter(Column::State.is_in([AttemptState::Invited as i16, AttemptState::Answered as i16]));
    one(tx, account, id, update, "under way").await
}

/// The confirming key, so that a crash after it does not lose it.
///
/// # Errors
/// [`StoreError::Conflict`] where the attempt is not under way.
pub async fn mark_confirmed(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: i64,
    key: char,
) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::InputKey, Expr::value(key.to_string()))
        .filter(Column::State.is_in([AttemptState::Invited as i16, AttemptState::Answered as i16]));
    one(tx, account, id, update, "under way").await
}

async fn one(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: i64,
    update: UpdateMany<Entity>,
    needed: &str,
) -> Result<(), StoreError> {
    let changed = update
        .filter(Column::Id.eq(id))
        .filter(Column::Account.eq(account.as_str()))
        .exec(tx)
        .await?;
    if changed.rows_affected == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict(format!("attempt {id} is not {needed}")))
    }
}
