//! Requests of ours that nothing waits for any more, but that are repeated until they are answered:
//! the BYE of a branch that we do not talk with, a PRACK that an answer overtook.

use std::time::Instant;

use super::{Message, Method, Output, Purpose, Sending};
use crate::sip::dialog::Dialog;
use crate::sip::timers::Timers;
use crate::sip::transaction::{ClientTransaction, Due};

/// See the module's head. Each ends by itself in 64·T1 at the latest.
#[derive(Debug, Default)]
pub(super) struct Errands(Vec<Errand>);

#[derive(Debug)]
struct Errand {
    method: Method,
    dialog: Dialog,
    transaction: ClientTransaction,
}

impl Errands {
    /// Takes over a request that was just sent.
    pub(super) fn add(&mut self, method: Method, dialog: Dialog, transaction: ClientTransaction) {
        self.0.push(Errand { method, dialog, transaction });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When [`Errands::on_time`] wants to be called next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(|errand| errand.transaction.deadline()).min()
    }

    /// Whatever the final response to one says, it is done.
    pub(super) fn on_response(&mut self, response: &Message) {
        let method = response.cseq_method();
        self.0.retain(|errand| {
            errand.method != method || !errand.dialog.is_answered_by(response, method)
        });
    }

    /// Sends again what is due, and forgets what was in vain.
    pub(super) fn on_time(&mut self, timers: &Timers, now: Instant, out: &mut Vec<Output>) {
        self.0.retain_mut(|errand| match errand.transaction.on_time(timers, now) {
            Due::GaveUp => false,
            Due::Resend => {
                let (bytes, hop) = (errand.transaction.request().clone(), errand.dialog.hop());
                out.push(Output::Send(Sending { bytes, hop, purpose: Purpose::Reply }));
                true
            }
            Due::Nothing => true,
        });
    }
}
