//! The two requests that a trunk gets besides calls: REGISTER (RFC 3261 §10.2) and OPTIONS (§11.1).

use bytes::Bytes;
use yunling_switch_contract::Peer;

use crate::sip::compose::{ALLOW, Composer};
use crate::sip::fields::uri::{bracketed, clean_host, escape_user};
use crate::sip::invite::LocalParty;
use crate::sip::stack::Method;

/// What tells one request from all others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labels<'a> {
    pub call_id: &'a str,
    pub tag: &'a str,
    pub branch: &'a str,
    pub cseq: u32,
}

/// A request as it is before anybody knows by which way it goes.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub method: Method,
    /// Request-URI.
    pub uri: String,
    /// The address of record; the trunk itself for OPTIONS.
    record: String,
    user: String,
    expires_s: Option<u32>,
}

impl Request {
    /// Registers a user for so many seconds; 0 takes the registration back (§10.2.2).
    pub(super) fn register(peer: &Peer, user: &str, expires_s: u32) -> Self {
        let domain = domain(peer);
        let user = escape_user(user);
        Self {
            method: Method::Register,
            uri: format!("sip:{domain}{}", transport(peer)),
            record: format!("sip:{user}@{domain}"),
            user,
            expires_s: Some(expires_s),
        }
    }

    /// Asks whether somebody is there.
    pub(super) fn options(peer: &Peer) -> Self {
        let host = host_port(peer);
        Self {
            method: Method::Options,
            uri: format!("sip:{host}{}", transport(peer)),
            record: format!("sip:{host}"),
            user: String::new(),
            expires_s: None,
        }
    }

    /// Our contact as the request names it, without brackets.
    pub(super) fn contact(&self, party: &LocalParty) -> String {
        let contact = party.contact(&self.user);
        contact.trim_start_matches('<').trim_end_matches('>').to_owned()
    }

    /// The request, `authorization` being the answers to challenges.
    pub(super) fn write(
        &self,
        party: &LocalParty,
        labels: Labels<'_>,
        authorization: &[(&'static str, String)],
    ) -> Bytes {
        let Labels { call_id, tag, branch, cseq } = labels;
        let from = match self.expires_s {
            Some(_) => self.record.clone(),
            None => format!("sip:{}", bracketed(&party.advertised.ip().to_string())),
        };
        let mut request = Composer::request(self.method, &self.uri)
            .header("Via", party.via(branch))
            .header("Max-Forwards", 70)
            .header("From", format_args!("<{from}>;tag={tag}"))
            .header("To", format_args!("<{}>", self.record))
            .header("Call-ID", call_id)
            .header("CSeq", format_args!("{cseq} {}", self.method.as_str()));
        let contact = party.contact(&self.user);
        request = match self.expires_s {
            Some(expires_s) => request
                .header("Contact", format_args!("{contact};expires={expires_s}"))
                .header("Expires", expires_s),
            None => request.header("Contact", contact).header("Accept", "application/sdp"),
        };
        request = request.header("Allow", ALLOW).header("User-Agent", &party.user_agent);
        for (name, value) in authorization {
            request = request.header(name, value);
        }
        request.bare()
    }
}

/// The domain that we register in: the one that our calls name as theirs, else the trunk's host.
fn domain(peer: &Peer) -> String {
    match &peer.from_domain {
        Some(domain) => bracketed(&clean_host(domain)),
        None => host_port(peer),
    }
}

fn host_port(peer: &Peer) -> String {
    let host = bracketed(&clean_host(&peer.host));
    let port = peer.port.filter(|port| *port != peer.transport.usual_port());
    port.map_or(host.clone(), |port| format!("{host}:{port}"))
}

fn transport(peer: &Peer) -> &'static str {
    match peer.transport {
        yunling_switch_contract::Transport::Udp => "",
        yunling_switch_contract::Transport::Tcp => ";transport=tcp",
        yunling_switch_contract::Transport::Tls => ";transport=tls",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use yunling_switch_contract::Transport;

    use super::*;

    fn party(transport: Transport) -> LocalParty {
        let advertised = "192.0.2.1:5060".parse().unwrap();
        LocalParty { advertised, transport, user_agent: "Yunling".into() }
    }

    const LABELS: Labels<'static> = Labels { call_id: "c", tag: "t", branch: "z9hG4bKb", cseq: 7 };

    #[test]
    fn a_register_says_who_and_for_how_long() {
        let peer = Peer { port: Some(5070), ..Peer::new("t", "10.0.0.1", Transport::Udp) };
        let request = Request::register(&peer, "u 1", 600);
        let text = request.write(&party(Transport::Udp), LABELS, &[("Authorization", "x".into())]);
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            format!(
                "REGISTER sip:10.0.0.1:5070 SIP/2.0\r\n\
                 Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKb;rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:u%201@10.0.0.1:5070>;tag=t\r\nTo: <sip:u%201@10.0.0.1:5070>\r\n\
                 Call-ID: c\r\nCSeq: 7 REGISTER\r\n\
                 Contact: <sip:u%201@192.0.2.1:5060>;expires=600\r\nExpires: 600\r\n\
                 Allow: {ALLOW}\r\nUser-Agent: Yunling\r\nAuthorization: x\r\n\
                 Content-Length: 0\r\n\r\n"
            )
        );
        assert_eq!(request.contact(&party(Transport::Udp)), "sip:u%201@192.0.2.1:5060");
    }

    #[test]
    fn the_domain_of_our_calls_is_registered_in() {
        let mut peer = Peer::new("t", "gw.example", Transport::Tls);
        peer.from_domain = Some("ims.example".into());
        let text = Request::register(&peer, "u", 0).write(&party(Transport::Tls), LABELS, &[]);
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.starts_with("REGISTER sip:ims.example;transport=tls SIP/2.0\r\n"), "{text}");
        assert!(text.contains("\r\nTo: <sip:u@ims.example>\r\n"), "{text}");
        assert!(text.contains("<sip:u@192.0.2.1:5060;transport=tls>;expires=0\r\n"), "{text}");
    }

    #[test]
    fn options_ask_the_trunk_itself() {
        let peer = Peer::new("t", "2001:db8::1", Transport::Tcp);
        let text = Request::options(&peer).write(&party(Transport::Tcp), LABELS, &[]);
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.starts_with("OPTIONS sip:[2001:db8::1];transport=tcp SIP/2.0\r\n"), "{text}");
        assert!(text.contains("\r\nFrom: <sip:192.0.2.1>;tag=t\r\n"), "{text}");
        assert!(text.contains("\r\nAccept: application/sdp\r\n"), "{text}");
        assert!(!text.contains("Expires"), "{text}");
    }
}
