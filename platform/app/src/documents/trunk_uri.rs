//! `sip:host[:port][;transport=udp|tcp]`: where a trunk is (RFC 3261 §19.1, the part that a trunk needs).

use crate::config::SipTransport;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// SIP's own port (RFC 3261 §19.1.2).
const DEFAULT_PORT: u16 = 5060;

/// Where a trunk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkUri {
    /// A host name or an address, IPv6 without its brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// How to reach it; UDP where the URI does not say.
    pub transport: SipTransport,
}

impl fmt::Display for TrunkUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(
            f,
            "sip:{open}{}{close}:{};transport={}",
            self.host,
            self.port,
            self.transport.as_str()
        )
    }
}

impl FromStr for TrunkUri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = |what: &str| {
            format!(
                "expected a URI such as sip:203.0.113.7:5060;transport=udp, found {what} in {text:?}"
            )
        };
        let text = text.trim();
        let (scheme, rest) = text.split_once(':').ok_or_else(|| expected("no \"sip:\""))?;
        if !scheme.eq_ignore_ascii_case("sip") {
            return Err(expected(&format!("scheme {scheme:?}")));
        }
        let mut parts = rest.split(';');
        let authority = parts.next().unwrap_or_default();
        if authority.contains('@') {
            return Err(expected("a user (write username and password as fields of their own)"));
        }
        let (host, port) = host_and_port(authority).ok_or_else(|| expected("no host and port"))?;
        let mut transport = SipTransport::Udp;
        for parameter in parts {
            match parameter.split_once('=') {
                Some((name, value)) if name.eq_ignore_ascii_case("transport") => {
                    transport = value
                        .parse()
                        .map_err(|_: String| expected(&format!("transport {value:?}")))?;
                }
                _ => return Err(expected(&format!("unknown parameter {parameter:?}"))),
            }
        }
        Ok(Self { host, port, transport })
    }
}

fn host_and_port(authority: &str) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            let port = match after {
                "" => None,
                _ => Some(after.strip_prefix(':')?),
            };
            (host, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let named =
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    if host.is_empty() || host.len() > 253 || !(named || host.contains(':')) {
        return None;
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None => DEFAULT_PORT,
    };
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read() {
        let cases = [
            ("sip:127.0.0.1:5070;transport=udp", "sip:127.0.0.1:5070;transport=udp"),
            ("sip:carrier.example", "sip:carrier.example:5060;transport=udp"),
            ("SIP:carrier.example;Transport=TCP", "sip:carrier.example:5060;transport=tcp"),
            ("sip:[2001:db8::1]:5062", "sip:[2001:db8::1]:5062;transport=udp"),
        ];
        for (text, whole) in cases {
            assert_eq!(
                text.parse::<TrunkUri>().map(|uri| uri.to_string()),
                Ok(whole.to_owned()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_is_no_trunk_is_refused_with_the_reason() {
        let cases = [
            ("127.0.0.1", "no \"sip:\""),
            ("sips:x", "scheme \"sips\""),
            ("sip:", "no host"),
            ("sip:x:0", "no host and port"),
            ("sip:x:70000", "no host and port"),
            ("sip:[nonsense]:5060", "no host"),
            ("sip:user@x", "a user"),
            ("sip:x;transport=tls", "transport \"tls\""),
            ("sip:x;lr", "unknown parameter"),
            ("sip:a b", "no host"),
        ];
        for (text, said) in cases {
            let problem = text.parse::<TrunkUri>().err().unwrap_or_default();
            assert!(problem.contains(said), "{text:?} gave {problem:?}");
        }
    }
}
