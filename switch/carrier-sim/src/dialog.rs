//! The dialog as the called side sees it (RFC 3261 §12.1.1): who we are to each other, and the
//! requests that the handset sends within it.

use crate::address;
use crate::message::Message;

/// One accepted or ringing call.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    call_id: String,
    /// To of the INVITE with our tag: From of our requests.
    local: String,
    /// From of the INVITE: To of our requests.
    remote: String,
    remote_target: String,
    routes: Vec<String>,
    contact: String,
    next_cseq: u32,
}

/// The Via of a request that we send.
#[derive(Debug, Clone)]
pub(crate) struct Via {
    pub(crate) transport: &'static str,
    pub(crate) sent_by: String,
    pub(crate) branch: String,
}

impl Dialog {
    /// From the INVITE; `tag` is ours, `contact` the URI under which we are reached.
    pub(crate) fn accept(invite: &Message, tag: &str, contact: &str) -> Self {
        let to = invite.header("To").unwrap_or_default();
        let remote = invite.header("From").unwrap_or_default();
        // Without a Contact the caller cannot be reached but by its From.
        let target = invite.header("Contact").unwrap_or(remote);
        Self {
            call_id: invite.call_id().to_owned(),
            local: format!("{to};tag={tag}"),
            remote: remote.to_owned(),
            remote_target: address::uri(target).to_owned(),
            // A UAS keeps the order of Record-Route (§12.1.1); several may share a line.
            routes: invite
                .all("Record-Route")
                .flat_map(|line| line.split(','))
                .map(|route| route.trim().to_owned())
                .collect(),
            contact: format!("<{contact}>"),
            next_cseq: 1,
        }
    }

    pub(crate) fn contact(&self) -> &str {
        &self.contact
    }

    /// A re-INVITE or UPDATE may have moved the caller (§12.2.2).
    pub(crate) fn refresh_target(&mut self, request: &Message) {
        if let Some(contact) = request.header("Contact") {
            self.remote_target = address::uri(contact).to_owned();
        }
    }

    /// The URI to which requests are sent: the first route, else the caller's Contact.
    pub(crate) fn next_hop(&self) -> &str {
        self.routes.first().map_or(&self.remote_target, |route| address::uri(route))
    }

    /// The next request of ours (§12.2.1.1; only loose routers are known).
    pub(crate) fn request(&mut self, method: &str, via: &Via) -> Message {
        let cseq = self.next_cseq;
        self.next_cseq += 1;
        self.numbered(method, cseq, via)
    }

    /// The ACK of our INVITE with this number (§13.2.2.4).
    pub(crate) fn ack(&self, cseq: u32, via: &Via) -> Message {
        self.numbered("ACK", cseq, via)
    }

    fn numbered(&self, method: &str, cseq: u32, via: &Via) -> Message {
        let mut request = Message::request(method, &self.remote_target);
        let Via { transport, sent_by, branch } = via;
        request.push("Via", &format!("SIP/2.0/{transport} {sent_by};branch={branch};rport"));
        request.push("Max-Forwards", "70");
        for route in &self.routes {
            request.push("Route", route);
        }
        request.push("From", &self.local);
        request.push("To", &self.remote);
        request.push("Call-ID", &self.call_id);
        request.push("CSeq", &format!("{cseq} {method}"));
        request.push("Contact", &self.contact);
        request
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    #[test]
    fn its_requests_follow_the_dialog() {
        let invite = "INVITE sip:2@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK\r\n\
            Record-Route: <sip:p1:1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\n\
            From: \"A\" <sip:1@x>;tag=theirs\r\nTo: <sip:2@h>\r\nCall-ID: c@h\r\nCSeq: 9 INVITE\r\n\
            Contact: <sip:1@127.0.0.1:6000;transport=tcp>\r\n\r\n";
        let invite = Message::parse(invite.as_bytes()).unwrap();
        let mut dialog = Dialog::accept(&invite, "ours", "sip:127.0.0.1:5070");
        assert_eq!(dialog.next_hop(), "sip:p1:1;lr");
        let via =
            Via { transport: "UDP", sent_by: "127.0.0.1:5070".into(), branch: "z9hG4bKb".into() };
        dialog.request("INFO", &via);
        let bye = String::from_utf8(dialog.request("BYE", &via).to_bytes()).unwrap();
        assert_eq!(
            bye,
            "BYE sip:1@127.0.0.1:6000;transport=tcp SIP/2.0\r\n\
             Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKb;rport\r\nMax-Forwards: 70\r\n\
             Route: <sip:p1:1;lr>\r\nRoute: <sip:p2;lr>\r\nRoute: <sip:p3;lr>\r\n\
             From: <sip:2@h>;tag=ours\r\nTo: \"A\" <sip:1@x>;tag=theirs\r\nCall-ID: c@h\r\n\
             CSeq: 2 BYE\r\nContact: <sip:127.0.0.1:5070>\r\nContent-Length: 0\r\n\r\n"
        );
        let moved = "UPDATE sip:h SIP/2.0\r\nVia: v\r\nFrom: a\r\nTo: b\r\nCall-ID: c@h\r\nCSeq: 10 UPDATE\r\nContact: <sip:new@h>\r\n\r\n";
        dialog.refresh_target(&Message::parse(moved.as_bytes()).unwrap());
        assert_eq!(dialog.request("BYE", &via).start, Message::request("BYE", "sip:new@h").start);
    }
}
