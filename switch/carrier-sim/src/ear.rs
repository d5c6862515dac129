//! The handset's ear: records what it hears and tells speech from silence.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::time::Instant;

use crate::g711::{Law, RATE_HZ};
use crate::handset::Heard;
use crate::notes::Notes;
use crate::rtp::Header;
use crate::track::Track;

/// Mean magnitude from which a packet counts as sound: about −44 dB of full scale, above a line's
/// noise, below the quietest speech.
const LOUD: u32 = 200;
/// Gaps within words and between them belong to the speech around them.
const BREATH_MS: u64 = 200;

type Writer = hound::WavWriter<BufWriter<File>>;

/// Listens to one call.
pub(crate) struct Ear {
    law: Law,
    track: Track,
    writer: Option<Writer>,
    notes: Option<Notes>,
    path: Option<PathBuf>,
    speech: Speech,
    samples: Vec<i16>,
}

impl Ear {
    /// `path` is where to record, if at all, with notes of each packet beside it or not; the folder
    /// must exist.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub(crate) fn open(
        law: Law,
        path: Option<PathBuf>,
        takes_notes: bool,
        now: Instant,
    ) -> Result<Self, hound::Error> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: RATE_HZ,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let writer = path.as_ref().map(|path| hound::WavWriter::create(path, spec)).transpose()?;
        let notes = path.as_deref().filter(|_| takes_notes).map(Notes::beside).transpose()?;
        Ok(Self {
            law,
            track: Track::default(),
            writer,
            notes,
            path,
            speech: Speech::new(now),
            samples: Vec::new(),
        })
    }

    /// Takes an audio packet that came at `at_us` (Unix epoch, UTC).
    ///
    /// # Errors
    /// If the recording could not go on (full disk); hearing does.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        at_us: i64,
        header: &Header,
        payload: &[u8],
    ) -> Result<(), hound::Error> {
        if let Some(notes) = &mut self.notes {
            notes.take(at_us, header, payload)?;
        }
        self.samples.clear();
        self.samples.extend(payload.iter().map(|&byte| self.law.decode(byte)));
        let total: u32 = self.samples.iter().map(|sample| u32::from(sample.unsigned_abs())).sum();
        let length = u32::try_from(self.samples.len()).unwrap_or(u32::MAX).max(1);
        if total / length >= LOUD {
            self.speech.sound(now, u64::from(length) * 1_000 / u64::from(RATE_HZ));
        }
        self.put(header, true)
    }

    /// Takes a packet that carries no audio but a sequence number.
    pub(crate) fn pass(&mut self, header: &Header) -> Result<(), hound::Error> {
        self.put(header, false)
    }

    /// What the handset may know.
    pub(crate) fn heard(&self, now: Instant) -> Heard {
        self.speech.heard(now)
    }

    /// What was heard so far no longer counts.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.speech = Speech::new(now);
    }

    /// The counts of what came.
    pub(crate) fn track(&self) -> &Track {
        &self.track
    }

    /// Closes the recording; gives back where it is.
    ///
    /// # Errors
    /// If it could not be written to its end.
    pub(crate) fn finish(&mut self) -> Result<Option<PathBuf>, hound::Error> {
        let Some(mut writer) = self.writer.take() else {
            return Ok(None);
        };
        let mut result = Ok(());
        self.track.finish(&mut |samples| write(&mut writer, samples, &mut result));
        result?;
        writer.finalize()?;
        Ok(self.path.take())
    }

    fn put(&mut self, header: &Header, audio: bool) -> Result<(), hound::Error> {
        let samples: &[i16] = if audio { &self.samples } else { &[] };
        let mut result = Ok(());
        match &mut self.writer {
            Some(writer) => {
                self.track.put(header, samples, &mut |samples| write(writer, samples, &mut result));
            }
            None => self.track.put(header, samples, &mut |_| {}),
        }
        if result.is_err() {
            self.writer = None;
        }
        result
    }
}

fn write(writer: &mut Writer, samples: &[i16], result: &mut Result<(), hound::Error>) {
    for &sample in samples {
        if result.is_ok() {
            *result = writer.write_sample(sample);
        }
    }
}

/// Speech and silence since a moment.
#[derive(Debug, Clone, Copy)]
struct Speech {
    last_sound: Instant,
    speech_ms: u64,
}

impl Speech {
    fn new(now: Instant) -> Self {
        Self { last_sound: now, speech_ms: 0 }
    }

    fn sound(&mut self, now: Instant, packet_ms: u64) {
        let since_ms = milliseconds(self.last_sound, now);
        self.speech_ms += if since_ms <= BREATH_MS { since_ms } else { packet_ms };
        self.last_sound = now;
    }

    fn heard(&self, now: Instant) -> Heard {
        Heard { speech_ms: self.speech_ms, silence_ms: milliseconds(self.last_sound, now) }
    }
}

fn milliseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed file is a failed test")]
    use std::time::Duration;

    use super::*;

    #[test]
    fn speech_bridges_breaths_and_silence_grows_without_packets() {
        let start = Instant::now();
        let mut ear = Ear::open(Law::Pcma, None, false, start).unwrap();
        let loud = [Law::Pcma.encode(4_000); 160];
        let quiet = [Law::Pcma.encode(50); 160];
        // A word of 400 ms, a breath of 160 ms, a word of 440 ms; the last word ends at 1 s.
        for frame in 0..50_u16 {
            let header = Header {
                marker: false,
                payload_type: 8,
                sequence: frame,
                timestamp: u32::from(frame) * 160,
                ssrc: 1,
            };
            let payload = if (20..28).contains(&frame) { &quiet } else { &loud };
            ear.hear(start + Duration::from_millis(u64::from(frame) * 20), 0, &header, payload)
                .unwrap();
        }
        let heard = ear.heard(start + Duration::from_millis(2_180));
        assert_eq!(heard, Heard { speech_ms: 980, silence_ms: 1_200 });
        ear.forget(start + Duration::from_millis(2_180));
        assert_eq!(
            ear.heard(start + Duration::from_millis(2_200)),
            Heard { speech_ms: 0, silence_ms: 20 }
        );
    }

    #[test]
    fn records_exactly_what_came() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard.wav");
        let now = Instant::now();
        let mut ear = Ear::open(Law::Pcmu, Some(path.clone()), false, now).unwrap();
        let payload: Vec<u8> = (0..=255).collect();
        for sequence in [10, 12] {
            let timestamp = u32::from(sequence) * 256;
            let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 1 };
            ear.hear(now, 0, &header, &payload).unwrap();
        }
        assert_eq!(ear.finish().unwrap(), Some(path.clone()));
        let expected: Vec<i16> = payload.iter().map(|&byte| Law::Pcmu.decode(byte)).collect();
        let samples: Vec<i16> =
            hound::WavReader::open(path).unwrap().samples().map(Result::unwrap).collect();
        assert_eq!(samples, [&expected[..], &[0; 256], &expected[..]].concat());
    }
}
