//! A key that comes both in the media and by signalling counts once: many telephones, and gateways
//! before them, send each key by RFC 4733 and by SIP INFO. Pure.
//!
//! Keys are paired one by one, whichever way is first, so that who presses twice is heard twice, and
//! who uses one way only, or changes it in the middle of a call, is heard as if there were no other.

use std::time::{Duration, Instant};

/// So much later the other way's word of a key may come: two requests of a lossy INFO may be lost
/// (500 ms and one second until they are sent again, RFC 3261 §17.1.2.2).
const LATE: Duration = Duration::from_secs(2);

/// Keys that wait for their like: more than anybody presses in [`LATE`]. Beyond it the oldest is
/// taken for one that came by one way only.
const MOST: usize = 32;

/// How a key came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As telephone-events, or as tones.
    Media,
    /// By SIP INFO.
    Signalling,
}

/// Keys of one leg of which the other way has not told yet, the oldest first.
#[derive(Debug, Default)]
pub(super) struct KeyPairs(Vec<Single>);

#[derive(Debug)]
struct Single {
    way: Way,
    key: char,
    at: Instant,
}

impl KeyPairs {
    /// A key came. Gives whether it is news; else the other way has told of it already.
    pub(super) fn is_news(&mut self, way: Way, key: char, now: Instant) -> bool {
        let key = key.to_ascii_uppercase();
        self.0.retain(|one| now.saturating_duration_since(one.at) < LATE);
        let told = self.0.iter().position(|one| one.way != way && one.key == key);
        if let Some(told) = told {
            self.0.remove(told);
            return false;
        }
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(Single { way, key, at: now });
        true
    }

    /// The key that came last in the media is still held: a telephone that sends its INFO when the
    /// key is let go has not sent it.
    pub(super) fn is_held(&mut self, now: Instant) {
        if let Some(held) = self.0.iter_mut().rfind(|one| one.way == Way::Media) {
            held.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard of keys that come as written: milliseconds, `m` in the media or `s` by
    /// signalling, the key; `-` for a packet of a key that is held.
    fn heard(script: &str) -> String {
        let (mut pairs, start) = (KeyPairs::default(), Instant::now());
        let mut heard = String::new();
        for step in script.split_whitespace() {
            let (ms, what) = step.split_at(step.find(['m', 's']).unwrap_or(0));
            let now = start + Duration::from_millis(ms.parse().unwrap_or(0));
            let way = if what.starts_with('m') { Way::Media } else { Way::Signalling };
            match what.chars().nth(1) {
                Some('-') | None => pairs.is_held(now),
                Some(key) => heard.extend(pairs.is_news(way, key, now).then_some(key)),
            }
        }
        heard
    }

    #[test]
    fn each_key_counts_once_whichever_way_it_comes() {
        for (name, script, keys) in [
            ("by events alone", "0m1 200m1 400m2", "112"),
            ("by INFO alone", "0s1 200s1 400s2", "112"),
            ("both, events first", "0m1 80s1 500m2 580s2", "12"),
            ("both, INFO first", "0s1 80m1 500s2 580m2", "12"),
            ("twice the same, both each time", "0m1 80s1 200m1 280s1", "11"),
            ("twice the same, INFO behind both", "0m1 200m1 300s1 310s1", "11"),
            ("INFO out of order", "0m1 200m2 300s2 310s1", "12"),
            ("the other way changed in the call", "0m1 3000s2 6000s2 6100m3", "1223"),
            ("the same key by another way long after", "0m1 2001s1", "11"),
            ("an INFO that was lost at first", "0m1 1600s1", "1"),
            ("held for three seconds", "0m1 1000m- 2000m- 3000m- 3100s1", "1"),
            ("letters in either case", "0mA 80sa", "A"),
        ] {
            assert_eq!(heard(script), keys, "{name}: {script}");
        }
    }

    #[test]
    fn who_presses_without_end_does_not_fill_the_memory() {
        let (mut pairs, now) = (KeyPairs::default(), Instant::now());
        assert!((0..1_000).all(|_| pairs.is_news(Way::Media, '5', now)));
        assert_eq!(pairs.0.len(), MOST);
    }
}
