//! Requests within the dialog: keys and BYE of ours, what the caller sends in mid-call.

use std::time::Instant;

use super::{Call, Final, Sent};
use crate::address;
use crate::dialog::Via;
use crate::events::What;
use crate::message::Message;
use crate::network::Network;
use crate::options::Keys;
use crate::sdp;
use crate::sounds;
use crate::transaction::Repeats;
use crate::wire::Route;

impl Call {
    pub(super) fn press(&mut self, network: &mut Network, now: Instant, key: char) {
        let Some(media) = &mut self.media else { return };
        media.ear().forget(now);
        let by_event = media.agreed().key_payload_type.is_some();
        let by = match network.options.keys {
            Keys::Rfc4733 if by_event => {
                media.mouth().press(key);
                "rfc4733"
            }
            Keys::Info => {
                let body = format!("Signal={key}\r\nDuration={}\r\n", sounds::KEY_MS);
                self.request(
                    network,
                    now,
                    "INFO",
                    Some(("application/dtmf-relay", body.into_bytes())),
                );
                "info"
            }
            Keys::Rfc4733 | Keys::Inband => {
                if let Some(tones) = sounds::key(key) {
                    media.mouth().say(tones);
                }
                "inband"
            }
        };
        network.events.emit(now, Some(&self.who), &What::Key { key, by });
    }

    /// Sends BYE and ends the media.
    pub(super) fn hang_up(&mut self, network: &mut Network, now: Instant, why: &'static str) {
        self.request(network, now, "BYE", None);
        network.events.emit(now, Some(&self.who), &What::ByeSent { why });
        self.end(network, now, why);
    }

    /// The caller's BYE; answered by whoever asked.
    pub(crate) fn bye(&mut self, network: &mut Network, now: Instant, bye: &Message) {
        let reason = bye.header("Reason").map(str::to_owned);
        network.events.emit(now, Some(&self.who), &What::ByeReceived { reason });
        if self.is_open() {
            // BYE before the answer (early dialog) ends the INVITE too (§15.1.2).
            self.refuse(network, now, 487, "Request Terminated", None);
            return;
        }
        self.end(network, now, "caller");
    }

    /// INFO from the caller: a key, perhaps.
    pub(crate) fn informed(&mut self, network: &mut Network, now: Instant, info: &Message) {
        let body = String::from_utf8_lossy(&info.body);
        let signal = body.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("Signal").then(|| value.trim().to_owned())
        });
        if let Some(key) = signal {
            network.events.emit(now, Some(&self.who), &What::KeyHeard { key, by: "info" });
        }
    }

    /// A re-INVITE: its response is repeated until the ACK.
    pub(crate) fn invited_to_change(
        &mut self,
        network: &mut Network,
        now: Instant,
        invite: &Message,
        route: Route,
    ) {
        let cseq = invite.cseq().unwrap_or_default();
        if let Some(before) = self.finals.iter().find(|reply| reply.cseq == cseq) {
            network.wire.send(&route, &before.bytes);
            return;
        }
        let reply = self.change(network, now, invite);
        let code = reply.code();
        let bytes = reply.to_bytes();
        network.wire.send(&route, &bytes);
        let repeats = if code >= 300 && route.is_reliable() {
            Repeats::never(now)
        } else {
            Repeats::start(now)
        };
        self.finals.push(Final { cseq, code, bytes, route, sent: now, repeats, acked: false });
    }

    /// What a re-INVITE or UPDATE asks for; gives back the response.
    pub(crate) fn change(
        &mut self,
        network: &mut Network,
        now: Instant,
        request: &Message,
    ) -> Message {
        // Both at once is glare (RFC 3261 §14.2).
        let ours = self.is_changing();
        let Some(media) = self.media.as_mut().filter(|_| self.answered.is_some() && !ours) else {
            return Message::reply(request, 491, "Request Pending", None);
        };
        self.dialog.refresh_target(request);
        let mut reply = Message::reply(request, 200, "OK", None);
        reply.push("Contact", self.dialog.contact());
        if !request.body.is_empty() {
            let law = media.agreed().law;
            match sdp::agree(&request.body, &[law], !network.options.no_telephone_event) {
                Ok(agreed) => media.renew(agreed, now),
                Err(fault) => {
                    let mut refusal = Message::reply(request, 488, "Not Acceptable Here", None);
                    refusal.push("Warning", &format!("304 carrier-sim \"{fault}\""));
                    return refusal;
                }
            }
            self.sdp_version += 1;
        }
        // A re-INVITE without an offer wants ours in the 200 (RFC 3264 §5); ours stays the same.
        let speaks = !request.body.is_empty() || request.method() == "INVITE";
        if let (true, Ok(local)) = (speaks, media.local()) {
            reply.set_body("application/sdp", media.agreed().answer(local, self.sdp_version));
        }
        let what = What::SessionChanged {
            method: request.method().to_owned(),
            direction: media.agreed().direction.name(),
        };
        network.events.emit(now, Some(&self.who), &what);
        reply
    }

    /// A response to a request of ours.
    pub(crate) fn answered_by_caller(
        &mut self,
        network: &mut Network,
        now: Instant,
        response: &Message,
    ) {
        let code = response.code();
        let branch = address::parameter(response.top_via(), "branch").unwrap_or_default();
        let Some(at) = self.requests.iter().position(|request| request.branch == branch) else {
            return self.change_answered_again(network, response);
        };
        if code < 200 {
            // An INVITE that has been heard is not repeated (§17.1.1.2); others are.
            if self.requests[at].method == "INVITE" {
                self.requests[at].repeats = Repeats::never(now);
            }
            return;
        }
        let request = self.requests.swap_remove(at);
        let what = match request.method {
            "INVITE" => return self.change_answered(network, now, response, request.branch),
            "BYE" => What::ByeAnswered { code },
            _ => What::InfoAnswered { code },
        };
        network.events.emit(now, Some(&self.who), &what);
    }

    pub(super) fn request(
        &mut self,
        network: &mut Network,
        now: Instant,
        method: &'static str,
        body: Option<(&str, Vec<u8>)>,
    ) {
        let route = Route::to(self.dialog.next_hop(), &self.route);
        let branch = format!("z9hG4bK{}", self.dice.token());
        let via = Via {
            transport: route.transport(),
            sent_by: network.address.to_string(),
            branch: branch.clone(),
        };
        let mut request = self.dialog.request(method, &via);
        if let Some((content_type, body)) = body {
            request.set_body(content_type, body);
        }
        let bytes = request.to_bytes();
        network.wire.send(&route, &bytes);
        let repeats = if route.is_reliable() { Repeats::never(now) } else { Repeats::start(now) };
        self.requests.push(Sent { branch, method, bytes, route, repeats });
    }
}
