//! The handset's mouth: decides what each 20 ms packet carries.

use std::collections::VecDeque;

use crate::g711::{FRAME, Law};
use crate::sounds::{KEY_MS, Sound};
use crate::voice::Voice;

/// Packets of a key that is still held: the last of its 20 ms steps is told by the end packets.
const HELD: u16 = (KEY_MS / 20 - 1) as u16;
/// The end is told three times (RFC 4733 §2.5.1.4).
const ENDS: u16 = 3;
/// Without audio between two keys a receiver could take them for one.
const PAUSE: u16 = 5;

/// What goes into the next packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Utterance {
    /// The frame was filled with audio.
    Audio,
    /// A telephone-event payload (RFC 4733 §2.3), and whether it is the first of its key. All
    /// packets of a key carry the timestamp of the first.
    Key { payload: [u8; 4], first: bool },
}

/// Speaks into one call.
#[derive(Debug)]
pub(crate) struct Mouth {
    law: Law,
    background: Sound,
    background_at: usize,
    voice: Option<Voice>,
    speaking: VecDeque<Sound>,
    spoken: usize,
    keys: VecDeque<u8>,
    step: u16,
}

impl Mouth {
    pub(crate) fn new(law: Law, background: Sound) -> Self {
        Self {
            law,
            background,
            background_at: 0,
            voice: None,
            speaking: VecDeque::new(),
            spoken: 0,
            keys: VecDeque::new(),
            step: 0,
        }
    }

    /// What is heard when nothing is said, over and over.
    pub(crate) fn set_background(&mut self, background: Sound) {
        self.background = background;
        self.background_at = 0;
    }

    /// Sends this tone instead of the background, or the background again.
    pub(crate) fn set_voice(&mut self, voice: Option<Voice>) {
        self.voice = voice;
    }

    /// Says something after what is being said.
    pub(crate) fn say(&mut self, sound: Sound) {
        self.speaking.push_back(sound);
    }

    /// Sends a key as telephone-event; false if there is no such key.
    pub(crate) fn press(&mut self, key: char) -> bool {
        let event = event_of(key);
        self.keys.extend(event);
        event.is_some()
    }

    /// The next packet; its first sample's moment is `at`, in samples since the network began.
    pub(crate) fn next_packet(&mut self, frame: &mut [u8; FRAME], at: u64) -> Utterance {
        if let Some(&event) = self.keys.front() {
            self.step += 1;
            if self.step <= HELD + ENDS {
                let ended = self.step > HELD;
                let steps = self.step.min(HELD + 1);
                let duration = steps * FRAME as u16;
                // E bit, and a power of −10 dBm0.
                let flags = if ended { 0x80 | 10 } else { 10 };
                let [high, low] = duration.to_be_bytes();
                return Utterance::Key {
                    payload: [event, flags, high, low],
                    first: self.step == 1,
                };
            }
            if self.step == HELD + ENDS + PAUSE {
                self.keys.pop_front();
                self.step = 0;
            }
        }
        for (byte, at) in frame.iter_mut().zip(at..) {
            *byte = self.next_byte(at);
        }
        Utterance::Audio
    }

    fn next_byte(&mut self, at: u64) -> u8 {
        while let Some(sound) = self.speaking.front() {
            if let Some(&byte) = sound.bytes(self.law).get(self.spoken) {
                self.spoken += 1;
                return byte;
            }
            self.speaking.pop_front();
            self.spoken = 0;
        }
        if let Some(voice) = self.voice {
            return self.law.encode(voice.sample(at));
        }
        let background = self.background.bytes(self.law);
        let byte = background[self.background_at % background.len()];
        self.background_at = (self.background_at + 1) % background.len();
        byte
    }
}

const EVENTS: &str = "0123456789*#ABCD";

/// The event code of a key (RFC 4733 §3.2).
fn event_of(key: char) -> Option<u8> {
    EVENTS.find(key.to_ascii_uppercase()).and_then(|at| u8::try_from(at).ok())
}

/// The key of an event code.
pub(crate) fn key_of(event: u8) -> Option<char> {
    EVENTS.chars().nth(usize::from(event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sounds::Sounds;

    #[test]
    fn a_key_is_held_for_100_ms_and_ends_three_times() {
        let mut mouth = Mouth::new(Law::Pcma, Sounds::new().room);
        assert!(mouth.press('1') && mouth.press('#') && !mouth.press('x'));
        let mut frame = [0; FRAME];
        for event in [1, 11] {
            let packets: Vec<_> = (0..7).map(|_| mouth.next_packet(&mut frame, 0)).collect();
            let expected: Vec<_> =
                [(10, 160), (10, 320), (10, 480), (10, 640), (138, 800), (138, 800), (138, 800)]
                    .into_iter()
                    .map(|(flags, duration): (u8, u16)| {
                        let [high, low] = duration.to_be_bytes();
                        Utterance::Key {
                            payload: [event, flags, high, low],
                            first: duration == 160,
                        }
                    })
                    .collect();
            assert_eq!(packets, expected);
            for _ in 0..5 {
                assert_eq!(mouth.next_packet(&mut frame, 0), Utterance::Audio);
            }
        }
        assert_eq!(mouth.next_packet(&mut frame, 0), Utterance::Audio);
    }

    #[test]
    fn speech_comes_before_the_background_and_without_a_seam() {
        let sounds = Sounds::new();
        let mut mouth = Mouth::new(Law::Pcmu, sounds.ringback.clone());
        mouth.say(sounds.hello.clone());
        let mut said = Vec::new();
        let mut frame = [0; FRAME];
        for _ in 0..(40 + 300) {
            mouth.next_packet(&mut frame, 0);
            said.extend_from_slice(&frame);
        }
        let ringback = sounds.ringback.bytes(Law::Pcmu);
        let expected = [sounds.hello.bytes(Law::Pcmu), ringback, ringback].concat();
        assert_eq!(said, expected[..said.len()]);
    }

    #[test]
    fn events_and_keys_are_the_same_list() {
        for (event, key) in (0..16).zip("0123456789*#ABCD".chars()) {
            assert_eq!((event_of(key), key_of(event)), (Some(event), Some(key)));
        }
        assert_eq!(key_of(16), None);
    }
}
