//! Keys as telephone-event packets (RFC 4733), each reported once.

/// The keys by event code (RFC 4733 §3.2, table 3).
const KEYS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// The event code of a key.
pub(super) fn code(key: char) -> Option<u8> {
    let at = KEYS.iter().position(|one| *one == key.to_ascii_uppercase())?;
    u8::try_from(at).ok()
}

/// Samples by which an event may lie in the past and still be a late packet of what was reported;
/// further back the peer has restarted its clock.
const STALE_SAMPLES: i32 = 16_000;

/// Samples between an event's last known end and its next segment that still make one key. A real
/// second press comes after a pause of at least 40 ms (ITU-T Q.24), that is 320 samples.
const SEGMENT_SLACK_SAMPLES: u32 = 160;

/// What was last reported.
#[derive(Debug, Clone, Default)]
pub(super) struct TelephoneEvents {
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    code: u8,
    timestamp: u32,
    duration: u16,
    ended: bool,
}

impl TelephoneEvents {
    /// Takes one packet; gives the key if this is the first that is heard of it.
    ///
    /// The packets of one event carry the timestamp of its beginning, so the first of them that
    /// arrives, whichever it is, is certain and all others are repetitions. A key held beyond
    /// 65,535 samples continues in segments with a new timestamp each (RFC 4733 §2.5.1.3), and some
    /// senders step the timestamp with every packet: what joins on to an event that has not ended,
    /// without a marker, is that event still.
    pub(super) fn packet(&mut self, marker: bool, timestamp: u32, payload: &[u8]) -> Option<char> {
        let &[code, flags, high, low] = payload.first_chunk::<4>()?;
        let key = *KEYS.get(usize::from(code))?;
        let ended = flags & 0x80 != 0;
        let duration = u16::from_be_bytes([high, low]);
        let this = Last { code, timestamp, duration, ended };

        let Some(last) = &mut self.last else {
            self.last = Some(this);
            return Some(key);
        };
        let ahead = timestamp.wrapping_sub(last.timestamp);
        let signed = ahead.cast_signed();
        if ahead == 0 && code == last.code {
            last.duration = last.duration.max(duration);
            last.ended |= ended;
            return None;
        }
        if (-STALE_SAMPLES..0).contains(&signed) {
            return None;
        }
        let joins_on = code == last.code
            && !marker
            && !last.ended
            && signed > 0
            && ahead <= u32::from(last.duration) + SEGMENT_SLACK_SAMPLES;
        *last = this;
        if joins_on { None } else { Some(key) }
    }

    /// Forgets: the peer is another source now.
    pub(super) fn reset(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Marker, timestamp, code, end, duration.
    type Step = (bool, u32, u8, bool, u16);

    fn heard(steps: &[Step]) -> String {
        let mut events = TelephoneEvents::default();
        steps
            .iter()
            .filter_map(|&(marker, timestamp, code, end, duration)| {
                let [high, low] = duration.to_be_bytes();
                events.packet(marker, timestamp, &[code, u8::from(end) << 7 | 10, high, low])
            })
            .collect()
    }

    #[test]
    fn each_key_is_reported_once() {
        let cases: &[(&str, &[Step], &str)] = &[
            (
                "one press, its end sent three times",
                &[
                    (true, 1000, 1, false, 160),
                    (false, 1000, 1, false, 320),
                    (false, 1000, 1, true, 480),
                    (false, 1000, 1, true, 480),
                    (false, 1000, 1, true, 480),
                ],
                "1",
            ),
            ("only an end arrives", &[(false, 1000, 5, true, 800)], "5"),
            (
                "two presses of one key, all ends and the second marker lost",
                &[
                    (true, 1000, 7, false, 160),
                    (false, 1000, 7, false, 320),
                    (false, 1720, 7, false, 160),
                ],
                "77",
            ),
            (
                "two presses of one key",
                &[(true, 1000, 7, true, 400), (true, 1720, 7, true, 400)],
                "77",
            ),
            (
                "another key without an end before it",
                &[(true, 1000, 1, false, 160), (true, 1160, 2, false, 160)],
                "12",
            ),
            (
                "a late end of the key before",
                &[
                    (true, 1000, 1, false, 160),
                    (true, 2000, 2, false, 160),
                    (false, 1000, 1, true, 480),
                    (false, 2000, 2, true, 480),
                ],
                "12",
            ),
            (
                "a key held beyond one segment",
                &[
                    (true, 1000, 9, false, 65_440),
                    (false, 1000, 9, false, 65_535),
                    (false, 66_535, 9, false, 160),
                    (false, 66_535, 9, true, 800),
                ],
                "9",
            ),
            (
                "a sender that steps the timestamp",
                &[
                    (true, 1000, 3, false, 160),
                    (false, 1160, 3, false, 320),
                    (false, 1320, 3, false, 480),
                    (false, 1320, 3, true, 480),
                ],
                "3",
            ),
            (
                "timestamps wrap",
                &[(true, u32::MAX - 100, 1, true, 400), (true, 700, 1, true, 400)],
                "11",
            ),
            (
                "the clock restarts far in the past",
                &[(true, 1_000_000, 1, true, 400), (true, 10, 1, true, 400)],
                "11",
            ),
            (
                "star, hash and letters",
                &[
                    (true, 1000, 10, true, 400),
                    (true, 2000, 11, true, 400),
                    (true, 3000, 12, true, 400),
                    (true, 4000, 15, true, 400),
                ],
                "*#AD",
            ),
            (
                "flash and tones are no keys",
                &[(true, 1000, 16, true, 400), (true, 2000, 255, true, 400)],
                "",
            ),
        ];
        for (name, steps, keys) in cases {
            assert_eq!(heard(steps), *keys, "{name}");
        }
    }

    #[test]
    fn a_short_payload_is_nothing() {
        assert_eq!(TelephoneEvents::default().packet(true, 1, &[1, 0, 0]), None);
    }

    #[test]
    fn after_a_reset_the_past_does_not_count() {
        let mut events = TelephoneEvents::default();
        assert_eq!(events.packet(true, 1000, &[1, 0, 0, 160]), Some('1'));
        events.reset();
        assert_eq!(events.packet(true, 900, &[1, 0, 0, 160]), Some('1'));
    }

    proptest! {
        #[test]
        fn anything_may_come(
            steps in prop::collection::vec(
                (any::<bool>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..8)), 0..40)
        ) {
            let mut events = TelephoneEvents::default();
            let keys = steps.iter().filter_map(|(m, t, p)| events.packet(*m, *t, p)).count();
            prop_assert!(keys <= steps.len());
        }

        /// However many packets of well-spaced presses are lost, a press with one left is heard once.
        #[test]
        fn losses_change_nothing(kept in prop::collection::vec((0u8..12, 1u8..64), 1..12)) {
            let mut events = TelephoneEvents::default();
            let mut heard = String::new();
            let mut pressed = String::new();
            for (press, (code, mask)) in (0u32..).zip(&kept) {
                pressed.push(KEYS[usize::from(*code)]);
                for packet in (0u8..6).filter(|packet| mask >> packet & 1 == 1) {
                    let end = if packet >= 3 { 0x80 } else { 0 };
                    let duration = u16::from(packet.min(3) + 1) * 160;
                    let [high, low] = duration.to_be_bytes();
                    heard.extend(events.packet(
                        packet == 0,
                        press * 1200,
                        &[*code, end, high, low],
                    ));
                }
            }
            prop_assert_eq!(heard, pressed);
        }
    }
}
