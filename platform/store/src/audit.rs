//! Who changed what.
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;
use yunling_domain::{AccountId, Micros};

use crate::{
    Cursor, Page, PageRequest, StoreError, TimeRange, compare,
    entity::audit::{ActiveModel, Column, Entity, Model},
};

/// A change, written in the transaction that makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub at: Micros,
    /// The account whose object was changed; empty for the platform's own.
    pub account: AccountId,
    /// Who: a credential, a user, a file set.
    pub who: String,
    /// What was done, as `resource.update`.
    pub action: String,
    /// To what, as `application/demo`.
    pub object: String,
    /// The change itself, without secrets.
    pub detail: Value,
}

impl From<Model> for AuditEntry {
    fn from(row: Model) -> Self {
        Self {
            at: Micros(row.at),
            account: AccountId::new(row.account),
            who: row.who,
            action: row.action,
            object: row.object,
            detail: row.detail,
        }
    }
}

/// Appends an entry.
///
/// # Errors
/// Those of a write.
pub async fn append(tx: &impl ConnectionTrait, entry: &AuditEntry) -> Result<(), StoreError> {
    let row = ActiveModel {
        id: NotSet,
        at: Set(entry.at.0),
        account: Set(entry.account.to_string()),
        who: Set(entry.who.clone()),
        action: Set(entry.action.clone()),
        object: Set(entry.object.clone()),
        detail: Set(entry.detail.clone()),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// The account's entries, newest first.
///
/// # Errors
/// [`StoreError::BadCursor`], or those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    at: TimeRange,
    page: &PageRequest,
) -> Result<Page<AuditEntry>, StoreError> {
    let mut find = Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(compare::within(Column::At, at));
    if let Some(cursor) = &page.after {
        let id: i64 = cursor.id.parse().map_err(|_| StoreError::BadCursor)?;
        find = find.filter(compare::after(Column::At, cursor.at, Column::Id, id));
    }
    let rows = find
        .order_by_desc(Column::At)
        .order_by_desc(Column::Id)
        .limit(page.rows() + 1)
        .all(connection)
        .await?;
    let page = Page::cut(rows, page, |row| Cursor { at: Micros(row.at), id: row.id.to_string() });
    Ok(Page { rows: page.rows.into_iter().map(AuditEntry::from).collect(), next: page.next })
}
