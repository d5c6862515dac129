//! The outbox: each callback event is one row, written in the transaction of the fact that causes
//! it, and delivered at least once with the same identifier and body.

mod deliverer;
mod hold_back;
mod resend;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use yunling_domain::{AccountId, ApplicationId, ConversationId, Micros};

pub use resend::{Resend, resend_one, resend_these, resendable};

use crate::{
    Cursor, Page, PageRequest, StoreError, TimeRange, compare, endpoints,
    entity::{
        delivery::{ActiveModel, Column, Entity, Model},
        delivery_attempt,
    },
};

/// What the platform needs across tenants: the deliverer's side.
pub mod platform_side {
    pub use super::deliverer::{
        After, DeliveryAttempt, Due, FoundDue, claim, due, first_of_round, next_due_at, postpone,
        record_attempt,
    };
    pub use super::hold_back::{Waiting, hold_back, waiting};
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum DeliveryState {
    /// To be tried at `next_at`.
    Pending = 0,
    /// Acknowledged by a 2xx.
    Delivered = 1,
    /// Given up after the last retry. It can be re-sent.
    Failed = 2,
    /// Held back because its address is disabled. It can be re-sent.
    Disabled = 3,
}

impl DeliveryState {
    const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Failed, Self::Disabled];

    /// As shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
        }
    }
}

/// A callback event to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The `webhook-id`, the same for every repeat.
    pub id: String,
    /// The application whose secret signs it.
    pub application: ApplicationId,
    /// The conversation that it tells of; absent where nothing was dialled.
    pub conversation_id: Option<ConversationId>,
    /// Its place among the conversation's callbacks.
    pub seq: u32,
    /// What it tells, as `notice.result`.
    pub kind: String,
    /// Where it goes.
    pub url: String,
    /// The bytes of the body.
    pub body: String,
    /// When it was caused; it is due at once.
    pub created_at: Micros,
}

/// A stored delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// As it was caused.
    pub caused: NewDelivery,
    /// Whose it is.
    pub account: AccountId,
    /// Its receiver's row.
    pub endpoint_id: i64,
    /// How far it is.
    pub state: DeliveryState,
    /// When it is tried next, while pending.
    pub next_at: Micros,
    /// How often it was tried since it was caused or last re-sent.
    pub tries: u32,
    /// Changes with every claim and every outcome.
    pub version: i64,
    /// When it was acknowledged.
    pub delivered_at: Option<Micros>,
}

impl TryFrom<Model> for Delivery {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let state = DeliveryState::ALL
            .into_iter()
            .find(|state| *state as i16 == row.state)
            .ok_or_else(|| StoreError::Undecodable {
                table: "delivery",
                what: format!("the state {}", row.state),
            })?;
        Ok(Self {
            caused: NewDelivery {
                id: row.id,
                application: ApplicationId::new(row.application),
                conversation_id: row.conversation_id.map(ConversationId::new),
                seq: row.seq.unsigned_abs(),
                kind: row.kind,
                url: row.url,
                body: row.body,
                created_at: Micros(row.created_at),
            },
            account: AccountId::new(row.account),
            endpoint_id: row.endpoint_id,
            state,
            next_at: Micros(row.next_at),
            tries: row.tries.unsigned_abs(),
            version: row.version,
            delivered_at: row.delivered_at.map(Micros),
        })
    }
}

/// Which deliveries a list shows. Conditions are joined by "and".
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// To this receiver.
    pub endpoint_id: Option<i64>,
    /// Of this conversation.
    pub conversation_id: Option<ConversationId>,
    /// Caused in this range.
    pub created: TimeRange,
}

/// Puts an event into the outbox, due at once, or held back where its address is disabled.
///
/// # Errors
/// [`StoreError::Conflict`] where the identifier is taken.
pub async fn insert(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    new: &NewDelivery,
) -> Result<(), StoreError> {
    let endpoint = endpoints::ensure(tx, account, &new.url, new.created_at).await?;
    let in_use = endpoint.disabled_at.is_none()
        && !endpoints::is_disabled_address(tx, account, &new.url).await?;
    let state = if in_use { DeliveryState::Pending } else { DeliveryState::Disabled };
    let row = ActiveModel {
        id: Set(new.id.clone()),
        account: Set(account.to_string()),
        application: Set(new.application.to_string()),
        endpoint_id: Set(endpoint.id),
        conversation_id: Set(new.conversation_id.as_ref().map(ToString::to_string)),
        seq: Set(i32::try_from(new.seq).unwrap_or(i32::MAX)),
        kind: Set(new.kind.clone()),
        url: Set(new.url.clone()),
        body: Set(new.body.clone()),
        state: Set(state as i16),
        next_at: Set(new.created_at.0),
        tries: Set(0),
        version: Set(0),
        created_at: Set(new.created_at.0),
        delivered_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// The place of a conversation's next callback.
///
/// # Errors
/// Those of a read.
pub async fn next_seq(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<u32, StoreError> {
    let last: Option<i32> = Entity::find()
        .select_only()
        .column(Column::Seq)
        .filter(Column::ConversationId.eq(conversation.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .order_by_desc(Column::Seq)
        .limit(1)
        .into_tuple()
        .one(connection)
        .await?;
    Ok(last.map_or(0, |last| last.unsigned_abs().saturating_add(1)))
}

/// A delivery with every attempt at it, oldest first.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &str,
) -> Result<Option<(Delivery, Vec<platform_side::DeliveryAttempt>)>, StoreError> {
    let row =
        Entity::find_by_id(id).filter(Column::Account.eq(account.as_str())).one(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let attempts = delivery_attempt::Entity::find()
        .filter(delivery_attempt::Column::DeliveryId.eq(id))
        .order_by_asc(delivery_attempt::Column::N)
        .all(connection)
        .await?;
    Ok(Some((row.try_into()?, attempts.into_iter().map(Into::into).collect())))
}

/// The account's deliveries, newest first.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    filter: &DeliveryFilter,
    page: &PageRequest,
) -> Result<Page<Delivery>, StoreError> {
    let mut find = Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(compare::within(Column::CreatedAt, filter.created));
    if let Some(state) = filter.state {
        find = find.filter(Column::State.eq(state as i16));
    }
    if let Some(endpoint) = filter.endpoint_id {
        find = find.filter(Column::EndpointId.eq(endpoint));
    }
    if let Some(conversation) = &filter.conversation_id {
        find = find.filter(Column::ConversationId.eq(conversation.as_str()));
    }
    if let Some(cursor) = &page.after {
        find = find.filter(compare::after(
            Column::CreatedAt,
            cursor.at,
            Column::Id,
            cursor.id.as_str(),
        ));
    }
    let rows = find
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .limit(page.rows() + 1)
        .all(connection)
        .await?;
    let rows = rows.into_iter().map(Delivery::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut(rows, page, |row| Cursor { at: row.caused.created_at, id: row.caused.id.clone() }))
}
