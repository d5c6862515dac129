//! Registering with trunks, sipp being the registrar.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::carrier::Step::{Answer, Check, Recv};
use crate::carrier::{Carrier, Step};
use crate::rig::{Rig, over_tcp, peer, with_password};
use crate::trunk_rig::{hasty, registering};

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\n";

/// Registers until so many lines have come, closes, and compares.
async fn registers(steps: &[Step], expected: &[&str]) {
    let carrier = Carrier::start(steps).await;
    let rig = Rig::with(hasty()).await;
    rig.keep(&[registering(with_password(peer(carrier.port)))]);
    rig.until_trunk("sipp", "", expected.len()).await;
    rig.switch.close().await;
    carrier.assert_content().await;
    assert_eq!(rig.of_trunk("sipp"), expected);
}

/// One Call-ID throughout, or sipp would take the second request for another call.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_answered_the_registration_refreshed_and_taken_back_at_the_close() {
    registers(
        &[
            Check(
                "REGISTER",
                "^REGISTER sip:127.0.0.1:[0-9]+ SIP.*To: <sip:u1@127.0.0.1:[0-9]+>.*\
                 CSeq: 1 REGISTER.*Contact: <sip:u1@127.0.0.1:[0-9]+>;expires=600.*Expires: 600",
            ),
            Answer("401 Unauthorized", CHALLENGE),
            Check("REGISTER", "CSeq: 2 REGISTER.*Authorization: Digest username=.u1.*nc=00000001"),
            // The registrar grants a minute only.
            Answer("200 OK", "Expires: 60\n"),
            Check("REGISTER", "CSeq: 3 REGISTER.*Expires: 600.*nonce=.n1.*nc=00000002"),
            Answer(
                "401 Unauthorized",
                "WWW-Authenticate: Digest realm=\"r\", nonce=\"n2\", qop=\"auth\", \
                 algorithm=SHA-256, stale=true\n",
            ),
            Check("REGISTER", "CSeq: 4 REGISTER.*nonce=.n2.*algorithm=SHA-256.*nc=00000001"),
            Answer("200 OK", "Expires: 1200\n"),
            Check("REGISTER", "CSeq: 5 REGISTER.*;expires=0.*Expires: 0.*nc=00000002"),
            Answer("200 OK", ""),
        ],
        &["Registered 60", "Registered 1200"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_registrar_finds_too_brief_is_made_longer() {
    registers(
        &[
            Check("REGISTER", "Expires: 600"),
            Answer("423 Interval Too Brief", "Min-Expires: 1800\n"),
            Check("REGISTER", "CSeq: 2 REGISTER.*Expires: 1800"),
            Answer("200 OK", "Expires: 1800\n"),
            Check("REGISTER", "Expires: 0"),
            Answer("200 OK", ""),
        ],
        &["Registered 1800"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_is_wrong() {
    let rows: [(&[Step], &str); 4] = [
        (
            &[
                Recv("REGISTER"),
                Answer("401 Unauthorized", CHALLENGE),
                Recv("REGISTER"),
                Answer("401 Unauthorized", CHALLENGE),
            ],
            "NotRegistered 401 the trunk refuses the user name or the password that are set for it",
        ),
        (
            &[Recv("REGISTER"), Answer("403 Go Away", "")],
            "NotRegistered 403 the registrar forbids it (Go Away): it does not like the user name, \
             the password or our address",
        ),
        (
            &[Recv("REGISTER"), Answer("404 Not Found", "")],
            "NotRegistered 404 the registrar does not know the user u1 (Not Found)",
        ),
        (
            &[Recv("REGISTER"), Answer("302 Moved", "")],
            "NotRegistered 302 the registrar sends us to sip:callee@",
        ),
    ];
    for (steps, expected) in rows {
        let carrier = Carrier::start(steps).await;
        let rig = Rig::with(hasty()).await;
        rig.keep(&[registering(with_password(peer(carrier.port)))]);
        rig.until_trunk("sipp", expected, 1).await;
        assert_eq!(rig.of_trunk("sipp").len(), 1, "{:?}", rig.of_trunk("sipp"));
        // There is nothing to be taken back: sipp would stumble over another request.
        rig.switch.close().await;
        carrier.assert_content().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registrar_that_comes_back_is_found_again() {
    registers(
        &[
            Recv("REGISTER"),
            Answer("503 Service Unavailable", "Retry-After: 10 (soon)\n"),
            Check("REGISTER", "CSeq: 2 REGISTER"),
            Answer("500 Server Internal Error", ""),
            Check("REGISTER", "CSeq: 3 REGISTER"),
            Answer("200 OK", "Expires: 600\n"),
            Check("REGISTER", "Expires: 0"),
            Answer("200 OK", ""),
        ],
        &[
            "NotRegistered 503 Service Unavailable",
            "NotRegistered 500 Server Internal Error",
            "Registered 600",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_is_taken_away_is_unregistered_and_others_are_not_disturbed() {
    let registered = [Recv("REGISTER"), Answer("200 OK", "Expires: 100000\n")];
    let taken_back = [Check("REGISTER", "Expires: 0"), Answer("200 OK", "")];
    let steps = [registered, taken_back].concat();
    let carriers = [Carrier::start(&steps).await, Carrier::start(&steps).await];
    let rig = Rig::with(hasty()).await;
    let plan = |name: &str, port| {
        let mut peer = peer(port);
        peer.name = name.to_owned();
        registering(peer)
    };
    let (first, second) = (plan("first", carriers[0].port), plan("second", carriers[1].port));
    rig.keep(&[first, second.clone()]);
    rig.until_trunk("first", "Registered", 1).await;
    rig.until_trunk("second", "Registered", 1).await;
    let [gone, kept] = carriers;
    rig.keep(std::slice::from_ref(&second));
    gone.assert_content().await;
    // Had the other one registered anew, its sipp would have had a request too many.
    rig.switch.close().await;
    kept.assert_content().await;
    assert_eq!(rig.of_trunk("second"), ["Registered 100000"]);
}

/// A new password makes a new keeper, but not a moment without a registration.
#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_changes_is_not_unregistered_in_between() {
    let answers = [Recv("REGISTER"), Answer("200 OK", "Expires: 600\n")];
    let last = [Check("REGISTER", "Expires: 0"), Answer("200 OK", "")];
    // To sipp another Call-ID is another call.
    let before = Carrier::start(&answers).await;
    let rig = Rig::with(hasty()).await;
    let plan = registering(peer(before.port));
    rig.keep(std::slice::from_ref(&plan));
    rig.until_trunk("sipp", "Registered", 1).await;
    let port = before.port;
    before.assert_content().await;
    let after = Carrier::at_port(&[answers, last].concat(), port).await;
    let changed = with_password(plan.peer.clone());
    rig.keep(&[registering(changed)]);
    rig.until_trunk("sipp", "Registered", 2).await;
    rig.switch.close().await;
    after.assert_content().await;
    assert_eq!(rig.of_trunk("sipp"), ["Registered 600", "Registered 600"]);
}

/// The registrar answers, and cuts the connection that it would call us by.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_registered_over_again() {
    let registrar = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rig = Rig::with(hasty()).await;
    let port = registrar.local_addr().unwrap().port();
    rig.keep(&[registering(over_tcp(peer(port)))]);
    for cseq in 1..=2 {
        let (mut connection, _) = registrar.accept().await.unwrap();
        let mut buffer = vec![0; 4_000];
        let mut length = 0;
        while !buffer[..length].ends_with(b"\r\n\r\n") {
            length += connection.read(&mut buffer[length..]).await.unwrap();
        }
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(text.contains(&format!("CSeq: {cseq} REGISTER")), "{text}");
        assert!(text.contains(";transport=tcp>;expires=600"), "{text}");
        let repeated = ["Via", "From", "To", "Call-ID", "CSeq", "Contact"];
        let mut answer = String::from("SIP/2.0 200 OK\r\n");
        for header in text.lines() {
            if repeated.contains(&header.split(':').next().unwrap()) {
                answer += &format!("{header}\r\n");
            }
        }
        answer += "Content-Length: 0\r\n\r\n";
        connection.write_all(answer.as_bytes()).await.unwrap();
        rig.until_trunk("sipp", "Registered 600", cseq).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_panics_is_begun_anew() {
    let answers = [Recv("REGISTER"), Answer("200 OK", "Expires: 600\n")];
    let before = Carrier::start(&answers).await;
    let rig = Rig::with(hasty()).await;
    rig.panic_at("Registered 600");
    let port = before.port;
    rig.keep(&[registering(peer(port))]);
    rig.until_trunk("sipp", "Registered", 1).await;
    before.assert_content().await;
    rig.panic_never();
    let last = [Check("REGISTER", "Expires: 0"), Answer("200 OK", "")];
    let after = Carrier::at_port(&[answers, last].concat(), port).await;
    rig.until_trunk("sipp", "Registered", 2).await;
    assert!(rig.switch.is_bound(), "no fault of a trunk's makes the engine unsound");
    rig.switch.close().await;
    after.assert_content().await;
}
