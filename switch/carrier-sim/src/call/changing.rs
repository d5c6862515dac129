//! A re-INVITE of the handset's own: hold and retrieve.

use std::time::Instant;

use super::{Call, LastAck};
use crate::dialog::Via;
use crate::events::What;
use crate::message::Message;
use crate::network::Network;
use crate::sdp::{self, Direction};
use crate::wire::Route;

impl Call {
    /// Whether a re-INVITE of ours waits for its answer.
    pub(super) fn is_changing(&self) -> bool {
        self.requests.iter().any(|request| request.method == "INVITE")
    }

    /// Offers the session as it is, in another direction.
    pub(super) fn offer_change(
        &mut self,
        network: &mut Network,
        now: Instant,
        direction: Direction,
    ) {
        let Some(media) = &self.media else { return };
        let Ok(local) = media.local() else { return };
        self.sdp_version += 1;
        let mut wanted = media.agreed().clone();
        wanted.direction = direction;
        let offer = wanted.answer(local, self.sdp_version);
        self.request(network, now, "INVITE", Some(("application/sdp", offer)));
        let what = What::ChangeOffered { direction: direction.name() };
        network.events.emit(now, Some(&self.who), &what);
    }

    /// The final response to it: acknowledged, and the session is as it says.
    pub(super) fn change_answered(
        &mut self,
        network: &mut Network,
        now: Instant,
        response: &Message,
        invite_branch: String,
    ) {
        let code = response.code();
        let route = Route::to(self.dialog.next_hop(), &self.route);
        // The ACK of a failure belongs to the INVITE's transaction (RFC 3261 §17.1.1.3).
        let branch = match code {
            200..300 => format!("z9hG4bK{}", self.dice.token()),
            _ => invite_branch,
        };
        let via =
            Via { transport: route.transport(), sent_by: network.address.to_string(), branch };
        let cseq = response.cseq().unwrap_or_default();
        let bytes = self.dialog.ack(cseq, &via).to_bytes();
        network.wire.send(&route, &bytes);
        self.last_ack = Some(LastAck { cseq, bytes, route });
        if code < 300
            && let Some(media) = &mut self.media
        {
            let law = media.agreed().law;
            match sdp::agree(&response.body, &[law], !network.options.no_telephone_event) {
                Ok(agreed) => media.renew(agreed, now),
                Err(fault) => {
                    let error = format!("the answer to a change: {fault}");
                    network.events.emit(now, Some(&self.who), &What::Fault { error });
                }
            }
        }
        let direction = self.media.as_ref().map_or("none", |media| media.agreed().direction.name());
        network.events.emit(now, Some(&self.who), &What::ChangeAnswered { code, direction });
    }

    /// A copy of the response: its ACK was lost.
    pub(super) fn change_answered_again(&self, network: &mut Network, response: &Message) {
        let cseq = response.cseq().unwrap_or_default();
        if let Some(ack) = self.last_ack.as_ref().filter(|ack| ack.cseq == cseq) {
            network.wire.send(&ack.route, &ack.bytes);
        }
    }
}
