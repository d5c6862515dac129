//! The INVITE's own transaction: trying, ringing, the final response, CANCEL and ACK.

use std::time::Instant;

use super::{Call, Final, Refusal, milliseconds};
use crate::events::What;
use crate::handset::Manner;
use crate::message::Message;
use crate::network::{ALLOW, Network};
use crate::orders::{Behaviour, Sign};
use crate::transaction::Repeats;
use crate::voice::Voice;

impl Call {
    /// The first thing that becomes of an INVITE: nothing, a refusal, or 100.
    pub(super) fn admit(&mut self, network: &mut Network, now: Instant) {
        if let Manner::Dead = self.handset.manner() {
            self.ignore(network, now, "INVITE");
            return;
        }
        let trying = Message::reply(&self.invite, 100, "Trying", None).to_bytes();
        network.wire.send(&self.route, &trying);
        self.provisional = Some(trying);
        if let Some(required) = self.invite.header("Require").map(str::to_owned) {
            self.refuse(network, now, 420, "Bad Extension", Some(("Unsupported", required)));
            return;
        }
        let line = match *self.handset.manner() {
            Manner::Answers(answers) => (None, answers.loss_percent),
            Manner::Told(behaviour) => (behaviour.codec, 0.0),
            Manner::Dead | Manner::Rings | Manner::Refuses { .. } => return,
        };
        match self.open_media(network, now, line) {
            Ok(media) => self.media = Some(media),
            Err(Refusal::Offer(fault)) => {
                let warning = format!("304 carrier-sim \"{fault}\"");
                self.refuse(network, now, 488, "Not Acceptable Here", Some(("Warning", warning)));
            }
            Err(Refusal::Fault(error)) => {
                network.events.emit(now, Some(&self.who), &What::Fault { error });
                self.refuse(network, now, 500, "Server Internal Error", None);
            }
        }
    }

    /// A copy of the INVITE: the last response again.
    pub(crate) fn invited_again(&mut self, network: &mut Network, now: Instant) {
        if self.is_dead_number() {
            self.ignore(network, now, "INVITE");
            return;
        }
        let last = self.finals.first().map(|reply| &reply.bytes).or(self.provisional.as_ref());
        if let Some(bytes) = last {
            network.wire.send(&self.route, bytes);
        }
        network.events.emit(now, Some(&self.who), &What::InviteRepeated);
    }

    pub(super) fn ring(&mut self, network: &mut Network, now: Instant, sign: Sign) {
        let Some((code, reason)) = sign.status() else { return };
        let early_media = sign.has_media();
        let mut ringing = self.reply(code, reason);
        if early_media {
            self.attach_sdp(&mut ringing);
        }
        let tone = self.behaviour().and_then(|behaviour| behaviour.early_hz);
        if let Some(media) = self.media.as_mut().filter(|_| sign == Sign::EarlyMedia) {
            media.mouth().set_background(network.sounds.ringback.clone());
            media.mouth().set_voice(tone.map(|hz| Voice::new(hz, None)));
            media.start_sending(now);
        }
        let bytes = ringing.to_bytes();
        network.wire.send(&self.route, &bytes);
        self.provisional = Some(bytes);
        self.ringing = Some(now);
        network.events.emit(now, Some(&self.who), &What::Ringing { code, early_media });
    }

    /// A final response other than 2xx, with one more header if need be.
    pub(super) fn refuse(
        &mut self,
        network: &mut Network,
        now: Instant,
        code: u16,
        reason: &str,
        header: Option<(&str, String)>,
    ) {
        let mut reply = self.reply(code, reason);
        let why = header.as_ref().map_or(reason, |(_, value)| value).to_owned();
        if let Some((name, value)) = header {
            reply.push(name, &value);
        }
        let repeats =
            if self.route.is_reliable() { Repeats::never(now) } else { Repeats::start(now) };
        self.send_final(network, now, reply, code, repeats);
        network.events.emit(now, Some(&self.who), &What::Refused { code, why });
        self.end(network, now, if code == 487 { "cancel" } else { "refused" });
    }

    pub(super) fn answer(&mut self, network: &mut Network, now: Instant, machine: bool) {
        let mut reply = self.reply(200, "OK");
        self.attach_sdp(&mut reply);
        reply.push("Allow", ALLOW);
        // A 2xx is repeated over TCP too: proxies on the way may not be reliable (§13.3.1.4).
        self.send_final(network, now, reply, 200, Repeats::start(now));
        self.answered = Some(now);
        let behaviour = self.behaviour();
        let Some(media) = &mut self.media else { return };
        let sounds = &network.sounds;
        media.mouth().set_background(sounds.room.clone());
        match behaviour {
            Some(told) => {
                let voice = told.voice_hz.map(|hz| Voice::new(hz, told.beat_ms));
                media.mouth().set_voice(voice);
            }
            None if machine => media.mouth().say(sounds.greeting.clone()),
            None => media.mouth().say(sounds.hello.clone()),
        }
        media.start_sending(now);
        media.ear().forget(now);
        let agreed = media.agreed();
        let what = What::Answered {
            codec: agreed.law.name(),
            telephone_event: agreed.key_payload_type.is_some(),
            rtp: media.local().ok(),
            peer_rtp: agreed.remote,
            after_ms: milliseconds(self.arrived, now),
        };
        network.events.emit(now, Some(&self.who), &what);
    }

    /// How it was told to behave, if it was.
    fn behaviour(&self) -> Option<Behaviour> {
        match *self.handset.manner() {
            Manner::Told(behaviour) => Some(behaviour),
            _ => None,
        }
    }

    /// A CANCEL came: it ends the call if it came in time.
    pub(crate) fn cancelled(&mut self, network: &mut Network, now: Instant, cancel: &Message) {
        if self.is_dead_number() {
            self.ignore(network, now, "CANCEL");
            self.end(network, now, "cancel");
            return;
        }
        let in_time = self.is_open();
        let reason = cancel.header("Reason").map(str::to_owned);
        network.events.emit(now, Some(&self.who), &What::Cancel { in_time, reason });
        if in_time {
            self.refuse(network, now, 487, "Request Terminated", None);
        }
    }

    pub(crate) fn acked(&mut self, network: &mut Network, now: Instant, ack: &Message) {
        let cseq = ack.cseq().unwrap_or_default();
        for reply in self.finals.iter_mut().filter(|reply| reply.cseq == cseq && !reply.acked) {
            reply.acked = true;
            let after_ms = milliseconds(reply.sent, now);
            network.events.emit(now, Some(&self.who), &What::Acked { code: reply.code, after_ms });
        }
    }

    /// A response to the INVITE with what every one but 100 needs.
    fn reply(&self, code: u16, reason: &str) -> Message {
        let mut reply = Message::reply(&self.invite, code, reason, Some(&self.tag));
        if code < 300 {
            reply.push("Contact", self.dialog.contact());
        }
        reply
    }

    fn attach_sdp(&self, reply: &mut Message) {
        let answer = self.media.as_ref().and_then(|media| {
            let local = media.local().ok()?;
            Some(media.agreed().answer(local, self.sdp_version))
        });
        if let Some(answer) = answer {
            reply.set_body("application/sdp", answer);
        }
    }

    fn send_final(
        &mut self,
        network: &mut Network,
        now: Instant,
        reply: Message,
        code: u16,
        repeats: Repeats,
    ) {
        let bytes = reply.to_bytes();
        network.wire.send(&self.route, &bytes);
        let cseq = self.invite.cseq().unwrap_or_default();
        let route = self.route.clone();
        self.finals.push(Final { cseq, code, bytes, route, sent: now, repeats, acked: false });
    }

    fn ignore(&self, network: &mut Network, now: Instant, method: &str) {
        network.events.emit(now, Some(&self.who), &What::Ignored { method: method.to_owned() });
    }
}
