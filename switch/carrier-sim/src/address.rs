//! The parts of SIP addresses (RFC 3261 §19.1, §20.10) and of Via that a carrier looks at.

use std::net::{IpAddr, SocketAddr};

/// The URI inside a From, To, Contact or Route value.
pub(crate) fn uri(value: &str) -> &str {
    // A display name may hold anything between quotes, angle brackets too.
    let after_name = match value.trim_start().strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').map_or(quoted, |(_, rest)| rest),
        None => value,
    };
    match after_name.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or(rest),
        None => after_name.split(';').next().unwrap_or(after_name).trim(),
    }
}

/// The `tag` parameter of a From or To value.
pub(crate) fn tag(value: &str) -> Option<&str> {
    let parameters = value.rsplit('>').next().unwrap_or(value);
    parameter(parameters, "tag").filter(|tag| !tag.is_empty())
}

/// A `;name=value` parameter; the value of a bare `;name` is empty.
pub(crate) fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(';').skip(1).find_map(|part| {
        let (found, value) = part.split_once('=').unwrap_or((part, ""));
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The user part of a `sip:`, `sips:` or `tel:` URI, without its own parameters; a password is
/// cut off. Empty where there is none.
pub(crate) fn user(uri: &str) -> &str {
    let (scheme, rest) = uri.split_once(':').unwrap_or(("", uri));
    let user = match rest.rsplit_once('@') {
        Some((user, _)) => user,
        None if scheme.eq_ignore_ascii_case("tel") => rest,
        None => "",
    };
    user.split([';', ':']).next().unwrap_or(user)
}

/// Where a URI points. Only addresses and `localhost` are known: a fake network on loopback asks
/// no name server. The port defaults to 5060 (RFC 3261 §19.1.2).
pub(crate) fn socket_address(uri: &str) -> Option<SocketAddr> {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    host_port(rest.split([';', '?']).next().unwrap_or(rest))
}

/// Whether the URI asks for TCP. Without a `transport` parameter SIP means UDP (RFC 3263 §4.1).
pub(crate) fn wants_tcp(uri: &str) -> bool {
    parameter(uri, "transport").is_some_and(|transport| transport.eq_ignore_ascii_case("tcp"))
}

/// The `sent-by` of a Via value, as written.
pub(crate) fn sent_by(via: &str) -> &str {
    let before_parameters = via.split(';').next().unwrap_or(via).trim();
    before_parameters.rsplit(char::is_whitespace).next().unwrap_or(before_parameters)
}

/// The port of a Via's `sent-by`, 5060 where it names none (RFC 3261 §18.1.1).
pub(crate) fn sent_by_port(via: &str) -> u16 {
    host_port(sent_by(via)).map_or_else(
        || sent_by(via).rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(5060),
        |address| address.port(),
    )
}

fn host_port(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address);
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().ok()?),
        _ => (text, 5060),
    };
    let ip: IpAddr = if host.eq_ignore_ascii_case("localhost") {
        IpAddr::from([127, 0, 0, 1])
    } else {
        host.trim_matches(['[', ']']).parse().ok()?
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_uri_and_the_tag() {
        let cases = [
            ("\"a <b>\" <sip:1@x;p=q>;tag=t", "sip:1@x;p=q", Some("t")),
            ("<sip:1@x;tag=no>", "sip:1@x;tag=no", None),
            ("sip:1@x;tag=t", "sip:1@x", Some("t")),
            ("<tel:+8610>; TAG=z ", "tel:+8610", Some("z")),
            ("<sip:1@x>;tag=", "sip:1@x", None),
        ];
        for (value, expected_uri, expected_tag) in cases {
            assert_eq!(uri(value), expected_uri, "{value}");
            assert_eq!(tag(value), expected_tag, "{value}");
        }
    }

    #[test]
    fn finds_the_user() {
        let cases = [
            ("sip:13800138000@10.0.0.1:5070;user=phone", "13800138000"),
            ("sip:1;phone-context=x@h", "1"),
            ("sip:u:secret@h", "u"),
            ("tel:+8610;ext=3", "+8610"),
            ("sip:10.0.0.1", ""),
        ];
        for (uri, expected) in cases {
            assert_eq!(user(uri), expected, "{uri}");
        }
    }

    #[test]
    fn finds_where_a_uri_points() {
        let cases = [
            ("sip:a@127.0.0.1:5070;transport=tcp", Some("127.0.0.1:5070"), true),
            ("sip:127.0.0.1", Some("127.0.0.1:5060"), false),
            ("sip:a@localhost:6000", Some("127.0.0.1:6000"), false),
            ("sip:a@[::1]:6000;transport=UDP", Some("[::1]:6000"), false),
            ("sip:a@[::1]", Some("[::1]:5060"), false),
            ("sip:a@carrier.example", None, false),
        ];
        for (uri, expected, tcp) in cases {
            assert_eq!(socket_address(uri).map(|a| a.to_string()).as_deref(), expected, "{uri}");
            assert_eq!(wants_tcp(uri), tcp, "{uri}");
        }
    }

    #[test]
    fn reads_via() {
        let cases = [
            ("SIP/2.0/UDP 127.0.0.1:6000;branch=z", "127.0.0.1:6000", 6000),
            ("SIP / 2.0 / TCP host.example:7000 ;rport", "host.example:7000", 7000),
            ("SIP/2.0/UDP h;branch=z", "h", 5060),
        ];
        for (via, by, port) in cases {
            assert_eq!((sent_by(via), sent_by_port(via)), (by, port), "{via}");
        }
    }
}
