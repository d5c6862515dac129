//! The SIP messages of conversations that are over, where they were kept.
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::OnConflict,
};
use yunling_domain::sip_trace::{SipMessage, SipTrace};
use yunling_domain::{AccountId, ConversationId, Micros};

use crate::{
    StoreError, deflated,
    entity::sip_trace::{ActiveModel, Column, Entity},
};

/// A trace, packed for its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSipTrace {
    conversation: ConversationId,
    account: AccountId,
    started_at: Micros,
    messages: usize,
    bytes: usize,
    packed: Vec<u8>,
}

impl NewSipTrace {
    /// Packs a trace; nothing where it has no message. Costs some ten microseconds for ten
    /// kilobytes: not to be done in the writer.
    ///
    /// # Errors
    /// [`StoreError::Undecodable`] where it cannot be written as JSON.
    pub fn pack(account: AccountId, trace: &SipTrace) -> Result<Option<Self>, StoreError> {
        let Some(first) = trace.messages.first() else { return Ok(None) };
        Ok(Some(Self {
            conversation: trace.conversation.clone(),
            account,
            started_at: first.at,
            messages: trace.messages.len(),
            bytes: trace.messages.iter().map(SipMessage::bytes).sum(),
            packed: deflated::pack("sip_trace", trace)?,
        }))
    }

    fn row(&self) -> ActiveModel {
        ActiveModel {
            conversation_id: Set(self.conversation.to_string()),
            account: Set(self.account.to_string()),
            started_at: Set(self.started_at.0),
            messages: Set(i32::try_from(self.messages).unwrap_or(i32::MAX)),
            bytes: Set(i64::try_from(self.bytes).unwrap_or(i64::MAX)),
            packed: Set(self.packed.clone()),
        }
    }
}

/// Keeps traces. One of a conversation that has one already takes its place.
///
/// # Errors
/// Those of a write.
pub async fn keep(tx: &impl ConnectionTrait, traces: &[NewSipTrace]) -> Result<(), StoreError> {
    if traces.is_empty() {
        return Ok(());
    }
    let again = OnConflict::column(Column::ConversationId)
        .update_columns([Column::StartedAt, Column::Messages, Column::Bytes, Column::Packed])
        .to_owned();
    let rows = traces.iter().map(NewSipTrace::row);
    Entity::insert_many(rows).on_conflict(again).exec_without_returning(tx).await?;
    Ok(())
}

/// The trace of the account's conversation.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<Option<SipTrace>, StoreError> {
    let row = Entity::find_by_id(conversation.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .one(connection)
        .await?;
    row.map(|row| deflated::unpack("sip_trace", &row.packed)).transpose()
}

/// Whether the account's conversation has one.
///
/// # Errors
/// Those of a read.
pub async fn is_kept(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<bool, StoreError> {
    let rows = Entity::find_by_id(conversation.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .count(connection)
        .await?;
    Ok(rows > 0)
}

/// What the platform needs across tenants.
pub mod platform_side {
    use super::{ConnectionTrait, Micros, StoreError};

    /// Deletes traces that began before `before`, at most `limit` of them. Gives how many.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn purge(
        tx: &impl ConnectionTrait,
        before: Micros,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM sip_trace WHERE conversation_id IN (\
                   SELECT conversation_id FROM sip_trace WHERE started_at < ? \
                   ORDER BY started_at LIMIT ?)";
        let values = vec![before.0.into(), i64::from(limit).into()];
        let statement = crate::backend::statement(tx.get_database_backend(), sql, values);
        Ok(tx.execute_raw(statement).await?.rows_affected())
    }
}
