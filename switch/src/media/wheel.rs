//! When each leg's next frame is due: a wheel of slots, so that the legs of a shard do not all send
//! in the same instant.

/// Milliseconds of one slot: a frame of 20 ms has 10.
pub(super) const SLOT_MS: u64 = 2;

/// More slots than the longest frame has (60 ms: 30), so that a leg never comes back to the slot
/// that is being served.
const SLOTS: usize = 32;

/// Legs that share a slot before another one is opened. So many packets leave within half a
/// millisecond, and each slot that is in use costs a wake-up, which weighs more than a packet: with
/// 20, a tenth more CPU was measured at 100 and at 300 legs, and no evener packets.
const SHARING: usize = 100;

/// Legs by the slot in which they are due. Slots are numbered from the wheel's beginning.
#[derive(Debug, Default)]
pub(super) struct Wheel {
    slots: [Vec<u32>; SLOTS],
}

/// The slots between frames.
pub(super) fn period(frame_ms: u8) -> u64 {
    u64::from(frame_ms) / SLOT_MS
}

impl Wheel {
    /// Puts a new leg into a slot of the next frame: the fullest that has room for one more to
    /// share, or else the emptiest. `next` is the slot that is served next.
    pub(super) fn spread(&mut self, leg: u32, next: u64, period: u64) {
        let legs = |slot: &u64| self.slots[index(*slot)].len();
        let frame = next..next + period;
        let slot = frame
            .clone()
            .filter(|slot| legs(slot) < SHARING)
            .max_by_key(legs)
            .or_else(|| frame.min_by_key(legs))
            .unwrap_or(next);
        self.insert(leg, slot);
    }

    /// Puts a leg into a slot.
    pub(super) fn insert(&mut self, leg: u32, slot: u64) {
        self.slots[index(slot)].push(leg);
    }

    /// Empties a slot into `due`, which is empty, and keeps the memory of both.
    pub(super) fn take(&mut self, slot: u64, due: &mut Vec<u32>) {
        std::mem::swap(&mut self.slots[index(slot)], due);
    }

    /// Takes a leg out, wherever it is.
    pub(super) fn remove(&mut self, leg: u32) {
        for slot in &mut self.slots {
            slot.retain(|other| *other != leg);
        }
    }

    /// The first slot from `next` on, at most `within` ahead, in which a leg is due.
    pub(super) fn busy(&self, next: u64, within: u64) -> u64 {
        (next..next + within)
            .find(|slot| !self.slots[index(*slot)].is_empty())
            .unwrap_or(next + within)
    }
}

fn index(slot: u64) -> usize {
    (slot % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the wheel for `slots`; gives (slot, leg) of each service.
    fn run(wheel: &mut Wheel, slots: std::ops::Range<u64>, periods: &[u64]) -> Vec<(u64, u32)> {
        let mut served = Vec::new();
        let mut due = Vec::new();
        for slot in slots {
            wheel.take(slot, &mut due);
            for leg in due.drain(..) {
                served.push((slot, leg));
                wheel.insert(leg, slot + periods[leg as usize]);
            }
        }
        served
    }

    #[test]
    fn each_leg_keeps_its_own_period() {
        for frame_ms in [10, 20, 30, 40, 50, 60] {
            let period = period(frame_ms);
            let mut wheel = Wheel::default();
            wheel.spread(0, 1_000, period);
            let served = run(&mut wheel, 1_000..1_000 + 10 * period, &[period]);
            assert_eq!(served.len(), 10, "{frame_ms} ms");
            assert!(served.windows(2).all(|pair| pair[1].0 - pair[0].0 == period), "{frame_ms} ms");
        }
    }

    /// Legs in each slot of a frame of 20 ms, the fullest first.
    fn spread(legs: u32) -> Vec<usize> {
        let mut wheel = Wheel::default();
        for leg in 0..legs {
            wheel.spread(leg, 7, 10);
        }
        let served = run(&mut wheel, 7..17, &vec![10; legs as usize]);
        let mut counts: Vec<usize> =
            (7..17).map(|slot| served.iter().filter(|(at, _)| *at == slot).count()).collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        counts
    }

    #[test]
    fn few_legs_share_slots_and_many_are_spread_evenly() {
        assert_eq!(spread(1), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(spread(250), [100, 100, 50, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(spread(1_000), [100; 10]);
        assert_eq!(spread(2_000), [200; 10]);
    }

    #[test]
    fn a_removed_leg_is_not_served() {
        let mut wheel = Wheel::default();
        wheel.spread(0, 0, 10);
        wheel.spread(1, 0, 10);
        wheel.remove(0);
        assert!(run(&mut wheel, 0..40, &[10, 10]).iter().all(|(_, leg)| *leg == 1));
    }

    #[test]
    fn the_next_busy_slot_is_found() {
        let mut wheel = Wheel::default();
        assert_eq!(wheel.busy(5, 5), 10);
        wheel.insert(3, 8);
        assert_eq!(wheel.busy(5, 5), 8);
        assert_eq!(wheel.busy(5, 2), 7);
    }
}
