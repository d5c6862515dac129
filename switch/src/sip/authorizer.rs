//! Answers the challenges of one call: which to answer, with what, and how often.

use yunling_switch_contract::Credentials;

use super::digest::{Attempt, Challenge, Unspoken};
use super::stack::Message;

/// How often a request may be sent in all: once as it is, and for each of 401 and 407 once with the
/// password and once more with a fresh nonce ([`Authorizer::take`]).
pub(crate) const MOST_SENDINGS: u32 = 5;

/// The header that an answer goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// 401: `WWW-Authenticate`, `Authorization`.
    Server,
    /// 407: `Proxy-Authenticate`, `Proxy-Authorization`.
    Proxy,
}

/// Why a request is not sent again with an answer. Told as what the trunk does: the fault is the
/// trunk's, or that of its settings here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The response is no 401 or 407.
    #[error("was not a challenge")]
    NoChallenge,
    #[error("asks for a password, and none is set for it")]
    NoPassword,
    #[error("refuses the user name or the password that are set for it")]
    Refused,
    #[error("calls every nonce stale that it gave itself")]
    Loop,
    #[error(transparent)]
    Unspoken(#[from] Unspoken),
}

/// What was tried for one request: a password once, and once more if only the nonce was stale.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tries {
    server: Tried,
    proxy: Tried,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tried {
    #[default]
    Nothing,
    Once,
    WithFreshNonce,
}

#[derive(Debug)]
struct Known {
    place: Place,
    challenge: Challenge,
    /// Requests that this nonce was used in.
    uses: u32,
}

/// The challenges of one call, so that later requests carry an answer unasked (RFC 3261 §22.3).
///
/// A password's digest must not get to a stranger who chose the nonce: see that a challenge came
/// from the trunk itself before it is given to [`Authorizer::take`].
#[derive(Debug)]
pub(crate) struct Authorizer {
    credentials: Option<Credentials>,
    cnonce: String,
    known: Vec<Known>,
}

impl Authorizer {
    pub(crate) fn new(credentials: Option<Credentials>, cnonce: String) -> Self {
        Self { credentials, cnonce, known: Vec::new() }
    }

    /// Whether there is a password that a challenge could be answered with.
    pub(crate) fn has_password(&self) -> bool {
        self.credentials.is_some()
    }

    /// Takes the final response to a request; `tries` are that request's. Ok: send it again with
    /// [`Authorizer::headers`].
    ///
    /// # Errors
    /// [`Refusal`] says why that would be of no use.
    pub(crate) fn take(
        &mut self,
        tries: &mut Tries,
        response: &Message,
        status: u16,
    ) -> Result<(), Refusal> {
        let (place, header, tried) = match status {
            401 => (Place::Server, "WWW-Authenticate", &mut tries.server),
            407 => (Place::Proxy, "Proxy-Authenticate", &mut tries.proxy),
            _ => return Err(Refusal::NoChallenge),
        };
        if self.credentials.is_none() {
            return Err(Refusal::NoPassword);
        }
        let challenge = Challenge::strongest(response.headers(header))?;
        let before = self.known.iter().position(|known| known.place == place);
        // A nonce that is answered with the wrong digest is not stale, whatever is said of it.
        let same = before.is_some_and(|at| self.known[at].challenge.nonce() == challenge.nonce());
        *tried = match *tried {
            Tried::Nothing => Tried::Once,
            Tried::Once if challenge.stale && !same => Tried::WithFreshNonce,
            Tried::Once => return Err(Refusal::Refused),
            Tried::WithFreshNonce if challenge.stale => return Err(Refusal::Loop),
            Tried::WithFreshNonce => return Err(Refusal::Refused),
        };
        match before {
            // Counted on: the same nonce with the same count looks like a replay (RFC 7616 §3.4).
            Some(at) if same => self.known[at].challenge = challenge,
            Some(at) => self.known[at] = Known { place, challenge, uses: 0 },
            None => self.known.push(Known { place, challenge, uses: 0 }),
        }
        Ok(())
    }

    /// The headers for a request; each call counts as a use of the nonces.
    pub(crate) fn headers(&mut self, method: &str, uri: &str) -> Vec<(&'static str, String)> {
        let Some(credentials) = &self.credentials else { return Vec::new() };
        let cnonce = &self.cnonce;
        self.known
            .iter_mut()
            .map(|known| {
                known.uses += 1;
                let attempt = Attempt { method, uri, nonce_count: known.uses, cnonce };
                let name = match known.place {
                    Place::Server => "Authorization",
                    Place::Proxy => "Proxy-Authorization",
                };
                (name, known.challenge.answer(credentials, attempt))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenged(status: u16, challenge: &str) -> Message {
        let header = if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
        Message::parse(&format!(
            "SIP/2.0 {status} x\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a>;tag=1\r\n\
             To: <sip:b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{header}: {challenge}\r\n\r\n"
        ))
    }

    fn authorizer() -> Authorizer {
        let credentials = Credentials { username: "u".into(), password: "p".into() };
        Authorizer::new(Some(credentials), "c".into())
    }

    /// One request after another, each with what it is challenged with, and what comes of it.
    #[test]
    fn a_password_is_tried_once_and_a_stale_nonce_once_more() {
        let first = "Digest realm=\"r\", nonce=\"1\", qop=\"auth\"";
        let other = "Digest realm=\"r\", nonce=\"2\", qop=\"auth\"";
        let stale = "Digest realm=\"r\", nonce=\"3\", qop=\"auth\", stale=true";
        let stale_again = "Digest realm=\"r\", nonce=\"4\", qop=\"auth\", stale=true";
        let feigned = "Digest realm=\"r\", nonce=\"1\", qop=\"auth\", stale=true";
        let rows: [&[(&str, Result<(), Refusal>)]; 5] = [
            &[(first, Ok(())), (first, Err(Refusal::Refused))],
            &[(first, Ok(())), (other, Err(Refusal::Refused))],
            &[(first, Ok(())), (feigned, Err(Refusal::Refused))],
            &[(first, Ok(())), (stale, Ok(())), (stale_again, Err(Refusal::Loop))],
            &[(first, Ok(())), (stale, Ok(())), (other, Err(Refusal::Refused))],
        ];
        let mut auth = authorizer();
        for row in rows {
            // Another request is another matter, even in the same call.
            let mut tries = Tries::default();
            for (challenge, expected) in row {
                let taken = auth.take(&mut tries, &challenged(401, challenge), 401);
                assert_eq!(taken, *expected, "{challenge}");
            }
        }
    }

    #[test]
    fn a_proxy_and_a_server_may_both_ask() {
        let (mut auth, mut tries) = (authorizer(), Tries::default());
        let proxy = challenged(407, "Digest realm=\"p\", nonce=\"1\", qop=auth");
        assert!(auth.take(&mut tries, &proxy, 407).is_ok());
        let server = challenged(401, "Digest realm=\"s\", nonce=\"2\", qop=auth");
        assert!(auth.take(&mut tries, &server, 401).is_ok());
        let headers = auth.headers("INVITE", "sip:x");
        assert_eq!(
            headers.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            ["Proxy-Authorization", "Authorization"]
        );
        assert!(headers[0].1.contains("nc=00000001"));
        assert!(auth.headers("BYE", "sip:x")[0].1.contains("nc=00000002"));
        // Challenged anew with the nonce that it has had: the count goes on.
        assert!(auth.take(&mut Tries::default(), &server, 401).is_ok());
        assert!(auth.headers("BYE", "sip:x")[1].1.contains("nc=00000003"));
    }

    /// A proxy and a server that ask for as much as they can.
    #[test]
    fn no_request_is_sent_more_often_than_is_said() {
        let (mut auth, mut tries) = (authorizer(), Tries::default());
        let mut sendings = 1;
        for (status, realm) in [(407, "p"), (401, "s")] {
            for nonce in 0..9 {
                let challenge = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", stale=true");
                let taken = auth.take(&mut tries, &challenged(status, &challenge), status);
                sendings += u32::from(taken.is_ok());
            }
        }
        assert_eq!(sendings, MOST_SENDINGS);
    }

    #[test]
    fn what_stands_in_the_way_is_told() {
        let fresh = "Digest realm=\"r\", nonce=\"1\"";
        let rows = [
            (None, 401, fresh, "asks for a password, and none is set for it"),
            (Some(()), 403, fresh, "was not a challenge"),
            (Some(()), 401, "Basic realm=\"r\"", "sends no digest challenge that can be read"),
            (
                Some(()),
                407,
                "Digest realm=\"r\", nonce=\"1\", algorithm=SHA-512-256",
                "asks for the digest algorithm SHA-512-256; MD5 and SHA-256 are spoken here",
            ),
            (
                Some(()),
                401,
                "Digest realm=\"r\", nonce=\"1\", qop=\"auth-int\"",
                "asks for the digest protection auth-int; auth is spoken here",
            ),
        ];
        for (password, status, challenge, expected) in rows {
            let mut auth = match password {
                Some(()) => authorizer(),
                None => Authorizer::new(None, String::new()),
            };
            let response = challenged(status, challenge);
            let refusal = auth.take(&mut Tries::default(), &response, status).err();
            assert_eq!(refusal.map(|r| r.to_string()).as_deref(), Some(expected), "{challenge}");
        }
    }
}
