//! Trunks over TLS: whole calls, whom we believe, and connections that are lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs as provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use yunling_switch::{SwitchConfig, TlsIdentity};
use yunling_switch_contract::{HangUpWhy, Peer, TlsTrust, Transport};

use crate::carrier::Step::{Answer, AnswerSdp, Check, Pause, Recv, RecvStatus, Send};
use crate::carrier::{AUDIO, Carrier, Step};
use crate::relay::{Identity, Relay};
use crate::rig::{Rig, listen};
use crate::trunk_rig::{hasty, registering};

const ADDRESS: &str = "127.0.0.1";

fn trunk(relay: &Relay, trust: TlsTrust) -> Peer {
    Peer { port: Some(relay.port), trust, ..Peer::new("sipp", ADDRESS, Transport::Tls) }
}

async fn carried(steps: &[Step], identity: &Identity) -> (Carrier, Relay) {
    let carrier = Carrier::over_tcp(steps).await;
    let relay = Relay::start(identity, carrier.port).await;
    (carrier, relay)
}

/// Our Via and Contact name the connection, for there is no socket that could be called.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_call_ended_by_the_peer_goes_over_one_connection() {
    let identity = Identity::of(ADDRESS);
    let (carrier, relay) = carried(
        &[
            Check(
                "INVITE",
                "Via: SIP/2.0/TLS 127.0.0.1:[0-9]+;.*Contact: <sip:[0-9]+@127.0.0.1:[0-9]+;transport=tls>",
            ),
            Answer("180 Ringing", ""),
            AnswerSdp("200 OK", AUDIO),
            Recv("ACK"),
            Pause(100),
            Send("BYE", 1, ""),
            RecvStatus(200),
        ],
        &identity,
    )
    .await;
    let rig = Rig::start().await;
    rig.dial(trunk(&relay, TlsTrust::Authorities(identity.pem())));
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(&["Ringing 180", "Answered PCMA 20 keys", "Ended RemoteBye"]);
    assert_eq!(relay.accepted(), 1);
}

/// The names are those of the certificate's holder, whatever they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_certificate_is_believed_whatever_it_says() {
    let identity = Identity::expired("somebody.example");
    let (carrier, relay) = carried(
        &[
            Recv("INVITE"),
            AnswerSdp("200 OK", AUDIO),
            Recv("ACK"),
            Recv("BYE"),
            Answer("200 OK", ""),
        ],
        &identity,
    )
    .await;
    let rig = Rig::start().await;
    let fingerprint = digest(&SHA256, identity.certificate.der());
    rig.dial(trunk(&relay, TlsTrust::Pinned(fingerprint.as_ref().try_into().unwrap())));
    rig.until("Answered").await;
    rig.hang_up(HangUpWhy::Normal);
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(&["Answered PCMA 20 keys", "Ended LocalBye"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_believed_is_told_of_with_what_was_expected() {
    let (good, other) = (Identity::of(ADDRESS), Identity::of(ADDRESS));
    let (misnamed, expired) = (Identity::of("other.example"), Identity::expired(ADDRESS));
    let found = hex::encode(digest(&SHA256, good.certificate.der()));
    let rows = [
        (
            &misnamed,
            TlsTrust::Authorities(misnamed.pem()),
            "the trunk's certificate is for other.example, expected 127.0.0.1".to_owned(),
        ),
        (
            &good,
            TlsTrust::Authorities(other.pem()),
            "the trunk's certificate is of an unknown authority, expected one that is trusted"
                .into(),
        ),
        (&good, TlsTrust::System, "the trunk's certificate is of an unknown authority".into()),
        (
            &expired,
            TlsTrust::Authorities(expired.pem()),
            "the trunk's certificate has expired, ".into(),
        ),
        (
            &good,
            TlsTrust::Pinned([7; 32]),
            format!("the trunk's certificate is not the pinned one, but {found}"),
        ),
        (
            &good,
            TlsTrust::Authorities(Arc::from(&b"nothing"[..])),
            "the trunk has no certificate of an authority that can be used".into(),
        ),
    ];
    for (identity, trust, text) in rows {
        let (_carrier, relay) = carried(&[Recv("INVITE")], identity).await;
        let rig = Rig::start().await;
        rig.dial(trunk(&relay, trust));
        rig.until("Ended").await;
        let lines = rig.lines();
        // Of the system's authorities there may be none where the test runs.
        let none = "this machine has no certificate of an authority that can be used";
        let expected =
            [format!("Ended Unreachable \"{text}"), format!("Ended Unreachable \"{none}")];
        assert!(expected.iter().any(|begin| lines[0].starts_with(begin)), "{text}: {lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_in_mid_call_is_made_anew_for_the_bye() {
    let identity = Identity::of(ADDRESS);
    let (carrier, mut relay) = carried(
        &[
            Recv("INVITE"),
            AnswerSdp("200 OK", AUDIO),
            Recv("ACK"),
            Check("BYE", "Via: SIP/2.0/TLS"),
            Answer("200 OK", ""),
        ],
        &identity,
    )
    .await;
    let rig = Rig::start().await;
    rig.dial(trunk(&relay, TlsTrust::Authorities(identity.pem())));
    rig.until("Answered").await;
    // The ACK leaves behind the answer's event.
    let since = Instant::now();
    while !carrier.messages().contains("\nACK ") {
        assert!(since.elapsed() < Duration::from_secs(20), "{}", carrier.messages());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    relay.cut().await;
    rig.hang_up(HangUpWhy::Normal);
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(&["Answered PCMA 20 keys", "Ended LocalBye"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_renewed_over_a_new_connection() {
    let identity = Identity::of(ADDRESS);
    let (carrier, mut relay) = carried(
        &[
            Check("REGISTER", "Contact: <sip:u1@127.0.0.1:[0-9]+;transport=tls>;expires=600"),
            Answer("200 OK", "Expires: 600\n"),
            Check("REGISTER", "CSeq: 2 REGISTER"),
            Answer("200 OK", "Expires: 600\n"),
            Check("REGISTER", "Expires: 0"),
            Answer("200 OK", ""),
        ],
        &identity,
    )
    .await;
    let rig = Rig::with(hasty()).await;
    rig.keep(&[registering(trunk(&relay, TlsTrust::Authorities(identity.pem())))]);
    rig.until_trunk("sipp", "Registered", 1).await;
    relay.cut().await;
    rig.until_trunk("sipp", "Registered", 2).await;
    rig.switch.close().await;
    carrier.assert_content().await;
    assert_eq!(relay.accepted(), 2);
}

/// A peer that connects to us over TLS is answered over its connection; its keep-alives too.
#[tokio::test(flavor = "multi_thread")]
async fn a_socket_for_tls_is_listened_on() {
    let identity = Identity::of(ADDRESS);
    let base = hasty();
    let config = SwitchConfig {
        sip_listen: [base.sip_listen.clone(), vec![listen(Transport::Tls, "127.0.0.1:0")]].concat(),
        tls: Some(TlsIdentity {
            certificate: identity.certificate.pem().into_bytes(),
            key: identity.key.serialize_pem().into_bytes(),
        }),
        ..base
    };
    let rig = Rig::with(config).await;
    let mut roots = RootCertStore::empty();
    roots.add(identity.certificate.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(rig.switch.addresses()[2].1).await.unwrap();
    let name = ServerName::try_from(ADDRESS).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let options = "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKo\r\n\
        From: <sip:x@127.0.0.1>;tag=f\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: i\r\nCSeq: 7 OPTIONS\r\n\
        Content-Length: 0\r\n\r\n";
    for (sent, expected) in [(options, "SIP/2.0 200 OK\r\n"), ("\r\n\r\n", "\r\n")] {
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut buffer = [0; 2_000];
        let reading = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut buffer));
        let length = reading.await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(text.starts_with(expected), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_for_tls_needs_a_certificate_that_can_be_used() {
    let identity = |certificate: &str, key: &str| {
        Some(TlsIdentity { certificate: certificate.into(), key: key.into() })
    };
    let good = Identity::of(ADDRESS);
    let (pem, key) = (good.certificate.pem(), good.key.serialize_pem());
    let other = Identity::of(ADDRESS).key.serialize_pem();
    let rows = [
        (None, "sip.listen has a tls: address"),
        (identity("", &key), "sip.tls"),
        (identity(&pem, "x"), "sip.tls.key"),
        (identity(&pem, &other), "sip.tls"),
    ];
    for (tls, begin) in rows {
        let sip_listen = vec![listen(Transport::Tls, "127.0.0.1:0")];
        let config = SwitchConfig { sip_listen, tls, ..hasty() };
        let events = Arc::new(crate::rig::Events::default());
        let started = yunling_switch::Switch::start(config, events).await;
        let error = started.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with(begin), "{begin}: {error:?}");
    }
}
