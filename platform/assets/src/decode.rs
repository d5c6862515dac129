//! From the bytes of an upload to samples, whatever format they are in: block by block, so that
//! what a small file unpacks to is never whole in memory, and no further than the longest recording.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::default::codecs::{FlacDecoder, MpaDecoder, VorbisDecoder};
use symphonia::default::formats::{FlacReader, MpaReader, OggReader};

use crate::audio_error::AudioError;
use crate::sniff::{AudioFormat, sniff};
use crate::wav::Wav;

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) format: AudioFormat,
    pub(crate) rate_hz: u32,
    pub(crate) channels: u16,
}

/// Where samples go.
pub(crate) trait Sink {
    /// Told once, before any sample.
    fn begin(&mut self, shape: Shape);
    /// The samples of some frames, those of a frame side by side, full scale ±1.
    fn take(&mut self, interleaved: &[f32]);
}

/// What there is to say of a file that was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) shape: Shape,
    /// Parts that could not be decoded and were left out, in ms.
    pub(crate) left_out_ms: u64,
}

/// Of what is decoded, so much may be damaged: a player would not stop for it either.
const MOST_DAMAGE: f64 = 0.02;
/// A stream that goes on for so many packets without a sample is none.
const MOST_EMPTY_PACKETS: u32 = 1_000;
/// Encoders disagree about so much at a stream's ends, in ms.
const ENDS_MS: u64 = 250;

/// Decodes a file that lasts at most `limit_s` into `sink`.
pub(crate) fn decode(
    bytes: &[u8],
    limit_s: u64,
    sink: &mut dyn Sink,
) -> Result<Decoded, AudioError> {
    let format = sniff(bytes)?;
    if format == AudioFormat::Wav {
        return decode_wav(bytes, limit_s, sink);
    }
    // A decoder that panics was made to by this file: its sender's fault, and no reason to fall.
    let decoding = AssertUnwindSafe(|| Stream::open(format, bytes)?.run(limit_s, sink));
    catch_unwind(decoding)
        .unwrap_or_else(|_| Err(damaged(format, 0, "it makes the decoder stumble")))
}

fn decode_wav(bytes: &[u8], limit_s: u64, sink: &mut dyn Sink) -> Result<Decoded, AudioError> {
    let wav = Wav::open(bytes, limit_s)?;
    let shape =
        Shape { format: AudioFormat::Wav, rate_hz: wav.rate_hz(), channels: wav.channels() };
    sink.begin(shape);
    wav.blocks().for_each(|block| sink.take(&block));
    Ok(Decoded { shape, left_out_ms: 0 })
}

fn damaged(format: AudioFormat, at_ms: u64, why: impl ToString) -> AudioError {
    AudioError::Damaged { format: format.name(), at_ms, why: why.to_string() }
}

/// A file of the decoder library's.
struct Stream<'a> {
    format: AudioFormat,
    reader: Box<dyn FormatReader + 'a>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    /// Frames that the file says it has.
    declared: Option<u64>,
}

impl<'a> Stream<'a> {
    fn open(format: AudioFormat, bytes: &'a [u8]) -> Result<Self, AudioError> {
        let refused = |error: Error| damaged(format, 0, error);
        let source = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
        let options = FormatOptions::default();
        let reader: Box<dyn FormatReader + 'a> = match format {
            AudioFormat::Mp3 => Box::new(MpaReader::try_new(source, options).map_err(refused)?),
            AudioFormat::Flac if bytes.starts_with(b"fLaC") => {
                Box::new(FlacReader::try_new(source, options).map_err(refused)?)
            }
            AudioFormat::OggVorbis | AudioFormat::Flac => {
                Box::new(OggReader::try_new(source, options).map_err(refused)?)
            }
            AudioFormat::Wav => unreachable!("WAV has a reader of its own"),
        };
        let no_audio = || damaged(format, 0, "it has no audio");
        let track = reader.default_track(TrackType::Audio).ok_or_else(no_audio)?;
        let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
        let parameters = parameters.ok_or_else(no_audio)?;
        let options = AudioDecoderOptions::default();
        let decoder: Box<dyn AudioDecoder> = match format {
            AudioFormat::Mp3 => {
                Box::new(MpaDecoder::try_new(parameters, &options).map_err(refused)?)
            }
            AudioFormat::OggVorbis => {
                Box::new(VorbisDecoder::try_new(parameters, &options).map_err(refused)?)
            }
            AudioFormat::Flac => {
                Box::new(FlacDecoder::try_new(parameters, &options).map_err(refused)?)
            }
            AudioFormat::Wav => unreachable!("WAV has a reader of its own"),
        };
        let (track, declared) = (track.id, track.num_frames);
        Ok(Self { format, reader, decoder, track, declared })
    }

    fn run(mut self, limit_s: u64, sink: &mut dyn Sink) -> Result<Decoded, AudioError> {
        let format = self.format;
        let mut shape: Option<Shape> = None;
        let (mut frames, mut left_out, mut empty) = (0_u64, 0_u64, 0_u32);
        let mut samples: Vec<f32> = Vec::new();
        let at_ms = |frames: u64, shape: &Option<Shape>| {
            shape.map_or(0, |shape| frames * 1000 / u64::from(shape.rate_hz))
        };
        loop {
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(Error::ResetRequired) => {
                    let why = "another stream follows the first: join them into one";
                    return Err(damaged(format, at_ms(frames, &shape), why));
                }
                Err(error) => return Err(damaged(format, at_ms(frames, &shape), error)),
            };
            if packet.track_id != self.track {
                empty += 1;
                if empty > MOST_EMPTY_PACKETS {
                    break;
                }
                continue;
            }
            let audio = match self.decoder.decode(&packet) {
                Ok(audio) => audio,
                Err(Error::DecodeError(_)) if empty < MOST_EMPTY_PACKETS => {
                    empty += 1;
                    left_out += packet.dur.get();
                    continue;
                }
                Err(error) => return Err(damaged(format, at_ms(frames, &shape), error)),
            };
            if audio.frames() == 0 {
                empty += 1;
                if empty > MOST_EMPTY_PACKETS {
                    return Err(damaged(format, at_ms(frames, &shape), "it goes on without sound"));
                }
                continue;
            }
            empty = 0;
            let channels = audio.num_planes();
            let rate_hz = audio.spec().rate();
            let known = match shape {
                Some(known) => known,
                None => {
                    let channels = AudioError::check_shape(rate_hz, channels)?;
                    let known = Shape { format, rate_hz, channels };
                    sink.begin(known);
                    *shape.insert(known)
                }
            };
            if (rate_hz, channels) != (known.rate_hz, usize::from(known.channels)) {
                let why = "its sample rate or its channels change on the way";
                return Err(damaged(format, at_ms(frames, &shape), why));
            }
            frames += audio.frames() as u64;
            let at_least_s = frames.div_ceil(rate_hz.into());
            if at_least_s > limit_s {
                return Err(AudioError::TooLong { at_least_s, limit_s });
            }
            audio.copy_to_vec_interleaved(&mut samples);
            sink.take(&samples);
        }
        let Some(shape) = shape else {
            return Err(if left_out > 0 {
                damaged(format, 0, "nothing of it can be decoded")
            } else {
                AudioError::Empty
            });
        };
        self.check_whole(shape, frames, left_out)?;
        let left_out_ms = (left_out * 1000).div_ceil(shape.rate_hz.into());
        Ok(Decoded { shape, left_out_ms })
    }

    fn check_whole(&self, shape: Shape, frames: u64, left_out: u64) -> Result<(), AudioError> {
        let ms = |frames: u64| frames.saturating_mul(1000) / u64::from(shape.rate_hz);
        if left_out as f64 > frames as f64 * MOST_DAMAGE && ms(left_out) > ENDS_MS {
            let why = format!("{} ms of it cannot be decoded", ms(left_out));
            return Err(damaged(self.format, ms(frames), why));
        }
        let (present, declared) = (ms(frames + left_out), self.declared.map(ms));
        match declared.filter(|declared| present + ENDS_MS < *declared) {
            Some(declared) => Err(AudioError::Truncated {
                format: self.format.name(),
                what: "sound",
                unit: "ms",
                declared,
                present,
            }),
            None => Ok(()),
        }
    }
}
