//! One call, from its INVITE until nobody waits for anything any more.

mod answering;
mod changing;
mod talking;
mod telling;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::address;
use crate::dialog::Dialog;
use crate::dice::Dice;
use crate::ear::Ear;
use crate::events::{What, Who};
use crate::g711::Law;
use crate::handset::{Action, Handset, Heard, Manner};
use crate::media::{Media, News};
use crate::message::Message;
use crate::mouth::Mouth;
use crate::network::Network;
use crate::sdp;
use crate::transaction::{Due, GIVE_UP, Repeats};
use crate::wire::Route;

/// A call that is over answers late copies for so long (timers I and K of RFC 3261).
const LINGER: Duration = Duration::from_secs(5);

/// One call.
pub(crate) struct Call {
    who: Who,
    invite: Message,
    route: Route,
    tag: String,
    dialog: Dialog,
    handset: Handset,
    media: Option<Media>,
    media_timeout: Duration,
    dice: Dice,
    /// The last provisional response, for copies of the INVITE.
    provisional: Option<Vec<u8>>,
    finals: Vec<Final>,
    requests: Vec<Sent>,
    last_ack: Option<LastAck>,
    sdp_version: u32,
    arrived: Instant,
    ringing: Option<Instant>,
    answered: Option<Instant>,
    ended: Option<Instant>,
}

/// A final response to an INVITE that waits for its ACK.
struct Final {
    cseq: u32,
    code: u16,
    bytes: Vec<u8>,
    route: Route,
    sent: Instant,
    repeats: Repeats,
    acked: bool,
}

/// The ACK of our last re-INVITE, for copies of its answer.
struct LastAck {
    cseq: u32,
    bytes: Vec<u8>,
    route: Route,
}

/// A request of ours that waits for its answer.
struct Sent {
    branch: String,
    method: &'static str,
    bytes: Vec<u8>,
    route: Route,
    repeats: Repeats,
}

impl Call {
    /// A first INVITE came; `route` is the way back, `what` is told of it.
    pub(crate) fn start(
        network: &mut Network,
        now: Instant,
        invite: Message,
        uri: &str,
        route: Route,
        what: &What,
    ) -> Self {
        let mut dice = Dice::new(network.seed, invite.call_id());
        let tag = dice.token();
        let to = address::user(uri).to_owned();
        let contact = network.contact(&to, &route);
        let options = &network.options;
        let told = network.behaviours.get(&to).copied().map(Manner::Told);
        let manner = Manner::in_mood(options.to_invites)
            .or(told)
            .unwrap_or_else(|| Manner::of(&to, options.answer_after_ms));
        let mut call = Self {
            who: Who {
                call: invite.call_id().to_owned(),
                to,
                from: user_in(&invite, "From").unwrap_or_default(),
                identity: user_in(&invite, "P-Asserted-Identity")
                    .or_else(|| user_in(&invite, "Remote-Party-ID")),
            },
            dialog: Dialog::accept(&invite, &tag, &contact),
            handset: Handset::new(manner, options.press_after_ms),
            media: None,
            media_timeout: Duration::from_secs(options.media_timeout_s),
            dice,
            provisional: None,
            finals: Vec::new(),
            requests: Vec::new(),
            last_ack: None,
            sdp_version: 1,
            arrived: now,
            ringing: None,
            answered: None,
            ended: None,
            invite,
            route,
            tag,
        };
        network.events.emit(now, Some(&call.who), what);
        call.admit(network, now);
        call
    }

    /// Moves on: media, the handset's next doing, repeats, time-outs.
    pub(crate) fn tick(&mut self, network: &mut Network, now: Instant) {
        if let Some(media) = &mut self.media {
            let mut news = std::mem::take(&mut network.news);
            media.tick(now, &mut network.scratch, &mut news);
            for item in news.drain(..) {
                self.tell(network, now, item);
            }
            network.news = news;
        }
        let at_ms = milliseconds(self.arrived, now);
        let heard = self.media.as_mut().map_or(Heard::default(), |media| media.ear().heard(now));
        if let Some(action) = self.handset.poll(at_ms, heard) {
            match action {
                Action::Ring(sign) => self.ring(network, now, sign),
                Action::Refuse { code, reason } => self.refuse(network, now, code, reason, None),
                Action::Answer { machine } => self.answer(network, now, machine),
                Action::Press(key) => self.press(network, now, key),
                Action::HangUp => self.hang_up(network, now, "handset"),
            }
        }
        self.repeat(network, now);
        let deaf_for = self.media.as_ref().and_then(|media| media.deaf_for(now));
        if self.talks() && deaf_for.is_some_and(|deaf_for| deaf_for >= self.media_timeout) {
            self.hang_up(network, now, "media_timeout");
        }
    }

    /// Whether nobody waits for anything any more.
    pub(crate) fn is_gone(&self, now: Instant) -> bool {
        let waits = self.finals.iter().any(|reply| !reply.acked) || !self.requests.is_empty();
        self.ended.is_some_and(|ended| now >= ended + LINGER) && !waits
    }

    /// Whether its media is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Ends media and recording; the last thing that is said about them.
    pub(crate) fn end(&mut self, network: &mut Network, now: Instant, by: &'static str) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(now);
        self.handset.settle();
        // Whoever has hung up, or has been, waits for no ACK of the answer.
        for reply in self.finals.iter_mut().filter(|reply| reply.code < 300) {
            reply.acked = true;
        }
        let picked_up = self.answered.unwrap_or(now);
        let rang_ms = self.ringing.map_or(0, |ringing| milliseconds(ringing, picked_up));
        let talked_ms = self.answered.map_or(0, |answered| milliseconds(answered, now));
        let media = self.media.take().map(|media| media.finish(now, &mut network.scratch));
        let (rtp, wav) = match media {
            Some((figures, Ok(wav))) => (Some(figures), wav),
            Some((figures, Err(error))) => {
                let error = error.to_string();
                network.events.emit(now, Some(&self.who), &What::RecordingFailed { error });
                (Some(figures), None)
            }
            None => (None, None),
        };
        network.events.emit(
            now,
            Some(&self.who),
            &What::Ended { by, rang_ms, talked_ms, wav, rtp },
        );
    }

    /// Whether both sides are connected.
    fn talks(&self) -> bool {
        self.answered.is_some() && self.ended.is_none()
    }

    /// Whether the INVITE has no final response yet.
    fn is_open(&self) -> bool {
        self.finals.is_empty() && self.ended.is_none()
    }

    /// Whether nothing is ever said, not even to a CANCEL.
    pub(crate) fn is_dead_number(&self) -> bool {
        *self.handset.manner() == Manner::Dead
    }

    fn tell(&mut self, network: &mut Network, now: Instant, news: News) {
        let what = match news {
            News::Key(key) => What::KeyHeard { key: key.to_string(), by: "rfc4733" },
            News::RecordingFailed(error) => What::RecordingFailed { error },
        };
        network.events.emit(now, Some(&self.who), &what);
    }

    /// Makes the media of a number that answers, from the offer.
    fn open_media(
        &self,
        network: &mut Network,
        now: Instant,
        (codec, loss_percent): (Option<Law>, f32),
    ) -> Result<Media, Refusal> {
        let options = &network.options;
        let codecs = codec.as_ref().map_or(&options.codecs[..], std::slice::from_ref);
        let agreed = sdp::agree(&self.invite.body, codecs, !options.no_telephone_event)?;
        let path = options.record.as_ref().map(|folder| folder.join(recording_name(&self.who)));
        let ear = Ear::open(agreed.law, path, options.packets, now)
            .map_err(|error| Refusal::Fault(error.to_string()))?;
        let socket = network
            .ports
            .bind(network.address.ip())
            .map_err(|error| Refusal::Fault(format!("no port for RTP: {error}")))?;
        let mouth = Mouth::new(agreed.law, network.sounds.room.clone());
        let loss_percent = loss_percent.max(options.loss_percent);
        let times = (network.clock, now);
        Media::new(socket, agreed, ear, mouth, self.dice.clone(), loss_percent, times)
            .map_err(|error| Refusal::Fault(error.to_string()))
    }

    fn repeat(&mut self, network: &mut Network, now: Instant) {
        let mut no_ack = false;
        for reply in self.finals.iter_mut().filter(|reply| !reply.acked) {
            match reply.repeats.poll(now) {
                Due::Nothing => {}
                Due::Again => network.wire.send(&reply.route, &reply.bytes),
                Due::GiveUp => {
                    reply.acked = true;
                    no_ack |= reply.code < 300;
                }
            }
        }
        let mut unanswered = false;
        self.requests.retain_mut(|request| match request.repeats.poll(now) {
            Due::Nothing => true,
            Due::Again => {
                network.wire.send(&request.route, &request.bytes);
                true
            }
            Due::GiveUp => {
                unanswered |= request.method == "BYE";
                false
            }
        });
        if unanswered {
            network.events.emit(now, Some(&self.who), &What::ByeUnanswered);
        }
        if no_ack && self.ended.is_none() {
            network.events.emit(now, Some(&self.who), &What::NoAck);
            // RFC 3261 §13.3.1.4: a session without ACK is ended by BYE.
            self.hang_up(network, now, "no_ack");
        }
        if self.is_dead_number() && now >= self.arrived + GIVE_UP {
            self.end(network, now, "never_replied");
        }
    }
}

/// Why a number that answers cannot take a call.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// The caller's offer.
    #[error(transparent)]
    Offer(#[from] sdp::Unacceptable),
    /// The fake network itself.
    #[error("{0}")]
    Fault(String),
}

fn user_in(message: &Message, header: &str) -> Option<String> {
    message.header(header).map(|value| address::user(address::uri(value)).to_owned())
}

/// `<to>-<call-id>.wav`, with what a file name cannot hold as `_`.
fn recording_name(who: &Who) -> PathBuf {
    let safe = |text: &str| -> String {
        text.chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+') {
                    c
                } else {
                    '_'
                }
            })
            .take(100)
            .collect()
    };
    format!("{}-{}.wav", safe(&who.to), safe(&who.call)).into()
}

fn milliseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_have_safe_names() {
        let name = |to: &str, call: &str| {
            recording_name(&Who { to: to.into(), call: call.into(), ..Who::default() })
        };
        assert_eq!(
            name("13800138000", "CA1@127.0.0.1"),
            PathBuf::from("13800138000-CA1_127.0.0.1.wav")
        );
        assert_eq!(name("..", "../../x y"), PathBuf::from("..-.._.._x_y.wav"));
    }
}
