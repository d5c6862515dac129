//! Notes of each audio packet as it came, beside a recording: for whoever asks when something was
//! heard. A line a packet: arrival (microseconds since the Unix epoch, UTC), sequence number,
//! timestamp, payload in hexadecimal. Written at once, so that they can be read during the call.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::rtp::Header;

/// An open file of notes.
pub(crate) struct Notes {
    file: File,
    line: String,
}

impl Notes {
    /// Beside this recording, with `.packets` for its ending.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub(crate) fn beside(recording: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create(recording.with_extension("packets"))?, line: String::new() })
    }

    /// # Errors
    /// If it could not be written (full disk).
    pub(crate) fn take(&mut self, at_us: i64, header: &Header, payload: &[u8]) -> io::Result<()> {
        self.line.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.line, "{at_us} {} {} ", header.sequence, header.timestamp);
        for byte in payload {
            let _ = write!(self.line, "{byte:02x}");
        }
        self.line.push('\n');
        self.file.write_all(self.line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed file is a failed test")]
    use super::*;

    #[test]
    fn a_line_is_a_packet() {
        let folder = tempfile::tempdir().unwrap();
        let recording = folder.path().join("1-2.wav");
        let mut notes = Notes::beside(&recording).unwrap();
        let header = Header { marker: true, payload_type: 8, sequence: 7, timestamp: 320, ssrc: 1 };
        notes.take(1_000, &header, &[0xD5, 0x05]).unwrap();
        notes.take(21_000, &Header { sequence: 8, timestamp: 480, ..header }, &[]).unwrap();
        let text = std::fs::read_to_string(folder.path().join("1-2.packets")).unwrap();
        assert_eq!(text, "1000 7 320 d505\n21000 8 480 \n");
    }
}
