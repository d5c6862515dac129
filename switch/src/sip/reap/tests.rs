//! The reaping machine against a scripted peer, in simulated time.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::time::Duration;

use yunling_switch_contract::{DialogState, IdentityHeader, LegId, Peer, Transport};

use super::*;
use crate::sip::ids::IdSource;
use crate::sip::invite::LocalParty;

struct Orphan {
    reaping: Reaping,
    now: Instant,
    out: Vec<Output>,
    trunk: Target,
}

fn local() -> LocalParty {
    LocalParty {
        advertised: "10.0.0.9:5060".parse().unwrap(),
        transport: Transport::Udp,
        user_agent: "x".into(),
    }
}

fn trunk() -> Target {
    let address = "10.0.0.1:5060".parse().unwrap();
    Target { transport: Transport::Udp, address, listener: 0 }
}

impl Orphan {
    fn invited(password: bool) -> Self {
        let credentials = Credentials { username: "u".into(), password: "p".into() };
        let credentials = password.then_some(credentials);
        let peer = Peer {
            credentials: credentials.clone(),
            identity: IdentityHeader::None,
            ..Peer::new("t", "10.0.0.1", Transport::Udp)
        };
        let ids = IdSource::new(&[3; 32]);
        let invite = Invite::new(&ids, &LegId::new("CA1"), 0, &peer, ("1", "2"), local());
        let (now, mut out, trunk) = (Instant::now(), Vec::new(), trunk());
        let timers = Timers::default();
        let reaping = Reaping::invited(invite, trunk, credentials, timers, now, &mut out);
        Self { reaping, now, out, trunk }
    }

    fn answered() -> Self {
        let state = DialogState {
            call_id: "c".into(),
            local_tag: "l".into(),
            remote_tag: "r".into(),
            local_uri: "sip:2@10.0.0.9".into(),
            remote_uri: "sip:1@10.0.0.1".into(),
            remote_target: "sip:b@10.0.0.1".into(),
            routes: vec![],
            local_cseq: 4,
        };
        let ids = IdSource::new(&[3; 32]).restored(&LegId::new("CA1"), &state);
        let (now, mut out, trunk) = (Instant::now(), Vec::new(), trunk());
        let dialog = Dialog::restored(state, ids, local(), trunk);
        let authorizer = Authorizer::new(None, String::new());
        let timers = Timers::default();
        let reaping = Reaping::answered(dialog, trunk, authorizer, timers, now, &mut out);
        Self { reaping, now, out, trunk }
    }

    fn sent(&self, method: &str) -> Vec<String> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Send(sending) if sending.bytes.starts_with(method.as_bytes()) => {
                    Some(String::from_utf8(sending.bytes.to_vec()).unwrap())
                }
                _ => None,
            })
            .collect()
    }

    /// Responds to a request of ours, or to the INVITE that the same branch names.
    fn respond(&mut self, request: &str, to: &str, status: u16) {
        let mut text = format!("SIP/2.0 {status} x\r\n");
        for line in request.lines().take_while(|line| !line.is_empty()) {
            match line.split(':').next().unwrap() {
                "CSeq" => {
                    let number = line.split_whitespace().nth(1).unwrap();
                    text += &format!("CSeq: {number} {to}\r\n");
                }
                "To" if !line.contains(";tag=") => text += &format!("{line};tag=r\r\n"),
                "Via" | "From" | "To" | "Call-ID" => text += &format!("{line}\r\n"),
                _ => {}
            }
        }
        text += "Contact: <sip:b@10.0.0.1>\r\n\r\n";
        let message = Message::parse(&text);
        self.reaping.on_message(&message, self.trunk, self.now, &mut self.out);
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while self.reaping.deadline() <= until && !self.reaping.is_over(self.now) {
            self.now = self.now.max(self.reaping.deadline());
            self.reaping.on_time(self.now, &mut self.out);
        }
        self.now = until;
    }

    /// What was reported: exactly one thing.
    fn outcome(&self) -> Option<&ReapOutcome> {
        let reaped: Vec<&ReapOutcome> = self
            .out
            .iter()
            .filter_map(|output| match output {
                Output::Reaped(outcome) => Some(outcome),
                Output::Send(_) | Output::ForeignChallenge(_) => None,
            })
            .collect();
        assert!(reaped.len() <= 1, "{reaped:?}");
        reaped.first().copied()
    }
}

#[test]
fn a_cancelled_orphan_was_never_answered() {
    let mut orphan = Orphan::invited(false);
    let cancel = orphan.sent("CANCEL")[0].clone();
    orphan.respond(&cancel, "CANCEL", 200);
    orphan.respond(&cancel, "INVITE", 487);
    assert!(
        matches!(orphan.outcome(), Some(ReapOutcome::NeverAnswered(t)) if t.sip_code == Some(487))
    );
    orphan.respond(&cancel, "INVITE", 487);
    assert_eq!(orphan.sent("ACK").len(), 2, "each 487 is acknowledged");
    orphan.pass(40_000);
    assert!(orphan.reaping.is_over(orphan.now) && orphan.outcome().is_some());
}

#[test]
fn a_late_answer_is_ended_even_behind_the_report() {
    let mut orphan = Orphan::invited(false);
    let cancel = orphan.sent("CANCEL")[0].clone();
    orphan.respond(&cancel, "CANCEL", 481);
    assert_eq!(orphan.outcome(), None, "an answer may still be on its way");
    orphan.pass(6_000);
    assert!(matches!(orphan.outcome(), Some(ReapOutcome::Unknown(t)) if t.sip_code == Some(481)));
    orphan.respond(&cancel, "INVITE", 200);
    orphan.respond(&cancel, "INVITE", 200);
    assert_eq!((orphan.sent("ACK").len(), orphan.sent("BYE").len()), (2, 1));
}

#[test]
fn an_answer_whose_bye_is_lost_had_been_answered_all_the_same() {
    let mut orphan = Orphan::invited(false);
    let cancel = orphan.sent("CANCEL")[0].clone();
    orphan.respond(&cancel, "INVITE", 200);
    assert_eq!(orphan.outcome(), None);
    orphan.pass(6_000);
    assert!(matches!(orphan.outcome(), Some(ReapOutcome::Ended(_))));
    assert!(orphan.sent("BYE").len() > 1);
}

#[test]
fn a_challenged_orphan_that_was_not_repeated_never_rang() {
    let mut orphan = Orphan::invited(true);
    let cancels = orphan.sent("CANCEL");
    orphan.respond(&cancels[0], "INVITE", 401);
    for cancel in &cancels[1..] {
        assert_eq!(orphan.outcome(), None, "a later INVITE may ring");
        orphan.respond(cancel, "CANCEL", 481);
    }
    for cancel in &orphan.sent("CANCEL")[cancels.len()..] {
        assert_eq!(orphan.outcome(), None, "one that asked for a longer session may ring");
        orphan.respond(cancel, "CANCEL", 481);
    }
    assert!(matches!(orphan.outcome(), Some(ReapOutcome::NeverAnswered(_))));
}

/// Challenged by a proxy and by the server, each with a nonce that went stale: any of five INVITEs
/// may be the one that rings.
#[test]
fn every_invite_that_can_have_been_sent_is_cancelled() {
    for pending in 0..5 {
        let mut orphan = Orphan::invited(true);
        let cancels = orphan.sent("CANCEL");
        assert_eq!(cancels.len(), 5);
        for (index, cancel) in cancels.iter().enumerate() {
            orphan.respond(cancel, "CANCEL", if index == pending { 200 } else { 481 });
        }
        assert_eq!(orphan.outcome(), None);
        orphan.respond(&cancels[pending], "INVITE", 487);
        assert!(matches!(orphan.outcome(), Some(ReapOutcome::NeverAnswered(_))), "{pending}");
    }
    assert_eq!(Orphan::invited(false).sent("CANCEL").len(), 1, "nothing was ever answered");
}

/// A 422 made the earlier process send its INVITE again: that one rings. The 422 may come again, or
/// its INVITE be forgotten.
#[test]
fn an_invite_that_asked_for_a_longer_session_is_cancelled_too() {
    for forgotten in [false, true] {
        let mut orphan = Orphan::invited(false);
        let cancel = orphan.sent("CANCEL")[0].clone();
        if forgotten {
            orphan.respond(&cancel, "CANCEL", 481);
        } else {
            orphan.respond(&cancel, "INVITE", 422);
        }
        let cancels = orphan.sent("CANCEL");
        assert_eq!(cancels.len(), 3, "two raises at most");
        assert!(cancels[1].contains("CSeq: 2 CANCEL"));
        assert_eq!(orphan.outcome(), None);
        orphan.respond(&cancels[1], "INVITE", 487);
        assert!(matches!(orphan.outcome(), Some(ReapOutcome::NeverAnswered(_))));
    }
}

/// The digest of a password is nothing for a stranger, whatever it knows of the call.
#[test]
fn a_foreign_challenge_is_dropped() {
    let mut orphan = Orphan::invited(true);
    let cancel = orphan.sent("CANCEL")[0].clone();
    orphan.respond(&cancel, "INVITE", 200);
    let trunk = orphan.trunk;
    orphan.trunk.address = "10.6.6.6:5060".parse().unwrap();
    let bye = orphan.sent("BYE")[0].clone();
    orphan.respond(&bye, "BYE", 401);
    assert_eq!((orphan.sent("BYE").len(), orphan.outcome()), (1, None));
    assert!(matches!(orphan.out.last(), Some(Output::ForeignChallenge(_))));
    orphan.trunk = trunk;
    orphan.respond(&bye, "BYE", 200);
    assert!(matches!(orphan.outcome(), Some(ReapOutcome::Ended(_))));
}

#[test]
fn nobody_answers() {
    let mut orphan = Orphan::invited(false);
    orphan.pass(4_999);
    assert_eq!(orphan.outcome(), None);
    orphan.pass(1);
    assert!(matches!(orphan.outcome(), Some(ReapOutcome::Unknown(_))));
    assert!(orphan.sent("CANCEL").len() > 2);
}

/// The response to the BYE of a stored dialog, and what it means.
#[test]
fn a_stored_dialog_is_ended() {
    type Meaning = fn(&ReapOutcome) -> bool;
    let rows: [(u16, Meaning); 3] = [
        (200, |outcome| matches!(outcome, ReapOutcome::Ended(_))),
        (481, |outcome| matches!(outcome, ReapOutcome::Unknown(t) if t.sip_code == Some(481))),
        (500, |outcome| matches!(outcome, ReapOutcome::Unknown(_))),
    ];
    for (status, expected) in rows {
        let mut orphan = Orphan::answered();
        let bye = orphan.sent("BYE")[0].clone();
        // Far ahead of the stored number: refreshes since may have used those in between.
        assert!(bye.contains("CSeq: 20005 BYE") && bye.contains(";tag=r"), "{bye}");
        orphan.respond(&bye, "BYE", status);
        assert!(orphan.outcome().is_some_and(expected), "{status}: {:?}", orphan.outcome());
    }
}
