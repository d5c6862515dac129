//! What a tenant sees of a trace. How a call went is theirs: methods, statuses, reasons, numbers,
//! codecs, times. Who the carrier is and where it can be reached is the operator's business: every
//! address, host, user of the trunk and product name is left out.
//!
//! What is shown is listed; whatever is not becomes `…`, so that a header that nobody has thought of
//! gives nothing away. Addresses are replaced by ones that are reserved for documentation
//! (RFC 5737, RFC 3849).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{SipMessage, SipTrace};

/// Stands for what is left out.
const HIDDEN: &str = "…";
/// The port that stands for all.
const PORT: u16 = 5060;

/// Headers whose values say nothing of hosts, addresses or users.
const SHOWN: &[&str] = &[
    "Accept",
    "Allow",
    "Content-Disposition",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "Expires",
    "Max-Forwards",
    "Min-Expires",
    "Min-SE",
    "Proxy-Require",
    "RAck",
    "Require",
    "Retry-After",
    "RSeq",
    "Session-Expires",
    "Supported",
    "Timestamp",
    "Unsupported",
];

/// Headers that name the callee and the line shown: the users are shown, the hosts are not.
const PARTIES: &[&str] = &["From", "To", "P-Asserted-Identity", "Remote-Party-ID"];

/// Attributes of a session description (RFC 8866 §6) that say how the media was agreed on, and
/// nothing of where it went.
const ATTRIBUTES: &[&str] =
    &["rtpmap", "fmtp", "ptime", "maxptime", "sendrecv", "sendonly", "recvonly", "inactive"];

/// The trace as a tenant sees it.
pub fn view(trace: &SipTrace) -> SipTrace {
    let peers = trace.peers();
    let messages = trace.messages.iter().map(|message| {
        let number = peers.iter().position(|peer| *peer == message.remote).unwrap_or(0);
        let wide = message.remote.is_ipv6();
        SipMessage {
            local: stand_in(wide, 0),
            remote: stand_in(wide, number + 1),
            text: text(&message.text).into(),
            ..message.clone()
        }
    });
    SipTrace { messages: messages.collect(), ..trace.clone() }
}

/// The address that stands for us (0) or a peer (from 1).
fn stand_in(wide: bool, number: usize) -> SocketAddr {
    let last = u8::try_from(number % 254).unwrap_or(0) + 1;
    let ip: IpAddr = if wide {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()).into()
    } else {
        Ipv4Addr::new(192, 0, 2, last).into()
    };
    SocketAddr::new(ip, PORT)
}

fn text(message: &str) -> String {
    let (head, body) = message.split_once("\r\n\r\n").unwrap_or((message, ""));
    let mut lines = head.split("\r\n");
    let mut shown = start_line(lines.next().unwrap_or_default());
    let mut is_sdp = false;
    for line in lines {
        // A folded line goes on with a header whose name is not at hand: hidden.
        let (name, value) = line.split_once(':').unwrap_or(("", line));
        let (name, value) = (name.trim(), value.trim());
        let is_one_of = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        is_sdp |= name.eq_ignore_ascii_case("Content-Type") && value.starts_with("application/sdp");
        let value = if name.eq_ignore_ascii_case("Date") {
            value.to_owned()
        } else if is_one_of(SHOWN) {
            plain_words(value, 0)
        } else if is_one_of(PARTIES) {
            party(value)
        } else if name.eq_ignore_ascii_case("Call-ID") {
            value.split_once('@').map_or(value.to_owned(), |(id, _)| format!("{id}@{HIDDEN}"))
        } else if name.eq_ignore_ascii_case("Reason") {
            reason(value)
        } else {
            HIDDEN.to_owned()
        };
        shown.push_str(&format!("\r\n{name}: {value}"));
    }
    shown.push_str("\r\n\r\n");
    if is_sdp {
        body.lines().for_each(|line| shown.push_str(&format!("{}\r\n", description(line))));
    } else if !body.is_empty() {
        shown.push_str(HIDDEN);
    }
    shown
}

/// A response's line as it is but for words that hold an address; of a request's URI only the user.
fn start_line(line: &str) -> String {
    if line.starts_with("SIP/2.0 ") {
        return plain_words(line, 2);
    }
    let mut words = line.splitn(3, ' ');
    let (method, uri) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    format!("{method} {} SIP/2.0", uri_of(uri))
}

/// `sip:user@…`, `tel:number`; anything else is hidden.
fn uri_of(uri: &str) -> String {
    let (scheme, rest) = uri.split_once(':').unwrap_or(("", uri));
    match scheme.to_ascii_lowercase().as_str() {
        scheme @ ("sip" | "sips") => match rest.split_once('@') {
            // A password may stand behind a colon, parameters behind a semicolon.
            Some((user, _)) => format!("{scheme}:{}@{HIDDEN}", number(user)),
            None => format!("{scheme}:{HIDDEN}"),
        },
        "tel" => format!("tel:{}", number(rest)),
        _ => HIDDEN.to_owned(),
    }
}

/// What looks like a number; an account's name at the carrier does not.
fn number(user: &str) -> &str {
    let end = user.find([';', ':']).unwrap_or(user.len());
    let user = &user[..end];
    let is_number =
        !user.is_empty() && user.chars().all(|c| c.is_ascii_digit() || "+*#-.()".contains(c));
    if is_number || user.eq_ignore_ascii_case("anonymous") { user } else { HIDDEN }
}

/// From, To and their like: the URI and the tag.
fn party(value: &str) -> String {
    let uri = match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
        None => value.split(';').next().unwrap_or_default(),
    };
    let parameters = value.rsplit('>').next().unwrap_or_default();
    let tag = parameters.split(';').find_map(|one| one.trim().strip_prefix("tag="));
    // A tag may be made of a host's name.
    let tag = tag.map(|tag| if holds_address(tag) { HIDDEN } else { tag });
    let tag = tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
    format!("<{}>{tag}", uri_of(uri.trim()))
}

/// `Q.850;cause=16;text="…"` (RFC 3326).
fn reason(value: &str) -> String {
    let protocol = value.split(';').next().unwrap_or_default().trim();
    let protocol = if matches!(protocol, "SIP" | "Q.850") { protocol } else { HIDDEN };
    let parameters = value.split(';').skip(1);
    let shown = parameters.map(|parameter| plain_words(parameter.trim(), 0));
    std::iter::once(protocol.to_owned()).chain(shown).collect::<Vec<_>>().join(";")
}

/// The text with words hidden that hold an address or a host's name; the first `sure` ones are
/// known to hold none.
fn plain_words(text: &str, sure: usize) -> String {
    let words = text.split(' ').enumerate();
    let words =
        words.map(|(at, word)| if at >= sure && holds_address(word) { HIDDEN } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a word may be or hold an address or a host's name: a dot or colon between other
/// characters.
fn holds_address(word: &str) -> bool {
    let inner = word.trim_matches(['.', ':', ',', ';', '"', '\'', '(', ')', '!', '?']);
    inner.contains(['.', ':', '@', '['])
}

/// A line of a session description.
fn description(line: &str) -> String {
    let shown = match line.split_once('=') {
        Some(("v" | "t" | "m" | "b", _)) => true,
        Some(("a", attribute)) => {
            let name = attribute.split(':').next().unwrap_or_default();
            ATTRIBUTES.contains(&name)
        }
        _ => false,
    };
    match (shown, line.split_once('=')) {
        (true, _) => line.to_owned(),
        (false, Some((kind, _))) if kind.len() == 1 => format!("{kind}={HIDDEN}"),
        (false, _) => HIDDEN.to_owned(),
    }
}
