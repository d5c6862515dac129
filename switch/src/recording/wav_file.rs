//! A recording's file: WAV, 16 bits, 8 kHz, one channel a side. It grows under another name with a
//! header that admits to no length, and gets both when it is complete; what a crash leaves is made
//! whole by [`super::repair`].

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use yunling_switch_contract::SAMPLE_RATE_HZ;

/// What an unfinished file's name ends with.
pub(super) const UNFINISHED: &str = "part";

/// Octets before the samples.
const HEADER_LEN: u64 = 44;

const CHANNELS: u16 = 2;
const SAMPLE_OCTETS: u16 = 2;

/// Octets of one sample of both sides.
const BLOCK_OCTETS: u16 = CHANNELS * SAMPLE_OCTETS;

/// A file that grows. Each addition goes to the system at once, so that a killed process loses
/// nothing that was handed over; a machine that loses its power may lose what the system had not
/// written yet. What [`WavFile::finish`] told of is on the disk.
#[derive(Debug)]
pub(super) struct WavFile {
    file: File,
    /// As it will be called.
    path: PathBuf,
    unfinished: PathBuf,
    /// Keeps its memory.
    octets: Vec<u8>,
}

impl WavFile {
    /// Begins a file, and makes its folder. One that is there already is not touched. Nobody but our
    /// user may read either: they hold what people said.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        if path.exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a recording has this name"));
        }
        let unfinished = unfinished_name(path);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        if let Err(error) = file.write_all(&header(u32::MAX - 36)) {
            // It holds nothing, and would be in the way of another one of this name.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        Ok(Self { file, path: path.to_owned(), unfinished, octets: Vec::new() })
    }

    /// One that grows somewhere else.
    #[cfg(test)]
    pub(super) fn for_test(at: &Path, path: &Path) -> Self {
        let file = OpenOptions::new().write(true).open(at).expect("it is there");
        Self { file, path: path.to_owned(), unfinished: unfinished_name(path), octets: Vec::new() }
    }

    /// Adds samples of both sides, left before right.
    pub(super) fn append(&mut self, samples: &[i16]) -> io::Result<()> {
        self.octets.clear();
        self.octets.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        self.file.write_all(&self.octets)
    }

    /// Adds blocks of silence.
    pub(super) fn append_silence(&mut self, blocks: u64) -> io::Result<()> {
        static STRETCH: [u8; 32_000] = [0; 32_000];
        let mut left = blocks * u64::from(BLOCK_OCTETS);
        while left > 0 {
            let octets = usize::try_from(left).unwrap_or(usize::MAX).min(STRETCH.len());
            self.file.write_all(&STRETCH[..octets])?;
            left -= octets as u64;
        }
        Ok(())
    }

    /// Completes the file, and waits until it is on the disk under its name; gives its length in
    /// octets.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        let length = complete(&mut self.file)?;
        fs::rename(&self.unfinished, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(length)
    }
}

/// What a file of so many octets holds.
pub(super) fn duration_ms(octets: u64) -> u64 {
    let blocks = octets.saturating_sub(HEADER_LEN) / u64::from(BLOCK_OCTETS);
    blocks * 1_000 / u64::from(SAMPLE_RATE_HZ)
}

/// The name under which a file grows.
fn unfinished_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    name.into()
}

/// Writes the header that fits a file's length, and cuts a block that is not whole; gives the
/// length in octets.
pub(super) fn complete(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len().max(HEADER_LEN);
    let data = length - HEADER_LEN;
    let data = data - data % u64::from(BLOCK_OCTETS);
    file.set_len(HEADER_LEN + data)?;
    file.seek(SeekFrom::Start(0))?;
    // Longer than a WAV file can say: readers go by the file's length then.
    file.write_all(&header(u32::try_from(data).unwrap_or(u32::MAX - 36)))?;
    file.sync_all()?;
    Ok(HEADER_LEN + data)
}

/// RIFF, `fmt ` of PCM, `data`.
fn header(data: u32) -> [u8; HEADER_LEN as usize] {
    let mut header = [0; HEADER_LEN as usize];
    let octets_per_s = SAMPLE_RATE_HZ * u32::from(BLOCK_OCTETS);
    let parts: [&[u8]; 13] = [
        b"RIFF",
        &(data.saturating_add(36)).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(),
        &CHANNELS.to_le_bytes(),
        &SAMPLE_RATE_HZ.to_le_bytes(),
        &octets_per_s.to_le_bytes(),
        &BLOCK_OCTETS.to_le_bytes(),
        &(SAMPLE_OCTETS * 8).to_le_bytes(),
        b"data",
        &data.to_le_bytes(),
    ];
    let mut at = 0;
    for part in parts {
        header[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    header
}
