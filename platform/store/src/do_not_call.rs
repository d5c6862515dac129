//! Numbers that an account does not call unless their owners ask for it.

use std::collections::HashSet;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::OnConflict,
};
use yunling_domain::campaign::Rule;
use yunling_domain::{AccountId, Micros};

use crate::{
    Cursor, Page, PageRequest, StoreError, backend, compare,
    entity::do_not_call::{ActiveModel, Column, Entity, Model},
};

/// A number of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As attempts store it.
    pub number: String,
    /// Why, for people; may be empty.
    pub note: String,
    /// Who put it there.
    pub added_by: String,
    /// When.
    pub added_at: Micros,
}

impl From<Model> for Listed {
    fn from(row: Model) -> Self {
        Self {
            number: row.number,
            note: row.note,
            added_by: row.added_by,
            added_at: Micros(row.added_at),
        }
    }
}

/// Puts numbers on the list, at most [`BULK_ROWS`](crate::BULK_ROWS) at a time; one that is there
/// stays as it is. Campaigns' calls to them that no dispatcher has taken yet are withdrawn; others
/// are asked about when their turn comes. Gives how many are new.
///
/// # Errors
/// Those of a write.
pub async fn add(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    listed: &[Listed],
    now: Micros,
) -> Result<u64, StoreError> {
    if listed.is_empty() {
        return Ok(0);
    }
    let rows = listed.iter().map(|one| ActiveModel {
        account: Set(account.to_string()),
        number: Set(one.number.clone()),
        note: Set(one.note.clone()),
        added_by: Set(one.added_by.clone()),
        added_at: Set(one.added_at.0),
    });
    let there = OnConflict::columns([Column::Account, Column::Number]).do_nothing().to_owned();
    let added = Entity::insert_many(rows).on_conflict(there).exec_without_returning(tx).await?;
    let marks = vec!["?"; listed.len()].join(", ");
    let sql = format!(
        "UPDATE attempt SET deadline_at = ?, rule = ? WHERE account = ? AND state = 0 AND lane = 2 \
         AND to_number IN ({marks}) AND request_id IN (\
         SELECT request_id FROM campaign WHERE finished_at IS NULL AND account = ?)"
    );
    let mut values: Vec<sea_orm::Value> =
        vec![now.0.into(), Rule::DoNotCall.name().into(), account.as_str().into()];
    values.extend(listed.iter().map(|one| one.number.as_str().into()));
    values.push(account.as_str().into());
    tx.execute_raw(backend::statement(tx.get_database_backend(), &sql, values)).await?;
    Ok(added)
}

/// Takes a number off the list. False where it was not there.
///
/// # Errors
/// Those of a write.
pub async fn remove(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    number: &str,
) -> Result<bool, StoreError> {
    let removed = Entity::delete_many()
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::Number.eq(number))
        .exec(tx)
        .await?;
    Ok(removed.rows_affected > 0)
}

/// Which of these numbers are on the list.
///
/// # Errors
/// Those of a read.
pub async fn among(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    numbers: &[&str],
) -> Result<HashSet<String>, StoreError> {
    if numbers.is_empty() {
        return Ok(HashSet::new());
    }
    let found: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Number)
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::Number.is_in(numbers.iter().copied()))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(found.into_iter().collect())
}

/// The account's list, newest first; with `number` only that one.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    number: Option<&str>,
    page: &PageRequest,
) -> Result<Page<Listed>, StoreError> {
    let mut find = Entity::find().filter(Column::Account.eq(account.as_str()));
    if let Some(number) = number {
        find = find.filter(Column::Number.eq(number));
    }
    if let Some(cursor) = &page.after {
        find = find.filter(compare::after(
            Column::AddedAt,
            cursor.at,
            Column::Number,
            cursor.id.as_str(),
        ));
    }
    let rows = find
        .order_by_desc(Column::AddedAt)
        .order_by_desc(Column::Number)
        .limit(page.rows() + 1)
        .all(connection)
        .await?;
    let rows = rows.into_iter().map(Listed::from).collect();
    Ok(Page::cut(rows, page, |row: &Listed| Cursor { at: row.added_at, id: row.number.clone() }))
}
