//! Packets of one leg, just taken, on their way to those who hear it. Made once for a shard: nothing
//! is allocated for a packet once it has grown to a batch.

use std::ops::Range;

use yunling_switch_contract::Codec;

use super::rtp::Packet;

/// What one reading of a socket brought.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Somebody wants it.
    wanted: bool,
    said: Vec<Said>,
    bytes: Vec<u8>,
}

/// One packet.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) what: What,
    pub(super) marker: bool,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    /// When the kernel got it, in samples; only differences mean anything.
    pub(super) arrived: u32,
    payload: Range<usize>,
}

/// What its payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Samples.
    Audio(Codec),
    /// A key (RFC 4733).
    Event,
    /// Nothing that anybody hears: comfort noise, or what was not agreed on.
    Other,
}

impl Said {
    /// The same at so many samples later.
    pub(super) fn later(&self, samples: u16) -> Self {
        let timestamp = self.timestamp.wrapping_add(u32::from(samples));
        Self { timestamp, payload: self.payload.clone(), ..*self }
    }
}

#[cfg(test)]
impl Said {
    /// A packet of 20 ms by its numbers.
    pub(super) fn for_test(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        let what = What::Audio(Codec::Pcma);
        Self { what, marker: false, sequence, timestamp, ssrc, arrived: 0, payload: 0..160 }
    }
}

impl Heard {
    /// Before a reading: forgets the last one.
    pub(super) fn begin(&mut self, wanted: bool) {
        self.wanted = wanted;
        self.said.clear();
        self.bytes.clear();
    }

    /// Keeps a packet, if anybody wants it; `arrived` is [`Said::arrived`].
    pub(super) fn keep(&mut self, packet: &Packet<'_>, what: What, arrived: u32) {
        if !self.wanted {
            return;
        }
        let from = self.bytes.len();
        self.bytes.extend_from_slice(packet.payload);
        self.said.push(Said {
            what,
            marker: packet.marker,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: packet.ssrc,
            arrived,
            payload: from..self.bytes.len(),
        });
    }

    /// Whether a key is among it.
    pub(super) fn has_keys(&self) -> bool {
        self.said.iter().any(|said| said.what == What::Event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// The packets and their payloads, in the order in which they came.
    pub(super) fn packets(&self) -> impl Iterator<Item = (&Said, &[u8])> {
        self.said.iter().map(|said| (said, &self.bytes[said.payload.clone()]))
    }
}
