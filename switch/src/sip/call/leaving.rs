//! Our BYE, from its sending to the peer's last word (RFC 3261 §15.1.1).

use std::time::Instant;

use yunling_switch_contract::Termination;

use super::{Call, Message, Output, PeerSide, Purpose, Stage};
use crate::sip::authorizer::Tries;
use crate::sip::dialog::Dialog;
use crate::sip::stack::Method;
use crate::sip::transaction::{ClientTransaction, Due};

/// A BYE under way.
#[derive(Debug)]
pub(super) struct Leaving {
    pub dialog: Dialog,
    pub peer: PeerSide,
    pub termination: Termination,
    reason: Option<&'static str>,
    tries: Tries,
    bye: ClientTransaction,
    report_at: Instant,
}

impl Leaving {
    pub(super) fn deadline(&self, reported: bool) -> Option<Instant> {
        let report = (!reported).then_some(self.report_at);
        [self.bye.deadline(), report].into_iter().flatten().min()
    }
}

impl Call {
    /// Ends an answered call with BYE; the termination is reported when the peer has replied, or
    /// after the farewell time.
    pub(super) fn leave(
        &mut self,
        dialog: Dialog,
        peer: PeerSide,
        termination: Termination,
        reason: Option<&'static str>,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        // No request of ours within the dialog goes before its ACK (RFC 3261 §15).
        self.acknowledge(out);
        out.push(Output::StopMedia);
        let report_at = now + self.timers.farewell;
        let tries = Tries::default();
        self.send_bye(dialog, peer, termination, reason, (tries, report_at), now, out);
    }

    #[expect(clippy::too_many_arguments, reason = "they are the stage's fields")]
    fn send_bye(
        &mut self,
        mut dialog: Dialog,
        peer: PeerSide,
        termination: Termination,
        reason: Option<&'static str>,
        (tries, report_at): (Tries, Instant),
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let authorization = self.authorizer.headers("BYE", dialog.request_uri());
        let request = dialog.bye(&authorization, reason);
        let hop = dialog.hop();
        self.send(request.clone(), hop, Purpose::Bye, out);
        let bye = ClientTransaction::other(request, self.trunk.is_reliable(), &self.timers, now);
        self.stage =
            Stage::Leaving(Leaving { dialog, peer, termination, reason, tries, bye, report_at });
    }

    pub(super) fn on_bye_response(
        &mut self,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        if let Stage::Leaving(leaving) = &mut self.stage
            && leaving.dialog.state().local_cseq == response.cseq()
            && leaving.dialog.is_answered_by(response, Method::Bye)
        {
            if status < 200 {
                leaving.bye.provisional(&self.timers);
                return;
            }
            let Stage::Leaving(mut leaving) = std::mem::replace(&mut self.stage, Stage::Over)
            else {
                return;
            };
            if self.authorizer.take(&mut leaving.tries, response, status).is_ok() {
                let Leaving { dialog, peer, termination, reason, tries, report_at, .. } = leaving;
                self.send_bye(dialog, peer, termination, reason, (tries, report_at), now, out);
            } else {
                self.end(leaving.termination, out);
            }
        } else if status >= 200 {
            self.errands.on_response(response);
        }
    }

    pub(super) fn leaving_on_time(
        &mut self,
        mut leaving: Leaving,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        match leaving.bye.on_time(&self.timers, now) {
            Due::GaveUp => {
                self.end(leaving.termination, out);
                return;
            }
            Due::Resend => {
                let hop = leaving.dialog.hop();
                self.send(leaving.bye.request().clone(), hop, Purpose::Bye, out);
            }
            Due::Nothing => {}
        }
        if now >= leaving.report_at && !self.reported {
            self.end(leaving.termination.clone(), out);
        }
        self.stage = Stage::Leaving(leaving);
    }
}
