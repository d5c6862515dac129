//! Datagrams from strangers: mended, parsed, refused.

use yunling_fuzz::Target;

use super::{LIMITS, SIP_WORDS, assert_well_formed, read};
use crate::engine::{Standing, refusal};
use crate::sip::stack::{Message, Start};

/// The tortuous messages of RFC 4475.
fn torture() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile_survival/rfc4475");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "sip"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 49);
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn any_datagram_is_survived_and_answered_by_one_message() {
    let target = Target {
        name: "sip_datagram",
        run_by: "test -p yunling-switch --lib fuzzing::datagrams",
        seeds: torture(),
        words: SIP_WORDS,
        longest: 16_384,
        limits: LIMITS,
    };
    target.run(|datagram| match read(datagram) {
        None => (0, 0),
        Some(Err(reply)) => {
            // Lines that end in a line feed alone are ended properly.
            let lines = datagram.iter().filter(|byte| **byte == b'\n').count();
            let allowed = datagram.len() + lines + 80;
            assert!(reply.len() <= allowed, "{} of {allowed}", reply.len());
            assert!(reply.starts_with(b"SIP/2.0 50"));
            (1, 0)
        }
        Some(Ok(message)) => {
            let kind = match message.start() {
                Start::Request(method) => *method as usize,
                Start::Response { status, .. } => usize::from(*status),
            };
            for standing in [Standing::Known, Standing::Stranger] {
                if let Some(reply) = refusal(&message, standing, 7) {
                    check_reply(&message, &reply, datagram.len());
                }
            }
            let _session = message.sdp();
            let _target = message.contact();
            (2, kind)
        }
    });
}

/// The reply is one message, and whoever reads it finds its own transaction in it.
fn check_reply(request: &Message, reply: &[u8], request_len: usize) {
    assert_well_formed(reply);
    // Compact names are written out, and each header gets a space.
    assert!(reply.len() <= request_len * 8 + 256, "{} of {request_len}", reply.len());
    let Some(Ok(again)) = read(reply) else {
        panic!("our reply cannot be read: {}", String::from_utf8_lossy(reply))
    };
    assert_eq!(spaced(again.call_id()), spaced(request.call_id()));
    assert_eq!((again.cseq(), again.cseq_method()), (request.cseq(), request.cseq_method()));
    assert_eq!(again.branch().map(spaced), request.branch().map(spaced));
    // What the peer left open, such as a quote, may swallow the tag that is put behind it.
    let to = |message: &Message| spaced(message.header("To").unwrap());
    assert!(to(&again).starts_with(&to(request)), "{}", String::from_utf8_lossy(reply));
    assert_eq!(again.tag_of_from().map(spaced), request.tag_of_from().map(spaced));
}

/// White space of whatever kind is one (RFC 3261 §25.1, LWS): we write spaces for tabs.
fn spaced(text: &str) -> String {
    text.replace(char::is_control, " ").trim().to_owned()
}
