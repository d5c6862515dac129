//! Prompts by content: as uploaded, and as ready-encoded G.711.
use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest::{SHA256, digest};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use serde_json::Value;
use yunling_domain::Micros;

use crate::{
    StoreError,
    entity::media_blob::{ActiveModel, Column, Entity},
};

/// A prompt that nobody refers to is kept for so long: a call, or another node, may have begun with
/// the configuration of a moment ago.
pub const KEPT_UNUSED_MS: i64 = 3_600_000;

/// A prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaBlob {
    /// The file as uploaded.
    pub original: Vec<u8>,
    /// G.711 A-law at 8 kHz, raw.
    pub alaw: Vec<u8>,
    /// G.711 µ-law at 8 kHz, raw.
    pub ulaw: Vec<u8>,
    /// How long it plays.
    pub ms: u32,
    /// What was found in the file when it was taken in.
    pub report: Option<Value>,
}

/// A prompt without its sound.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaFacts {
    /// How long it plays.
    pub ms: u32,
    /// As [`MediaBlob::report`].
    pub report: Option<Value>,
}

/// The name of a content that was taken in as usual: hexadecimal SHA-256 of the file as uploaded.
pub fn content_name(original: &[u8]) -> String {
    hex::encode(digest(&SHA256, original))
}

/// Stores a prompt under this name, once however often it comes.
///
/// # Errors
/// Those of a write.
pub async fn put(tx: &impl ConnectionTrait, name: &str, blob: MediaBlob) -> Result<(), StoreError> {
    let row = ActiveModel {
        sha256: Set(name.to_owned()),
        original: Set(blob.original),
        alaw: Set(blob.alaw),
        ulaw: Set(blob.ulaw),
        ms: Set(blob.ms.into()),
        report: Set(blob.report),
        unused_since: Set(None),
    };
    // An encoder that has become better may replace what it made before.
    let replace = OnConflict::column(Column::Sha256)
        .update_columns([
            Column::Alaw,
            Column::Ulaw,
            Column::Ms,
            Column::Report,
            Column::UnusedSince,
        ])
        .to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(tx).await?;
    Ok(())
}

/// The prompt of that name.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    name: &str,
) -> Result<Option<MediaBlob>, StoreError> {
    let row = Entity::find_by_id(name).one(connection).await?;
    Ok(row.map(|row| MediaBlob {
        original: row.original,
        alaw: row.alaw,
        ulaw: row.ulaw,
        ms: milliseconds(row.ms),
        report: row.report,
    }))
}

/// What is known of the prompts of those names.
///
/// # Errors
/// Those of a read.
pub async fn facts(
    connection: &impl ConnectionTrait,
    names: Vec<String>,
) -> Result<HashMap<String, MediaFacts>, StoreError> {
    let rows: Vec<(String, i64, Option<Value>)> = Entity::find()
        .select_only()
        .columns([Column::Sha256, Column::Ms, Column::Report])
        .filter(Column::Sha256.is_in(names))
        .into_tuple()
        .all(connection)
        .await?;
    let facts = rows.into_iter().map(|(name, ms, report)| {
        let ms = milliseconds(ms);
        (name, MediaFacts { ms, report })
    });
    Ok(facts.collect())
}

fn milliseconds(ms: i64) -> u32 {
    u32::try_from(ms).unwrap_or(u32::MAX)
}

/// Whether a prompt of that name is stored.
///
/// # Errors
/// Those of a read.
pub async fn exists(connection: &impl ConnectionTrait, name: &str) -> Result<bool, StoreError> {
    let found: Option<String> = Entity::find_by_id(name)
        .select_only()
        .column(Column::Sha256)
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found.is_some())
}

/// Deletes what nobody has referred to for [`KEPT_UNUSED_MS`], and notes what nobody refers to now.
/// Belongs into a transaction that moves the configuration: whoever plans with what is stored then
/// plans anew.
///
/// # Errors
/// Those of a write.
pub async fn sweep(
    tx: &impl ConnectionTrait,
    referred_to: &HashSet<String>,
    now: Micros,
) -> Result<u64, StoreError> {
    let rows: Vec<(String, Option<i64>)> = Entity::find()
        .select_only()
        .columns([Column::Sha256, Column::UnusedSince])
        .into_tuple()
        .all(tx)
        .await?;
    let mut deleted = 0;
    for (name, unused_since) in rows {
        match (referred_to.contains(&name), unused_since) {
            (true, None) => {}
            (true, Some(_)) => note_unused(tx, &name, None).await?,
            (false, None) => note_unused(tx, &name, Some(now.0)).await?,
            (false, Some(since)) if since > now.plus_ms(-KEPT_UNUSED_MS).0 => {}
            (false, Some(_)) => {
                deleted += Entity::delete_by_id(name.as_str()).exec(tx).await?.rows_affected;
            }
        }
    }
    Ok(deleted)
}

async fn note_unused(
    tx: &impl ConnectionTrait,
    name: &str,
    since: Option<i64>,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::UnusedSince, Expr::value(since))
        .filter(Column::Sha256.eq(name))
        .exec(tx)
        .await?;
    Ok(())
}
