//! Digest challenges: whatever a server writes, the answer is one header value.

use yunling_fuzz::Target;
use yunling_switch_contract::Credentials;

use super::LIMITS;
use crate::sip::digest::{Attempt, Challenge};

const WORDS: &[&str] = &[
    "Digest ",
    "Basic ",
    "realm=",
    "nonce=",
    "opaque=",
    "algorithm=",
    "MD5",
    "SHA-256",
    "MD5-sess",
    "SHA-256-sess",
    "SHA-512-256",
    "qop=",
    "\"auth\"",
    "\"auth,auth-int\"",
    "stale=true",
    "domain=",
    "\\\"",
    "\\",
    "\"",
    ",",
    ", ",
    "=",
    "\u{4e91}",
];

#[test]
fn any_challenge_is_survived_and_answered_by_one_value() {
    let seeds = [
        "Digest realm=\"a\", nonce=\"n\"",
        "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0\"",
        "Digest realm=a,nonce=b,algorithm=MD5-sess,stale=TRUE,opaque=\"\\\"\"",
        "Basic realm=\"a\"\nDigest nonce=1",
    ];
    let target = Target {
        name: "digest_challenge",
        run_by: "test -p yunling-switch --lib fuzzing::challenges",
        seeds: seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect(),
        words: WORDS,
        longest: 8_192,
        limits: LIMITS,
    };
    let credentials = Credentials { username: "u\"1".into(), password: "p".into() };
    target.run(|input| {
        // Header values hold no line ends: each line is a header of one response.
        let text = String::from_utf8_lossy(input);
        let values = || text.lines().map(|line| line.trim_matches('\r'));
        let Ok(challenge) = Challenge::strongest(values()) else { return (0, 0) };
        let attempt = Attempt { method: "INVITE", uri: "sip:a@b", nonce_count: 1, cnonce: "c" };
        let answer = challenge.answer(&credentials, attempt);
        assert!(answer.starts_with("Digest username=\"u\\\"1\", realm=\""), "{answer}");
        assert!(!answer.contains('\n') && answer.len() <= input.len() * 4 + 512, "{answer}");
        // Every quoted string is closed again.
        let mut quoted = false;
        let mut chars = answer.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' if quoted => drop(chars.next()),
                '"' => quoted = !quoted,
                _ => {}
            }
        }
        assert!(!quoted, "{answer}");
        assert_eq!(answer, challenge.answer(&credentials, attempt), "it is the same each time");
        (1, answer.matches(", ").count())
    });
}
