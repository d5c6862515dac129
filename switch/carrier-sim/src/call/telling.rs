//! Somebody tells the person at the telephone what to do.

use std::time::Instant;

use super::{Call, milliseconds};
use crate::events::What;
use crate::network::Network;
use crate::orders::Order;
use crate::sdp::Direction;

impl Call {
    /// When it came.
    pub(crate) fn arrived(&self) -> Instant {
        self.arrived
    }

    /// The number that was called.
    pub(crate) fn number(&self) -> &str {
        &self.who.to
    }

    /// Does it at once, or says why it cannot be done now.
    ///
    /// # Errors
    /// The reason phrase.
    pub(crate) fn told(
        &mut self,
        network: &mut Network,
        now: Instant,
        order: &Order,
    ) -> Result<(), &'static str> {
        let fits = match order {
            Order::Behave(_) => true,
            Order::Answer => self.is_open() && self.media.is_some(),
            Order::Refuse { .. } => self.is_open(),
            Order::Mute | Order::Speak => self.media.is_some(),
            Order::HangUp | Order::Press(_) => self.talks(),
            Order::Hold | Order::Retrieve => self.talks() && !self.is_changing(),
        };
        if !fits {
            return Err(if self.talks() { "Already Up" } else { "Not Up" });
        }
        network.events.emit(now, Some(&self.who), &What::Told { order: order.clone() });
        match order {
            Order::Behave(_) => {}
            Order::Answer => {
                self.handset.pick_up(milliseconds(self.arrived, now));
                self.answer(network, now, false);
            }
            Order::Refuse { code, reason } => {
                let reason = reason.clone().map(|reason| ("Reason", reason));
                self.refuse(network, now, *code, phrase(*code), reason);
            }
            Order::HangUp => self.hang_up(network, now, "handset"),
            Order::Press(key) => self.press(network, now, *key),
            Order::Mute | Order::Speak => {
                if let Some(media) = &mut self.media {
                    media.mute(*order == Order::Mute);
                }
            }
            Order::Hold => self.offer_change(network, now, Direction::SendOnly),
            Order::Retrieve => self.offer_change(network, now, Direction::SendReceive),
        }
        Ok(())
    }
}

/// The reason phrases of the statuses that a telephone gives (RFC 3261 §21).
fn phrase(code: u16) -> &'static str {
    match code {
        404 => "Not Found",
        408 => "Request Timeout",
        480 => "Temporarily Unavailable",
        486 => "Busy Here",
        487 => "Request Terminated",
        500 => "Server Internal Error",
        503 => "Service Unavailable",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => "Refused",
    }
}
