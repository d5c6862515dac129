//! What was heard, put in its place by sequence number and timestamp: a lost packet leaves a gap
//! of exact length, a late one still finds its place while the track waits for it.

use std::collections::BTreeMap;

use crate::g711::RATE_HZ;
use crate::rtp::Header;

/// How long the track waits for a packet that may only be late: 100 ms.
const WAIT: i64 = RATE_HZ as i64 / 10;
/// A timestamp that jumps further than this has no meaning as a pause: 10 minutes.
const FURTHEST: i64 = RATE_HZ as i64 * 600;

/// Counts of one track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Packets that came, copies not counted.
    pub(crate) packets: u64,
    /// Copies of packets that had come before.
    pub(crate) duplicates: u64,
    /// Packets that came after their place had been passed.
    pub(crate) late: u64,
    /// Packets whose timestamp did not move on as their sequence number did, without a marker to
    /// explain it.
    pub(crate) timestamp_faults: u64,
    /// Times that the stream began anew (another SSRC, or a senseless timestamp).
    pub(crate) restarts: u64,
    /// Packets that never came, of streams that are over.
    lost_before: u64,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    first_sequence: i64,
    last_sequence: i64,
    last_timestamp: i64,
    last_samples: i64,
    /// Place in the track of timestamp 0 of the extended count.
    origin: i64,
    /// Packets of this stream alone, copies not counted.
    packets: u64,
    /// Which of the last 64 sequence numbers came: bit 0 is the last one.
    seen: u64,
}

/// One party's heard audio.
#[derive(Debug, Default)]
pub(crate) struct Track {
    stream: Option<Stream>,
    written: i64,
    pending: BTreeMap<i64, Vec<i16>>,
    counts: Counts,
}

impl Track {
    /// Takes a packet; `samples` is empty for one that carries no audio (telephone-event). Calls
    /// `write` with what is now certain, in order and without holes.
    pub(crate) fn put(&mut self, header: &Header, samples: &[i16], write: &mut impl FnMut(&[i16])) {
        let Some(stream) = self.follow(header) else {
            return;
        };
        let (sequence, timestamp) = extended(&stream, header);
        let mut stream = stream;
        stream.packets += 1;
        self.counts.packets += 1;
        if sequence > stream.last_sequence {
            let steps = sequence - stream.last_sequence;
            let explained = timestamp - stream.last_timestamp == steps * stream.last_samples;
            if !explained && !header.marker && !samples.is_empty() && stream.last_samples > 0 {
                self.counts.timestamp_faults += 1;
            }
            stream.last_sequence = sequence;
            stream.last_timestamp = timestamp;
            // After an event its length is not known here, so nothing is expected of the next.
            stream.last_samples = samples.len() as i64;
        }
        let place = timestamp + stream.origin;
        self.stream = Some(stream);
        if !samples.is_empty() {
            if place < self.written {
                self.counts.late += 1;
            } else {
                self.pending.insert(place, samples.to_vec());
            }
        }
        self.write_certain(write);
    }

    /// Ends the track: what still waits is written.
    pub(crate) fn finish(&mut self, write: &mut impl FnMut(&[i16])) {
        while let Some((place, samples)) = self.pending.pop_first() {
            self.write_at(place, &samples, write);
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Packets that never came, by sequence numbers.
    pub(crate) fn lost(&self) -> u64 {
        self.counts.lost_before + self.stream.as_ref().map_or(0, lost)
    }

    /// The stream as it was before this packet, begun anew if need be; `None` for a copy.
    fn follow(&mut self, header: &Header) -> Option<Stream> {
        if let Some(mut stream) = self.stream {
            let (sequence, timestamp) = extended(&stream, header);
            let sensible = (timestamp - stream.last_timestamp).abs() < FURTHEST;
            if stream.ssrc == header.ssrc && sensible {
                let ahead = sequence - stream.last_sequence;
                let bit = match ahead {
                    1.. => {
                        stream.seen = u32::try_from(ahead)
                            .ok()
                            .and_then(|by| stream.seen.checked_shl(by))
                            .unwrap_or(0);
                        1
                    }
                    -63..=0 => 1 << -ahead,
                    _ => 0,
                };
                if stream.seen & bit != 0 {
                    self.counts.duplicates += 1;
                    return None;
                }
                stream.seen |= bit;
                stream.first_sequence = stream.first_sequence.min(sequence);
                return Some(stream);
            }
            self.counts.restarts += 1;
            self.counts.lost_before += lost(&stream);
        }
        let end = self
            .pending
            .last_key_value()
            .map_or(self.written, |(place, samples)| place + samples.len() as i64);
        let (sequence, timestamp) = (i64::from(header.sequence), i64::from(header.timestamp));
        Some(Stream {
            ssrc: header.ssrc,
            first_sequence: sequence,
            last_sequence: sequence,
            last_timestamp: timestamp,
            last_samples: 0,
            origin: end - timestamp,
            packets: 0,
            seen: 1,
        })
    }

    fn write_certain(&mut self, write: &mut impl FnMut(&[i16])) {
        while let Some((&place, _)) = self.pending.first_key_value() {
            let newest = self.pending.last_key_value().map_or(place, |(&newest, _)| newest);
            if place > self.written && newest - self.written < WAIT {
                return;
            }
            if let Some(samples) = self.pending.remove(&place) {
                self.write_at(place, &samples, write);
            }
        }
    }

    fn write_at(&mut self, place: i64, samples: &[i16], write: &mut impl FnMut(&[i16])) {
        const SILENCE: [i16; 800] = [0; 800];
        while self.written < place {
            let gap =
                usize::try_from(place - self.written).unwrap_or(usize::MAX).min(SILENCE.len());
            write(&SILENCE[..gap]);
            self.written += gap as i64;
        }
        // Packets may overlap if the sender is confused; the first one keeps its place.
        let overlap = usize::try_from(self.written - place).unwrap_or(0).min(samples.len());
        write(&samples[overlap..]);
        self.written += (samples.len() - overlap) as i64;
    }
}

/// Sequence number and timestamp as counts that do not wrap.
fn extended(stream: &Stream, header: &Header) -> (i64, i64) {
    let sequence = i64::from(header.sequence.wrapping_sub(stream.last_sequence as u16) as i16);
    let timestamp = i64::from(header.timestamp.wrapping_sub(stream.last_timestamp as u32) as i32);
    (stream.last_sequence + sequence, stream.last_timestamp + timestamp)
}

fn lost(stream: &Stream) -> u64 {
    let expected = stream.last_sequence - stream.first_sequence + 1;
    u64::try_from(expected).unwrap_or(0).saturating_sub(stream.packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets as (sequence, timestamp, SSRC, value of its four samples); 0 for an event packet.
    fn heard(packets: &[(u16, u32, u32, i16)]) -> (Vec<i16>, Track) {
        let (mut track, mut written) = (Track::default(), Vec::new());
        for &(sequence, timestamp, ssrc, value) in packets {
            let header = Header { marker: false, payload_type: 8, sequence, timestamp, ssrc };
            let samples: &[i16] = if value == 0 { &[] } else { &[value; 4] };
            track.put(&header, samples, &mut |samples| written.extend_from_slice(samples));
        }
        track.finish(&mut |samples| written.extend_from_slice(samples));
        (written, track)
    }

    fn frames(values: &[i16]) -> Vec<i16> {
        values.iter().flat_map(|&value| [value; 4]).collect()
    }

    #[test]
    fn puts_packets_in_their_place() {
        const LAST: u32 = u32::MAX - 3;
        type Case<'a> = (&'a str, &'a [(u16, u32, u32, i16)], &'a [i16], u64);
        let cases: [Case; 7] = [
            ("in order", &[(1, 0, 9, 1), (2, 4, 9, 2), (3, 8, 9, 3)], &[1, 2, 3], 0),
            ("wrapping", &[(65_535, LAST, 9, 1), (0, 0, 9, 2), (1, 4, 9, 3)], &[1, 2, 3], 0),
            ("swapped", &[(1, 0, 9, 1), (3, 8, 9, 3), (2, 4, 9, 2)], &[1, 2, 3], 0),
            ("lost", &[(1, 0, 9, 1), (3, 8, 9, 3)], &[1, 0, 3], 1),
            ("twice", &[(1, 0, 9, 1), (1, 0, 9, 1), (2, 4, 9, 2)], &[1, 2], 0),
            ("a pause in sending", &[(1, 0, 9, 1), (2, 12, 9, 2)], &[1, 0, 0, 2], 0),
            (
                "another stream",
                &[(1, 0, 9, 1), (700, 50_000, 8, 2), (702, 50_008, 8, 3)],
                &[1, 2, 0, 3],
                1,
            ),
        ];
        for (name, packets, expected, lost) in cases {
            let (written, track) = heard(packets);
            assert_eq!(written, frames(expected), "{name}");
            assert_eq!(track.lost(), lost, "{name}");
        }
    }

    #[test]
    fn counts_what_was_wrong() {
        let (_, track) =
            heard(&[(1, 0, 9, 1), (1, 0, 9, 1), (2, 4, 9, 2), (3, 40, 9, 3), (4, 4, 9, 4)]);
        let expected =
            Counts { packets: 4, duplicates: 1, late: 1, timestamp_faults: 2, ..Counts::default() };
        assert_eq!(track.counts(), expected);
        let (written, track) = heard(&[(1, 0, 9, 1), (2, 1 << 30, 9, 2)]);
        assert_eq!((written, track.counts().restarts), (frames(&[1, 2]), 1));
    }

    #[test]
    fn events_take_a_number_but_no_place() {
        let (written, track) = heard(&[(1, 0, 9, 1), (2, 4, 9, 0), (3, 4, 9, 0), (4, 12, 9, 2)]);
        assert_eq!(written, frames(&[1, 0, 0, 2]));
        assert_eq!((track.lost(), track.counts().timestamp_faults), (0, 0));
    }

    #[test]
    fn does_not_wait_for_ever() {
        let (mut track, mut written) = (Track::default(), Vec::new());
        let mut put = |sequence: u16| {
            let timestamp = u32::from(sequence) * 160;
            let header = Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 1 };
            track.put(&header, &[7; 160], &mut |samples| written.extend_from_slice(samples));
            written.len()
        };
        assert_eq!(put(0), 160);
        assert_eq!(put(2), 160, "number 1 may yet come");
        assert_eq!([put(3), put(4), put(5)], [160, 160, 160]);
        assert_eq!(put(6), 7 * 160, "it is lost");
    }
}
