//! Whatever a carrier, the network and the platform do, in whatever order.

use proptest::prelude::*;

use super::*;

/// What a carrier, the network and the platform may do, in any order.
#[derive(Debug, Clone)]
enum Deed {
    Provisional(u16),
    /// Reliable, with this RSeq.
    Reliable(u32),
    /// With these headers.
    Answer(&'static str),
    AnswerWithoutSdp,
    Fail(u16),
    /// A response to this method.
    Reply(&'static str, u16),
    /// A request with these headers.
    Ask(&'static str, u32, &'static str),
    Stranger(&'static str, u16),
    HangUp,
    LoseConnection,
    FailToSend,
    Pass(u64),
}

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=r, nonce=n\r\n\
    Proxy-Authenticate: Digest realm=p, nonce=m, qop=auth\r\nMin-SE: 2000\r\nRetry-After: 3\r\n";

fn deed() -> impl Strategy<Value = Deed> {
    let methods =
        || prop::sample::select(vec!["BYE", "INVITE", "ACK", "INFO", "UPDATE", "CANCEL", "PRACK"]);
    let timers = || {
        prop::sample::select(vec![
            "",
            "Allow: UPDATE\r\n",
            "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n",
            "Supported: timer\r\nSession-Expires: 100;refresher=uas\r\nAllow: UPDATE\r\n",
            "Require: timer\r\nSession-Expires: 5\r\n",
            "Require: unknown\r\n",
        ])
    };
    let ours = || prop::sample::select(vec!["CANCEL", "BYE", "PRACK", "UPDATE", "INVITE"]);
    let statuses =
        || prop::sample::select(vec![100, 200, 401, 405, 407, 408, 422, 481, 488, 491, 500]);
    prop_oneof![
        3 => prop::sample::select(vec![100, 180, 183]).prop_map(Deed::Provisional),
        2 => (1_u32..4).prop_map(Deed::Reliable),
        3 => timers().prop_map(Deed::Answer),
        1 => Just(Deed::AnswerWithoutSdp),
        2 => prop::sample::select(vec![302, 401, 407, 422, 486, 487, 503, 603]).prop_map(Deed::Fail),
        4 => (ours(), statuses()).prop_map(|(method, status)| Deed::Reply(method, status)),
        3 => (methods(), 1_u32..6, timers()).prop_map(|(m, cseq, headers)| Deed::Ask(m, cseq, headers)),
        1 => (ours(), statuses()).prop_map(|(method, status)| Deed::Stranger(method, status)),
        1 => Just(Deed::HangUp),
        1 => Just(Deed::LoseConnection),
        1 => Just(Deed::FailToSend),
        3 => (1_u64..20_000).prop_map(Deed::Pass),
        2 => (20_000_u64..1_000_000).prop_map(Deed::Pass),
    ]
}

impl Line {
    fn act(&mut self, deed: &Deed) {
        match *deed {
            Deed::Provisional(status) => self.respond("INVITE", status, "", ""),
            Deed::Reliable(rseq) => {
                let headers = format!("Require: 100rel\r\nRSeq: {rseq}\r\n");
                self.respond("INVITE", 183, &headers, if rseq == 2 { SDP } else { "" });
            }
            Deed::Answer(headers) => self.respond("INVITE", 200, headers, SDP),
            Deed::AnswerWithoutSdp => self.respond("INVITE", 200, "", ""),
            Deed::Fail(status) => self.respond("INVITE", status, CHALLENGE, ""),
            Deed::Reply(method, status) => self.respond(method, status, CHALLENGE, ""),
            Deed::Ask(method, cseq, headers) => self.ask(method, cseq, headers, ""),
            Deed::Stranger(method, status) => {
                if let Some(response) = self.response(method, status, CHALLENGE, "") {
                    self.receive_from_stranger(&response);
                }
            }
            Deed::HangUp => self.hang_up(),
            Deed::LoseConnection => self.call.on_connection_lost(self.now, &mut self.out),
            Deed::FailToSend => {
                for purpose in [
                    Purpose::Invite,
                    Purpose::Cancel,
                    Purpose::Bye,
                    Purpose::Refresh,
                    Purpose::Reply,
                ] {
                    self.call.on_send_failed(purpose, "x", self.now, &mut self.out);
                }
            }
            Deed::Pass(ms) => self.pass(ms),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever happens: one end, at most one answer and that before the end, every final response
    /// acknowledged, nobody left in a call that we think is over, and nothing lives for ever.
    #[test]
    fn every_call_ends_once_and_cleanly(
        tcp in any::<bool>(),
        acknowledge_ms in prop::sample::select(vec![0, 200]),
        deeds in prop::collection::vec(deed(), 0..24),
    ) {
        let mut line = Line::dial(if tcp { Transport::Tcp } else { Transport::Udp });
        line.call.timers.acknowledge = Duration::from_millis(acknowledge_ms);
        for deed in &deeds {
            line.act(deed);
        }
        line.hang_up();
        line.pass(200_000);
        prop_assert!(line.call.is_over(), "it lives for ever");
        prop_assert_eq!(line.ended().len(), 1);
        let position = |wanted: fn(&Output) -> bool| line.out.iter().position(wanted);
        let ended = position(|output| matches!(output, Output::Ended(_))).unwrap();
        let told = |output: &Output| {
            !matches!(
                output,
                Output::Send(_)
                    | Output::StopMedia
                    | Output::Ended(_)
                    | Output::ForeignChallenge(_)
            )
        };
        prop_assert!(!line.out[ended..].iter().any(told), "something is told behind the end");
        prop_assert!(line.answers() <= 1);
        if let Some(answered) = position(|output| matches!(output, Output::Answered { .. })) {
            prop_assert!(answered < ended);
            let acks: Vec<usize> = (0..line.out.len())
                .filter(|at| {
                    matches!(&line.out[*at],
                        Output::Send(sending) if sending.bytes.starts_with(b"ACK "))
                })
                .collect();
            let is_prompt = acks.iter().any(|ack| *ack < answered);
            prop_assert!(acknowledge_ms > 0 || is_prompt, "acknowledged before it is reported");
            let left = position(|output| {
                matches!(output, Output::Send(sending) if sending.bytes.starts_with(b"BYE "))
            });
            let before = left.unwrap_or(line.out.len());
            prop_assert!(acks.iter().any(|ack| *ack < before), "a BYE without an ACK before it");
            let peer_left =
                line.ended().iter().any(|ended| ended.kind == TerminationKind::RemoteBye);
            prop_assert!(peer_left || !line.sent("BYE ").is_empty(), "somebody is left talking");
        }
        if line.sent("BYE ").is_empty() {
            prop_assert!(line.ended()[0].kind != TerminationKind::LocalBye);
        }
    }

    /// Whatever was agreed on and refreshed: a peer that falls silent is given up without anybody
    /// asking for it.
    #[test]
    fn no_answered_call_outlives_a_dead_peer(
        tcp in any::<bool>(),
        answer in prop::sample::select(vec![
            "",
            "Allow: UPDATE\r\nSession-Expires: 90;refresher=uac\r\n",
            "Session-Expires: 90;refresher=uas\r\n",
        ]),
        deeds in prop::collection::vec(deed(), 0..24),
    ) {
        let mut line = Line::dial(if tcp { Transport::Tcp } else { Transport::Udp });
        line.respond("INVITE", 200, answer, SDP);
        for deed in &deeds {
            line.act(deed);
        }
        line.pass(5_000_000);
        prop_assert_eq!(line.answers(), 1);
        prop_assert_eq!(line.ended().len(), 1);
        prop_assert!(line.call.is_over());
    }
}
