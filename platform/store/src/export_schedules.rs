//! Exports of call records that come again and again.
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, sea_query::Expr,
};
use yunling_domain::{AccountId, Micros};

use crate::{
    StoreError,
    cdrs::CdrFilter,
    entity::cdr_export_schedule::{ActiveModel, Column, Entity, Model},
    exports::{self, ExportFormat, NewExport},
};

/// An export that comes again. Each covers the calls that began since the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its identifier.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// Who made it, as audit rows name it.
    pub who: String,
    /// When: five fields.
    pub cron: String,
    /// In this zone.
    pub zone: String,
    /// What becomes of the records.
    pub format: ExportFormat,
    /// Which records; the time is the schedule's.
    pub filter: CdrFilter,
    /// Whether whoever made it sees masked numbers.
    pub sees_numbers: bool,
    /// Whether whoever made it may listen to recordings.
    pub sees_recordings: bool,
    /// When it was made.
    pub created_at: Micros,
    /// Calls that began before are covered by the exports until now.
    pub covered_to: Micros,
    /// The end of what the next export covers.
    pub next_at: Micros,
}

impl TryFrom<Model> for Schedule {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        const TABLE: &str = "cdr_export_schedule";
        let filter = serde_json::from_value(row.filter)
            .map_err(|error| StoreError::Undecodable { table: TABLE, what: error.to_string() })?;
        Ok(Self {
            format: ExportFormat::parse(&row.format, TABLE)?,
            id: row.id,
            account: AccountId::new(row.account),
            who: row.who,
            cron: row.cron,
            zone: row.zone,
            filter,
            sees_numbers: row.sees_numbers != 0,
            sees_recordings: row.sees_recordings != 0,
            created_at: Micros(row.created_at),
            covered_to: Micros(row.covered_to),
            next_at: Micros(row.next_at),
        })
    }
}

/// Stores a schedule.
///
/// # Errors
/// [`StoreError::Conflict`] where the identifier is taken.
pub async fn insert(tx: &impl ConnectionTrait, new: &Schedule) -> Result<(), StoreError> {
    let row = ActiveModel {
        id: Set(new.id.clone()),
        account: Set(new.account.to_string()),
        who: Set(new.who.clone()),
        cron: Set(new.cron.clone()),
        zone: Set(new.zone.clone()),
        format: Set(new.format.as_str().to_owned()),
        filter: Set(exports::filter_of(&new.filter)?),
        sees_numbers: Set(new.sees_numbers.into()),
        sees_recordings: Set(new.sees_recordings.into()),
        created_at: Set(new.created_at.0),
        covered_to: Set(new.covered_to.0),
        next_at: Set(new.next_at.0),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// The account's schedules, newest first.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
) -> Result<Vec<Schedule>, StoreError> {
    let rows = Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .all(connection)
        .await?;
    rows.into_iter().map(Schedule::try_from).collect()
}

/// How many schedules the account has.
///
/// # Errors
/// Those of a read.
pub async fn count(
    connection: &impl ConnectionTrait,
    account: &AccountId,
) -> Result<u64, StoreError> {
    Ok(Entity::find().filter(Column::Account.eq(account.as_str())).count(connection).await?)
}

/// Deletes a schedule; exports that came from it stay. Gives false where the account has no such one.
///
/// # Errors
/// Those of a write.
pub async fn delete(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &str,
) -> Result<bool, StoreError> {
    let deleted = Entity::delete_many()
        .filter(Column::Id.eq(id))
        .filter(Column::Account.eq(account.as_str()))
        .exec(tx)
        .await?;
    Ok(deleted.rows_affected == 1)
}

/// What the platform needs across tenants: the worker's side.
pub mod platform_side {
    use super::{
        Column, ColumnTrait, ConnectionTrait, Entity, Expr, Micros, NewExport, QueryFilter,
        QueryOrder, QuerySelect, Schedule, StoreError, exports,
    };
    use sea_orm::EntityTrait;

    /// At most `limit` schedules whose next export is due.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn due(
        connection: &impl ConnectionTrait,
        now: Micros,
        limit: u64,
    ) -> Result<Vec<Schedule>, StoreError> {
        let rows = Entity::find()
            .filter(Column::NextAt.lte(now.0))
            .order_by_asc(Column::NextAt)
            .limit(limit)
            .all(connection)
            .await?;
        rows.into_iter().map(Schedule::try_from).collect()
    }

    /// Orders a schedule's export, which covers what began before `covered_to`, and moves the schedule
    /// on, in one transaction. Changes nothing and gives false where another was faster, or the
    /// schedule is gone.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn fire(
        tx: &impl ConnectionTrait,
        schedule: &Schedule,
        export: &NewExport,
        covered_to: Micros,
        next_at: Micros,
    ) -> Result<bool, StoreError> {
        let moved = Entity::update_many()
            .col_expr(Column::CoveredTo, Expr::value(covered_to.0))
            .col_expr(Column::NextAt, Expr::value(next_at.0))
            .filter(Column::Id.eq(schedule.id.as_str()))
            .filter(Column::NextAt.eq(schedule.next_at.0))
            .exec(tx)
            .await?;
        if moved.rows_affected == 0 {
            return Ok(false);
        }
        exports::insert(tx, export).await?;
        Ok(true)
    }
}
