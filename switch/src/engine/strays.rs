//! Messages that belong to no live call: late repetitions, requests for calls that are gone, calls
//! from outside. Answered statelessly (RFC 3261 §8.2.7) by one task, which waits for nobody: a peer
//! that does not take its answers must not keep others from theirs.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};

use super::courier::Courier;
use crate::sip::call::Hop;
use crate::sip::compose::{ALLOW, Composer};
use crate::sip::stack::{Message, Method, Start, Target};
use crate::supervision::Vitals;

/// Strays that may wait. Beyond, they are dropped: whoever sent them asks again.
const QUEUE: usize = 1_024;

/// Answers that may be under way at once to peers whom it takes long to reach.
pub(super) const ERRANDS: usize = 64;

/// What is to be done.
pub(super) enum Stray {
    /// Send this once more.
    Send(Bytes, Hop),
    /// Answer a request that is nobody's.
    Refuse(Box<Message>, Target),
}

/// Gives strays to the task that answers them.
pub(super) struct StraySender(mpsc::Sender<Stray>);

impl StraySender {
    pub(super) fn give(&self, stray: Stray) {
        if self.0.try_send(stray).is_err() {
            metrics::counter!("switch_sip_dropped_total", "why" => "strays").increment(1);
        }
    }
}

pub(super) fn queue() -> (StraySender, mpsc::Receiver<Stray>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (StraySender(sender), receiver)
}

/// Answers strays until the registry is gone.
pub(super) fn answer(vitals: &Vitals, queue: mpsc::Receiver<Stray>, courier: Arc<Courier>) {
    let queue = Arc::new(Mutex::new(queue));
    vitals.keep_up("answers to stray SIP messages", move || {
        let (queue, courier) = (Arc::clone(&queue), Arc::clone(&courier));
        async move {
            let mut queue = queue.lock().await;
            while let Some(stray) = queue.recv().await {
                match stray {
                    Stray::Send(bytes, hop) => courier.send_detached(bytes, hop).await,
                    Stray::Refuse(request, back) => {
                        if let Some(bytes) = refusal(&request) {
                            courier.send_detached(bytes, Hop::Back(back)).await;
                        }
                    }
                }
            }
            Ok(())
        }
    });
}

/// The answer to a request outside any call. No inbound calls are taken: 403.
fn refusal(request: &Message) -> Option<Bytes> {
    let Start::Request(method) = request.start() else { return None };
    let in_dialog = request.tag_of_to().is_some();
    let (status, phrase) = match method {
        Method::Ack => return None,
        Method::Options if !in_dialog => (200, "OK"),
        Method::Invite if !in_dialog => (403, "Forbidden"),
        Method::Other => (405, "Method Not Allowed"),
        _ => (481, "Call/Transaction Does Not Exist"),
    };
    // Stateless: the same tag for every repetition (§8.2.7).
    let tag = format!("stray{:x}", checksum(request.call_id()));
    let response = Composer::response(request, status, phrase, &tag).header("Allow", ALLOW);
    Some(response.bare())
}

/// FNV-1a: only to make the tag the same for the same call.
fn checksum(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    #[test]
    fn each_kind_gets_its_answer() {
        let rows = [
            ("OPTIONS", "", Some(200)),
            ("OPTIONS", ";tag=1", Some(481)),
            ("INVITE", "", Some(403)),
            ("INVITE", ";tag=1", Some(481)),
            ("BYE", ";tag=1", Some(481)),
            ("CANCEL", "", Some(481)),
            ("REGISTER", "", Some(405)),
            ("ACK", ";tag=1", None),
        ];
        for (method, tag, status) in rows {
            let request = Message::parse(&format!(
                "{method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1\r\nFrom: <sip:x@y>;tag=f\r\n\
                 To: <sip:a@b>{tag}\r\nCall-ID: i\r\nCSeq: 7 {method}\r\n\r\n"
            ));
            let answer = refusal(&request);
            let code = answer
                .as_deref()
                .map(|bytes| std::str::from_utf8(&bytes[8..11]).unwrap().parse::<u16>().unwrap());
            assert_eq!(code, status, "{method}{tag}");
        }
    }
}
