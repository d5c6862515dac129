//! One leg on its shard: what it plays, and the frames that it sends.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use yunling_switch_contract::{MediaFigures, PlayEnd, PlayId, PlayItem};

use super::events::LegEvents;
use super::handle::{Ending, LegKey, Life};
use super::hearing::Hearing;
use super::meter::Meter;
use super::playout::Playout;
use super::reports::Reports;
use super::sender::Sender;
use super::socket::{Inbox, LegSockets, Port};
use super::{Agreed, rtp, wheel};
use crate::random;

/// A header and 60 ms of samples.
pub(super) const FRAME_LEN: usize = rtp::HEADER_LEN + 60 * SAMPLES_PER_MS as usize;

const SAMPLES_PER_MS: u16 = 8;

/// Before the first connect a leg has no frames; this is only its answer to [`Leg::period`].
const USUAL_FRAME_MS: u8 = 20;

/// The frame that is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// When.
    pub(super) at: Instant,
    /// Slots that the shard has left out since its start.
    pub(super) skipped: u64,
}

/// A leg, owned by its shard.
pub(super) struct Leg {
    key: LegKey,
    events: LegEvents,
    sockets: LegSockets,
    /// From the first connect on.
    flow: Option<Flow>,
    playout: Option<Playout>,
    keys_awaited: bool,
    /// Last, so that the ports are back in the pool when the owner hears of the end.
    ending: Ending,
}

/// A connected leg's traffic.
struct Flow {
    agreed: Agreed,
    sender: Sender,
    hearing: Hearing,
    reports: Reports,
    worst_lateness: Duration,
    /// [`Due::skipped`] at the last frame.
    skipped: Option<u64>,
}

impl Leg {
    pub(super) fn new(key: LegKey, events: LegEvents, ending: Ending, sockets: LegSockets) -> Self {
        Self { key, events, sockets, flow: None, playout: None, keys_awaited: false, ending }
    }

    pub(super) fn key(&self) -> LegKey {
        self.key
    }

    pub(super) fn socket(&self, port: Port) -> &UdpSocket {
        match port {
            Port::Rtp => &self.sockets.rtp,
            Port::Rtcp => &self.sockets.rtcp,
        }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.ending.0.is_abandoned()
    }

    /// Starts or changes the traffic. True if this is the first time.
    pub(super) fn connect(&mut self, agreed: Agreed, now: Instant) -> bool {
        let first = match &mut self.flow {
            Some(flow) => {
                flow.hearing.renew(&agreed);
                flow.reports.renew(&agreed);
                flow.agreed = agreed;
                false
            }
            None => {
                // What came before, early media of whoever rang for the peer, says nothing of
                // where the peer is.
                self.sockets.drain();
                self.flow = Some(Flow::new(agreed, now));
                true
            }
        };
        self.set_detector();
        first
    }

    /// The time between frames, in slots of the wheel.
    pub(super) fn period(&self) -> u64 {
        wheel::period(self.flow.as_ref().map_or(USUAL_FRAME_MS, |flow| flow.agreed.frame_ms()))
    }

    /// Plays, cutting what plays; refused before the first connect.
    pub(super) fn play(&mut self, play: PlayId, items: Vec<PlayItem>) {
        let Some(flow) = &mut self.flow else {
            self.events.finished(play, PlayEnd::Refused);
            return;
        };
        flow.sender.begin_spurt();
        self.finish_play(PlayEnd::Cut);
        self.playout = Some(Playout::new(play, items));
    }

    /// Stops this play, if it is the current one.
    pub(super) fn stop(&mut self, play: PlayId) {
        if self.playout.as_ref().is_some_and(|playout| playout.play() == play) {
            self.finish_play(PlayEnd::Cut);
        }
    }

    /// Whether keys are awaited.
    pub(super) fn await_keys(&mut self, on: bool) {
        self.keys_awaited = on;
        self.set_detector();
    }

    /// Sends the frame that is due, and a report if one is. `buffer` is scratch.
    pub(super) fn frame(&mut self, due: Due, buffer: &mut [u8; FRAME_LEN], meter: &mut Meter) {
        let Some(flow) = &mut self.flow else { return };
        let codec = flow.agreed.codec;
        let samples = u16::from(flow.agreed.frame_ms()) * SAMPLES_PER_MS;
        let datagram = &mut buffer[..rtp::HEADER_LEN + usize::from(samples)];
        let (header, payload) = datagram.split_at_mut(rtp::HEADER_LEN);

        let mut filled = 0;
        let mut over = None;
        // On hold the play stands still: what nobody would hear is not said, and no mark is passed.
        let flows = |playout: &&mut Playout| flow.agreed.send || playout.is_over();
        if let Some(playout) = self.playout.as_mut().filter(flows) {
            let play = playout.play();
            filled = playout.fill(payload, codec, |mark| self.events.mark(play, mark));
            over = (filled == 0).then_some(play);
        }
        payload[filled..].fill(codec.silence());

        flow.pass_over(due.skipped);
        if flow.agreed.send {
            let numbers = flow.sender.next(codec.payload_type(), samples, due.at);
            header.copy_from_slice(&numbers.to_bytes());
            let left = self.sockets.rtp.send_to(datagram, flow.hearing.peer()).is_ok();
            if left {
                flow.sender.sent(samples);
            }
            let lateness = due.at.elapsed();
            flow.worst_lateness = flow.worst_lateness.max(lateness);
            meter.frame(left, lateness);
        } else {
            flow.sender.pass(u32::from(samples));
        }
        if flow.reports.is_due(due.at) {
            flow.report(&self.sockets, due.at, false);
        }
        if let Some(play) = over {
            self.playout = None;
            self.events.finished(play, PlayEnd::Completed);
        }
    }

    /// Reads one of its sockets, once.
    pub(super) fn receive(&mut self, port: Port, inbox: &mut Inbox, meter: &mut Meter) {
        let Some(flow) = &mut self.flow else {
            inbox.receive(self.socket(port), |_| ());
            return;
        };
        match port {
            Port::Rtp => inbox.receive(&self.sockets.rtp, |datagram| {
                flow.hearing.take(datagram, &flow.agreed, &self.events, meter);
            }),
            Port::Rtcp => inbox.receive(&self.sockets.rtcp, |datagram| {
                flow.reports.take(datagram, &flow.sender, meter);
            }),
        }
    }

    /// Ends the traffic: leaves the figures, says goodbye by RTCP, finishes the play.
    pub(super) fn end(&mut self) {
        if let Some(flow) = &mut self.flow {
            self.ending.leave(flow.figures());
            flow.report(&self.sockets, Instant::now(), true);
        }
        self.finish_play(PlayEnd::LegEnded);
        for play in self.ending.0.take_lost_plays() {
            self.events.finished(play, PlayEnd::LegEnded);
        }
    }

    /// Gives up the sockets; what is left answers for an ended leg until its handle goes.
    pub(super) fn into_ended(self) -> EndedLeg {
        EndedLeg { key: self.key, life: Arc::clone(&self.ending.0), events: self.events }
    }

    /// A play whose last sample has left is completed, whatever comes.
    fn finish_play(&mut self, end: PlayEnd) {
        if let Some(playout) = self.playout.take() {
            let end = if playout.is_over() { PlayEnd::Completed } else { end };
            self.events.finished(playout.play(), end);
        }
    }

    fn set_detector(&mut self) {
        if let Some(flow) = &mut self.flow {
            let by_tones = flow.agreed.telephone_event.is_none();
            flow.hearing.listen_for_tones(self.keys_awaited && by_tones);
        }
    }
}

impl Flow {
    fn new(agreed: Agreed, now: Instant) -> Self {
        let [s0, s1, s2, s3, q0, q1, t0, t1, t2, t3, seed @ ..] = random::bytes::<18>();
        let ssrc = u32::from_be_bytes([s0, s1, s2, s3]);
        let timestamp = u32::from_be_bytes([t0, t1, t2, t3]);
        Self {
            sender: Sender::new(ssrc, u16::from_be_bytes([q0, q1]), timestamp),
            hearing: Hearing::new(&agreed),
            reports: Reports::new(&agreed, u64::from_be_bytes(seed), now),
            agreed,
            worst_lateness: Duration::ZERO,
            skipped: None,
        }
    }

    /// Moves the timestamp over slots that the shard left out since the last frame.
    fn pass_over(&mut self, skipped: u64) {
        let slots = skipped - self.skipped.replace(skipped).unwrap_or(skipped);
        if slots > 0 {
            let samples = slots.saturating_mul(wheel::SLOT_MS * u64::from(SAMPLES_PER_MS));
            // Modulo 2^32, as timestamps are.
            self.sender.pass(samples as u32);
        }
    }

    fn report(&mut self, sockets: &LegSockets, now: Instant, bye: bool) {
        self.reports.send(&sockets.rtcp, &self.sender, self.hearing.reception(), now, bye);
    }

    fn figures(&mut self) -> MediaFigures {
        let foreign_packets = self.hearing.foreign() + self.reports.foreign();
        let reception = self.hearing.reception();
        let peer = self.reports.peer();
        MediaFigures {
            sent_packets: self.sender.packets(),
            received_packets: reception.received(),
            lost_packets: reception.lost(),
            foreign_packets,
            jitter_ms: reception.jitter() as f32 / f32::from(SAMPLES_PER_MS),
            reported_loss: peer.loss,
            round_trip_ms: peer.round_trip_ms,
            worst_lateness_ms: self.worst_lateness.as_secs_f32() * 1_000.0,
        }
    }
}

/// What remains of a leg that ended by itself.
pub(super) struct EndedLeg {
    key: LegKey,
    events: LegEvents,
    life: Arc<Life>,
}

impl EndedLeg {
    pub(super) fn key(&self) -> LegKey {
        self.key
    }

    /// A play comes too late.
    pub(super) fn play(&self, play: PlayId) {
        self.events.finished(play, PlayEnd::LegEnded);
    }

    /// Reports the plays that were lost since, and tells whether the handle is gone too.
    pub(super) fn sweep(&self) -> bool {
        for play in self.life.take_lost_plays() {
            self.play(play);
        }
        self.life.is_dropped()
    }
}
