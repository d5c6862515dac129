//! Copies of a SQLite database that may be in use, and what a restored copy may not do.
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use chrono::DateTime;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use sqlx::{Connection, Executor, SqliteConnection};
use yunling_domain::{Micros, NodeNumber};

use crate::{
    Copies, OpenOptions, SchemaState, StoreError, Unavailability,
    attempts::AttemptState,
    entity::attempt::{Column, Entity},
    open::{Place, SqlitePlace},
};

/// Copies of before a migration that are kept.
const KEPT_COPIES: usize = 3;
/// What their names begin with.
const COPY_PREFIX: &str = "before-";

/// The file behind `sqlite://path`; none on PostgreSQL.
///
/// # Errors
/// [`StoreError::Configuration`].
pub fn sqlite_file(url: &str) -> Result<Option<PathBuf>, StoreError> {
    Ok(match Place::of_url(url, &OpenOptions::default())? {
        Place::Sqlite(place) => Some(place.file),
        Place::Postgres(_) => None,
    })
}

/// Copies the database as it is at one moment into a new file, and syncs it. Other processes may
/// use it meanwhile: this is one read transaction, which keeps nobody from writing (only the
/// write-ahead log grows until it ends).
///
/// # Errors
/// [`StoreError::Full`] or [`StoreError::Unavailable`]; nothing is left of the new file then.
pub async fn copy_sqlite(url: &str, to: &Path) -> Result<SchemaState, StoreError> {
    match Place::of_url(url, &OpenOptions::default())? {
        Place::Sqlite(place) => {
            copy(&place, to).await?;
            check_sqlite(to).await
        }
        Place::Postgres(_) => Err(StoreError::Configuration {
            what: "url: a database on a server is not copied as a file".to_owned(),
            expected: "sqlite://path/to/file.db",
        }),
    }
}

/// Checks that a file is a sound database of ours that this release understands.
///
/// # Errors
/// [`StoreError::Unavailable`] where it is damaged, [`StoreError::Schema`] where a newer release
/// wrote it or where it is none of ours.
pub async fn check_sqlite(file: &Path) -> Result<SchemaState, StoreError> {
    let mut connection = open_file(file).await?;
    let found = check(&mut connection).await;
    connection.close().await.map_err(|error| StoreError::from_sqlx(&error))?;
    found
}

/// Brings what lies in the write-ahead log of a database that nobody uses into its file, so that the
/// file alone is all of it.
///
/// # Errors
/// [`StoreError::Unavailable`] where somebody uses it.
pub async fn fold_log(file: &Path) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| StoreError::from_sqlx(&error);
    let mut connection = open_file(file).await?;
    // Whether it was hindered, frames in the log, frames brought over (sqlite.org/pragma.html).
    let folded: Result<(i64, i64, i64), _> =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await;
    connection.close().await.map_err(failed)?;
    match folded.map_err(failed)? {
        (0, ..) => Ok(()),
        _ => Err(StoreError::unavailable(Unavailability::Locked, "its log is in use")),
    }
}

async fn check(connection: &mut SqliteConnection) -> Result<SchemaState, StoreError> {
    let failed = |error: sqlx::Error| StoreError::from_sqlx(&error);
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if verdict != "ok" {
        return Err(StoreError::unavailable(Unavailability::Damaged, verdict));
    }
    let history = "SELECT version FROM seaql_migrations ORDER BY version";
    let applied: Vec<String> = sqlx::query_scalar(history)
        .fetch_all(connection)
        .await
        .map_err(|error| StoreError::Schema(format!("the file is no Yunling database: {error}")))?;
    SchemaState::of_history(applied)
}

async fn open_file(file: &Path) -> Result<SqliteConnection, StoreError> {
    let url = format!("sqlite://{}", file.display());
    match Place::of_url(&url, &OpenOptions::default())? {
        Place::Sqlite(place) => place.visitor().await,
        Place::Postgres(_) => unreachable!("the URL was made for SQLite above"),
    }
}

async fn copy(place: &SqlitePlace, to: &Path) -> Result<(), StoreError> {
    let copied = try_copy(place, to).await;
    if copied.is_err() {
        // Half a copy is worse than none; where nothing was made there is nothing to remove.
        let _ = fs::remove_file(to);
    }
    copied
}

async fn try_copy(place: &SqlitePlace, to: &Path) -> Result<(), StoreError> {
    let mut connection = place.visitor().await?;
    let target = to.to_string_lossy().replace('\'', "''");
    let copied = connection.execute(sqlx::AssertSqlSafe(format!("VACUUM INTO '{target}'"))).await;
    connection.close().await.map_err(|error| StoreError::from_sqlx(&error))?;
    copied.map_err(|error| StoreError::from_sqlx(&error))?;
    let synced = File::open(to).and_then(|file| file.sync_all());
    synced.map_err(|error| StoreError::unavailable(Unavailability::Io, error))
}

/// Copies a database into the folder of copies before `migration` changes it, and removes the
/// oldest copies.
pub(crate) async fn before_migration(
    place: &SqlitePlace,
    copies: &Copies,
    migration: &str,
) -> Result<(), StoreError> {
    let told = |error: &dyn std::fmt::Display| {
        format!(
            "the copy that is taken before a migration was not written to {}: {error}; nothing was \
             changed: make room there, or set `database.copy_before_migration: false`",
            copies.folder.display()
        )
    };
    fs::create_dir_all(&copies.folder)
        .map_err(|error| StoreError::unavailable(Unavailability::Io, told(&error)))?;
    let stamp = DateTime::from_timestamp_micros(copies.now.0).unwrap_or_default();
    let name = format!("{COPY_PREFIX}{migration}-{}.db", stamp.format("%Y%m%dT%H%M%S%6fZ"));
    let to = copies.folder.join(name);
    copy(place, &to).await.map_err(|error| match error {
        StoreError::Full(_) => StoreError::Full(told(&error)),
        StoreError::Unavailable { reason, .. } => StoreError::unavailable(reason, told(&error)),
        other => other,
    })?;
    tracing::info!(copy = %to.display(), migration, "the database was copied before a migration");
    remove_old_copies(&copies.folder);
    Ok(())
}

fn remove_old_copies(folder: &Path) {
    let is_copy = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(COPY_PREFIX) && name.ends_with(".db")
    };
    let age = |path: &PathBuf| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_copy).collect();
    all.sort_by_key(age);
    let too_many = all.len().saturating_sub(KEPT_COPIES);
    for old in &all[..too_many] {
        if let Err(error) = fs::remove_file(old) {
            tracing::warn!(copy = %old.display(), %error, "an old copy was not removed");
        }
    }
}

/// Marks what waited for a line in a database that was just restored: after the copy was taken its
/// node went on, and may have rung those numbers. They become interrupted calls of `node`, which
/// its start closes and does not dial. Gives how many.
///
/// # Errors
/// Those of a write.
pub async fn hold_queued(
    tx: &impl ConnectionTrait,
    node: NodeNumber,
    taken_at: Micros,
) -> Result<u64, StoreError> {
    let held = Entity::update_many()
        .col_expr(Column::State, Expr::value(AttemptState::Invited as i16))
        .col_expr(Column::Node, Expr::value(node.to_string()))
        .col_expr(Column::LeaseUntil, Expr::value(taken_at.0))
        .col_expr(Column::InvitedAt, Expr::col(Column::InvitedAt).if_null(taken_at.0))
        .filter(Column::State.is_in([AttemptState::Queued as i16, AttemptState::Claimed as i16]))
        .exec(tx)
        .await?;
    Ok(held.rows_affected)
}
