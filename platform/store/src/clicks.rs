//! What click-to-call took: which conversation came from which request, and who may see it. Written
//! with the request, so that a conversation can be found before it runs, while it runs and after.
use std::collections::BTreeSet;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId, Micros, RequestId};

use crate::{
    Cursor, Page, PageRequest, StoreError, TimeRange, compare,
    entity::click::{ActiveModel, Column, Entity, Model},
};

/// A click2call that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Click {
    /// The conversation that it asks for.
    pub conversation: ConversationId,
    /// Whose it is.
    pub account: AccountId,
    /// The application it was made for.
    pub application: ApplicationId,
    /// The request.
    pub request: RequestId,
    /// The call of the caller's leg, whose number is never masked.
    pub caller_call: CallId,
    /// The subject of the browser token that made it; absent for other credentials.
    pub subject: Option<String>,
    /// Whether numbers of those who are called are shown masked.
    pub masked: bool,
    /// When it was taken.
    pub created_at: Micros,
}

/// Which clicks a list shows. Conditions are joined by "and".
#[derive(Debug, Clone, Default)]
pub struct ClickFilter {
    /// Made by browser tokens of this subject.
    pub subject: Option<String>,
    /// Taken in this range.
    pub created: TimeRange,
}

impl From<Model> for Click {
    fn from(row: Model) -> Self {
        Self {
            conversation: ConversationId::new(row.conversation_id),
            account: AccountId::new(row.account),
            application: ApplicationId::new(row.application),
            request: RequestId::new(row.request_id),
            caller_call: CallId::new(row.caller_call_id),
            subject: row.subject,
            masked: row.masked != 0,
            created_at: Micros(row.created_at),
        }
    }
}

/// Notes a click.
///
/// # Errors
/// [`StoreError::Conflict`] where the conversation is taken.
pub async fn insert(tx: &impl ConnectionTrait, click: &Click) -> Result<(), StoreError> {
    let row = ActiveModel {
        conversation_id: Set(click.conversation.to_string()),
        account: Set(click.account.to_string()),
        application: Set(click.application.to_string()),
        request_id: Set(click.request.to_string()),
        caller_call_id: Set(click.caller_call.to_string()),
        subject: Set(click.subject.clone()),
        masked: Set(i16::from(click.masked)),
        created_at: Set(click.created_at.0),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// The account's click of that conversation.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<Option<Click>, StoreError> {
    let row = Entity::find_by_id(conversation.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .one(connection)
        .await?;
    Ok(row.map(Click::from))
}

/// Those of the conversations whose callees' numbers are shown masked.
///
/// # Errors
/// Those of a read.
pub async fn masked(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversations: &BTreeSet<ConversationId>,
) -> Result<Vec<Click>, StoreError> {
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find()
        .filter(Column::ConversationId.is_in(conversations.iter().map(ConversationId::as_str)))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::Masked.ne(0))
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(Click::from).collect())
}

/// The application's clicks, newest first.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    application: &ApplicationId,
    filter: &ClickFilter,
    page: &PageRequest,
) -> Result<Page<Click>, StoreError> {
    let mut find = Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::Application.eq(application.as_str()))
        .filter(compare::within(Column::CreatedAt, filter.created));
    if let Some(subject) = &filter.subject {
        find = find.filter(Column::Subject.eq(subject.as_str()));
    }
    if let Some(cursor) = &page.after {
        find = find.filter(compare::after(
            Column::CreatedAt,
            cursor.at,
            Column::ConversationId,
            cursor.id.as_str(),
        ));
    }
    let rows = find
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::ConversationId)
        .limit(page.rows() + 1)
        .all(connection)
        .await?;
    let rows = rows.into_iter().map(Click::from).collect();
    Ok(Page::cut(rows, page, |row: &Click| Cursor {
        at: row.created_at,
        id: row.conversation.to_string(),
    }))
}
