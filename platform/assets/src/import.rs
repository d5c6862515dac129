//! A tenant's own recording on its way into the media library.

use std::fmt;
use std::sync::Arc;

use crate::audio_error::AudioError;
use crate::decode::{Shape, Sink, decode};
use crate::encoded::{Encoded, to_i16};
use crate::level::{Clipping, silent_ends_ms};
use crate::loudness::{Loudness, MOST_GAIN_DB, TARGET_LUFS, normalise};
use crate::mixdown::Mixdown;
use crate::resample::Resampler;
use crate::sniff::AudioFormat;

/// The longest recording that is taken where nobody says, in seconds.
pub const LONGEST_S: u64 = 600;

/// Silence before or after the sound that is worth a word, in ms.
const LONG_SILENCE_MS: u64 = 2_000;
/// How much the limiter may do without a word, in dB.
const LITTLE_LIMITING_DB: f32 = 3.0;
/// A loudness so near to the target needs no mention, in dB.
const TOLERANCE_DB: f32 = 1.0;

/// How to take a recording in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportOptions {
    /// The longest that is taken, in seconds.
    pub longest_s: u64,
    /// What becomes of its loudness.
    pub level: Level,
}

/// What becomes of a recording's loudness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// It is brought to that of the prompts.
    #[default]
    Normalised,
    /// It stays as it is.
    AsItIs,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self { longest_s: LONGEST_S, level: Level::Normalised }
    }
}

/// A recording that was taken in.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What the file was.
    pub format: AudioFormat,
    /// The audio at 8 kHz, as loud as it will be.
    pub samples_8k: Vec<i16>,
    /// The same in A-law.
    pub alaw: Arc<[u8]>,
    /// The same in µ-law.
    pub ulaw: Arc<[u8]>,
    /// Its duration in ms, rounded up.
    pub duration_ms: u64,
    /// The file's sample rate in Hz.
    pub original_rate_hz: u32,
    /// The file's channels, 1 to 8; they are mixed to one.
    pub channels: u16,
    /// How loud it came, as the telephone would have carried it.
    pub before: Loudness,
    /// How loud it is.
    pub after: Loudness,
    /// What was done to its level, in dB; 0 for nothing.
    pub gain_db: f32,
    /// What its owner should know. Never a reason not to play it.
    pub warnings: Vec<Warning>,
}

impl Imported {
    /// The recording under a name.
    pub fn encoded(&self, name: impl Into<Arc<str>>) -> Encoded {
        Encoded { name: name.into(), alaw: Arc::clone(&self.alaw), ulaw: Arc::clone(&self.ulaw) }
    }
}

/// What the owner of a recording should know of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warning {
    /// It stands at full scale.
    Clipped {
        /// For how long.
        ms: u64,
    },
    /// Nothing is to be heard.
    Silent,
    /// It begins or ends with long silence, which was kept: it may be meant.
    LongSilence {
        /// Before the sound.
        before_ms: u64,
        /// After it.
        after_ms: u64,
    },
    /// Its channels were mixed to one.
    Mixed {
        /// How many it had.
        channels: u16,
    },
    /// Its channels are each other's opposite: mixed, little is left.
    Cancelled,
    /// So quiet that raising it to the usual loudness would raise the noise too much.
    TooQuiet {
        /// How loud it is now.
        lufs: f32,
    },
    /// Peaks were held down.
    Limited {
        /// By how much at most.
        db: f32,
    },
    /// Parts of the file are damaged and were left out.
    LeftOut {
        /// How much.
        ms: u64,
    },
}

impl Warning {
    /// Its stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Clipped { .. } => "clipped",
            Self::Silent => "silent",
            Self::LongSilence { .. } => "long_silence",
            Self::Mixed { .. } => "mixed_to_mono",
            Self::Cancelled => "channels_cancel",
            Self::TooQuiet { .. } => "too_quiet",
            Self::Limited { .. } => "peaks_limited",
            Self::LeftOut { .. } => "damaged_parts_left_out",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clipped { ms } => write!(
                f,
                "the recording is distorted: it stands at full scale for {ms} ms; record it with \
                 less gain"
            ),
            Self::Silent => f.write_str("the recording is silent"),
            Self::LongSilence { before_ms, after_ms } => write!(
                f,
                "the recording is silent for {before_ms} ms before the sound and {after_ms} ms \
                 after it; callees hear that silence"
            ),
            Self::Mixed { channels } => {
                write!(f, "its {channels} channels were mixed to one: the telephone is mono")
            }
            Self::Cancelled => f.write_str(
                "its channels cancel each other: turn the phase of one, or send one channel only",
            ),
            Self::TooQuiet { lufs } => write!(
                f,
                "the recording is too quiet: raised by {MOST_GAIN_DB:.0} dB it has {lufs:.0} LUFS \
                 instead of {TARGET_LUFS:.0}; record it with more gain"
            ),
            Self::Limited { db } => {
                write!(f, "single peaks were held down, by up to {db:.0} dB, to make room")
            }
            Self::LeftOut { ms } => write!(f, "{ms} ms of the file are damaged and were left out"),
        }
    }
}

/// Takes in a recording of any format of [`AudioFormat`], whatever its name says: mixes it to mono,
/// resamples it to 8 kHz and brings it to the loudness of the prompts. What is wrong with its level is
/// mended or warned about, never refused; silence around the sound is kept, it may be meant.
///
/// The same file gives the same bytes every time. Takes some 10 ms for each second of sound: not for
/// the threads that serve calls.
///
/// # Errors
/// [`AudioError`]: always the fault of the file.
pub fn import(bytes: &[u8], options: ImportOptions) -> Result<Imported, AudioError> {
    let mut chain = Chain::default();
    let decoded = decode(bytes, options.longest_s, &mut chain)?;
    let Shape { format, rate_hz, channels } = decoded.shape;
    let (mut samples, mixdown) = chain.finish();

    let before = Loudness::of(&samples);
    let mut warnings = Vec::new();
    let clipped_ms = chain.clipping.ms(rate_hz);
    if clipped_ms > 0 {
        warnings.push(Warning::Clipped { ms: clipped_ms });
    }
    if decoded.left_out_ms > 0 {
        warnings.push(Warning::LeftOut { ms: decoded.left_out_ms });
    }
    if mixdown {
        warnings.push(Warning::Cancelled);
    } else if channels > 1 {
        warnings.push(Warning::Mixed { channels });
    }
    match silent_ends_ms(&samples) {
        None => warnings.push(Warning::Silent),
        Some([before_ms, after_ms]) if before_ms.max(after_ms) >= LONG_SILENCE_MS => {
            warnings.push(Warning::LongSilence { before_ms, after_ms });
        }
        Some(_) => {}
    }

    let mut gain_db = 0.0;
    let mut after = before;
    if options.level == Level::Normalised && !before.is_silent() {
        let done = normalise(&mut samples, before);
        gain_db = done.gain_db;
        after = Loudness::of(&samples);
        if gain_db >= MOST_GAIN_DB && after.integrated_lufs < TARGET_LUFS - TOLERANCE_DB {
            warnings.push(Warning::TooQuiet { lufs: after.integrated_lufs });
        }
        if done.limited_db > LITTLE_LIMITING_DB {
            warnings.push(Warning::Limited { db: done.limited_db });
        }
    }

    let samples_8k = to_i16(&samples);
    let encoded = Encoded::from_samples("", &samples_8k);
    Ok(Imported {
        format,
        duration_ms: encoded.duration_ms(),
        alaw: encoded.alaw,
        ulaw: encoded.ulaw,
        samples_8k,
        original_rate_hz: rate_hz,
        channels,
        before,
        after,
        gain_db,
        warnings,
    })
}

/// What samples pass on their way from the decoder: nothing of it holds more than a block at the
/// file's own rate.
#[derive(Default)]
struct Chain {
    parts: Option<(Mixdown, Resampler)>,
    clipping: Clipping,
    mono: Vec<f32>,
    samples_8k: Vec<f32>,
}

impl Sink for Chain {
    fn begin(&mut self, shape: Shape) {
        self.parts = Some((Mixdown::of(shape.channels), Resampler::from_rate(shape.rate_hz)));
    }

    fn take(&mut self, interleaved: &[f32]) {
        let Some((mixdown, resampler)) = &mut self.parts else {
            return;
        };
        mixdown.mix(interleaved, &mut self.mono);
        self.clipping.watch(&self.mono);
        resampler.push(&self.mono, &mut self.samples_8k);
    }
}

impl Chain {
    /// The recording at 8 kHz, and whether its channels cancelled each other.
    fn finish(&mut self) -> (Vec<f32>, bool) {
        let cancelled = self.parts.take().is_some_and(|(mixdown, mut resampler)| {
            resampler.finish(&mut self.samples_8k);
            mixdown.cancelled()
        });
        (std::mem::take(&mut self.samples_8k), cancelled)
    }
}
