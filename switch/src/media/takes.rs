//! A shard's recordings: each takes both sides down frame by frame from the legs' tracks, and hands
//! them on a second at a time. Nothing here waits for a disk.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use yunling_switch_contract::{LegId, Recording, RecordingId, SAMPLE_RATE_HZ};

use super::homes::Home;
use super::track::{BEHIND, limited};
use crate::recording::{Order, RecorderLink, RecordingOwner};

/// Samples of a side that are mixed at once.
pub(super) const FRAME: usize = 160;

/// Samples of both sides that are handed on at once: a second's.
const CHUNK: usize = 2 * SAMPLE_RATE_HZ as usize;

/// Chunks of one recording that wait while the recorder has no room: half a minute. Then the oldest
/// is lost: it is silent in the file, and counted.
const WAITING: usize = 30;

/// Chunks of all recordings of a shard that wait: 64 MiB. Beyond, each recording keeps its newest.
const WAITING_IN_ALL: usize = 2_048;

/// How long a shard that ends waits for room with the recorder, and how long between two looks: a
/// disk that stands still must not keep the engine from closing.
const DRAINED_WITHIN: Duration = Duration::from_secs(3);
const DRAIN_PAUSE: Duration = Duration::from_millis(2);

/// The recordings of a shard.
pub(super) struct Takes {
    link: RecorderLink,
    takes: Vec<Take>,
    /// Those that have ended, and wait for room with the recorder.
    ended: VecDeque<Take>,
}

/// One recording.
struct Take {
    id: RecordingId,
    sides: [Vec<LegId>; 2],
    /// A leg of it was there: it ends by itself with its last one.
    was_joined: bool,
    /// The position that comes next.
    next: u64,
    chunk: Vec<i16>,
    /// Not handed over yet.
    begin: Option<Order>,
    /// Blocks before `waiting` that were thrown away and must become silence, or the file would be
    /// out of step with the time.
    skipped: u64,
    waiting: VecDeque<Box<[i16]>>,
    lost: u64,
    /// Keeps its owner's legs on this shard.
    _home: Home,
}

impl Takes {
    pub(super) fn new(link: RecorderLink) -> Self {
        Self { link, takes: Vec::new(), ended: VecDeque::new() }
    }

    /// Begins a recording at a position, or changes whom it takes down.
    pub(super) fn begin(&mut self, recording: Recording, home: Home, position: u64) {
        let Recording { id, owner, leg, left, right, file } = recording;
        if let Some(take) = self.takes.iter_mut().find(|take| take.id == id) {
            take.sides = [left, right];
            return;
        }
        let mut take = Take {
            id,
            sides: [left, right],
            was_joined: false,
            next: position,
            chunk: Vec::with_capacity(CHUNK),
            begin: Some(Order::Begin(id, RecordingOwner { owner, leg }, file)),
            skipped: 0,
            waiting: VecDeque::new(),
            lost: 0,
            _home: home,
        };
        take.hand_on(&self.link);
        self.takes.push(take);
    }

    /// Ends a recording.
    pub(super) fn end(&mut self, id: RecordingId) {
        let Some(at) = self.takes.iter().position(|take| take.id == id) else { return };
        let crowded = self.is_crowded();
        let mut take = self.takes.swap_remove(at);
        take.close_chunk(crowded);
        self.ended.push_back(take);
        self.hand_on_ended();
    }

    /// Ends those whose legs have all gone: nobody will be heard in them, and a platform that forgot
    /// one must not fill the disk with silence.
    pub(super) fn end_deserted(&mut self, is_there: impl Fn(&LegId) -> bool) {
        for take in &mut self.takes {
            take.was_joined |= take.has_leg(&is_there);
        }
        let deserted = |take: &&Take| take.was_joined && !take.has_leg(&is_there);
        let ids: Vec<_> = self.takes.iter().filter(deserted).map(|take| take.id).collect();
        ids.into_iter().for_each(|id| self.end(id));
    }

    /// Ends all.
    pub(super) fn end_all(&mut self) {
        for id in self.takes.iter().map(|take| take.id).collect::<Vec<_>>() {
            self.end(id);
        }
    }

    /// Hands on what has ended and found no room, as far as there is room in time. It blocks: only
    /// for a shard's end.
    pub(super) fn drain(&mut self) {
        let until = Instant::now() + DRAINED_WITHIN;
        self.hand_on_ended();
        while !self.ended.is_empty() && Instant::now() < until {
            std::thread::sleep(DRAIN_PAUSE);
            self.hand_on_ended();
        }
        if !self.ended.is_empty() {
            let recordings = self.ended.len();
            tracing::error!(recordings, "the recorder had no room for the end of recordings");
        }
    }

    /// Whose sound is needed.
    pub(super) fn legs(&self) -> Vec<LegId> {
        self.takes.iter().flat_map(|take| take.sides.iter().flatten().cloned()).collect()
    }

    /// Whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        self.takes.is_empty() && self.ended.is_empty()
    }

    /// Whether nothing runs; something may still be on its way to the recorder.
    pub(super) fn are_over(&self) -> bool {
        self.takes.is_empty()
    }

    /// Takes everything down that is [`BEHIND`] a position; `mix` adds what these legs say from a
    /// position on.
    pub(super) fn advance(&mut self, position: u64, mix: impl FnMut(&[LegId], u64, &mut [i32])) {
        self.take_down(position.saturating_sub(BEHIND), |_| true, mix);
    }

    /// Takes down what is left of one recording, up to the present.
    pub(super) fn catch_up(
        &mut self,
        id: RecordingId,
        position: u64,
        mix: impl FnMut(&[LegId], u64, &mut [i32]),
    ) {
        self.take_down(position, |take| take.id == id, mix);
    }

    /// The same for those that a leg is part of, before it leaves and its track goes with it. The
    /// others still wait for what comes late.
    pub(super) fn catch_up_with(
        &mut self,
        leg: &LegId,
        position: u64,
        mix: impl FnMut(&[LegId], u64, &mut [i32]),
    ) {
        self.take_down(position, |take| take.has_leg(|one| one == leg), mix);
    }

    fn take_down(
        &mut self,
        position: u64,
        which: impl Fn(&Take) -> bool,
        mut mix: impl FnMut(&[LegId], u64, &mut [i32]),
    ) {
        self.hand_on_ended();
        let crowded = self.is_crowded();
        for take in self.takes.iter_mut().filter(|take| which(take)) {
            while take.next + FRAME as u64 <= position {
                let mut sides = [[0; FRAME]; 2];
                for (legs, side) in take.sides.iter().zip(&mut sides) {
                    mix(legs, take.next, side);
                }
                for (left, right) in sides[0].iter().zip(&sides[1]) {
                    take.chunk.extend([limited(*left), limited(*right)]);
                }
                take.next += FRAME as u64;
                if take.chunk.len() >= CHUNK {
                    take.close_chunk(crowded);
                    take.hand_on(&self.link);
                }
            }
        }
    }

    fn is_crowded(&self) -> bool {
        let waiting = |take: &Take| take.waiting.len();
        self.takes.iter().chain(&self.ended).map(waiting).sum::<usize>() >= WAITING_IN_ALL
    }

    fn hand_on_ended(&mut self) {
        while let Some(take) = self.ended.front_mut() {
            if !take.hand_on(&self.link) {
                return;
            }
            let lost_ms = take.lost * 1_000 / u64::from(SAMPLE_RATE_HZ);
            if self.link.send(Order::Finish(take.id, lost_ms)).is_err() {
                return;
            }
            self.ended.pop_front();
        }
    }
}

impl Take {
    fn has_leg(&self, is_there: impl Fn(&LegId) -> bool) -> bool {
        self.sides.iter().flatten().any(is_there)
    }

    fn close_chunk(&mut self, crowded: bool) {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        if !chunk.is_empty() {
            self.waiting.push_back(chunk.into_boxed_slice());
        }
        let most = if crowded { 1 } else { WAITING };
        while self.waiting.len() > most
            && let Some(oldest) = self.waiting.pop_front()
        {
            let blocks = (oldest.len() / 2) as u64;
            self.skipped += blocks;
            self.lost += blocks;
        }
    }

    /// Hands everything to the recorder; false if it has no room for all of it.
    fn hand_on(&mut self, link: &RecorderLink) -> bool {
        if let Some(begin) = self.begin.take()
            && let Err(begin) = link.send(begin)
        {
            self.begin = Some(begin);
            return false;
        }
        if self.skipped > 0 {
            if link.send(Order::Silence(self.id, self.skipped)).is_err() {
                return false;
            }
            self.skipped = 0;
        }
        while let Some(samples) = self.waiting.pop_front() {
            if let Err(order) = link.send(Order::Samples(self.id, samples)) {
                if let Order::Samples(_, samples) = order {
                    self.waiting.push_front(samples);
                }
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::Receiver;

    use yunling_switch_contract::Owner;

    use super::super::homes::Homes;
    use super::*;

    fn takes(room: usize) -> (Takes, Receiver<Order>) {
        let (link, orders) = RecorderLink::for_test(room);
        (Takes::new(link), orders)
    }

    fn begin(takes: &mut Takes, id: u64, legs: [&str; 2]) {
        let homes = Arc::<Homes>::default();
        let home = homes.settle(Owner(1), || Some(0)).expect("a shard was chosen");
        let [left, right] = legs.map(|leg| vec![LegId::new(leg)]);
        let (owner, leg, file) = (Owner(1), LegId::new("a"), "a.wav".into());
        let recording = Recording { id: RecordingId(id), owner, leg, left, right, file };
        takes.begin(recording, home, 0);
    }

    /// The leg `a` says 1, 2, 3… second by second, `b` its negative.
    fn said(legs: &[LegId], position: u64, mix: &mut [i32]) {
        for leg in legs {
            let sign = if leg.as_str() == "a" { 1 } else { -1 };
            mix.iter_mut().for_each(|sum| *sum += sign * (position as i32 / 8_000 + 1));
        }
    }

    /// The seconds in the order in which they would be in the file; 0 is silence.
    fn written(orders: &Receiver<Order>) -> (Vec<i16>, Option<u64>) {
        let (mut seconds, mut lost_ms) = (Vec::new(), None);
        for order in orders.try_iter() {
            match order {
                Order::Begin(..) => assert!(seconds.is_empty(), "it begins once"),
                Order::Samples(_, samples) => {
                    assert!(samples.chunks(2).all(|block| block[1] == -block[0]), "in step");
                    seconds.push(samples[0]);
                }
                Order::Silence(_, blocks) => {
                    seconds.extend(std::iter::repeat_n(0, (blocks / 8_000) as usize));
                }
                Order::Finish(_, lost) => lost_ms = Some(lost),
            }
        }
        (seconds, lost_ms)
    }

    #[test]
    fn a_disk_that_keeps_up_loses_nothing() {
        let (mut takes, orders) = takes(1_000);
        begin(&mut takes, 1, ["a", "b"]);
        for slot in 0..2_000 {
            takes.advance(slot * 80, said);
        }
        takes.catch_up(RecordingId(1), 20 * 8_000, said);
        takes.end(RecordingId(1));
        assert_eq!(written(&orders), ((1..=20).collect(), Some(0)));
        assert!(takes.is_empty());
    }

    #[test]
    fn a_disk_that_stands_still_for_long_loses_the_oldest_and_the_rest_stays_in_step() {
        let (mut takes, orders) = takes(3);
        begin(&mut takes, 1, ["a", "b"]);
        takes.advance(BEHIND + 40 * 8_000, said);
        let (mut seconds, _) = written(&orders);
        takes.end(RecordingId(1));
        while !takes.is_empty() {
            let (more, lost_ms) = written(&orders);
            seconds.extend(more);
            assert_eq!(lost_ms, None);
            takes.advance(0, said);
            if takes.is_empty() {
                break;
            }
        }
        let (more, lost_ms) = written(&orders);
        seconds.extend(more);
        // Begin and two seconds found room; thirty waited; eight were lost.
        let expected: Vec<i16> = (1..=2).chain([0; 8]).chain(11..=40).collect();
        assert_eq!((seconds, lost_ms), (expected, Some(8_000)));
    }

    #[test]
    fn a_recording_ends_with_its_last_leg() {
        let (mut takes, orders) = takes(100);
        begin(&mut takes, 1, ["a", "b"]);
        takes.end_deserted(|_| false);
        assert!(!takes.are_over(), "nobody was there yet");
        takes.end_deserted(|leg| leg.as_str() == "a");
        takes.end_deserted(|leg| leg.as_str() == "b");
        assert!(!takes.are_over());
        takes.end_deserted(|_| false);
        assert!(takes.are_over());
        assert_eq!(written(&orders).1, Some(0));
    }

    #[test]
    fn who_leaves_hurries_only_his_own_recordings() {
        let (mut takes, _orders) = takes(100);
        begin(&mut takes, 1, ["a", "b"]);
        begin(&mut takes, 2, ["c", "d"]);
        takes.catch_up_with(&LegId::new("b"), 8_000, said);
        let next: Vec<u64> = takes.takes.iter().map(|take| take.next).collect();
        assert_eq!(next, [8_000, 0]);
    }

    #[test]
    fn what_found_no_room_is_handed_on_at_the_end() {
        let (mut takes, orders) = takes(1);
        begin(&mut takes, 1, ["a", "b"]);
        takes.advance(BEHIND + 5 * 8_000, said);
        takes.end_all();
        let reader = std::thread::spawn(move || {
            let mut got = 0;
            while !matches!(orders.recv().expect("the end comes"), Order::Finish(_, 0)) {
                got += 1;
            }
            got
        });
        takes.drain();
        assert!(takes.is_empty());
        assert_eq!(reader.join().expect("it got all"), 1 + 5, "the beginning and the seconds");
    }
}
