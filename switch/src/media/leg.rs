//! One leg on its shard: what it plays, and the frames that it sends.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use yunling_switch_contract::{Codec, KeySource, LegId, PlayEnd, PlayId, PlayItem, PlayMode};

use super::events::LegEvents;
use super::flow::Flow;
use super::handle::{Ending, LegKey, Life};
use super::heard::{Heard, Said, What};
use super::meter::Meter;
use super::playout::Playout;
use super::pressed::{KeyPacket, Pressed};
use super::relay::DATAGRAM_LEN;
use super::socket::{Inbox, LegSockets, Port};
use super::track::{Now, Track, limited};
use super::{Agreed, g711, rtp, wheel};
use crate::random;

pub(super) const SAMPLES_PER_MS: u16 = 8;

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
    /// Played over what is heard.
    overlay: Option<Playout>,
    keys_awaited: bool,
    /// From the first key on that came by signalling.
    pressed: Option<Box<Pressed>>,
    /// Last, so that the ports are back in the pool when the owner hears of the end.
    ending: Ending,
}

impl Leg {
    pub(super) fn new(key: LegKey, events: LegEvents, ending: Ending, sockets: LegSockets) -> Self {
        Self {
            key,
            events,
            sockets,
            flow: None,
            playout: None,
            overlay: None,
            keys_awaited: false,
            pressed: None,
            ending,
        }
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

    /// Starts or changes the traffic, as was `ordered` at that time (since Unix's epoch). True if
    /// this is the first time.
    pub(super) fn connect(&mut self, agreed: Agreed, ordered: Duration, now: Instant) -> bool {
        let first = match &mut self.flow {
            Some(flow) => {
                flow.renew(agreed);
                false
            }
            None => {
                // What came before says nothing of where the peer is.
                self.sockets.drain(ordered);
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

    /// Plays, cutting what plays in its place; refused before the answer.
    pub(super) fn play(&mut self, play: PlayId, items: Vec<PlayItem>, mode: PlayMode) {
        let Some(flow) = self.flow.as_mut().filter(|flow| flow.is_answered()) else {
            self.events.finished(play, PlayEnd::Refused);
            return;
        };
        match mode {
            PlayMode::Over => {
                self.finish_overlay(PlayEnd::Cut);
                self.overlay = Some(Playout::new(play, items));
            }
            PlayMode::Once | PlayMode::Repeated => {
                flow.sender.begin_spurt();
                self.finish_play(PlayEnd::Cut);
                self.playout = Some(match mode {
                    PlayMode::Repeated => Playout::repeated(play, items),
                    _ => Playout::new(play, items),
                });
            }
        }
    }

    /// Whether something is played over what the leg hears.
    pub(super) fn has_overlay(&self) -> bool {
        self.overlay.is_some()
    }

    /// What the leg is called.
    pub(super) fn id(&self) -> &LegId {
        &self.events.leg
    }

    /// The samples of a frame of its own.
    pub(super) fn frame_samples(&self) -> usize {
        let ms = self.flow.as_ref().map_or(USUAL_FRAME_MS, |flow| flow.agreed.frame_ms());
        usize::from(ms) * usize::from(SAMPLES_PER_MS)
    }

    /// Lays what the peer said just now out on its track; `now` is the position that is read next.
    pub(super) fn lay_out(&mut self, heard: &Heard, now: Now) {
        let Some(flow) = &mut self.flow else { return };
        let track = flow.track.get_or_insert_with(|| Box::new(Track::new()));
        for (said, payload) in heard.packets() {
            if let What::Audio(codec) = said.what {
                let linear = g711::linear(codec);
                let samples = payload.iter().map(|code| linear[usize::from(*code)]);
                track.write((said.ssrc, said.timestamp), now.came(said.arrived), samples);
            }
        }
    }

    /// Adds what the peer says from a position on to a mix.
    pub(super) fn add_to(&self, position: u64, mix: &mut [i32]) {
        if let Some(track) = self.flow.as_ref().and_then(|flow| flow.track.as_ref()) {
            track.add(position, mix);
        }
    }

    /// Sends what another leg's peer said just now on to this leg's peer, unless that has not
    /// answered, is on hold or is being played something else. Who hears it mixed is passed its
    /// keys alone.
    pub(super) fn pass_on(
        &mut self,
        heard: &Heard,
        keys_alone: bool,
        buffer: &mut [u8; DATAGRAM_LEN],
        meter: &mut Meter,
    ) {
        let hears = |flow: &&mut Flow| flow.agreed.send && flow.is_answered();
        let Some(flow) = self.flow.as_mut().filter(hears) else { return };
        if self.playout.is_some() {
            return;
        }
        let now = Instant::now();
        let Flow { agreed, sender, hearing, relay, .. } = flow;
        let is_passed = |said: &Said| !keys_alone || said.what == What::Event;
        for packet in heard.packets().filter(|packet| is_passed(packet.0)) {
            if !relay.has_room(now) {
                sender.leave_out(packet.0);
                meter.passed(false);
                continue;
            }
            let Some(ready) = relay.datagram(packet, agreed, sender, buffer, now) else { continue };
            let datagram = &buffer[..ready.length];
            let left = self.sockets.rtp.send_to(datagram, hearing.peer()).is_ok();
            if left {
                sender.sent(datagram.len() - rtp::HEADER_LEN);
            }
            meter.passed(left);
        }
    }

    /// Stops this play, if it is the current one.
    pub(super) fn stop(&mut self, play: PlayId) {
        if self.playout.as_ref().is_some_and(|playout| playout.play() == play) {
            self.finish_play(PlayEnd::Cut);
        }
        if self.overlay.as_ref().is_some_and(|overlay| overlay.play() == play) {
            self.finish_overlay(PlayEnd::Cut);
        }
    }

    /// Whether keys are awaited.
    pub(super) fn await_keys(&mut self, on: bool) {
        self.keys_awaited = on;
        self.set_detector();
    }

    /// The peer pressed a key by signalling, which counts unless it came in the media as well.
    pub(super) fn press(&mut self, key: char) {
        if self.flow.as_mut().is_some_and(|flow| !flow.hearing.signalled(key)) {
            return;
        }
        self.events.key(key, KeySource::Info);
        let made = || Box::new(Pressed::new(u32::from_be_bytes(random::bytes())));
        self.pressed.get_or_insert_with(made).press(key);
    }

    /// Whether such a key is on its way to those who hear the leg. They hear nothing else meanwhile.
    pub(super) fn is_pressing(&self) -> bool {
        self.pressed.as_ref().is_some_and(|pressed| pressed.is_under_way())
    }

    /// What goes out of it with the frame that is due; `timestamp` is the present.
    pub(super) fn pressed(&mut self, timestamp: u32) -> Option<KeyPacket> {
        let samples = u16::try_from(self.frame_samples()).ok()?;
        self.pressed.as_mut()?.next(timestamp, samples)
    }

    /// Sends the frame that is due, and a report if one is. `buffer` is scratch; `background` is what
    /// the leg hears mixed, if it hears anything so.
    pub(super) fn frame(
        &mut self,
        due: Due,
        background: Option<&mut [i32]>,
        buffer: &mut [u8; DATAGRAM_LEN],
        meter: &mut Meter,
    ) {
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
        let plays = self.playout.is_some() && over.is_none();
        let mut overlay_over = None;
        let mut mixes = false;
        match background {
            Some(mix) if !plays && flow.is_answered() => {
                mixes = true;
                overlay_over = add_overlay(&mut self.overlay, codec, payload, mix, &self.events);
                for (code, sum) in payload.iter_mut().zip(mix.iter()) {
                    *code = g711::encoded(limited(*sum), codec);
                }
            }
            _ => payload[filled..].fill(codec.silence()),
        }

        flow.pass_over(due.skipped);
        let is_supplied =
            if mixes { flow.relay.is_pressing(due.at) } else { flow.relay.supplies(due.at) };
        if is_supplied && !plays && filled == 0 {
            // The peer is sent another leg's packets as they come; in a mix, its keys.
        } else if flow.may_send(due.at) {
            let numbers = flow.sender.next(codec.payload_type(), samples, due.at);
            header.copy_from_slice(&numbers.to_bytes());
            let left = self.sockets.rtp.send_to(datagram, flow.hearing.peer()).is_ok();
            if left {
                flow.sender.sent(usize::from(samples));
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
        if let Some(play) = overlay_over {
            self.overlay = None;
            self.events.finished(play, PlayEnd::Completed);
        }
    }

    /// Reads one of its sockets, once.
    pub(super) fn receive(
        &mut self,
        port: Port,
        inbox: &mut Inbox,
        heard: &mut Heard,
        meter: &mut Meter,
    ) {
        let Some(flow) = &mut self.flow else {
            inbox.receive(self.socket(port), |_| ());
            return;
        };
        match port {
            Port::Rtp => inbox.receive(&self.sockets.rtp, |datagram| {
                flow.hearing.take(datagram, &flow.agreed, &self.events, heard, meter);
            }),
            Port::Rtcp => inbox.receive(&self.sockets.rtcp, |datagram| {
                flow.reports.take(datagram, &flow.sender, meter);
            }),
        }
    }

    /// Tells if the peer has fallen silent for longer than it may.
    pub(super) fn look_for_silence(&mut self, longest: Duration, now: Instant) {
        let flow = self.flow.as_mut();
        if let Some(silent) = flow.and_then(|flow| flow.look_for_silence(longest, now)) {
            self.events.media_lost(silent);
        }
    }

    /// Ends the traffic: leaves the figures, says goodbye by RTCP, finishes the play.
    pub(super) fn end(&mut self) {
        if let Some(flow) = &mut self.flow {
            self.ending.leave(flow.figures());
            flow.report(&self.sockets, Instant::now(), true);
        }
        self.finish_play(PlayEnd::LegEnded);
        self.finish_overlay(PlayEnd::LegEnded);
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

    fn finish_overlay(&mut self, end: PlayEnd) {
        if let Some(overlay) = self.overlay.take() {
            let end = if overlay.is_over() { PlayEnd::Completed } else { end };
            self.events.finished(overlay.play(), end);
        }
    }

    fn set_detector(&mut self) {
        if let Some(flow) = &mut self.flow {
            let by_tones = flow.is_answered() && flow.agreed.telephone_event.is_none();
            flow.hearing.listen_for_tones(self.keys_awaited && by_tones);
        }
    }
}

/// Adds an announcement's next frame to a mix; gives the play if it is over. `scratch` takes its
/// codes.
fn add_overlay(
    overlay: &mut Option<Playout>,
    codec: Codec,
    scratch: &mut [u8],
    mix: &mut [i32],
    events: &LegEvents,
) -> Option<PlayId> {
    let overlay = overlay.as_mut()?;
    let play = overlay.play();
    let filled = overlay.fill(scratch, codec, |mark| events.mark(play, mark));
    let linear = g711::linear(codec);
    for (sum, code) in mix.iter_mut().zip(&scratch[..filled]) {
        *sum += i32::from(linear[usize::from(*code)]);
    }
    (filled == 0).then_some(play)
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
