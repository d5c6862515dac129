//! Prompts by content: as uploaded, and as ready-encoded G.711.
use aws_lc_rs::digest::{SHA256, digest};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, QuerySelect, sea_query::OnConflict};

use crate::{
    StoreError,
    entity::media_blob::{ActiveModel, Column, Entity},
};

/// A prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaBlob {
    /// The file as uploaded.
    pub original: Vec<u8>,
    /// G.711 A-law at 8 kHz, raw.
    pub alaw: Vec<u8>,
    /// G.711 µ-law at 8 kHz, raw.
    pub ulaw: Vec<u8>,
    /// How long it plays.
    pub ms: u32,
}

/// The name of a content: hexadecimal SHA-256 of the file as uploaded.
pub fn content_name(original: &[u8]) -> String {
    hex::encode(digest(&SHA256, original))
}

/// Stores a prompt, once however often it comes, and gives its [`content_name`].
///
/// # Errors
/// Those of a write.
pub async fn put(tx: &impl ConnectionTrait, blob: MediaBlob) -> Result<String, StoreError> {
    let sha256 = content_name(&blob.original);
    let row = ActiveModel {
        sha256: Set(sha256.clone()),
        original: Set(blob.original),
        alaw: Set(blob.alaw),
        ulaw: Set(blob.ulaw),
        ms: Set(blob.ms.into()),
    };
    // An encoder that has become better may replace what it made before.
    let replace = OnConflict::column(Column::Sha256)
        .update_columns([Column::Alaw, Column::Ulaw, Column::Ms])
        .to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(tx).await?;
    Ok(sha256)
}

/// The prompt of that content.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    sha256: &str,
) -> Result<Option<MediaBlob>, StoreError> {
    let row = Entity::find_by_id(sha256).one(connection).await?;
    Ok(row.map(|row| MediaBlob {
        original: row.original,
        alaw: row.alaw,
        ulaw: row.ulaw,
        ms: u32::try_from(row.ms).unwrap_or(u32::MAX),
    }))
}

/// Whether that content is stored.
///
/// # Errors
/// Those of a read.
pub async fn exists(connection: &impl ConnectionTrait, sha256: &str) -> Result<bool, StoreError> {
    let found: Option<String> = Entity::find_by_id(sha256)
        .select_only()
        .column(Column::Sha256)
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found.is_some())
}
