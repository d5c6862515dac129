//! Values that are kept whole, as deflated JSON.
use std::io::{Read, Write};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use serde::{Serialize, de::DeserializeOwned};

use crate::StoreError;

/// A blob is not read beyond this size: far more than anything that we write, so that a damaged one
/// cannot fill the memory.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Packs a value. Costs some ten microseconds for ten kilobytes: done by its owner's task and not in
/// the writer.
///
/// # Errors
/// [`StoreError::Undecodable`] where it cannot be written as JSON.
pub(crate) fn pack(table: &'static str, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut packed, value).map_err(|error| undecodable(table, error))?;
    let packed = packed.flush().and_then(|()| packed.finish());
    packed.map_err(|error| undecodable(table, error))
}

/// Gives the value back.
///
/// # Errors
/// [`StoreError::Undecodable`] where the blob is damaged or of another shape.
pub(crate) fn unpack<T: DeserializeOwned>(
    table: &'static str,
    packed: &[u8],
) -> Result<T, StoreError> {
    let mut plain = Vec::new();
    DeflateDecoder::new(packed)
        .take(MOST_BYTES)
        .read_to_end(&mut plain)
        .map_err(|error| undecodable(table, error))?;
    serde_json::from_slice(&plain).map_err(|error| undecodable(table, error))
}

fn undecodable(table: &'static str, error: impl ToString) -> StoreError {
    StoreError::Undecodable { table, what: format!("a packed value: {}", error.to_string()) }
}
