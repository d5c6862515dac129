//! Which trunks are known to be down, by what calls over them met: a trunk that stays silent for
//! several calls in a row is left out for a while, then tried again. Pure: the time is an argument.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use yunling_domain::{EndKind, Micros};

/// So many calls in a row without a sign of life, and the trunk counts as down: fewer could be
/// single numbers that a carrier loses.
const SILENT_CALLS: u32 = 5;
/// How long it is then left out, before one more call is risked.
const LEFT_OUT_MS: i64 = 30_000;

/// The trunks that were silent lately.
#[derive(Debug, Default)]
pub(super) struct TrunkWatch {
    silent: Mutex<HashMap<Arc<str>, Silence>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Silence {
    calls: u32,
    left_out_until: Option<Micros>,
}

/// Whether an end says that the trunk gave no sign of life.
pub(super) fn is_silence(kind: EndKind) -> bool {
    matches!(kind, EndKind::NoReply | EndKind::Unreachable)
}

impl TrunkWatch {
    /// A trunk gave a sign of life.
    pub(super) fn heard(&self, trunk: &str) {
        self.silent.lock().remove(trunk);
    }

    /// A call over a trunk ended without one. True when the trunk is down from now on.
    pub(super) fn silent(&self, trunk: &Arc<str>, now: Micros) -> bool {
        let mut silent = self.silent.lock();
        let silence = silent.entry(Arc::clone(trunk)).or_default();
        silence.calls += 1;
        if silence.calls < SILENT_CALLS || silence.left_out_until.is_some() {
            return false;
        }
        silence.left_out_until = Some(now.plus_ms(LEFT_OUT_MS));
        true
    }

    /// Trunks whose time is over: up again until the next call says otherwise.
    pub(super) fn give_second_chances(&self, now: Micros) -> Vec<String> {
        let mut silent = self.silent.lock();
        let due = silent
            .iter_mut()
            .filter(|(_, silence)| silence.left_out_until.is_some_and(|until| until <= now));
        due.map(|(trunk, silence)| {
            silence.left_out_until = None;
            silence.calls = SILENT_CALLS - 1;
            trunk.to_string()
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_trunk_is_left_out_and_tried_again() {
        let watch = TrunkWatch::default();
        let trunk: Arc<str> = Arc::from("a");
        let at = |ms: i64| Micros(0).plus_ms(ms);
        let told: Vec<bool> = (0..6).map(|n| watch.silent(&trunk, at(n))).collect();
        assert_eq!(told, [false, false, false, false, true, false]);
        assert!(watch.give_second_chances(at(30_003)).is_empty());
        assert_eq!(watch.give_second_chances(at(30_004)), ["a"]);
        assert!(watch.silent(&trunk, at(30_005)), "one more silent call is enough now");
        watch.give_second_chances(at(90_000));
        watch.heard("a");
        assert!(!watch.silent(&trunk, at(90_001)), "a sign of life wipes the slate clean");
    }

    #[test]
    fn what_counts_as_silence() {
        assert!(is_silence(EndKind::NoReply) && is_silence(EndKind::Unreachable));
        assert!(!is_silence(EndKind::Rejected) && !is_silence(EndKind::Cancelled));
    }
}
