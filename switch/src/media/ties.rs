//! Who hears whom on a shard: told by names, kept by seats. Pure.
//!
//! A leg that hears one other leg is *passed* its packets as they come, undecoded. A leg that hears
//! several, or one under an announcement, hears them *mixed* at its own frames; whoever is mixed, or
//! recorded, has its sound laid out on a track.

use std::collections::{HashMap, HashSet};

use yunling_switch_contract::LegId;

/// The ties among a shard's legs. A change costs what the legs that it concerns cost.
#[derive(Debug, Default)]
pub(super) struct Ties {
    /// What was asked for. Of legs that are not open yet, or no longer, too.
    hears: HashMap<LegId, Vec<LegId>>,
    /// The same the other way round.
    heard_by: HashMap<LegId, Vec<LegId>>,
    recorded: HashSet<LegId>,
    seats: HashMap<LegId, u32>,
    places: Vec<Place>,
    /// How many are passed packets.
    passed: usize,
}

/// One seat.
#[derive(Debug, Default)]
struct Place {
    /// Who sits there.
    leg: Option<LegId>,
    is_announced_to: bool,
    passed_to: Vec<u32>,
    /// Who passes it packets.
    passed_from: Option<u32>,
    mixed_for: Vec<u32>,
    /// How often it is in the others' `mixed_for`.
    mixed: usize,
    is_recorded: bool,
}

impl Ties {
    /// A leg took a seat.
    pub(super) fn seat(&mut self, leg: LegId, seat: u32) {
        if let Some(before) = self.seats.insert(leg.clone(), seat) {
            self.untie(before);
            // Who still sits there has no name that anybody could mean.
            let place = &mut self.places[before as usize];
            place.leg = None;
            place.is_recorded = false;
        }
        let at = seat as usize;
        if at >= self.places.len() {
            self.places.resize_with(at + 1, Place::default);
        }
        self.places[at].is_recorded = self.recorded.contains(&leg);
        self.places[at].leg = Some(leg.clone());
        self.tie(seat);
        self.tie_listeners(&leg);
    }

    /// A leg has ended. What it was to hear is forgotten, unless another one of its name has taken
    /// its place.
    pub(super) fn leave(&mut self, leg: &LegId, seat: u32) {
        self.untie(seat);
        if self.seats.get(leg) == Some(&seat) {
            self.seats.remove(leg);
            self.forget(leg);
            self.tie_listeners(leg);
        }
        if let Some(place) = self.places.get_mut(seat as usize) {
            // Nobody hears it any more.
            *place = Place::default();
        }
    }

    /// A leg hears these from now on, and nobody else.
    pub(super) fn hear(&mut self, leg: LegId, others: Vec<LegId>) {
        self.forget(&leg);
        if !others.is_empty() {
            for other in &others {
                let listeners = self.heard_by.entry(other.clone()).or_default();
                if !listeners.contains(&leg) {
                    listeners.push(leg.clone());
                }
            }
            self.hears.insert(leg.clone(), others);
        }
        if let Some(seat) = self.seat_of(&leg) {
            self.tie(seat);
        }
    }

    /// Whether something is played over what a seat hears.
    pub(super) fn announce(&mut self, seat: u32, on: bool) {
        let Some(place) = self.places.get_mut(seat as usize) else { return };
        if place.is_announced_to != on {
            place.is_announced_to = on;
            self.tie(seat);
        }
    }

    /// Whose sound recordings need.
    pub(super) fn record(&mut self, legs: Vec<LegId>) {
        let before = std::mem::replace(&mut self.recorded, legs.into_iter().collect());
        for leg in before.symmetric_difference(&self.recorded) {
            if let Some(seat) = self.seats.get(leg) {
                self.places[*seat as usize].is_recorded = self.recorded.contains(leg);
            }
        }
    }

    /// Where a leg sits.
    pub(super) fn seat_of(&self, leg: &LegId) -> Option<u32> {
        self.seats.get(leg).copied()
    }

    /// Who is passed this seat's packets.
    pub(super) fn passed_to(&self, seat: u32) -> &[u32] {
        self.places.get(seat as usize).map_or(&[], |place| &place.passed_to)
    }

    /// Whom this seat hears mixed.
    pub(super) fn mixed_for(&self, seat: u32) -> &[u32] {
        self.places.get(seat as usize).map_or(&[], |place| &place.mixed_for)
    }

    /// Who hears this seat mixed. Looked for among all: only a key asks.
    pub(super) fn mixed_to(&self, seat: u32) -> Vec<u32> {
        let hears = |place: &&(u32, &Place)| place.1.mixed_for.contains(&seat);
        (0..).zip(&self.places).filter(|place| hears(&place)).map(|(at, _)| at).collect()
    }

    /// Whether this seat's sound is laid out on a track.
    pub(super) fn is_tracked(&self, seat: u32) -> bool {
        self.places.get(seat as usize).is_some_and(|place| place.mixed > 0 || place.is_recorded)
    }

    /// Whether anybody is passed packets: then they must not wait for a slot.
    pub(super) fn passes(&self) -> bool {
        self.passed > 0
    }

    /// What a leg was to hear.
    fn forget(&mut self, leg: &LegId) {
        for other in self.hears.remove(leg).unwrap_or_default() {
            if let Some(listeners) = self.heard_by.get_mut(&other) {
                listeners.retain(|listener| listener != leg);
                if listeners.is_empty() {
                    self.heard_by.remove(&other);
                }
            }
        }
    }

    /// A leg came or went: those who were to hear it hear others now.
    fn tie_listeners(&mut self, leg: &LegId) {
        for listener in self.heard_by.get(leg).cloned().unwrap_or_default() {
            if let Some(seat) = self.seat_of(&listener) {
                self.tie(seat);
            }
        }
    }

    /// Works out anew whom a seat hears.
    fn tie(&mut self, listener: u32) {
        self.untie(listener);
        let place = &self.places[listener as usize];
        let heard: Vec<u32> = place
            .leg
            .iter()
            .filter_map(|leg| self.hears.get(leg))
            .flatten()
            .filter_map(|other| self.seats.get(other).copied())
            .filter(|seat| *seat != listener)
            .collect();
        match heard.as_slice() {
            [] => {}
            [only] if !place.is_announced_to => {
                self.places[*only as usize].passed_to.push(listener);
                self.places[listener as usize].passed_from = Some(*only);
                self.passed += 1;
            }
            several => {
                several.iter().for_each(|seat| self.places[*seat as usize].mixed += 1);
                self.places[listener as usize].mixed_for = heard;
            }
        }
    }

    /// A seat hears nobody.
    fn untie(&mut self, listener: u32) {
        let Some(place) = self.places.get_mut(listener as usize) else { return };
        let passed_from = place.passed_from.take();
        let mixed_for = std::mem::take(&mut place.mixed_for);
        if let Some(from) = passed_from {
            self.places[from as usize].passed_to.retain(|seat| *seat != listener);
            self.passed -= 1;
        }
        for seat in mixed_for {
            self.places[seat as usize].mixed -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// What the ties ought to be, worked out from nothing.
    fn check(ties: &Ties) {
        let length = ties.places.len();
        let (mut passed_to, mut mixed_for) = (vec![Vec::new(); length], vec![Vec::new(); length]);
        let mut tracked = vec![false; length];
        for (leg, others) in &ties.hears {
            let Some(listener) = ties.seat_of(leg) else { continue };
            let seats = others.iter().filter_map(|other| ties.seat_of(other));
            let heard: Vec<u32> = seats.filter(|seat| *seat != listener).collect();
            match heard.as_slice() {
                [] => {}
                [only] if !ties.places[listener as usize].is_announced_to => {
                    passed_to[*only as usize].push(listener);
                }
                several => {
                    several.iter().for_each(|seat| tracked[*seat as usize] = true);
                    mixed_for[listener as usize] = heard;
                }
            }
        }
        for seat in ties.recorded.iter().filter_map(|leg| ties.seat_of(leg)) {
            tracked[seat as usize] = true;
        }
        for seat in 0..length as u32 {
            let mut passed = ties.passed_to(seat).to_vec();
            passed.sort_unstable();
            passed_to[seat as usize].sort_unstable();
            assert_eq!(passed, passed_to[seat as usize], "{seat}");
            assert_eq!(ties.mixed_for(seat), mixed_for[seat as usize], "{seat}");
            assert_eq!(ties.is_tracked(seat), tracked[seat as usize], "{seat}");
        }
        assert_eq!(ties.passes(), passed_to.iter().any(|listeners| !listeners.is_empty()));
    }

    proptest! {
        #[test]
        fn a_change_leaves_what_working_all_out_anew_would(
            changes in prop::collection::vec((0..7_u8, 0..4_usize, any::<u8>()), 0..60),
        ) {
            let names = ["a", "b", "c", "d"].map(id);
            let mut ties = Ties::default();
            // Who sits on each of six seats.
            let mut seated: [Option<usize>; 6] = [None; 6];
            for (change, leg, choice) in changes {
                let some: Vec<LegId> = (0..4).filter(|n| choice >> n & 1 == 1).map(|n| names[n].clone()).collect();
                let seat = usize::from(choice) % seated.len();
                match change {
                    0 | 1 if seated[seat].is_none() => {
                        seated[seat] = Some(leg);
                        ties.seat(names[leg].clone(), seat as u32);
                    }
                    2 => {
                        if let Some(leg) = seated[seat].take() {
                            ties.leave(&names[leg], seat as u32);
                        }
                    }
                    3 | 4 => ties.hear(names[leg].clone(), some),
                    5 => ties.announce(seat as u32, choice > 127),
                    _ => ties.record(some),
                }
                check(&ties);
            }
            for (seat, leg) in seated.iter().enumerate() {
                if let Some(leg) = leg {
                    ties.leave(&names[*leg], seat as u32);
                }
            }
            prop_assert!(!ties.passes());
        }
    }
}
