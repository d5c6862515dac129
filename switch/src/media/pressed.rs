//! Keys that a peer pressed by signalling (SIP INFO), on their way to those who hear it: as the
//! telephone-event packets (RFC 4733) that it might have sent instead. Pure.

use std::collections::VecDeque;

use super::rtp::Packet;
use super::telephone_event;

/// Keys that wait: more than anybody dials at once. What is beyond is lost.
const MOST: usize = 64;

/// A key lasts for so many packets, 160 ms of the usual 20: every detector takes it for one
/// (ITU-T Q.24 wants 40).
const LASTS: u16 = 8;

/// Its last packet is sent three times, for one may be lost (RFC 4733 §2.5.1.4).
const LAST: u16 = 3;

/// Packets left out between one key and the next, 60 ms of the usual (ITU-T Q.24 wants 40).
const PAUSE: u16 = 3;

/// The end bit, and the usual volume, -10 dBm0 (RFC 4733 §2.3).
const END: u8 = 0x80;
const VOLUME: u8 = 10;

/// What a peer pressed and has not been passed on.
#[derive(Debug)]
pub(super) struct Pressed {
    /// Event codes; the first one is under way.
    waiting: VecDeque<u8>,
    /// Steps of the first one that are over.
    step: u16,
    /// When the first one began, as its packets say.
    timestamp: u32,
    sequence: u16,
    ssrc: u32,
}

/// One packet's numbers and payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyPacket {
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: [u8; 4],
}

impl KeyPacket {
    /// As if it had come from the network.
    pub(super) fn packet(&self) -> Packet<'_> {
        let Self { marker, sequence, timestamp, ssrc, .. } = *self;
        Packet { marker, payload_type: 0, sequence, timestamp, ssrc, payload: &self.payload }
    }
}

impl Pressed {
    /// Nothing yet; `ssrc` names what is made here, and must not be the peer's own.
    pub(super) fn new(ssrc: u32) -> Self {
        Self { waiting: VecDeque::new(), step: 0, timestamp: 0, sequence: 0, ssrc }
    }

    /// Whether a key is under way.
    pub(super) fn is_under_way(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: char) {
        if let Some(code) = telephone_event::code(key)
            && self.waiting.len() < MOST
        {
            self.waiting.push_back(code);
        }
    }

    /// The packet of this step, if there is one; `timestamp` is the present, `samples` a step's.
    pub(super) fn next(&mut self, timestamp: u32, samples: u16) -> Option<KeyPacket> {
        let code = *self.waiting.front()?;
        if self.step == 0 {
            self.timestamp = timestamp;
        }
        self.step += 1;
        let step = self.step;
        if step >= LASTS + LAST + PAUSE {
            self.waiting.pop_front();
            self.step = 0;
        }
        if step > LASTS + LAST {
            return None;
        }
        self.sequence = self.sequence.wrapping_add(1);
        let end = if step > LASTS { END } else { 0 };
        let [high, low] = step.min(LASTS).saturating_mul(samples).to_be_bytes();
        Some(KeyPacket {
            marker: step == 1,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            payload: [code, end | VOLUME, high, low],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::telephone_event::TelephoneEvents;
    use super::*;

    #[test]
    fn each_key_is_one_event_and_ends_for_certain() {
        let mut pressed = Pressed::new(7);
        "1 19#".chars().for_each(|key| pressed.press(key));
        let (mut keys, mut ends, mut events) = (String::new(), 0, TelephoneEvents::default());
        let mut steps = 0;
        while pressed.is_under_way() {
            if let Some(said) = pressed.next(steps * 160, 160) {
                let packet = said.packet();
                keys.extend(events.packet(packet.marker, packet.timestamp, packet.payload));
                ends += u32::from(packet.payload[1] & END != 0);
                assert_eq!(packet.ssrc, 7);
            }
            steps += 1;
        }
        assert_eq!((keys.as_str(), ends, steps), ("119#", 12, 4 * 14));
        assert_eq!(pressed.next(0, 160), None);
    }

    #[test]
    fn who_presses_without_end_does_not_fill_the_memory() {
        let mut pressed = Pressed::new(7);
        (0..10_000).for_each(|_| pressed.press('5'));
        assert_eq!(pressed.waiting.len(), MOST);
    }
}
