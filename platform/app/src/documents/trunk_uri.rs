//! `sip:host[:port][;transport=udp|tcp|tls]` and `sips:host[:port]`: where a trunk is (RFC 3261
//! §19.1, the part that a trunk needs).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// RFC 1035 §2.3.4.
const MAX_HOST_CHARS: usize = 253;

/// Where a trunk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkUri {
    /// A host name or an address, IPv6 without its brackets.
    pub host: String,
    /// 1 to 65535. Absent: the host name's SRV records say where, else the transport's usual port.
    pub port: Option<u16>,
    /// How to reach it; UDP where the URI does not say.
    pub transport: TrunkTransport,
}

/// How a trunk is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrunkTransport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream inside TLS.
    Tls,
}

impl TrunkTransport {
    /// As it is written in a URI.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls]
            .into_iter()
            .find(|transport| text.eq_ignore_ascii_case(transport.as_str()))
    }
}

impl fmt::Display for TrunkUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "sip:{open}{}{close}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, ";transport={}", self.transport.as_str())
    }
}

impl FromStr for TrunkUri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = |what: &str| {
            format!(
                "expected a URI such as sip:203.0.113.7:5060;transport=udp or sips:carrier.example, found {what} in {text:?}"
            )
        };
        let text = text.trim();
        let (scheme, rest) = text.split_once(':').ok_or_else(|| expected("no \"sip:\""))?;
        let secure = scheme.eq_ignore_ascii_case("sips");
        if !secure && !scheme.eq_ignore_ascii_case("sip") {
            return Err(expected(&format!("scheme {scheme:?}")));
        }
        let mut parts = rest.split(';');
        let authority = parts.next().unwrap_or_default();
        if authority.contains('@') {
            return Err(expected("a user (write username and password as fields of their own)"));
        }
        let (host, port) = host_and_port(authority).ok_or_else(|| expected("no host and port"))?;
        let mut transport = None;
        for parameter in parts {
            match parameter.split_once('=') {
                Some((name, value)) if name.eq_ignore_ascii_case("transport") => {
                    let read = TrunkTransport::read(value)
                        .ok_or_else(|| expected(&format!("transport {value:?}")))?;
                    transport = Some(read);
                }
                _ => return Err(expected(&format!("unknown parameter {parameter:?}"))),
            }
        }
        let transport = match (secure, transport) {
            (false, given) => given.unwrap_or(TrunkTransport::Udp),
            // transport=tcp in a sips URI means TLS over TCP (RFC 3261 §26.2.2).
            (true, None | Some(TrunkTransport::Tcp | TrunkTransport::Tls)) => TrunkTransport::Tls,
            (true, Some(TrunkTransport::Udp)) => {
                return Err(expected("sips: with transport=udp (there is no TLS over UDP)"));
            }
        };
        Ok(Self { host, port, transport })
    }
}

fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
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
    if !(is_host_name(host) || host.contains(':')) {
        return None;
    }
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
        None => None,
    };
    Some((host.to_owned(), port))
}

fn is_host_name(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= MAX_HOST_CHARS
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

/// The domain that stands behind the @ of From: a host name or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromDomain(String);

impl FromDomain {
    /// As it stands in a URI, IPv6 in brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FromDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FromDomain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => Ok(Self(format!("[{address}]"))),
            Ok(IpAddr::V4(_)) => Ok(Self(text.to_owned())),
            Err(_) if is_host_name(text) => Ok(Self(text.to_owned())),
            Err(_) => Err(format!(
                "expected a host name or an address without port, such as sip.example.com, found {text:?}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read() {
        let cases = [
            ("sip:127.0.0.1:5070;transport=udp", "sip:127.0.0.1:5070;transport=udp"),
            ("sip:carrier.example", "sip:carrier.example;transport=udp"),
            ("SIP:carrier.example;Transport=TCP", "sip:carrier.example;transport=tcp"),
            ("sip:[2001:db8::1]:5062", "sip:[2001:db8::1]:5062;transport=udp"),
            ("sip:carrier.example:5061;transport=tls", "sip:carrier.example:5061;transport=tls"),
            ("sips:carrier.example", "sip:carrier.example;transport=tls"),
            ("sips:carrier.example:6061;transport=tcp", "sip:carrier.example:6061;transport=tls"),
        ];
        for (text, whole) in cases {
            assert_eq!(
                text.parse::<TrunkUri>().map(|uri| uri.to_string()),
                Ok(whole.to_owned()),
                "{text:?}"
            );
            assert_eq!(whole.parse::<TrunkUri>().map(|uri| uri.to_string()), Ok(whole.to_owned()));
        }
    }

    #[test]
    fn what_is_no_trunk_is_refused_with_the_reason() {
        let cases = [
            ("127.0.0.1", "no \"sip:\""),
            ("tel:1", "scheme \"tel\""),
            ("sip:", "no host"),
            ("sip:x:0", "no host and port"),
            ("sip:x:70000", "no host and port"),
            ("sip:[nonsense]:5060", "no host"),
            ("sip:user@x", "a user"),
            ("sip:x;transport=sctp", "transport \"sctp\""),
            ("sips:x;transport=udp", "no TLS over UDP"),
            ("sip:x;lr", "unknown parameter"),
            ("sip:a b", "no host"),
        ];
        for (text, said) in cases {
            let problem = text.parse::<TrunkUri>().err().unwrap_or_default();
            assert!(problem.contains(said), "{text:?} gave {problem:?}");
        }
    }

    #[test]
    fn from_domains() {
        for (text, read) in [
            ("sip.example.com", "sip.example.com"),
            ("203.0.113.7", "203.0.113.7"),
            ("2001:db8::1", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(
                text.parse::<FromDomain>().map(|domain| domain.to_string()),
                Ok(read.into())
            );
        }
        for text in ["", "a b", "x:5060", "user@x", "x\r\nTo: y", "a>b"] {
            assert!(text.parse::<FromDomain>().is_err(), "{text:?}");
        }
    }
}
