//! How click-to-call conversations ended, beside the call record of each of their legs.
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use yunling_domain::conversation::ByeType;
use yunling_domain::{AccountId, ApplicationId, ConversationId, Micros, RecordingId, RequestId};

use crate::{
    StoreError, attempts,
    calls::{self, Cdr},
    conversations::{self, NewConversation},
    deliveries::{self, NewDelivery},
    entity::talk::{ActiveModel, Column, Entity, Model},
};

/// How a conversation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talk {
    /// Which.
    pub conversation: ConversationId,
    /// The application it was made for.
    pub application: ApplicationId,
    /// The request that asked for it.
    pub request: RequestId,
    /// The published `byeType`.
    pub bye_type: ByeType,
    /// Additive `endedBy`.
    pub ended_by: String,
    /// Additive `hangupReason`.
    pub hangup_reason: String,
    /// When its parties were first connected.
    pub bridged_at: Option<Micros>,
    /// Its recording.
    pub recording: Option<RecordingId>,
    /// When its last leg ended.
    pub ended_at: Micros,
}

/// Everything that the end of a conversation leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct TalkEnding {
    /// How it ended.
    pub talk: Talk,
    /// The call record of each leg.
    pub calls: Vec<Cdr>,
    /// Its record and story.
    pub conversation: NewConversation,
    /// The callback events that it causes.
    pub deliveries: Vec<NewDelivery>,
}

/// Ends a conversation: every one of its attempts, its call records, its story and its callback
/// events in one transaction, exactly once. Gives false, and changes nothing, where it had ended
/// already.
///
/// # Errors
/// Those of a write.
pub async fn finish(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    ending: &TalkEnding,
) -> Result<bool, StoreError> {
    let talk = &ending.talk;
    let ended =
        attempts::end_all(tx, account, &talk.request, &talk.conversation, talk.ended_at).await?;
    if ended == 0 {
        return Ok(false);
    }
    calls::insert(tx, account, &ending.calls).await?;
    conversations::insert(tx, account, &ending.conversation).await?;
    Entity::insert(row(account, talk)).exec_without_returning(tx).await?;
    for delivery in &ending.deliveries {
        deliveries::insert(tx, account, delivery).await?;
    }
    Ok(true)
}

fn row(account: &AccountId, talk: &Talk) -> ActiveModel {
    ActiveModel {
        conversation_id: Set(talk.conversation.to_string()),
        account: Set(account.to_string()),
        application: Set(talk.application.to_string()),
        request_id: Set(talk.request.to_string()),
        bye_type: Set(talk.bye_type.number().into()),
        ended_by: Set(talk.ended_by.clone()),
        hangup_reason: Set(talk.hangup_reason.clone()),
        bridged_at: Set(talk.bridged_at.map(|at| at.0)),
        recording_id: Set(talk.recording.as_ref().map(ToString::to_string)),
        ended_at: Set(talk.ended_at.0),
    }
}

impl TryFrom<Model> for Talk {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let number = u8::try_from(row.bye_type).unwrap_or(u8::MAX);
        let bye_type = ByeType::try_from(number)
            .map_err(|what| StoreError::Undecodable { table: "talk", what })?;
        Ok(Self {
            conversation: ConversationId::new(row.conversation_id),
            application: ApplicationId::new(row.application),
            request: RequestId::new(row.request_id),
            bye_type,
            ended_by: row.ended_by,
            hangup_reason: row.hangup_reason,
            bridged_at: row.bridged_at.map(Micros),
            recording: row.recording_id.map(RecordingId::new),
            ended_at: Micros(row.ended_at),
        })
    }
}

/// How the account's conversation ended; nothing while it has not.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<Option<Talk>, StoreError> {
    Entity::find_by_id(conversation.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .one(connection)
        .await?
        .map(Talk::try_from)
        .transpose()
}

/// How those of the account's conversations ended that have, in no order.
///
/// # Errors
/// Those of a read.
pub async fn these(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversations: &[ConversationId],
) -> Result<Vec<Talk>, StoreError> {
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find()
        .filter(Column::ConversationId.is_in(conversations.iter().map(ConversationId::as_str)))
        .filter(Column::Account.eq(account.as_str()))
        .all(connection)
        .await?;
    rows.into_iter().map(Talk::try_from).collect()
}
