//! Who hears whom on a shard: told by names, kept by seats. Pure.
//!
//! A leg that hears one other leg is *passed* its packets as they come, undecoded. A leg that hears
//! several, or one under an announcement, hears them *mixed* at its own frames; whoever is mixed, or
//! recorded, has its sound laid out on a track.

use std::collections::{HashMap, HashSet};

use yunling_switch_contract::LegId;

/// The ties among a shard's legs.
#[derive(Debug, Default)]
pub(super) struct Ties {
    /// What was asked for. Of legs that are not open yet, or no longer, too.
    hears: HashMap<LegId, Vec<LegId>>,
    recorded: Vec<LegId>,
    announced_to: HashSet<u32>,
    seats: HashMap<LegId, u32>,
    passed_to: Vec<Vec<u32>>,
    mixed_for: Vec<Vec<u32>>,
    tracked: Vec<bool>,
    passes: bool,
}

impl Ties {
    /// A leg took a seat.
    pub(super) fn seat(&mut self, leg: LegId, seat: u32) {
        self.seats.insert(leg, seat);
        self.settle();
    }

    /// A leg has ended. What it was to hear is forgotten, unless another one of its name has taken
    /// its place.
    pub(super) fn leave(&mut self, leg: &LegId, seat: u32) {
        self.announced_to.remove(&seat);
        if self.seats.get(leg) == Some(&seat) {
            self.seats.remove(leg);
            self.hears.remove(leg);
        }
        self.settle();
    }

    /// A leg hears these from now on, and nobody else.
    pub(super) fn hear(&mut self, leg: LegId, others: Vec<LegId>) {
        if others.is_empty() {
            self.hears.remove(&leg);
        } else {
            self.hears.insert(leg, others);
        }
        self.settle();
    }

    /// Whether something is played over what a seat hears.
    pub(super) fn announce(&mut self, seat: u32, on: bool) {
        let changed =
            if on { self.announced_to.insert(seat) } else { self.announced_to.remove(&seat) };
        if changed {
            self.settle();
        }
    }

    /// Whose sound recordings need.
    pub(super) fn record(&mut self, legs: Vec<LegId>) {
        self.recorded = legs;
        self.settle();
    }

    /// Where a leg sits.
    pub(super) fn seat_of(&self, leg: &LegId) -> Option<u32> {
        self.seats.get(leg).copied()
    }

    /// Who is passed this seat's packets.
    pub(super) fn passed_to(&self, seat: u32) -> &[u32] {
        self.passed_to.get(seat as usize).map_or(&[], Vec::as_slice)
    }

    /// Whom this seat hears mixed.
    pub(super) fn mixed_for(&self, seat: u32) -> &[u32] {
        self.mixed_for.get(seat as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether this seat's sound is laid out on a track.
    pub(super) fn is_tracked(&self, seat: u32) -> bool {
        self.tracked.get(seat as usize).copied().unwrap_or(false)
    }

    /// Whether anybody is passed packets: then they must not wait for a slot.
    pub(super) fn passes(&self) -> bool {
        self.passes
    }

    /// Works out anew who is passed to whom. Seldom: on commands, opens and ends only.
    fn settle(&mut self) {
        let length = self.seats.values().max().map_or(0, |seat| *seat as usize + 1);
        let emptied = |mut table: Vec<Vec<u32>>| {
            table.iter_mut().for_each(Vec::clear);
            table.resize(length, Vec::new());
            table
        };
        self.passed_to = emptied(std::mem::take(&mut self.passed_to));
        self.mixed_for = emptied(std::mem::take(&mut self.mixed_for));
        self.tracked.clear();
        self.tracked.resize(length, false);
        self.passes = false;
        for (leg, others) in &self.hears {
            let Some(listener) = self.seats.get(leg).copied() else { continue };
            let heard: Vec<u32> = others
                .iter()
                .filter_map(|other| self.seats.get(other).copied())
                .filter(|seat| *seat != listener)
                .collect();
            match heard.as_slice() {
                [] => {}
                [only] if !self.announced_to.contains(&listener) => {
                    self.passed_to[*only as usize].push(listener);
                    self.passes = true;
                }
                several => {
                    several.iter().for_each(|seat| self.tracked[*seat as usize] = true);
                    self.mixed_for[listener as usize] = heard;
                }
            }
        }
        for seat in self.recorded.iter().filter_map(|leg| self.seats.get(leg)) {
            self.tracked[*seat as usize] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> LegId {
        LegId::new(name)
    }

    fn ids(names: &str) -> Vec<LegId> {
        names.split_whitespace().map(id).collect()
    }

    /// Legs a to d on seats 0 to 3.
    fn ties(hears: &[(&str, &str)]) -> Ties {
        let mut ties = Ties::default();
        for (leg, seat) in ["a", "b", "c", "d"].into_iter().zip(0..) {
            ties.seat(id(leg), seat);
        }
        for (leg, others) in hears {
            ties.hear(id(leg), ids(others));
        }
        ties
    }

    fn tracked(ties: &Ties) -> Vec<u32> {
        (0..4).filter(|seat| ties.is_tracked(*seat)).collect()
    }

    #[test]
    fn two_pass_packets_and_three_are_mixed() {
        let two = ties(&[("a", "b"), ("b", "a")]);
        assert_eq!((two.passed_to(0), two.passed_to(1)), (&[1][..], &[0][..]));
        assert!(two.passes() && tracked(&two).is_empty());
        let three = ties(&[("a", "b c"), ("b", "a c"), ("c", "a b")]);
        assert_eq!([0, 1, 2].map(|seat| three.mixed_for(seat).to_vec()), [[1, 2], [0, 2], [0, 1]]);
        assert!(!three.passes());
        assert_eq!(tracked(&three), [0, 1, 2]);
    }

    #[test]
    fn one_may_hear_and_not_be_heard() {
        let monitored = ties(&[("a", "b"), ("b", "a"), ("c", "a b")]);
        assert_eq!(monitored.passed_to(0), [1]);
        assert_eq!(monitored.mixed_for(2), [0, 1]);
        assert!(monitored.passed_to(2).is_empty());
        assert_eq!(tracked(&monitored), [0, 1]);
    }

    #[test]
    fn an_announcement_mixes_while_it_lasts() {
        let mut ties = ties(&[("a", "b"), ("b", "a")]);
        ties.announce(0, true);
        assert_eq!((ties.mixed_for(0), ties.passed_to(1)), (&[1][..], &[][..]));
        assert_eq!(ties.passed_to(0), [1], "the other one hears as before");
        ties.announce(0, false);
        assert_eq!(ties.passed_to(1), [0]);
    }

    #[test]
    fn who_ends_is_heard_no_more_and_who_comes_later_is() {
        let mut ties = ties(&[("a", "b c"), ("b", "a"), ("d", "e")]);
        ties.leave(&id("c"), 2);
        assert_eq!(ties.passed_to(1), [0], "one is left of two");
        ties.seat(id("e"), 2);
        assert_eq!(ties.passed_to(2), [3]);
        ties.leave(&id("a"), 0);
        ties.seat(id("a"), 0);
        assert_eq!(ties.passed_to(0), [1], "b still hears a, by its name");
        assert!(ties.passed_to(1).is_empty(), "the new a was not told to hear b");
        ties.hear(id("b"), Vec::new());
        assert!(ties.passed_to(0).is_empty());
    }

    #[test]
    fn a_second_leg_of_a_name_takes_the_firsts_place() {
        let mut ties = ties(&[("b", "a")]);
        ties.seat(id("a"), 3);
        ties.leave(&id("a"), 0);
        assert_eq!(ties.passed_to(3), [1]);
    }

    #[test]
    fn the_recorded_are_tracked_and_nobody_hears_himself() {
        let mut ties = ties(&[("a", "a b"), ("b", "a")]);
        ties.record(ids("a x"));
        assert_eq!(tracked(&ties), [0]);
        assert_eq!(ties.passed_to(1), [0]);
    }
}
