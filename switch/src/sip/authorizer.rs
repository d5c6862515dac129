//! Answers the challenges of one call: which to answer, with what, and how often.

use yunling_switch_contract::Credentials;

use super::digest::{Attempt, Challenge};
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

#[derive(Debug)]
struct Known {
    place: Place,
    challenge: Challenge,
    /// Requests that this nonce was used in.
    uses: u32,
    answered_here: bool,
    refreshed_here: bool,
}

/// The challenges of one call, so that later requests carry an answer unasked (RFC 3261 §22.3).
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

    /// Begins another request of the call: it may be challenged anew.
    pub(crate) fn begin(&mut self) {
        for known in &mut self.known {
            (known.answered_here, known.refreshed_here) = (false, false);
        }
    }

    /// Takes a 401 or 407. True: send the request again with [`Authorizer::headers`]. False: there
    /// is no password, no challenge that we can answer, or the password was refused. A password is
    /// tried once in a request, and once more if the server says that only the nonce was stale.
    pub(crate) fn take(&mut self, response: &Message, status: u16) -> bool {
        let (place, header) = match status {
            401 => (Place::Server, "WWW-Authenticate"),
            407 => (Place::Proxy, "Proxy-Authenticate"),
            _ => return false,
        };
        if self.credentials.is_none() {
            return false;
        }
        let Some(challenge) = Challenge::strongest(response.headers(header)) else { return false };
        let before = self.known.iter().position(|known| known.place == place);
        let refreshed_here = match before.map(|at| &self.known[at]) {
            Some(known) if known.answered_here => {
                if !challenge.stale || known.refreshed_here {
                    return false;
                }
                true
            }
            _ => false,
        };
        let known = Known { place, challenge, uses: 0, answered_here: true, refreshed_here };
        match before {
            Some(at) => self.known[at] = known,
            None => self.known.push(known),
        }
        true
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

    #[test]
    fn a_password_is_tried_once_and_a_stale_nonce_once_more() {
        let fresh = "Digest realm=\"r\", nonce=\"1\", qop=\"auth\"";
        let stale = "Digest realm=\"r\", nonce=\"2\", qop=\"auth\", stale=true";
        let mut auth = authorizer();
        assert!(auth.take(&challenged(401, fresh), 401));
        assert!(!auth.take(&challenged(401, fresh), 401), "the password was refused");
        assert!(auth.take(&challenged(401, stale), 401));
        assert!(!auth.take(&challenged(401, stale), 401), "stale twice is a loop");
        auth.begin();
        assert!(auth.take(&challenged(401, fresh), 401), "another request is another matter");
    }

    #[test]
    fn a_proxy_and_a_server_may_both_ask() {
        let mut auth = authorizer();
        assert!(auth.take(&challenged(407, "Digest realm=\"p\", nonce=\"1\", qop=auth"), 407));
        assert!(auth.take(&challenged(401, "Digest realm=\"s\", nonce=\"2\", qop=auth"), 401));
        let headers = auth.headers("INVITE", "sip:x");
        assert_eq!(
            headers.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            ["Proxy-Authorization", "Authorization"]
        );
        assert!(headers[0].1.contains("nc=00000001"));
        assert!(auth.headers("BYE", "sip:x")[0].1.contains("nc=00000002"));
    }

    /// A proxy and a server that ask for as much as they can.
    #[test]
    fn no_request_is_sent_more_often_than_is_said() {
        let mut auth = authorizer();
        let mut sendings = 1;
        for (status, realm) in [(407, "p"), (401, "s")] {
            for nonce in 0..9 {
                let challenge = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", stale=true");
                sendings += u32::from(auth.take(&challenged(status, &challenge), status));
            }
        }
        assert_eq!(sendings, MOST_SENDINGS);
    }

    #[test]
    fn without_a_password_or_a_usable_challenge_nothing_is_tried() {
        let fresh = "Digest realm=\"r\", nonce=\"1\"";
        assert!(!Authorizer::new(None, String::new()).take(&challenged(401, fresh), 401));
        assert!(!authorizer().take(&challenged(401, "Basic realm=\"r\""), 401));
        assert!(!authorizer().take(&challenged(401, fresh), 403));
    }
}
