//! SIP URIs (RFC 3261 §19.1), as far as routing needs them, and their user part.

use std::fmt::Write as _;

use yunling_switch_contract::Transport;

use super::params;

/// The parts of a SIP URI that decide where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UriParts<'a> {
    /// Host name or address, without the brackets of IPv6.
    pub host: &'a str,
    /// The port, if the URI names one.
    pub port: Option<u16>,
    /// The transport, if the URI names one that we speak.
    pub transport: Option<Transport>,
}

impl<'a> UriParts<'a> {
    /// Reads a `sip:` URI. Other schemes, and hosts that are none, give nothing.
    pub(crate) fn parse(uri: &'a str) -> Option<Self> {
        let scheme = uri.get(..4)?;
        if !scheme.eq_ignore_ascii_case("sip:") {
            return None;
        }
        let rest = uri[4..].split('?').next()?;
        // The user part may hold `;` and `?`-less parameters: the host begins behind the last `@`.
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let (host_port, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let (host, port) = split_port(host_port)?;
        let transport = match params::param(params, "transport") {
            Some(t) if t.eq_ignore_ascii_case("tcp") => Some(Transport::Tcp),
            Some(t) if t.eq_ignore_ascii_case("udp") => Some(Transport::Udp),
            Some(t) if t.eq_ignore_ascii_case("tls") => Some(Transport::Tls),
            _ => None,
        };
        Some(Self { host, port, transport })
    }
}

/// Splits `host`, `host:port`, `[v6]` and `[v6]:port`.
pub(crate) fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.trim();
    let (host, port) = if let Some(inner) = text.strip_prefix('[') {
        let (host, after) = inner.split_once(']')?;
        (host, after.strip_prefix(':'))
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if host.is_empty() {
        return None;
    }
    match port {
        None => Some((host, None)),
        Some(port) => Some((host, Some(port.trim().parse().ok()?))),
    }
}

/// A host as a URI writes it: IPv6 in brackets.
pub(crate) fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

/// A host as a setting gives it, without whatever no host has (RFC 3261 §25.1): it cannot break out
/// of its URI.
pub(crate) fn clean_host(host: &str) -> String {
    host.chars().filter(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(*c)).collect()
}

/// A user part as a URI may carry it: what RFC 3261 §25.1 does not allow there is escaped.
pub(crate) fn escape_user(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => escaped.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' | b'&' | b'=' | b'+'
            | b'$' | b',' | b'/' => escaped.push(char::from(byte)),
            _ => {
                let _infallible = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = (&'a str, Option<u16>, Option<Transport>);

    #[test]
    fn hosts_ports_and_transports_are_read() {
        let rows: [(&str, Option<Parts<'_>>); 9] = [
            ("sip:a@b.example", Some(("b.example", None, None))),
            ("sip:10.0.0.1:5070;lr", Some(("10.0.0.1", Some(5070), None))),
            ("SIP:x;y=1@[::1]:6;transport=TCP", Some(("::1", Some(6), Some(Transport::Tcp)))),
            ("sip:a@h;transport=udp?Reason=x", Some(("h", None, Some(Transport::Udp)))),
            ("sip:a@h;transport=TLS", Some(("h", None, Some(Transport::Tls)))),
            ("sips:a@h", None),
            ("tel:+861", None),
            ("sip:a@", None),
            ("sip:a@h:99999", None),
        ];
        for (text, expected) in rows {
            let read = UriParts::parse(text).map(|u| (u.host, u.port, u.transport));
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn a_user_part_cannot_break_out_of_its_uri() {
        assert_eq!(escape_user("+8613800138000"), "+8613800138000");
        assert_eq!(escape_user("12#3"), "12%233");
        assert_eq!(escape_user("a@b>\r\nX: y"), "a%40b%3E%0D%0AX%3A%20y");
        assert_eq!(clean_host("a.example>;x=\"y\"\r\nX: y"), "a.examplexyX:y");
        assert_eq!(clean_host("[2001:db8::1]"), "[2001:db8::1]");
    }
}
