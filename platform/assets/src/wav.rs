//! Reads WAV files that strangers made: every length in them may be a lie.
//!
//! Of its own although the decoder of the other formats knows WAV too: that one plays a file that is
//! cut short to where it ends, and here an upload that broke off is told from a whole one.
//!
//! Sources: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (RIFF) and
//! "Multiple Channel Audio Data and WAVE Files" (WAVE_FORMAT_EXTENSIBLE).

use audio_codec::Decoder;
use audio_codec::pcma::PcmaDecoder;
use audio_codec::pcmu::PcmuDecoder;

use crate::audio_error::AudioError;
use crate::mixdown::Mixdown;

const PCM: u16 = 0x0001;
const FLOAT: u16 = 0x0003;
const ALAW: u16 = 0x0006;
const ULAW: u16 = 0x0007;
const EXTENSIBLE: u16 = 0xFFFE;

/// A length that writers to a pipe leave behind: the data goes on to the end of the file.
const UNKNOWN_LENGTH: u32 = u32::MAX;

/// Frames that are decoded at a time.
const BLOCK: usize = 4096;

/// Decoded audio, mixed to mono, full scale ±1.
#[derive(Debug)]
pub(crate) struct Audio {
    pub(crate) rate_hz: u32,
    pub(crate) samples: Vec<f32>,
}

/// Decodes a whole file that lasts at most `limit_s`. Allocates no more than the samples that are
/// really there.
pub(crate) fn read(bytes: &[u8], limit_s: u64) -> Result<Audio, AudioError> {
    let wav = Wav::open(bytes, limit_s)?;
    let mut mixdown = Mixdown::of(wav.channels());
    let (mut samples, mut mono) = (Vec::new(), Vec::new());
    for block in wav.blocks() {
        mixdown.mix(&block, &mut mono);
        samples.extend_from_slice(&mono);
    }
    Ok(Audio { rate_hz: wav.rate_hz(), samples })
}

/// A file whose head was read.
#[derive(Debug)]
pub(crate) struct Wav<'a> {
    format: Format,
    data: &'a [u8],
}

impl<'a> Wav<'a> {
    /// Reads the head of a file that lasts at most `limit_s`.
    pub(crate) fn open(bytes: &'a [u8], limit_s: u64) -> Result<Self, AudioError> {
        let (format, data) = chunks(bytes)?;
        let whole = data.len() / format.frame_bytes();
        if whole == 0 {
            return Err(AudioError::Empty);
        }
        let at_least_s = (whole as u64).div_ceil(format.rate_hz.into());
        if at_least_s > limit_s {
            return Err(AudioError::TooLong { at_least_s, limit_s });
        }
        Ok(Self { format, data: &data[..whole * format.frame_bytes()] })
    }

    pub(crate) fn rate_hz(&self) -> u32 {
        self.format.rate_hz
    }

    pub(crate) fn channels(&self) -> u16 {
        self.format.channels
    }

    /// Its samples in order, those of a frame side by side, full scale ±1.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Vec<f32>> + use<'_, 'a> {
        let Format { coding, sample_bytes, .. } = self.format;
        let decode = move |block: &[u8]| {
            block.chunks_exact(sample_bytes).map(|sample| coding.decode(sample)).collect()
        };
        self.data.chunks(BLOCK * self.format.frame_bytes()).map(decode)
    }
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
            (Coding::Float32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (Coding::Float64, &[a, b, c, d, e, f, g, h]) => {
                f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32
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
        let truncated = cut_short("fmt chunk", 16, chunk.len());
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

        AudioError::check_shape(rate_hz, channels.into())?;
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
                let data = data.ok_or_else(|| cut_short("data", declared.into(), present))?;
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

fn cut_short(what: &'static str, declared: u64, present: usize) -> AudioError {
    let present = present as u64;
    AudioError::Truncated { format: "WAV", what, unit: "bytes", declared, present }
}
