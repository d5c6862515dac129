//! Digest authentication, the client's side (RFC 7616, RFC 8760, RFC 3261 §22.4). Pure: the client
//! nonce is an argument.
//!
//! Our own, because the stack's refuses `SHA-256` by its registered name and writes `nc` wrongly.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use md5::{Digest as _, Md5};
use yunling_switch_contract::Credentials;

use super::fields::params::split_outside;

/// A hash, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
}

impl Hash {
    fn hex(self, text: &str) -> String {
        match self {
            Self::Md5 => hex::encode(Md5::digest(text.as_bytes())),
            Self::Sha256 => hex::encode(digest(&SHA256, text.as_bytes())),
        }
    }
}

/// Why a challenge cannot be answered, told as what its sender does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unspoken {
    /// Another scheme, or no realm or nonce in it.
    #[error("sends no digest challenge that can be read")]
    Unreadable,
    /// An algorithm that we do not have.
    #[error("asks for the digest algorithm {0}; MD5 and SHA-256 are spoken here")]
    Algorithm(String),
    /// A `qop` without `auth`.
    #[error("asks for the digest protection {0}; auth is spoken here")]
    Protection(String),
}

/// One challenge that we can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As the server wrote it, to be given back; absent means MD5.
    algorithm: Option<String>,
    hash: Hash,
    session: bool,
    qop_auth: bool,
    /// The nonce was right once and is too old now: the same password may be tried again.
    pub stale: bool,
}

/// What the answer is computed over besides the challenge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// Method of the request.
    pub method: &'a str,
    /// Its Request-URI.
    pub uri: &'a str,
    /// How often this nonce was used, from 1.
    pub nonce_count: u32,
    /// Our nonce.
    pub cnonce: &'a str,
}

impl Challenge {
    /// The strongest of the challenges that we can answer; `values` are the WWW-Authenticate or
    /// Proxy-Authenticate headers of one response. Of equal ones the first, which is the server's
    /// preference (RFC 7616 §3.7).
    ///
    /// # Errors
    /// [`Unspoken`], if there is none: why the last digest challenge cannot be answered.
    pub(crate) fn strongest<'a>(values: impl Iterator<Item = &'a str>) -> Result<Self, Unspoken> {
        let mut best: Result<Self, Unspoken> = Err(Unspoken::Unreadable);
        for challenge in values.map(Self::parse) {
            match (&best, &challenge) {
                (Ok(found), Ok(other)) if other.hash <= found.hash => {}
                (Ok(_), Err(_)) | (Err(_), Err(Unspoken::Unreadable)) => {}
                _ => best = challenge,
            }
        }
        best
    }

    /// The nonce, which tells one challenge from the next.
    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Reads one header. Values may be quoted or not, wherever they stand.
    fn parse(value: &str) -> Result<Self, Unspoken> {
        let (scheme, rest) = value.trim().split_once([' ', '\t']).ok_or(Unspoken::Unreadable)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Err(Unspoken::Unreadable);
        }
        let (mut realm, mut nonce, mut opaque, mut algorithm, mut qop) =
            (None, None, None, None, None);
        let mut stale = false;
        for piece in split_outside(rest, b',') {
            let Some((name, value)) = piece.split_once('=') else { continue };
            let value = unescape(value.trim());
            match name.trim().to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "nonce" => nonce = Some(value),
                "opaque" => opaque = Some(value),
                "algorithm" => algorithm = Some(value),
                "qop" => qop = Some(value),
                "stale" => stale = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        let (hash, session) = match algorithm.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("md5") => (Hash::Md5, false),
            Some("md5-sess") => (Hash::Md5, true),
            Some("sha-256") => (Hash::Sha256, false),
            Some("sha-256-sess") => (Hash::Sha256, true),
            Some(_) => return Err(Unspoken::Algorithm(algorithm.unwrap_or_default())),
        };
        let offers_auth =
            |list: &str| list.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth"));
        let qop_auth = match qop {
            None => false,
            Some(list) if offers_auth(&list) => true,
            Some(list) => return Err(Unspoken::Protection(list)),
        };
        Ok(Self {
            realm: realm.ok_or(Unspoken::Unreadable)?,
            nonce: nonce.ok_or(Unspoken::Unreadable)?,
            opaque,
            algorithm,
            hash,
            session,
            qop_auth,
            stale,
        })
    }

    /// The value of the Authorization or Proxy-Authorization header.
    pub(crate) fn answer(&self, credentials: &Credentials, attempt: Attempt<'_>) -> String {
        let Attempt { method, uri, nonce_count, cnonce } = attempt;
        let hash = |text: &str| self.hash.hex(text);
        let mut a1 =
            hash(&format!("{}:{}:{}", credentials.username, self.realm, credentials.password));
        if self.session {
            a1 = hash(&format!("{a1}:{}:{cnonce}", self.nonce));
        }
        let a2 = hash(&format!("{method}:{uri}"));
        let nonce = &self.nonce;
        let response = if self.qop_auth {
            hash(&format!("{a1}:{nonce}:{nonce_count:08x}:{cnonce}:auth:{a2}"))
        } else {
            hash(&format!("{a1}:{nonce}:{a2}"))
        };
        let mut value = String::with_capacity(320);
        value.push_str("Digest username=");
        push_quoted(&mut value, &credentials.username);
        for (name, text) in [("realm", &self.realm), ("nonce", nonce)] {
            let _infallible = write!(value, ", {name}=");
            push_quoted(&mut value, text);
        }
        value.push_str(", uri=");
        push_quoted(&mut value, uri);
        let _infallible = write!(value, ", response=\"{response}\"");
        if let Some(algorithm) = &self.algorithm {
            let _infallible = write!(value, ", algorithm={algorithm}");
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(", opaque=");
            push_quoted(&mut value, opaque);
        }
        if self.qop_auth {
            let _infallible = write!(value, ", qop=auth, nc={nonce_count:08x}");
        }
        if self.qop_auth || self.session {
            let _infallible = write!(value, ", cnonce=\"{cnonce}\"");
        }
        value
    }
}

/// A token as it is, a quoted string without quotes and escapes.
fn unescape(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

fn push_quoted(to: &mut String, text: &str) {
    to.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            to.push('\\');
        }
        to.push(c);
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    fn mufasa() -> Credentials {
        Credentials { username: "Mufasa".into(), password: "Circle of Life".into() }
    }

    /// RFC 7616 §3.9.1 gives these for the same request in both hashes.
    #[test]
    fn the_vectors_of_rfc_7616_hold() {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let attempt = Attempt {
            method: "GET",
            uri: "/dir/index.html",
            nonce_count: 1,
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        let rows = [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ];
        for (algorithm, response) in rows {
            let header = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                 algorithm={algorithm}, nonce=\"{nonce}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let challenge = Challenge::strongest([header.as_str()].into_iter()).unwrap();
            let answer = challenge.answer(&mufasa(), attempt);
            assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
            assert!(answer.contains("nc=00000001") && answer.contains("qop=auth,"), "{answer}");
            assert!(answer.contains(&format!("algorithm={algorithm}")), "{answer}");
        }
    }

    /// RFC 2617 §3.5 with qop, and RFC 2069's corrected example without.
    #[test]
    fn the_older_forms_hold() {
        let attempt =
            Attempt { method: "GET", uri: "/dir/index.html", nonce_count: 1, cnonce: "0a4f113b" };
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let with_qop =
            format!("Digest realm=\"testrealm@host.com\",qop=\"auth,auth-int\",nonce=\"{nonce}\"");
        let answer = Challenge::strongest([with_qop.as_str()].into_iter()).unwrap().answer(
            &Credentials { username: "Mufasa".into(), password: "Circle Of Life".into() },
            attempt,
        );
        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
        assert!(!answer.contains("algorithm"), "none was named: {answer}");

        let without = format!("Digest realm=\"testrealm@host.com\", nonce=\"{nonce}\"");
        let answer = Challenge::strongest([without.as_str()].into_iter()).unwrap().answer(
            &Credentials { username: "Mufasa".into(), password: "CircleOfLife".into() },
            attempt,
        );
        assert!(answer.contains("response=\"1949323746fe6a43ef61f9606e7febea\""), "{answer}");
        assert!(!answer.contains("qop") && !answer.contains("cnonce"), "{answer}");
    }

    /// The session forms hash the first hash with both nonces once more (RFC 7616 §3.4.2); the
    /// expected values are computed from that definition, step by step.
    #[test]
    fn session_forms_hash_twice() {
        let attempt = Attempt { method: "INVITE", uri: "sip:1@h", nonce_count: 0x1f, cnonce: "c" };
        for (name, hash) in [("MD5-sess", Hash::Md5), ("sha-256-SESS", Hash::Sha256)] {
            let header = format!("Digest realm=r, nonce=n, algorithm=\"{name}\", qop=auth");
            let answer = Challenge::strongest([header.as_str()].into_iter())
                .unwrap()
                .answer(&mufasa(), attempt);
            let first = hash.hex("Mufasa:r:Circle of Life");
            let a1 = hash.hex(&format!("{first}:n:c"));
            let expected =
                hash.hex(&format!("{a1}:n:0000001f:c:auth:{}", hash.hex("INVITE:sip:1@h")));
            assert!(answer.contains(&format!("response=\"{expected}\"")), "{answer}");
            assert!(answer.contains("nc=0000001f"), "{answer}");
        }
    }

    #[test]
    fn the_strongest_that_we_can_answer_wins() {
        let md5 = r#"Digest realm="a", nonce="1", algorithm=MD5"#;
        let sha = r#"Digest realm="b", nonce="2", algorithm=SHA-256, qop="auth""#;
        let unknown = r#"Digest realm="c", nonce="3", algorithm=SHA-512-256"#;
        let integrity = r#"Digest realm="d", nonce="4", qop="auth-int""#;
        let basic = r#"Basic realm="e""#;
        let (algorithm, protection) =
            (Unspoken::Algorithm("SHA-512-256".into()), Unspoken::Protection("auth-int".into()));
        let rows: [(&[&str], Result<&str, Unspoken>); 7] = [
            (&[md5, sha], Ok("b")),
            (&[sha, md5], Ok("b")),
            (&[unknown, md5], Ok("a")),
            (&[basic, unknown], Err(algorithm)),
            (&[integrity, basic], Err(protection)),
            (&[basic, r#"Digest realm="x""#], Err(Unspoken::Unreadable)),
            (&[], Err(Unspoken::Unreadable)),
        ];
        for (headers, realm) in rows {
            let found = Challenge::strongest(headers.iter().copied());
            assert_eq!(
                found.as_ref().map(|c| c.realm.as_str()),
                realm.as_ref().copied(),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn odd_spellings_are_read_and_written_back_safely() {
        let header = "digest  nonce=abc , REALM=\"a\\\"b, c\",stale=TRUE,opaque=\"\"";
        let challenge = Challenge::strongest([header].into_iter()).unwrap();
        assert_eq!((challenge.realm.as_str(), challenge.nonce.as_str()), ("a\"b, c", "abc"));
        assert!(challenge.stale);
        let attempt = Attempt { method: "INVITE", uri: "sip:h", nonce_count: 1, cnonce: "c" };
        let answer = challenge.answer(&mufasa(), attempt);
        assert!(
            answer.contains(r#"realm="a\"b, c""#) && answer.contains("opaque=\"\""),
            "{answer}"
        );
    }
}
