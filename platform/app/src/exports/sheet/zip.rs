//! A ZIP archive (PKWARE APPNOTE 6.3) that grows at its end and can be gone on with after a crash.
//!
//! Each piece of an entry is deflated for itself and ends at a whole byte, so that nothing of a
//! compressor has to be remembered between two pieces: an entry's state is its checksum and lengths.
//! That is why it is our own: libraries for archives and workbooks keep an open entry in memory or
//! in a temporary file of its plain text (gigabytes, here), and end with the process.
//! An archive, and the place of an entry in it, may lie beyond 4 GiB; an entry may not.

use super::Out;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use std::io::{self, Write as _};

/// An empty last block of RFC 1951 §3.2.6.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
const DEFLATED: u16 = 8;
/// 1980-01-01, the earliest that the format has: the time of an export is in its row.
const DATE: u16 = 1 << 5 | 1;
const VERSION: u16 = 20;
const VERSION_ZIP64: u16 = 45;
/// Where checksum and lengths stand in a local header.
const SUMS_AT: u64 = 14;

/// An archive in the making.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Zip {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    offset: u64,
    crc: u32,
    packed: u32,
    plain: u32,
}

impl Zip {
    /// Begins an entry; the one before is complete.
    pub(super) fn begin(&mut self, out: &mut Out, name: &str) -> io::Result<()> {
        let entry =
            Entry { name: name.to_owned(), offset: out.octets(), crc: 0, packed: 0, plain: 0 };
        let mut header = Vec::new();
        header.extend_from_slice(b"PK\x03\x04");
        push16(&mut header, VERSION);
        entry.push_facts(&mut header);
        push16(&mut header, 0);
        header.extend_from_slice(name.as_bytes());
        self.entries.push(entry);
        out.append(&header)
    }

    /// Appends to the entry.
    ///
    /// # Errors
    /// The disk does not take it, or the entry would not fit its lengths.
    pub(super) fn write(&mut self, out: &mut Out, bytes: &[u8]) -> io::Result<()> {
        let entry = self.entries.last_mut().expect("an entry was begun");
        let mut deflating = DeflateEncoder::new(Vec::new(), Compression::new(3));
        deflating.write_all(bytes)?;
        deflating.flush()?;
        let packed = std::mem::take(deflating.get_mut());
        entry.grow(&packed, bytes)?;
        out.append(&packed)
    }

    /// Completes the entry.
    pub(super) fn end(&mut self, out: &mut Out) -> io::Result<()> {
        let entry = self.entries.last_mut().expect("an entry was begun");
        entry.grow(&LAST_BLOCK, &[])?;
        out.append(&LAST_BLOCK)?;
        let mut sums = Vec::new();
        entry.push_sums(&mut sums);
        out.patch(entry.offset + SUMS_AT, &sums)
    }

    /// Bytes of the entry before it is deflated.
    pub(super) fn plain(&self) -> u32 {
        self.entries.last().map_or(0, |entry| entry.plain)
    }

    /// Completes the archive.
    pub(super) fn finish(&self, out: &mut Out) -> io::Result<()> {
        let (start, mut directory) = (out.octets(), Vec::new());
        for entry in &self.entries {
            entry.push_central(&mut directory);
        }
        let length = directory.len() as u64;
        let count = self.entries.len() as u64;
        if start > u64::from(u32::MAX) - length {
            let at = start + length;
            directory.extend_from_slice(b"PK\x06\x06");
            // The length of what follows.
            push64(&mut directory, 44);
            push16(&mut directory, VERSION_ZIP64);
            push16(&mut directory, VERSION_ZIP64);
            push32(&mut directory, 0);
            push32(&mut directory, 0);
            for value in [count, count, length, start] {
                push64(&mut directory, value);
            }
            directory.extend_from_slice(b"PK\x06\x07");
            push32(&mut directory, 0);
            push64(&mut directory, at);
            push32(&mut directory, 1);
        }
        directory.extend_from_slice(b"PK\x05\x06");
        push16(&mut directory, 0);
        push16(&mut directory, 0);
        for _ in 0..2 {
            push16(&mut directory, u16::try_from(count).unwrap_or(u16::MAX));
        }
        push32(&mut directory, u32::try_from(length).unwrap_or(u32::MAX));
        push32(&mut directory, u32::try_from(start).unwrap_or(u32::MAX));
        push16(&mut directory, 0);
        out.append(&directory)
    }
}

impl Entry {
    fn grow(&mut self, packed: &[u8], plain: &[u8]) -> io::Result<()> {
        let sum = |have: u32, more: &[u8]| {
            u32::try_from(more.len())
                .ok()
                .and_then(|more| have.checked_add(more))
                .ok_or_else(|| io::Error::other("an entry of an archive exceeds 4 GiB"))
        };
        (self.packed, self.plain) = (sum(self.packed, packed)?, sum(self.plain, plain)?);
        let mut crc = crc32fast::Hasher::new_with_initial(self.crc);
        crc.update(plain);
        self.crc = crc.finalize();
        Ok(())
    }

    /// What a local header and the directory have in common: from the flags to the name's length.
    fn push_facts(&self, to: &mut Vec<u8>) {
        push16(to, FLAGS);
        push16(to, DEFLATED);
        push16(to, 0);
        push16(to, DATE);
        self.push_sums(to);
        // Names are ours and short.
        push16(to, u16::try_from(self.name.len()).unwrap_or(u16::MAX));
    }

    fn push_sums(&self, to: &mut Vec<u8>) {
        for value in [self.crc, self.packed, self.plain] {
            push32(to, value);
        }
    }

    fn push_central(&self, to: &mut Vec<u8>) {
        let near = u32::try_from(self.offset).ok().filter(|offset| *offset < u32::MAX);
        to.extend_from_slice(b"PK\x01\x02");
        push16(to, VERSION_ZIP64);
        push16(to, if near.is_some() { VERSION } else { VERSION_ZIP64 });
        self.push_facts(to);
        push16(to, if near.is_some() { 0 } else { 12 });
        // No comment, the first disk, no attributes.
        for _ in 0..3 {
            push16(to, 0);
        }
        push32(to, 0);
        push32(to, near.unwrap_or(u32::MAX));
        to.extend_from_slice(self.name.as_bytes());
        if near.is_none() {
            push16(to, 1);
            push16(to, 8);
            push64(to, self.offset);
        }
    }
}

fn push16(to: &mut Vec<u8>, value: u16) {
    to.extend_from_slice(&value.to_le_bytes());
}

fn push32(to: &mut Vec<u8>, value: u32) {
    to.extend_from_slice(&value.to_le_bytes());
}

fn push64(to: &mut Vec<u8>, value: u64) {
    to.extend_from_slice(&value.to_le_bytes());
}
