//! Reads WAV files that strangers made: every length in them may be a lie.
//!
//! Sources: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF) and
//! "Multiple Channel Audio Data and WAVE Files" (WAVE_FORMAT_EXTENSIBLE).

use audio_codec::Decoder;
use audio_codec::pcma::PcmaDecoder;
use audio_codec::pcmu::PcmuDecoder;

const PCM: u16 = 0x0001;
const FLOAT: u16 = 0x0003;
const ALAW: u16 = 0x0006;
const ULAW: u16 = 0x0007;
const EXTENSIBLE: u16 = 0xFFFE;

/// A length that writers to a pipe leave behind: the data goes on to the end of the file.
const UNKNOWN_LENGTH: u32 = u32::MAX;

const LOWEST_RATE_HZ: u32 = 8000;
const HIGHEST_RATE_HZ: u32 = 48_000;

/// A file that is not taken as audio: the fault of whoever supplied it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AudioError {
    /// No RIFF/WAVE header.
    #[error("not a WAV file: expected it to begin with RIFF…WAVE")]
    NotWav,
    /// The file ends before its header or its data do.
    #[error(
        "the WAV file is cut short: its {what} should have {declared} bytes, {present} are there"
    )]
    Truncated {
        /// What is cut short: a chunk's name.
        what: &'static str,
        /// Bytes that the file claims.
        declared: u64,
        /// Bytes that are there.
        present: u64,
    },
    /// A chunk that every WAV file needs is not there.
    #[error("the WAV file has no {0:?} chunk")]
    NoChunk(&'static str),
    /// A header whose fields contradict each other.
    #[error("the WAV header makes no sense: {0}")]
    BadHeader(&'static str),
    /// A coding that is not taken.
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
    /// More than two channels, or none.
    #[error("{0} channels: expected mono or stereo")]
    UnsupportedChannels(u16),
    /// A sample rate out of range.
    #[error("sample rate {0} Hz: expected 8000 to 48000 Hz")]
    UnsupportedRate(u32),
    /// No sample at all.
    #[error("the recording is empty")]
    Empty,
    /// Longer than is taken.
    #[error("the recording lasts {found_s} s: expected at most {limit_s} s")]
    TooLong {
        /// Its duration, rounded up to seconds.
        found_s: u64,
        /// The most that is taken, in seconds.
        limit_s: u64,
    },
}

/// Decoded audio, mixed to mono, full scale ±1.
#[derive(Debug)]
pub(crate) struct Audio {
    pub(crate) rate_hz: u32,
    /// Channels in the file: 1 or 2.
    pub(crate) channels: u16,
    pub(crate) samples: Vec<f32>,
}

/// Decodes a whole file that lasts at most `limit_s`. Allocates no more than the samples that are
/// really there.
pub(crate) fn read(bytes: &[u8], limit_s: u64) -> Result<Audio, AudioError> {
    let (format, data) = chunks(bytes)?;
    let whole = data.len() / format.frame_bytes();
    if whole == 0 {
        return Err(AudioError::Empty);
    }
    let found_s = (whole as u64).div_ceil(format.rate_hz.into());
    if found_s > limit_s {
        return Err(AudioError::TooLong { found_s, limit_s });
    }
    let frames = data.chunks_exact(format.frame_bytes());
    let samples = frames.map(|frame| {
        let channels = frame.chunks_exact(format.sample_bytes);
        let sum: f32 = channels.map(|sample| format.coding.decode(sample)).sum();
        sum / f32::from(format.channels)
    });
    Ok(Audio { rate_hz: format.rate_hz, channels: format.channels, samples: samples.collect() })
}

#[derive(Debug, Clone, Copy)]
enum Coding {
    Unsigned8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
    Float64,
    Alaw,
    Ulaw,
}

impl Coding {
    fn of(format: u16, bits: u16) -> Result<Self, AudioError> {
        match (format, bits) {
            (PCM, 8) => Ok(Coding::Unsigned8),
            (PCM, 16) => Ok(Coding::Signed16),
            (PCM, 24) => Ok(Coding::Signed24),
            (PCM, 32) => Ok(Coding::Signed32),
            (FLOAT, 32) => Ok(Coding::Float32),
            (FLOAT, 64) => Ok(Coding::Float64),
            (ALAW, 8) => Ok(Coding::Alaw),
            (ULAW, 8) => Ok(Coding::Ulaw),
            _ => Err(AudioError::UnsupportedCoding { format, bits }),
        }
    }

    /// One sample of exactly this coding's width; anything else is silence.
    fn decode(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Coding::Unsigned8, &[byte]) => (f32::from(byte) - 128.0) / 128.0,
            (Coding::Signed16, &[a, b]) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            (Coding::Signed24, &[a, b, c]) => signed_32([0, a, b, c]),
            (Coding::Signed32, &[a, b, c, d]) => signed_32([a, b, c, d]),
            (Coding::Float32, &[a, b, c, d]) => finite(f32::from_le_bytes([a, b, c, d])),
            (Coding::Float64, &[a, b, c, d, e, f, g, h]) => {
                finite(f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32)
            }
            (Coding::Alaw, &[byte]) => companded(PcmaDecoder::new(), byte),
            (Coding::Ulaw, &[byte]) => companded(PcmuDecoder::new(), byte),
            _ => 0.0,
        }
    }
}

fn companded(mut decoder: impl Decoder, byte: u8) -> f32 {
    let mut sample = [0_i16];
    match decoder.decode_into(&[byte], &mut sample) {
        Ok(_) => f32::from(sample[0]) / 32_768.0,
        Err(_) => 0.0,
    }
}

fn signed_32(bytes: [u8; 4]) -> f32 {
    (f64::from(i32::from_le_bytes(bytes)) / 2_147_483_648.0) as f32
}

/// A float file may hold anything; what is not a sample is silence, and nothing is absurdly loud.
fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-16.0, 16.0) } else { 0.0 }
}

#[derive(Debug, Clone, Copy)]
struct Format {
    coding: Coding,
    rate_hz: u32,
    channels: u16,
    sample_bytes: usize,
}

impl Format {
    fn frame_bytes(&self) -> usize {
        self.sample_bytes * usize::from(self.channels)
    }

    fn parse(chunk: &[u8]) -> Result<Self, AudioError> {
        let truncated =
            AudioError::Truncated { what: "fmt chunk", declared: 16, present: chunk.len() as u64 };
        let word = |at: usize| {
            let bytes = chunk.get(at..at + 2)?;
            Some(u16::from_le_bytes([bytes[0], bytes[1]]))
        };
        let (Some(tag), Some(channels), Some(rate_low), Some(rate_high), Some(align), Some(bits)) =
            (word(0), word(2), word(4), word(6), word(12), word(14))
        else {
            return Err(truncated);
        };
        let format = match tag {
            // The first word of the sub-format's GUID is a plain format tag.
            EXTENSIBLE => {
                word(24).ok_or(AudioError::BadHeader("the extended format is missing"))?
            }
            plain => plain,
        };
        let rate_hz = u32::from(rate_low) | u32::from(rate_high) << 16;

        if !(1..=2).contains(&channels) {
            return Err(AudioError::UnsupportedChannels(channels));
        }
        if !(LOWEST_RATE_HZ..=HIGHEST_RATE_HZ).contains(&rate_hz) {
            return Err(AudioError::UnsupportedRate(rate_hz));
        }
        let coding = Coding::of(format, bits)?;
        let sample_bytes = usize::from(bits / 8);
        if usize::from(align) != sample_bytes * usize::from(channels) {
            return Err(AudioError::BadHeader("block size, channels and bits disagree"));
        }
        Ok(Format { coding, rate_hz, channels, sample_bytes })
    }
}

/// The format and the bytes of the samples. Other chunks are skipped.
fn chunks(bytes: &[u8]) -> Result<(Format, &[u8]), AudioError> {
    if bytes.get(0..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err(AudioError::NotWav);
    }
    let mut rest = &bytes[12..];
    let mut format = None;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [name @ .., a, b, c, d] = *head;
        let declared = u32::from_le_bytes([a, b, c, d]);
        let present = body.len();
        let length = usize::try_from(declared).unwrap_or(usize::MAX);
        match &name {
            b"data" => {
                let format = format.ok_or(AudioError::NoChunk("fmt "))?;
                let data = match declared {
                    UNKNOWN_LENGTH => Some(body),
                    _ => body.get(..length),
                };
                let data = data.ok_or(AudioError::Truncated {
                    what: "data",
                    declared: declared.into(),
                    present: present as u64,
                })?;
                return Ok((format, data));
            }
            b"fmt " => format = Some(Format::parse(body.get(..length).unwrap_or(body))?),
            _ => {}
        }
        // Chunks are padded to even lengths.
        rest = body.get(length.saturating_add(length % 2)..).unwrap_or(&[]);
    }
    Err(AudioError::NoChunk(match format {
        None => "fmt ",
        Some(_) => "data",
    }))
}
