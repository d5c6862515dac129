//! Messages that belong to no live call: late repetitions, requests for calls that are gone, calls
//! from outside. Answered statelessly (RFC 3261 §8.2.7) by one task, which waits for nobody: a peer
//! that does not take its answers must not keep others from theirs.
//!
//! Most of what comes from outside are scanners that look for exchanges to call through. They get
//! the shortest answer that the protocol has, once: nothing rings, nothing is challenged (there is no
//! password to be guessed), no product and no list of methods is told. The answer is little longer
//! than the request, and what one source can ask for is limited, so that nobody is flooded through
//! us under a forged address. Silence would tell a scanner less still, but also leave the operator
//! of a misconfigured trunk without a hint.

use std::hash::{BuildHasher as _, RandomState};
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

/// Answers strays until the sockets are closed.
pub(super) fn answer(vitals: &Vitals, queue: mpsc::Receiver<Stray>, courier: Arc<Courier>) {
    let queue = Arc::new(Mutex::new(queue));
    let hasher = RandomState::new();
    vitals.keep_up("answers to stray SIP messages", move || {
        let (queue, courier) = (Arc::clone(&queue), Arc::clone(&courier));
        // Stateless: the same tag for every repetition (§8.2.7).
        let hasher = hasher.clone();
        let tag_of = move |request: &Message| hasher.hash_one(request.call_id());
        async move {
            let mut queue = queue.lock().await;
            // Ended by the sockets' end and not by the queue's: the sockets' own tasks fill it.
            while let Some(stray) = courier.while_open(queue.recv()).await.flatten() {
                match stray {
                    Stray::Send(bytes, hop) => courier.send_detached(bytes, hop).await,
                    Stray::Refuse(request, back) => {
                        let standing = courier.standing(back.address.ip());
                        if let Some(bytes) = refusal(&request, standing, tag_of(&request)) {
                            courier.send_detached(bytes, Hop::Back(back)).await;
                        }
                    }
                }
            }
            Ok(())
        }
    });
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Someone whom we deal with: told what we take.
    Known,
    Stranger,
}

/// The answer to a request outside any call. No inbound calls are taken: 403.
pub(crate) fn refusal(request: &Message, standing: Standing, tag: u64) -> Option<Bytes> {
    let Start::Request(method) = request.start() else { return None };
    let in_dialog = request.tag_of_to().is_some();
    let required = request.header("Require").filter(|_| *method == Method::Options);
    let (status, phrase) = match method {
        Method::Ack => return None,
        Method::Options if !in_dialog && required.is_some() => (420, "Bad Extension"),
        Method::Options if !in_dialog => (200, "OK"),
        Method::Other | Method::Register if standing == Standing::Known => {
            (405, "Method Not Allowed")
        }
        Method::Other | Method::Register | Method::Invite if !in_dialog => (403, "Forbidden"),
        _ => (481, "Call/Transaction Does Not Exist"),
    };
    let allow = (standing == Standing::Known).then_some(ALLOW);
    let response = Composer::response(request, status, phrase, &format!("{tag:x}"))
        .maybe("Allow", allow)
        .maybe("Unsupported", required);
    Some(response.bare())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    use Standing::{Known, Stranger};

    fn request(method: &str, tag: &str, headers: &str) -> String {
        format!(
            "{method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1\r\nFrom: <sip:x@y>;tag=f\r\n\
             To: <sip:a@b>{tag}\r\nCall-ID: i\r\nCSeq: 7 {method}\r\n{headers}\r\n"
        )
    }

    fn answer(request: &str, standing: Standing) -> Option<String> {
        let answer = refusal(&Message::parse(request), standing, 0xABC)?;
        Some(String::from_utf8(answer.to_vec()).unwrap())
    }

    #[test]
    fn each_kind_gets_its_answer() {
        let rows = [
            ("OPTIONS", "", [Some(200), Some(200)]),
            ("OPTIONS", ";tag=1", [Some(481), Some(481)]),
            ("INVITE", "", [Some(403), Some(403)]),
            ("INVITE", ";tag=1", [Some(481), Some(481)]),
            ("BYE", ";tag=1", [Some(481), Some(481)]),
            ("CANCEL", "", [Some(481), Some(481)]),
            ("REGISTER", "", [Some(405), Some(403)]),
            ("SUBSCRIBE", "", [Some(405), Some(403)]),
            ("REFER", ";tag=1", [Some(405), Some(481)]),
            ("ACK", ";tag=1", [None, None]),
        ];
        for (method, tag, statuses) in rows {
            for (standing, status) in [Known, Stranger].into_iter().zip(statuses) {
                let answer = answer(&request(method, tag, ""), standing);
                let code = answer.map(|answer| answer[8..11].parse::<u16>().unwrap());
                assert_eq!(code, status, "{method}{tag} {standing:?}");
            }
        }
    }

    #[test]
    fn a_stranger_learns_nothing_and_gets_little_more_than_it_sent() {
        for method in ["OPTIONS", "INVITE", "REGISTER", "BYE"] {
            let request = request(method, "", "");
            let to_stranger = answer(&request, Stranger).unwrap();
            for telling in ["Allow", "Server", "User-Agent", "Yunling", "Authenticate"] {
                assert!(!to_stranger.contains(telling), "{to_stranger}");
            }
            assert!(to_stranger.len() <= request.len() + 80, "{to_stranger}");
        }
        assert!(answer(&request("INVITE", "", ""), Known).unwrap().contains("Allow: INVITE"));
    }

    #[test]
    fn what_must_be_supported_and_is_not_is_named() {
        let answer = answer(&request("OPTIONS", "", "Require: a, b\r\n"), Stranger).unwrap();
        assert!(answer.starts_with("SIP/2.0 420 "), "{answer}");
        assert!(answer.contains("\r\nUnsupported: a, b\r\n"), "{answer}");
    }
}
