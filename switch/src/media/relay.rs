//! What one leg's peer says on its way to another leg's peer: the datagram that goes out for one
//! that came in, and how many may.
//!
//! Equal codecs are copied, the two laws translated by table. A key goes on as the key that it is,
//! under the payload type that the other side agreed on; where it agreed on none, its tone is made.
//! What cannot be passed on leaves no gap in the numbering, what was lost does. Pure.

use std::time::{Duration, Instant};

use super::heard::{Said, What};
use super::key_tone::KeyTone;
use super::rtp;
use super::sender::Sender;
use super::{Agreed, g711};

/// The longest datagram that is passed on: the longest that is read.
pub(super) const DATAGRAM_LEN: usize = super::socket::DATAGRAM_LEN;

/// Within this time of a packet that was passed on, no silence of our own goes out: a few lost ones
/// are a gap that the peer must see, many are silence.
const PASSED_FOR: Duration = Duration::from_millis(100);

/// A key is over when no packet of it has come for so long: two may be lost.
const PRESSED_FOR: Duration = Duration::from_millis(70);

/// Events beyond the keys (RFC 4733 §3.2) were not agreed on.
const KEYS: u8 = 16;

/// Octets of an event (RFC 4733 §2.3).
const EVENT_LEN: usize = 4;

/// Packets to one peer at once: those of two seconds, which a network may hold back and then
/// deliver together.
const MOST_AT_ONCE: u32 = 100;

/// The time in which one more may follow: 250 a second are more than 10 ms a packet and keys make.
const PACE: Duration = Duration::from_millis(4);

/// The way to one peer.
#[derive(Debug)]
pub(super) struct Relay {
    /// When a packet was passed on last.
    passed: Option<Instant>,
    /// When a key's packet was passed on last.
    pressed: Option<Instant>,
    tone: KeyTone,
    /// Packets that may follow now.
    room: u32,
    /// When the last one of `room` was gained.
    gained: Option<Instant>,
}

/// A datagram that is ready to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    /// Octets of the buffer.
    pub(super) length: usize,
    /// Samples that it holds.
    pub(super) samples: u16,
}

impl Relay {
    /// Nothing was passed on yet.
    pub(super) fn new() -> Self {
        Self {
            passed: None,
            pressed: None,
            tone: KeyTone::default(),
            room: MOST_AT_ONCE,
            gained: None,
        }
    }

    /// Whether another leg's packets keep the peer supplied.
    pub(super) fn supplies(&self, now: Instant) -> bool {
        self.passed.is_some_and(|at| now < at + PASSED_FOR)
    }

    /// Whether a key is under way to the peer. Nothing else goes out meanwhile, or its packets would
    /// not belong together.
    pub(super) fn is_pressing(&self, now: Instant) -> bool {
        self.pressed.is_some_and(|at| now < at + PRESSED_FOR)
    }

    /// Whether one more packet may go: a peer that is flooded floods nobody else.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        let gained = *self.gained.get_or_insert(now);
        let time = now.saturating_duration_since(gained);
        let more = u32::try_from(time.as_nanos() / PACE.as_nanos()).unwrap_or(u32::MAX);
        if more > 0 {
            self.room = self.room.saturating_add(more).min(MOST_AT_ONCE);
            self.gained = Some(if self.room == MOST_AT_ONCE { now } else { gained + PACE * more });
        }
        let has_room = self.room > 0;
        self.room = self.room.saturating_sub(1);
        has_room
    }

    /// Makes the datagram that passes a packet on; none if the peer cannot take it.
    pub(super) fn datagram(
        &mut self,
        (said, payload): (&Said, &[u8]),
        agreed: &Agreed,
        sender: &mut Sender,
        buffer: &mut [u8; DATAGRAM_LEN],
        now: Instant,
    ) -> Option<Ready> {
        let ready = self.passed_on((said, payload), agreed, sender, buffer, now);
        if ready.is_some() {
            self.passed = Some(now);
            if said.what == What::Event {
                self.pressed = Some(now);
            }
        } else {
            sender.leave_out(said);
        }
        ready
    }

    fn passed_on(
        &mut self,
        (said, payload): (&Said, &[u8]),
        agreed: &Agreed,
        sender: &mut Sender,
        buffer: &mut [u8; DATAGRAM_LEN],
        now: Instant,
    ) -> Option<Ready> {
        let (head, body) = buffer.split_at_mut(rtp::HEADER_LEN);
        let audio_type = agreed.codec.payload_type();
        let (header, length, samples) = match said.what {
            What::Audio(codec) => {
                let samples = u16::try_from(payload.len()).ok().filter(|samples| *samples > 0)?;
                let body = body.get_mut(..payload.len())?;
                let header = sender.pass_on(said, audio_type, samples, now)?;
                if codec == agreed.codec {
                    body.copy_from_slice(payload);
                } else {
                    let codes = g711::translation(codec, agreed.codec);
                    for (code, said) in body.iter_mut().zip(payload) {
                        *code = codes[usize::from(*said)];
                    }
                }
                (header, payload.len(), samples)
            }
            What::Event => {
                let event = payload.first_chunk::<EVENT_LEN>().filter(|event| event[0] < KEYS)?;
                match agreed.telephone_event {
                    Some(payload_type) => {
                        let header = sender.pass_on(said, payload_type, 0, now)?;
                        body[..EVENT_LEN].copy_from_slice(event);
                        (header, EVENT_LEN, 0)
                    }
                    None => {
                        let stretch =
                            self.tone.extend(said.timestamp, event, agreed.codec, body, now)?;
                        let said = said.later(stretch.offset);
                        let header = sender.pass_on(&said, audio_type, stretch.samples, now)?;
                        (header, usize::from(stretch.samples), stretch.samples)
                    }
                }
            }
            What::Other => return None,
        };
        head.copy_from_slice(&header.to_bytes());
        Some(Ready { length: rtp::HEADER_LEN + length, samples })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_passed_on_as_a_trickle() {
        let start = Instant::now();
        let mut relay = Relay::new();
        let passed = (0..100_000_u64)
            .filter(|n| relay.has_room(start + Duration::from_micros(n * 20)))
            .count();
        // Two seconds of it.
        assert!((590..=610).contains(&passed), "{passed}");
    }

    #[test]
    fn who_sends_in_time_is_never_held_up() {
        let start = Instant::now();
        let mut relay = Relay::new();
        for n in 0..10_000_u64 {
            assert!(relay.has_room(start + Duration::from_millis(n * 10)), "packet {n}");
        }
        // Held back for two seconds, then all at once.
        let later = start + Duration::from_secs(102);
        assert!((0..100).all(|_| relay.has_room(later)));
        assert!(!relay.has_room(later));
    }
}
