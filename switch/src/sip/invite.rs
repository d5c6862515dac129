//! The INVITE of a leg and what belongs to its transaction: CANCEL, and the ACK of a failure.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use yunling_switch_contract::{
    IdentityHeader, LegId, Peer, ReliableProvisionals, SessionTimer, Transport,
};

use super::compose::{ALLOW, Composer};
use super::fields::options::{RELIABLE, TIMER};
use super::fields::uri::{bracketed, clean_host, escape_user};
use super::ids::{CallIds, IdSource};
use super::stack::{Message, Method};

/// How we present ourselves on one transport.
#[derive(Debug, Clone)]
pub(crate) struct LocalParty {
    /// Via's `sent-by` and the host of Contact.
    pub advertised: SocketAddr,
    /// The transport it is about.
    pub transport: Transport,
    /// User-Agent.
    pub user_agent: Arc<str>,
}

impl LocalParty {
    /// A Via entry.
    pub(crate) fn via(&self, branch: &str) -> String {
        let transport = match self.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        };
        format!("SIP/2.0/{transport} {};branch={branch};rport", self.advertised)
    }

    /// A Contact entry.
    pub(crate) fn contact(&self, user: &str) -> String {
        let parameter = transport_parameter(self.transport);
        let at = if user.is_empty() { "" } else { "@" };
        format!("<sip:{user}{at}{}{parameter}>", self.advertised)
    }
}

fn transport_parameter(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    }
}

/// All that the INVITE of one attempt says, the same for every repetition of it and for a restarted
/// engine.
#[derive(Debug, Clone)]
pub(crate) struct Invite {
    pub ids: CallIds,
    pub local: LocalParty,
    /// Request-URI.
    pub uri: String,
    /// URI of From.
    pub from_uri: String,
    /// URI of To.
    pub to_uri: String,
    /// User part of Contact.
    pub user: String,
    /// Whether and how a session timer is asked for.
    pub session_timer: SessionTimer,
    /// Whether provisional responses are acknowledged.
    pub reliable: ReliableProvisionals,
    identity: Option<(&'static str, String)>,
}

impl Invite {
    /// Prepares the INVITE of an attempt. `to` and `from` are user parts.
    pub(crate) fn new(
        ids: &IdSource,
        leg: &LegId,
        attempt: u8,
        peer: &Peer,
        (to, from): (&str, &str),
        local: LocalParty,
    ) -> Self {
        let (to, user) = (escape_user(to), escape_user(from));
        let host = bracketed(&clean_host(&peer.host));
        let port = peer.port.filter(|port| *port != peer.transport.usual_port());
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let from_domain = peer.from_domain.as_deref().map(clean_host);
        let our_host = bracketed(&from_domain.unwrap_or_else(|| local.advertised.ip().to_string()));
        let from_uri = format!("sip:{user}@{our_host}");
        let identity = match peer.identity {
            IdentityHeader::None => None,
            IdentityHeader::PAssertedIdentity => {
                Some(("P-Asserted-Identity", format!("<{from_uri}>")))
            }
            IdentityHeader::RemotePartyId => Some((
                "Remote-Party-ID",
                format!("<{from_uri}>;party=calling;screen=yes;privacy=off"),
            )),
        };
        Self {
            ids: ids.of(leg, attempt),
            uri: format!("sip:{to}@{host}{port}{}", transport_parameter(local.transport)),
            to_uri: format!("sip:{to}@{host}{port}"),
            from_uri,
            user,
            session_timer: peer.session_timer,
            reliable: peer.reliable,
            identity,
            local,
        }
    }

    /// The options that we have and offer, for Supported; nothing if that is none.
    pub(crate) fn supported(&self) -> Option<String> {
        let timer = (self.session_timer != SessionTimer::Off).then_some(TIMER);
        let reliable = (self.reliable != ReliableProvisionals::Off).then_some(RELIABLE);
        let options: Vec<&str> = timer.into_iter().chain(reliable).collect();
        (!options.is_empty()).then(|| options.join(", "))
    }

    /// The INVITE with this CSeq; `further` are answers to challenges and a session timer's headers.
    pub(crate) fn request(
        &self,
        cseq: u32,
        sdp: &str,
        further: &[(&'static str, String)],
    ) -> Bytes {
        let required = (self.reliable == ReliableProvisionals::Required).then_some(RELIABLE);
        let mut request = self
            .head(Method::Invite, cseq)
            .header("To", format_args!("<{}>", self.to_uri))
            .header("Contact", self.local.contact(&self.user))
            .header("Allow", ALLOW)
            .maybe("Supported", self.supported())
            .maybe("Require", required)
            .header("User-Agent", &self.local.user_agent);
        if let Some((name, value)) = &self.identity {
            request = request.header(name, value);
        }
        for (name, value) in further {
            request = request.header(name, value);
        }
        request.sdp(Some(sdp))
    }

    /// The CANCEL of the INVITE with this CSeq (RFC 3261 §9.1).
    pub(crate) fn cancel(&self, cseq: u32, reason: Option<&str>) -> Bytes {
        self.head(Method::Cancel, cseq)
            .header("To", format_args!("<{}>", self.to_uri))
            .maybe("Reason", reason)
            .header("User-Agent", &self.local.user_agent)
            .bare()
    }

    /// The ACK of a final response of 300 and above (RFC 3261 §17.1.1.3).
    pub(crate) fn ack_of_failure(&self, response: &Message) -> Bytes {
        self.head(Method::Ack, response.cseq())
            .header("To", response.header("To").unwrap_or_default())
            .bare()
    }

    /// Whether a response is to an INVITE or CANCEL of this attempt.
    pub(crate) fn owns(&self, response: &Message) -> bool {
        response.tag_of_from() == Some(self.ids.tag.as_str())
            && response.branch() == Some(self.ids.branch("INVITE", response.cseq()).as_str())
    }

    /// Request line, Via, Max-Forwards, From, Call-ID and CSeq, the same for all three.
    fn head(&self, method: Method, cseq: u32) -> Composer {
        Composer::request(method, &self.uri)
            .header("Via", self.local.via(&self.ids.branch("INVITE", cseq)))
            .header("Max-Forwards", 70)
            .header("From", format_args!("<{}>;tag={}", self.from_uri, self.ids.tag))
            .header("Call-ID", &self.ids.call_id)
            .header("CSeq", format_args!("{cseq} {}", method.as_str()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    fn invite(identity: IdentityHeader, transport: Transport) -> Invite {
        let peer = Peer { port: Some(5070), identity, ..Peer::new("t", "10.0.0.1", transport) };
        let local = LocalParty {
            advertised: "192.0.2.1:5060".parse().unwrap(),
            transport,
            user_agent: "Yunling".into(),
        };
        let ids = IdSource::new(&[1; 32]);
        Invite::new(&ids, &LegId::new("CA1"), 0, &peer, ("138#", "010"), local)
    }

    #[test]
    fn an_invite_says_who_calls_whom() {
        let invite = invite(IdentityHeader::PAssertedIdentity, Transport::Udp);
        let text = String::from_utf8(invite.request(1, "v=0\r\n", &[]).to_vec()).unwrap();
        let (tag, call_id) = (&invite.ids.tag, &invite.ids.call_id);
        let branch = invite.ids.branch("INVITE", 1);
        assert_eq!(
            text,
            format!(
                "INVITE sip:138%23@10.0.0.1:5070 SIP/2.0\r\n\
                 Via: SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:010@192.0.2.1>;tag={tag}\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\
                 To: <sip:138%23@10.0.0.1:5070>\r\nContact: <sip:010@192.0.2.1:5060>\r\n\
                 Allow: {ALLOW}\r\nSupported: timer, 100rel\r\nUser-Agent: Yunling\r\n\
                 P-Asserted-Identity: <sip:010@192.0.2.1>\r\n\
                 Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
            )
        );
    }

    /// What the trunk's settings make of Supported and Require.
    #[test]
    fn an_invite_offers_what_its_trunk_is_set_to() {
        use ReliableProvisionals::{Off, Required, Supported};
        let rows = [
            (SessionTimer::default(), Supported, Some("timer, 100rel"), None),
            (SessionTimer::default(), Off, Some("timer"), None),
            (SessionTimer::Off, Required, Some("100rel"), Some("100rel")),
            (SessionTimer::Off, Off, None, None),
        ];
        for (session_timer, reliable, supported, required) in rows {
            let mut invite = invite(IdentityHeader::None, Transport::Udp);
            (invite.session_timer, invite.reliable) = (session_timer, reliable);
            let bytes = invite.request(1, "", &[]);
            let request = Message::parse(std::str::from_utf8(&bytes).unwrap());
            assert_eq!(request.header("Supported"), supported);
            assert_eq!(request.header("Require"), required);
        }
    }

    /// Its domain stands wherever we name the caller, and our address where we are to be found.
    #[test]
    fn a_trunk_may_want_another_domain() {
        for (from_domain, expected) in [
            ("ims.example", "sip:010@ims.example"),
            ("2001:db8::1", "sip:010@[2001:db8::1]"),
            ("a.b>;x\r\nX: y", "sip:010@[a.bxX:y]"),
        ] {
            let peer = Peer {
                from_domain: Some(from_domain.into()),
                ..Peer::new("t", "10.0.0.1", Transport::Udp)
            };
            let local = LocalParty {
                advertised: "192.0.2.1:5060".parse().unwrap(),
                transport: Transport::Udp,
                user_agent: "Yunling".into(),
            };
            let ids = IdSource::new(&[1; 32]);
            let invite = Invite::new(&ids, &LegId::new("CA1"), 0, &peer, ("138", "010"), local);
            let bytes = invite.request(1, "", &[]);
            let request = Message::parse(std::str::from_utf8(&bytes).unwrap());
            let from = request.header("From").unwrap();
            assert!(from.starts_with(&format!("<{expected}>;tag=")), "{from}");
            let asserted = request.header("P-Asserted-Identity");
            assert_eq!(asserted, Some(format!("<{expected}>").as_str()));
            assert_eq!(request.header("Contact"), Some("<sip:010@192.0.2.1:5060>"));
        }
    }

    #[test]
    fn a_cancel_repeats_its_invite() {
        let invite = invite(IdentityHeader::None, Transport::Tcp);
        let request = Message::parse(std::str::from_utf8(&invite.request(2, "", &[])).unwrap());
        let cancel = Message::parse(std::str::from_utf8(&invite.cancel(2, None)).unwrap());
        for name in ["Via", "From", "To", "Call-ID"] {
            assert_eq!(cancel.header(name), request.header(name), "{name}");
        }
        assert_eq!(cancel.header("CSeq"), Some("2 CANCEL"));
        assert!(request.header("Contact").unwrap().contains(";transport=tcp"));
        assert_eq!(request.header("P-Asserted-Identity"), None);
    }

    #[test]
    fn each_identity_header_is_written_alone() {
        let text = invite(IdentityHeader::RemotePartyId, Transport::Udp).request(1, "", &[]);
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.contains("Remote-Party-ID: <sip:010@192.0.2.1>;party=calling;"));
        assert!(!text.contains("P-Asserted"));
    }
}
