//! The carrier's registrar (RFC 3261 §10.3): takes customers' switches, with a digest challenge
//! where a user is configured, and tells of each try. Bindings are kept until they run out; nothing
//! is called through them yet.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use md5::{Digest as _, Md5};

use crate::address;
use crate::events::What;
use crate::message::Message;
use crate::options::Options;

const REALM: &str = "carrier-sim";
/// Where a REGISTER says nothing (RFC 3261 §10.2.1.1).
const USUAL_EXPIRES_S: u32 = 3_600;
/// Bindings that are kept; beyond it a new one is refused with 503.
const MOST_BINDINGS: usize = 10_000;

/// Who has registered.
#[derive(Debug, Default)]
pub(crate) struct Registrar {
    /// Until when, by user and contact.
    bindings: HashMap<(String, String), Instant>,
    nonces: u64,
}

impl Registrar {
    /// Answers a REGISTER; `seed` makes nonces repeatable.
    pub(crate) fn answer(
        &mut self,
        options: &Options,
        seed: u64,
        now: Instant,
        request: &Message,
    ) -> (Message, What) {
        let user = address::user(address::uri(request.header("To").unwrap_or_default())).to_owned();
        let refuse = |code, reason: &str| {
            let what = What::RegisterRefused { user: user.clone(), code };
            (Message::reply(request, code, reason, Some("none")), what)
        };
        if let Some((username, password)) =
            options.register_user.as_ref().zip(options.register_password.as_ref())
        {
            match request.header("Authorization").map(|header| proves(header, username, password)) {
                Some(true) => {}
                Some(false) => return refuse(403, "Forbidden"),
                None => {
                    self.nonces += 1;
                    let nonce = hex(&Md5::digest(format!("{seed}:{}", self.nonces)));
                    let (mut reply, what) = refuse(401, "Unauthorized");
                    let challenge = format!(
                        "Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\""
                    );
                    reply.push("WWW-Authenticate", &challenge);
                    return (reply, what);
                }
            }
        }
        self.bindings.retain(|_, until| *until > now);
        let contact = request.header("Contact").unwrap_or_default();
        let expires_s = expires_s(request, contact);
        if (1..options.min_expires_s).contains(&expires_s) {
            let (mut reply, what) = refuse(423, "Interval Too Brief");
            reply.push("Min-Expires", &options.min_expires_s.to_string());
            return (reply, what);
        }
        if expires_s == 0 {
            self.bindings.retain(|(of, _), _| *of != user);
            return (Message::reply(request, 200, "OK", Some("none")), What::Unregistered { user });
        }
        if self.bindings.len() >= MOST_BINDINGS {
            return refuse(503, "Service Unavailable");
        }
        let uri = address::uri(contact).to_owned();
        let until = now + Duration::from_secs(u64::from(expires_s));
        self.bindings.insert((user.clone(), uri.clone()), until);
        let mut reply = Message::reply(request, 200, "OK", Some("none"));
        reply.push("Contact", &format!("<{uri}>;expires={expires_s}"));
        reply.push("Expires", &expires_s.to_string());
        let registrations = self.bindings.len();
        (reply, What::Registered { user, contact: uri, expires_s, registrations })
    }
}

/// The Contact's own `expires` comes before the header (RFC 3261 §10.2.1.1).
fn expires_s(request: &Message, contact: &str) -> u32 {
    let parameters = contact.rsplit('>').next().unwrap_or_default();
    let own = address::parameter(parameters, "expires");
    let text = own.or_else(|| request.header("Expires"));
    text.and_then(|text| text.parse().ok()).unwrap_or(USUAL_EXPIRES_S)
}

/// Whether the credentials prove the password (RFC 2617 §3.2.2), for whatever nonce.
fn proves(header: &str, username: &str, password: &str) -> bool {
    let field = |name: &str| digest_field(header, name).unwrap_or_default();
    let ha1 = hex(&Md5::digest(format!("{username}:{REALM}:{password}")));
    let ha2 = hex(&Md5::digest(format!("REGISTER:{}", field("uri"))));
    let nonce = field("nonce");
    let proof = match field("qop").as_str() {
        "" => format!("{ha1}:{nonce}:{ha2}"),
        qop => format!("{ha1}:{nonce}:{}:{}:{qop}:{ha2}", field("nc"), field("cnonce")),
    };
    field("username") == username && field("response") == hex(&Md5::digest(proof))
}

fn digest_field(header: &str, name: &str) -> Option<String> {
    let fields = header.trim().strip_prefix("Digest")?;
    fields.split(',').find_map(|part| {
        let (found, value) = part.split_once('=')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &[&str]) -> Options {
        Cli::parse_from(["sim"].iter().chain(arguments)).options
    }

    fn register(contact: &str, more: &str) -> Message {
        let text = format!(
            "REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:line@x>;tag=f\r\n\
             To: <sip:line@x>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContact: {contact}\r\n{more}\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn intervals() {
        let usual = options(&[]);
        let cases = [
            ("<sip:line@h>", "", 200, 3_600),
            ("<sip:line@h>", "Expires: 120\r\n", 200, 120),
            ("<sip:line@h>;expires=90", "Expires: 120\r\n", 200, 90),
            ("<sip:line@h>", "Expires: 59\r\n", 423, 0),
            ("*", "Expires: 0\r\n", 200, 0),
        ];
        for (contact, more, code, expires_s) in cases {
            let mut registrar = Registrar::default();
            let now = Instant::now();
            let (reply, what) = registrar.answer(&usual, 1, now, &register(contact, more));
            assert_eq!(reply.code(), code, "{contact} {more}");
            match what {
                What::Registered { expires_s: found, .. } => assert_eq!(found, expires_s),
                What::Unregistered { user } => assert_eq!((user.as_str(), expires_s), ("line", 0)),
                What::RegisterRefused { code: found, .. } => {
                    assert_eq!(found, code);
                    assert_eq!(reply.header("Min-Expires"), Some("60"));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_password_is_asked_for_and_proven() {
        let guarded = options(&["--register-user", "line", "--register-password", "secret"]);
        let (mut registrar, now) = (Registrar::default(), Instant::now());
        let (reply, _) = registrar.answer(&guarded, 1, now, &register("<sip:line@h>", ""));
        let challenge = reply.header("WWW-Authenticate").unwrap().to_owned();
        let nonce = digest_field(&challenge, "nonce").unwrap();
        let with = |password: &str| {
            let ha1 = hex(&Md5::digest(format!("line:{REALM}:{password}")));
            let ha2 = hex(&Md5::digest("REGISTER:sip:x"));
            let response = hex(&Md5::digest(format!("{ha1}:{nonce}:00000001:abc:auth:{ha2}")));
            format!(
                "Authorization: Digest username=\"line\", realm=\"{REALM}\", nonce=\"{nonce}\", \
                 uri=\"sip:x\", qop=auth, nc=00000001, cnonce=\"abc\", response=\"{response}\"\r\n"
            )
        };
        for (password, code) in [("secret", 200), ("wrong", 403)] {
            let request = register("<sip:line@h>", &with(password));
            let (reply, _) = registrar.answer(&guarded, 1, now, &request);
            assert_eq!(reply.code(), code, "{password}");
        }
    }
}
