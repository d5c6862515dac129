//! Trunks that are named by SRV records, some of whose servers are dead.

use std::net::UdpSocket;

use yunling_switch::SwitchConfig;
use yunling_switch_contract::{HangUpWhy, LegId, Peer, Transport};

use crate::carrier::Step::{Answer, AnswerSdp, Check, Recv};
use crate::carrier::{AUDIO, Carrier, Step, free_port};
use crate::name_server::NameServer;
use crate::rig::Rig;
use crate::trunk_rig::{hasty, probed, registering};

const CALL: [Step; 5] = [
    Check("INVITE", "^INVITE sip:13800138000@carrier.test"),
    AnswerSdp("200 OK", AUDIO),
    Recv("ACK"),
    Recv("BYE"),
    Answer("200 OK", ""),
];

fn trunk(transport: Transport) -> Peer {
    Peer::new("sipp", "carrier.test", transport)
}

async fn rig(servers: &NameServer) -> Rig {
    Rig::with(SwitchConfig { dns: Some(vec![servers.address]), ..hasty() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_makes_way_within_the_same_call() {
    let carrier = Carrier::over_tcp(&CALL).await;
    let dead = free_port();
    let service = "_sip._tcp.carrier.test";
    let names = NameServer::start(vec![(service, 20, carrier.port), (service, 10, dead)]).await;
    let rig = rig(&names).await;
    rig.dial(trunk(Transport::Tcp));
    rig.until("Answered").await;
    rig.hang_up(HangUpWhy::Normal);
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(&["Answered PCMA 20 keys", "Ended LocalBye"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_is_left_out_of_the_next_call() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let carrier = Carrier::start(&CALL).await;
    let service = "_sip._udp.carrier.test";
    let dead = silent.local_addr().unwrap().port();
    let names = NameServer::start(vec![(service, 20, carrier.port), (service, 10, dead)]).await;
    let mut rig = rig(&names).await;
    rig.dial(trunk(Transport::Udp));
    // It is the first server that is called.
    let mut buffer = [0; 4_000];
    silent.recv(&mut buffer).unwrap();
    assert!(buffer.starts_with(b"INVITE sip:13800138000@carrier.test"));
    rig.hang_up(HangUpWhy::NoReply);
    rig.until("Ended NoReply").await;
    rig.leg = LegId::new("CA10000202601011200000000000000002");
    rig.dial(trunk(Transport::Udp));
    rig.until("Answered").await;
    rig.hang_up(HangUpWhy::Normal);
    rig.until("Ended LocalBye").await;
    carrier.assert_content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_unavailable_is_left_out_of_the_next_call() {
    let full =
        Carrier::start(&[Recv("INVITE"), Answer("503 Service Unavailable", ""), Recv("ACK")]).await;
    let carrier = Carrier::start(&CALL).await;
    let service = "_sip._udp.carrier.test";
    let names = NameServer::start(vec![(service, 1, full.port), (service, 2, carrier.port)]).await;
    let mut rig = rig(&names).await;
    rig.dial(trunk(Transport::Udp));
    rig.until("Ended Rejected 503").await;
    full.assert_content().await;
    rig.leg = LegId::new("CA10000202601011200000000000000002");
    rig.dial(trunk(Transport::Udp));
    rig.until("Answered").await;
    rig.hang_up(HangUpWhy::Normal);
    rig.until("Ended LocalBye").await;
    carrier.assert_content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_and_questions_go_to_the_next_server_at_once() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let carrier = Carrier::start(&[
        Check("REGISTER", "^REGISTER sip:carrier.test SIP.*To: <sip:u1@carrier.test>"),
        Answer("200 OK", "Expires: 600\n"),
        Check("REGISTER", "Expires: 0"),
        Answer("200 OK", ""),
    ])
    .await;
    let service = "_sip._udp.carrier.test";
    let dead = silent.local_addr().unwrap().port();
    let names = NameServer::start(vec![(service, 1, dead), (service, 2, carrier.port)]).await;
    let rig = rig(&names).await;
    rig.keep(&[registering(trunk(Transport::Udp))]);
    rig.until_trunk("sipp", "", 1).await;
    rig.switch.close().await;
    carrier.assert_content().await;
    assert_eq!(rig.of_trunk("sipp"), ["Registered 600"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_nowhere_is_told() {
    let names = NameServer::start(vec![]).await;
    let rig = rig(&names).await;
    rig.keep(&[probed(trunk(Transport::Udp))]);
    rig.until_trunk("sipp", "Silent 1 the host name carrier.test cannot be resolved", 1).await;
    rig.dial(trunk(Transport::Udp));
    rig.until("Ended Unreachable \"the host name carrier.test cannot be resolved\"").await;
}
