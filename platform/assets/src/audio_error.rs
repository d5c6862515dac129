//! Why a file is not taken as audio: always the fault of whoever supplied it.

/// What is taken, for messages.
pub const ACCEPTED: &str = "WAV (PCM of 8 to 32 bits, float, A-law or µ-law), MP3, Ogg Vorbis or \
                            FLAC, of 8 to 192 kHz and 1 to 8 channels";

/// A file that is not taken as audio.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AudioError {
    /// No byte at all.
    #[error("the file has 0 bytes: expected {ACCEPTED}")]
    Nothing,
    /// Something that is known, and not taken.
    #[error("the file is {found}: expected {ACCEPTED}")]
    Unsupported {
        /// What came.
        found: &'static str,
    },
    /// No RIFF/WAVE header.
    #[error("not a WAV file: expected it to begin with RIFF…WAVE")]
    NotWav,
    /// The file ends before its header or its data do.
    #[error(
        "the {format} file is cut short: its {what} should have {declared} {unit}, {present} are there"
    )]
    Truncated {
        /// Of what format it is.
        format: &'static str,
        /// What is cut short.
        what: &'static str,
        /// In what it is counted.
        unit: &'static str,
        /// What the file claims.
        declared: u64,
        /// What is there.
        present: u64,
    },
    /// A part that every WAV file needs is not there.
    #[error("the WAV file has no {0:?} chunk")]
    NoChunk(&'static str),
    /// A header whose fields contradict each other.
    #[error("the WAV header makes no sense: {0}")]
    BadHeader(&'static str),
    /// A coding of WAV that is not taken.
    #[error(
        "unsupported coding (WAV format {format}, {bits} bits): expected PCM of 8, 16, 24 or 32 \
         bits, float of 32 or 64 bits, A-law or µ-law"
    )]
    UnsupportedCoding {
        /// The format tag.
        format: u16,
        /// Bits a sample.
        bits: u16,
    },
    /// More than eight channels, or none.
    #[error("{0} channels: expected 1 to 8")]
    UnsupportedChannels(u16),
    /// A sample rate out of range.
    #[error("sample rate {0} Hz: expected 8000 to 192000 Hz")]
    UnsupportedRate(u32),
    /// The stream makes no sense, or stops making sense.
    #[error("the {format} file is damaged at {at_ms} ms: {why}")]
    Damaged {
        /// Of what format it is.
        format: &'static str,
        /// Where, in milliseconds of what was decoded.
        at_ms: u64,
        /// What is wrong.
        why: String,
    },
    /// No sample at all.
    #[error("the recording is empty")]
    Empty,
    /// Longer than is taken.
    #[error("the recording lasts at least {at_least_s} s: expected at most {limit_s} s")]
    TooLong {
        /// Its duration as far as it was looked at, rounded up to seconds.
        at_least_s: u64,
        /// The most that is taken, in seconds.
        limit_s: u64,
    },
}

impl AudioError {
    /// # Errors
    /// A rate or a number of channels that is not taken.
    pub(crate) fn check_shape(rate_hz: u32, channels: usize) -> Result<u16, Self> {
        let channels = u16::try_from(channels).unwrap_or(u16::MAX);
        if !(1..=8).contains(&channels) {
            return Err(Self::UnsupportedChannels(channels));
        }
        if !(8_000..=192_000).contains(&rate_hz) {
            return Err(Self::UnsupportedRate(rate_hz));
        }
        Ok(channels)
    }
}
