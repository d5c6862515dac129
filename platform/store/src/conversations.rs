//! Conversations that are over, each with its whole story.
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde::{Serialize, de::DeserializeOwned};
use yunling_domain::{AccountId, ApplicationId, ConversationId, Micros};

use crate::{
    RequestKind, StoreError, deflated,
    entity::conversation::{ActiveModel, Column, Entity},
};

/// A conversation's events, as deflated JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Story(Vec<u8>);

impl Story {
    /// Packs events. Costs some ten microseconds: done by the conversation's own task and not in
    /// the writer.
    ///
    /// # Errors
    /// [`StoreError::Undecodable`] where an event cannot be written as JSON.
    pub fn pack(events: &impl Serialize) -> Result<Self, StoreError> {
        deflated::pack("conversation", events).map(Self)
    }

    /// Gives the events back.
    ///
    /// # Errors
    /// [`StoreError::Undecodable`] where the blob is damaged or of another shape.
    pub fn unpack<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        deflated::unpack("conversation", &self.0)
    }
}

impl std::fmt::Debug for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Story({} bytes)", self.0.len())
    }
}

/// A conversation that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewConversation {
    /// Its identifier.
    pub id: ConversationId,
    /// The application it was made for.
    pub application: ApplicationId,
    /// What was asked for.
    pub kind: RequestKind,
    /// Its first event.
    pub started_at: Micros,
    /// Its last one.
    pub ended_at: Micros,
    /// All of them.
    pub story: Story,
}

pub(crate) async fn insert(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    new: &NewConversation,
) -> Result<(), StoreError> {
    let row = ActiveModel {
        id: Set(new.id.to_string()),
        account: Set(account.to_string()),
        application: Set(new.application.to_string()),
        kind: Set(new.kind.as_str().to_owned()),
        started_at: Set(new.started_at.0),
        ended_at: Set(new.ended_at.0),
        story: Set(new.story.0.clone()),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// The account's conversation of that identifier, once it is over.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &ConversationId,
) -> Result<Option<NewConversation>, StoreError> {
    let row = Entity::find_by_id(id.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .one(connection)
        .await?;
    row.map(|row| {
        Ok(NewConversation {
            kind: RequestKind::parse(&row.kind, "conversation")?,
            id: ConversationId::new(row.id),
            application: ApplicationId::new(row.application),
            started_at: Micros(row.started_at),
            ended_at: Micros(row.ended_at),
            story: Story(row.story),
        })
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_survives_and_shrinks() {
        let events: Vec<String> = (0..200).map(|seq| format!("event {seq} ringing")).collect();
        let story = Story::pack(&events).expect("strings are JSON");
        assert!(story.0.len() < 1_500, "{story:?}");
        assert_eq!(story.unpack::<Vec<String>>().expect("as packed"), events);
    }

    #[test]
    fn a_damaged_story_is_an_error() {
        let mut story = Story::pack(&vec!["x"; 100]).expect("strings are JSON");
        story.0.truncate(4);
        assert!(matches!(
            story.unpack::<Vec<String>>(),
            Err(StoreError::Undecodable { table: "conversation", .. })
        ));
    }
}
