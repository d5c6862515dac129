//! A connected leg's traffic: what was agreed on, what is sent, heard and reported.

use std::time::{Duration, Instant};

use yunling_switch_contract::MediaFigures;

use super::hearing::Hearing;
use super::leg::SAMPLES_PER_MS;
use super::relay::Relay;
use super::reports::Reports;
use super::sender::Sender;
use super::silence::SilenceWatch;
use super::socket::LegSockets;
use super::track::Track;
use super::{Agreed, Phase, wheel};
use crate::random;

/// Before the answer the peer is sent a packet of silence so often: gateways and NATs that wait for
/// one let early media through, and a leg that nobody may speak to yet costs next to nothing.
const OPENING_PAUSE: Duration = Duration::from_millis(200);

/// From the first description on.
pub(super) struct Flow {
    pub(super) agreed: Agreed,
    pub(super) sender: Sender,
    pub(super) hearing: Hearing,
    pub(super) reports: Reports,
    /// Other legs' packets on their way to this one's peer.
    pub(super) relay: Relay,
    pub(super) worst_lateness: Duration,
    /// [`super::leg::Due::skipped`] at the last frame.
    skipped: Option<u64>,
    /// What the peer says, for those who hear it mixed and for recordings.
    pub(super) track: Option<Box<Track>>,
    pub(super) silence: SilenceWatch,
    /// When a packet opened the way before the answer.
    opened: Option<Instant>,
}

impl Flow {
    pub(super) fn new(agreed: Agreed, now: Instant) -> Self {
        let [s0, s1, s2, s3, q0, q1, t0, t1, t2, t3, seed @ ..] = random::bytes::<18>();
        let ssrc = u32::from_be_bytes([s0, s1, s2, s3]);
        let timestamp = u32::from_be_bytes([t0, t1, t2, t3]);
        Self {
            sender: Sender::new(ssrc, u16::from_be_bytes([q0, q1]), timestamp),
            hearing: Hearing::new(&agreed),
            reports: Reports::new(&agreed, u64::from_be_bytes(seed), now),
            relay: Relay::new(),
            agreed,
            worst_lateness: Duration::ZERO,
            skipped: None,
            track: None,
            silence: SilenceWatch::default(),
            opened: None,
        }
    }

    /// Another description, or the answer.
    pub(super) fn renew(&mut self, agreed: Agreed) {
        self.hearing.renew(&agreed);
        self.reports.renew(&agreed);
        if self.agreed.phase != agreed.phase {
            self.sender.begin_spurt();
        }
        // A description is a sign of life too.
        self.silence = SilenceWatch::default();
        self.agreed = agreed;
    }

    /// Whether the call was answered.
    pub(super) fn is_answered(&self) -> bool {
        self.agreed.phase == Phase::Answered
    }

    /// Whether a frame of our own may leave: always once the call is answered, unless the peer holds
    /// us.
    pub(super) fn may_send(&mut self, now: Instant) -> bool {
        if self.is_answered() || !self.agreed.send {
            return self.agreed.send;
        }
        let is_due = self.opened.is_none_or(|opened| now >= opened + OPENING_PAUSE);
        if is_due {
            self.opened = Some(now);
        }
        is_due
    }

    /// Moves the timestamp over slots that the shard left out since the last frame.
    pub(super) fn pass_over(&mut self, skipped: u64) {
        let slots = skipped - self.skipped.replace(skipped).unwrap_or(skipped);
        if slots > 0 {
            let samples = slots.saturating_mul(wheel::SLOT_MS * u64::from(SAMPLES_PER_MS));
            // Modulo 2^32, as timestamps are.
            self.sender.skip(samples as u32);
        }
    }

    /// Looks whether the peer has just been silent for longer than it may.
    pub(super) fn look_for_silence(&mut self, longest: Duration, now: Instant) -> Option<Duration> {
        let signs = self.hearing.reception().received() + self.reports.taken();
        let is_expected = self.is_answered() && self.agreed.receive;
        self.silence.look(signs, is_expected, longest, now)
    }

    pub(super) fn report(&mut self, sockets: &LegSockets, now: Instant, bye: bool) {
        self.reports.send(&sockets.rtcp, &self.sender, self.hearing.reception(), now, bye);
    }

    pub(super) fn figures(&mut self) -> MediaFigures {
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
