//! A shard's thread: it waits for a slot or a command, reads what came, and sends what is due.
//! Long because the loop and the one owner of a shard's legs belong together.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use yunling_switch_contract::{LegId, RecordingId};

use super::handle::{Command, LegKey};
use super::heard::{Heard, What};
use super::leg::{Due, EndedLeg, Leg, SAMPLES_PER_MS};
use super::meter::Meter;
use super::poll::{Poll, READY_AT_ONCE};
use super::relay::DATAGRAM_LEN;
use super::socket::{Inbox, arriving_now};
use super::takes::{FRAME, Takes};
use super::ties::Ties;
use super::track::{BEHIND, Now};
use super::wheel::{SLOT_MS, Wheel};
use crate::recording::RecorderLink;

/// The most slots that a shard with legs sleeps through: sockets are read at least so often.
const SLEEP_SLOTS: u64 = 5;

/// A shard that is further behind than this does not catch up, for a burst of so many packets
/// would only overflow the receivers' buffers.
const MOST_BEHIND: Duration = Duration::from_millis(200);

/// Commands carried out between two looks at the slots.
const COMMANDS_AT_ONCE: usize = 256;

/// One media thread and all it owns.
pub(super) struct Shard {
    number: usize,
    queue: mpsc::Receiver<Command>,
    stop: Arc<AtomicBool>,
    /// Open legs, ended ones too while their handles live.
    legs: Arc<AtomicUsize>,
    poll: Poll,
    seats: Vec<Option<Seat>>,
    free: Vec<u32>,
    by_key: HashMap<LegKey, u32>,
    wheel: Wheel,
    schedule: Schedule,
    /// Empty between slots; keeps its memory.
    due: Vec<u32>,
    inbox: Inbox,
    frame: Box<[u8; DATAGRAM_LEN]>,
    /// What one leg's peer said just now.
    heard: Heard,
    /// Who hears whom.
    ties: Ties,
    /// What one leg hears mixed; keeps its memory.
    mix: Vec<i32>,
    takes: Takes,
    /// How long a peer may be silent; zero: for ever.
    silence: Duration,
    meter: Meter,
}

/// A place in the shard's table.
enum Seat {
    Live(Box<Leg>),
    /// Ended by itself; its handle is still held.
    Ended(EndedLeg),
}

/// When the slots are due: from a fixed beginning, so that nothing drifts.
struct Schedule {
    start: Instant,
    next: u64,
    /// Slots left out so far.
    skipped: u64,
}

impl Schedule {
    fn due(&self, slot: u64) -> Instant {
        self.start + Duration::from_millis(slot * SLOT_MS)
    }

    /// The first sample of a slot on the shard's clock, which counts what was left out too: a track
    /// is as long as the time, whatever was sent meanwhile.
    fn position(&self, slot: u64) -> u64 {
        (slot + self.skipped) * SLOT_MS * u64::from(SAMPLES_PER_MS)
    }

    /// The same of an instant.
    fn position_at(&self, now: Instant) -> u64 {
        let time = now.saturating_duration_since(self.start).as_micros();
        let samples = time * u128::from(SAMPLES_PER_MS) / 1_000;
        self.position(0) + u64::try_from(samples).unwrap_or(u64::MAX)
    }

    /// Moves the schedule if it is too far behind; gives the slots left out.
    fn catch_up(&mut self, now: Instant) -> u64 {
        let behind = now.saturating_duration_since(self.due(self.next));
        if behind <= MOST_BEHIND {
            return 0;
        }
        let slots = u64::try_from(behind.as_millis()).unwrap_or(u64::MAX) / SLOT_MS;
        self.start += Duration::from_millis(slots * SLOT_MS);
        self.skipped += slots;
        slots
    }
}

impl Shard {
    /// A shard with no legs; made on its own thread.
    pub(super) fn new(
        number: usize,
        queue: mpsc::Receiver<Command>,
        poll: Poll,
        legs: Arc<AtomicUsize>,
        stop: Arc<AtomicBool>,
        recorder: RecorderLink,
        silence: Duration,
    ) -> Self {
        let now = Instant::now();
        Self {
            number,
            queue,
            stop,
            legs,
            poll,
            seats: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            wheel: Wheel::default(),
            schedule: Schedule { start: now, next: 0, skipped: 0 },
            due: Vec::new(),
            inbox: Inbox::new(),
            frame: Box::new([0; DATAGRAM_LEN]),
            heard: Heard::default(),
            ties: Ties::default(),
            mix: Vec::new(),
            takes: Takes::new(recorder),
            silence,
            meter: Meter::new(number, now),
        }
    }

    /// Runs until the plane is closed, then ends every leg.
    pub(super) fn run(mut self) {
        if catch_unwind(AssertUnwindSafe(|| self.serve())).is_err() {
            // The hook has printed where. Opens go to the other shards from here on.
            tracing::error!(shard = self.number, "a media thread panicked; its legs are ended");
        }
        self.queue.close();
        while let Ok(command) = self.queue.try_recv() {
            self.carry_out(command);
        }
        for seat in self.by_key.values().copied().collect::<Vec<_>>() {
            self.end(seat);
        }
        self.takes.end_all();
        self.legs.store(0, Ordering::Relaxed);
        self.takes.drain();
    }

    fn serve(&mut self) {
        let mut more = false;
        while !self.stop.load(Ordering::Acquire) {
            let ready = if more { self.poll.look() } else { self.sleep() };
            more = self.take_commands();
            self.receive(ready);
            self.send();
            let now = Instant::now();
            if self.meter.is_due(now) {
                self.sweep();
                self.look_for_silence(now);
                self.meter.publish(now, self.by_key.len());
            }
        }
    }

    /// Until a leg is due, packets are to be passed on, or a command comes; gives the number of
    /// sockets that can be read.
    fn sleep(&mut self) -> usize {
        // A recording that has ended may still wait for room with the recorder.
        if self.by_key.is_empty() && self.takes.is_empty() {
            self.meter.publish(Instant::now(), 0);
            self.poll.sleep(None);
            // Nothing was due meanwhile, so nothing is behind.
            self.schedule.start = Instant::now();
            self.schedule.next = 0;
            return 0;
        }
        let due = self.schedule.due(self.wheel.busy(self.schedule.next, SLEEP_SLOTS));
        if self.ties.passes() {
            return self.poll.sleep_for_packets(due);
        }
        self.poll.sleep(Some(due));
        self.poll.look()
    }

    /// True if more may be waiting.
    fn take_commands(&mut self) -> bool {
        for _ in 0..COMMANDS_AT_ONCE {
            let Ok(command) = self.queue.try_recv() else {
                return false;
            };
            self.carry_out(command);
        }
        true
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Open(leg) => self.open(leg),
            Command::Connect(key, agreed, ordered) => {
                let now = Instant::now();
                let mut first = None;
                let seat = self.attempt(key, |leg| {
                    first = leg.connect(*agreed, ordered, now).then(|| leg.period());
                });
                if let (Some(seat), Some(period)) = (seat, first) {
                    self.wheel.spread(seat, self.schedule.next, period);
                }
            }
            Command::Hear(key, others) => {
                let mut leg = None;
                if self.attempt(key, |heard_by| leg = Some(heard_by.id().clone())).is_some()
                    && let Some(leg) = leg
                {
                    self.ties.hear(leg, others);
                }
            }
            Command::Play(key, play, items, mode) => {
                if let Some(ended) = self.ended(key) {
                    ended.play(play);
                } else {
                    let seat = self.attempt(key, |leg| leg.play(play, items, mode));
                    self.settle_overlay(seat);
                }
            }
            Command::Stop(key, play) => {
                let seat = self.attempt(key, |leg| leg.stop(play));
                self.settle_overlay(seat);
            }
            Command::Record(recording, home) => {
                // Whom it took down until now is heard until now.
                self.catch_up(recording.id);
                self.takes.begin(*recording, home, self.position());
                self.settle_takes();
            }
            Command::StopRecording(id) => {
                self.catch_up(id);
                self.takes.end(id);
                self.settle_takes();
            }
            Command::AwaitKeys(key, on) => {
                self.attempt(key, |leg| leg.await_keys(on));
            }
            Command::Press(key, pressed) => {
                self.attempt(key, |leg| leg.press(pressed));
            }
            Command::Close(key) => {
                if let Some(seat) = self.by_key.get(&key).copied() {
                    self.end(seat);
                    self.vacate(key, seat);
                }
            }
        }
    }

    fn open(&mut self, leg: Box<Leg>) {
        let seat = self.free.pop().unwrap_or_else(|| {
            self.seats.push(None);
            u32::try_from(self.seats.len() - 1).expect("there are fewer legs than ports")
        });
        self.by_key.insert(leg.key(), seat);
        self.ties.seat(leg.id().clone(), seat);
        if !self.takes.are_over() {
            self.settle_takes();
        }
        let watched = self.poll.watch(seat, &leg);
        self.seats[seat as usize] = Some(Seat::Live(leg));
        if let Err(error) = watched {
            tracing::error!(%error, "cannot watch a leg's sockets; the leg is ended");
            self.end(seat);
        }
    }

    /// Reads the sockets that have something, `ready` of which are known.
    fn receive(&mut self, mut ready: usize) {
        // Bounded, because a flood must not hold up what is due.
        for _ in 0..=self.by_key.len() * 2 / READY_AT_ONCE {
            for index in 0..ready {
                let Some((seat, port)) = self.poll.socket(index) else { continue };
                let passed = !self.ties.passed_to(seat).is_empty();
                self.heard.begin(passed || self.ties.is_tracked(seat));
                let sound = guarded(&mut self.seats, seat, |leg| {
                    leg.receive(port, &mut self.inbox, &mut self.heard, &mut self.meter);
                });
                if !sound {
                    self.end(seat);
                } else if !self.heard.is_empty() {
                    self.hand_on(seat);
                }
            }
            if ready < READY_AT_ONCE {
                break;
            }
            ready = self.poll.look_again();
        }
    }

    /// What a leg's peer has just said goes to those who hear it.
    fn hand_on(&mut self, seat: u32) {
        if self.ties.is_tracked(seat) {
            let now = Now {
                position: self.schedule.position_at(Instant::now()),
                arrived: arriving_now(),
                // Recordings have taken down what is before this, but for a part of a frame.
                oldest: self.position().saturating_sub(BEHIND + FRAME as u64),
            };
            let sound = guarded(&mut self.seats, seat, |leg| leg.lay_out(&self.heard, now));
            if !sound {
                self.end(seat);
                return;
            }
        }
        let pressing = |seat: &Seat| matches!(seat, Seat::Live(leg) if leg.is_pressing());
        if !self.seats[seat as usize].as_ref().is_some_and(pressing) {
            self.pass(seat);
        }
    }

    /// Passes on what was taken to those who hear it as it comes, and its keys to those who hear it
    /// mixed.
    fn pass(&mut self, seat: u32) {
        for at in 0..self.ties.passed_to(seat).len() {
            let listener = self.ties.passed_to(seat)[at];
            if !self.pass_to(listener, false) {
                break;
            }
        }
        if self.heard.has_keys() {
            for listener in self.ties.mixed_to(seat) {
                self.pass_to(listener, true);
            }
        }
    }

    fn pass_to(&mut self, listener: u32, keys_alone: bool) -> bool {
        let sound = guarded(&mut self.seats, listener, |leg| {
            leg.pass_on(&self.heard, keys_alone, &mut self.frame, &mut self.meter);
        });
        if !sound {
            self.end(listener);
        }
        sound
    }

    /// The first sample of the slot that is due next.
    fn position(&self) -> u64 {
        self.schedule.position(self.schedule.next)
    }

    /// Mixes what a leg hears of others in the frame that is due; false if it hears nothing so.
    fn mix(&mut self, seat: u32, slot: u64) -> bool {
        let sources = self.ties.mixed_for(seat);
        let Some(Some(Seat::Live(leg))) = self.seats.get(seat as usize) else { return false };
        if sources.is_empty() && !leg.has_overlay() {
            return false;
        }
        self.mix.clear();
        self.mix.resize(leg.frame_samples(), 0);
        // Tracks are laid out so far ahead that 20 ms can be read at the present. A longer frame
        // ends there too and begins earlier, or its end would be silent.
        let ahead = self.mix.len().saturating_sub(FRAME) as u64;
        let from = self.schedule.position(slot).saturating_sub(ahead);
        for source in sources {
            if let Some(Some(Seat::Live(leg))) = self.seats.get(*source as usize) {
                leg.add_to(from, &mut self.mix);
            }
        }
        true
    }

    /// Recordings take down what is over.
    fn take_down(&mut self) {
        if !self.takes.is_empty() {
            let said = said(&self.ties, &self.seats);
            self.takes.advance(self.position(), said);
        }
    }

    /// A recording takes down what was said up to the present.
    fn catch_up(&mut self, id: RecordingId) {
        let said = said(&self.ties, &self.seats);
        self.takes.catch_up(id, self.position(), said);
    }

    /// After a recording, or a leg of one, has begun or ended.
    fn settle_takes(&mut self) {
        let ties = &self.ties;
        self.takes.end_deserted(|leg| ties.seat_of(leg).is_some());
        self.ties.record(self.takes.legs());
    }

    /// An announcement to a leg may have begun or ended.
    fn settle_overlay(&mut self, seat: Option<u32>) {
        let Some(seat) = seat else { return };
        if let Some(Some(Seat::Live(leg))) = self.seats.get(seat as usize) {
            self.ties.announce(seat, leg.has_overlay());
        }
    }

    /// Serves the slots that are due.
    fn send(&mut self) {
        let now = Instant::now();
        let left_out = self.schedule.catch_up(now);
        if left_out > 0 {
            self.meter.skipped(left_out * SLOT_MS);
        }
        let mut legs = std::mem::take(&mut self.due);
        while self.schedule.due(self.schedule.next) <= now {
            let slot = self.schedule.next;
            self.schedule.next += 1;
            let due = Due { at: self.schedule.due(slot), skipped: self.schedule.skipped };
            self.wheel.take(slot, &mut legs);
            for seat in legs.drain(..) {
                let (mut period, mut pressed) = (None, None);
                let is_mixed = self.mix(seat, slot);
                let background = is_mixed.then_some(&mut self.mix[..]);
                let sound = guarded(&mut self.seats, seat, |leg| {
                    leg.frame(due, background, &mut self.frame, &mut self.meter);
                    period = Some(leg.period());
                    pressed = leg.pressed(self.schedule.position(slot) as u32);
                });
                if let Some(key) = pressed {
                    self.heard.begin(true);
                    self.heard.keep(&key.packet(), What::Event, arriving_now());
                    self.pass(seat);
                }
                if is_mixed {
                    self.settle_overlay(Some(seat));
                }
                match period {
                    Some(period) => self.wheel.insert(seat, slot + period),
                    None if !sound => self.end(seat),
                    None => {}
                }
            }
        }
        self.due = legs;
        self.take_down();
    }

    /// Ends the legs whose commands were lost, and forgets those whose handle is gone.
    fn sweep(&mut self) {
        for seat in 0..self.seats.len() {
            if let Some(Seat::Live(leg)) = &self.seats[seat]
                && leg.is_abandoned()
            {
                self.end(seat as u32);
            }
            if let Some(Seat::Ended(ended)) = &self.seats[seat]
                && ended.sweep()
            {
                self.vacate(ended.key(), seat as u32);
            }
        }
    }

    fn look_for_silence(&mut self, now: Instant) {
        if self.silence.is_zero() {
            return;
        }
        for seat in self.seats.iter_mut().flatten() {
            if let Seat::Live(leg) = seat {
                leg.look_for_silence(self.silence, now);
            }
        }
    }

    /// Does something of a leg's, and gives its seat. A leg that panics is ended.
    fn attempt(&mut self, key: LegKey, work: impl FnOnce(&mut Leg)) -> Option<u32> {
        let seat = self.by_key.get(&key).copied()?;
        if guarded(&mut self.seats, seat, work) {
            Some(seat)
        } else {
            self.end(seat);
            None
        }
    }

    fn ended(&self, key: LegKey) -> Option<&EndedLeg> {
        match &self.seats[*self.by_key.get(&key)? as usize] {
            Some(Seat::Ended(ended)) => Some(ended),
            _ => None,
        }
    }

    /// Ends a leg; its seat stays taken until its handle goes.
    fn end(&mut self, seat: u32) {
        if let Some(Seat::Live(leg)) = &self.seats[seat as usize] {
            // Its last words go with it.
            let said = said(&self.ties, &self.seats);
            self.takes.catch_up_with(leg.id(), self.position(), said);
        }
        match self.seats[seat as usize].take() {
            Some(Seat::Live(mut leg)) => {
                self.wheel.remove(seat);
                self.ties.leave(leg.id(), seat);
                if !self.takes.are_over() {
                    self.settle_takes();
                }
                if catch_unwind(AssertUnwindSafe(|| leg.end())).is_err() {
                    tracing::error!(shard = self.number, "a leg's media panicked at its end");
                }
                self.seats[seat as usize] = Some(Seat::Ended(leg.into_ended()));
            }
            other => self.seats[seat as usize] = other,
        }
    }

    fn vacate(&mut self, key: LegKey, seat: u32) {
        self.by_key.remove(&key);
        self.seats[seat as usize] = None;
        self.free.push(seat);
        self.legs.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Adds what legs say from a position on to a mix.
fn said(ties: &Ties, seats: &[Option<Seat>]) -> impl Fn(&[LegId], u64, &mut [i32]) {
    move |legs, position, mix| {
        for seat in legs.iter().filter_map(|leg| ties.seat_of(leg)) {
            if let Some(Some(Seat::Live(leg))) = seats.get(seat as usize) {
                leg.add_to(position, mix);
            }
        }
    }
}

/// Does something of a live leg's; false if it panicked.
fn guarded(seats: &mut [Option<Seat>], seat: u32, work: impl FnOnce(&mut Leg)) -> bool {
    match seats.get_mut(seat as usize) {
        Some(Some(Seat::Live(leg))) => catch_unwind(AssertUnwindSafe(|| work(leg))).is_ok(),
        _ => true,
    }
}
