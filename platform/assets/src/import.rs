//! A tenant's own recording on its way into the media library.

use std::sync::Arc;

use crate::encoded::{Encoded, to_i16};
use crate::level::{
    PEAK_LIMIT_DBFS, SILENT_DBFS, TARGET_DBFS, TOLERANCE_DB, active_dbfs, clipped_ms, gain,
    peak_dbfs,
};
use crate::resample::to_telephone_rate;
use crate::wav::{self, AudioError};

/// The longest recording that is taken, in seconds.
pub const LONGEST_S: u64 = 600;

/// Raising further would only raise the noise.
const MOST_GAIN_DB: f32 = 20.0;

/// A recording that was taken in.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The audio at 8 kHz, levelled.
    pub samples_8k: Vec<i16>,
    /// The same in A-law.
    pub alaw: Arc<[u8]>,
    /// The same in µ-law.
    pub ulaw: Arc<[u8]>,
    /// Its duration in ms, rounded up.
    pub duration_ms: u64,
    /// The file's sample rate in Hz.
    pub original_rate_hz: u32,
    /// The file's channels, 1 or 2; stereo is mixed.
    pub channels: u16,
    /// The speech level of the file as it came, in dBFS.
    pub active_dbfs: f32,
    /// The highest sample of the file as it came, in dBFS.
    pub peak_dbfs: f32,
    /// What was done to its level, in dB; 0 for nothing.
    pub gain_db: f32,
    /// What its owner should know, in sentences. Never a reason not to play it.
    pub warnings: Vec<String>,
}

impl Imported {
    /// The recording under a name.
    pub fn encoded(&self, name: impl Into<Arc<str>>) -> Encoded {
        Encoded { name: name.into(), alaw: Arc::clone(&self.alaw), ulaw: Arc::clone(&self.ulaw) }
    }
}

/// Takes in a WAV file of 8 to 48 kHz, mono or stereo, PCM of 8 to 32 bits, float, A-law or µ-law:
/// mixes it to mono, resamples it and brings its speech towards -20 dBFS. A level that is wrong is
/// mended or warned about, never refused; silence around the speech is kept, it may be meant.
///
/// # Errors
///
/// [`AudioError`]: always the fault of the file.
pub fn import_wav(bytes: &[u8]) -> Result<Imported, AudioError> {
    let audio = wav::read(bytes, LONGEST_S)?;
    let mut warnings = Vec::new();
    let peak_dbfs = peak_dbfs(&audio.samples);
    let clipped_ms = clipped_ms(&audio.samples, audio.rate_hz);
    if clipped_ms > 0 {
        warnings.push(format!(
            "the recording is distorted: it stands at full scale for {clipped_ms} ms; record it \
             with less gain"
        ));
    }

    let mut samples = to_telephone_rate(audio.samples, audio.rate_hz);
    let active_dbfs = active_dbfs(&samples);
    let gain_db = levelling_gain_db(active_dbfs, peak_dbfs);
    if active_dbfs < SILENT_DBFS {
        warnings.push(format!("the recording is silent: its level is {active_dbfs:.0} dBFS"));
    } else if (active_dbfs + gain_db - TARGET_DBFS).abs() > TOLERANCE_DB {
        warnings.push(format!(
            "the recording could not be brought to the usual level: it has {:.0} dBFS instead of \
             {TARGET_DBFS:.0}",
            active_dbfs + gain_db
        ));
    } else if gain_db != 0.0 {
        let done = if gain_db > 0.0 { "raised" } else { "lowered" };
        warnings.push(format!(
            "the recording had {active_dbfs:.0} dBFS and was {done} by {:.0} dB",
            gain_db.abs()
        ));
    }
    let factor = gain(gain_db);
    samples.iter_mut().for_each(|sample| *sample *= factor);

    let samples_8k = to_i16(&samples);
    let encoded = Encoded::from_samples("", &samples_8k);
    Ok(Imported {
        duration_ms: encoded.duration_ms(),
        alaw: encoded.alaw,
        ulaw: encoded.ulaw,
        samples_8k,
        original_rate_hz: audio.rate_hz,
        channels: audio.channels,
        active_dbfs,
        peak_dbfs,
        gain_db,
        warnings,
    })
}

/// None within the tolerance; else to the target, as far as peaks and noise allow.
fn levelling_gain_db(active_dbfs: f32, peak_dbfs: f32) -> f32 {
    let wanted = TARGET_DBFS - active_dbfs;
    if active_dbfs < SILENT_DBFS || wanted.abs() <= TOLERANCE_DB {
        return 0.0;
    }
    let headroom = (PEAK_LIMIT_DBFS - peak_dbfs).max(0.0);
    wanted.min(MOST_GAIN_DB).min(headroom)
}
