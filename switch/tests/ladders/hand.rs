//! A carrier by hand, for what sipp has no words for: replies after the leg was reported, the same
//! request twice (sipp swallows repetitions and repeats its own answer), two branches.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// See the module's head.
pub(crate) struct Hand {
    socket: UdpSocket,
    engine: Option<SocketAddr>,
    /// The To tag that it gives.
    pub tag: &'static str,
    /// Its Contact, if it is not its own address, and further headers.
    pub contact: Option<&'static str>,
    pub headers: &'static str,
}

impl Hand {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { socket, engine: None, tag: "hand", contact: None, headers: "" }
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    /// The next request of this method; all others are passed over.
    pub(crate) fn recv(&mut self, method: &str) -> String {
        let mut buffer = [0; 4_000];
        loop {
            let (length, from) = self.socket.recv_from(&mut buffer).unwrap();
            self.engine = Some(from);
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(method) {
                return text;
            }
        }
    }

    pub(crate) fn answer(&self, request: &str, line: &str) {
        self.respond(request, line, "");
    }

    /// Without Content-Length, as UDP allows: the body is the rest of the datagram.
    pub(crate) fn answer_sdp(&self, request: &str, line: &str) {
        let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
            m=audio 9 RTP/AVP 8\r\n";
        self.respond(request, line, sdp);
    }

    /// Sends what somebody else wrote to where the last request came from.
    pub(crate) fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.engine.unwrap()).unwrap();
    }

    pub(crate) fn respond(&self, request: &str, line: &str, sdp: &str) {
        let response = self.response(request, line, sdp);
        self.socket.send_to(response.as_bytes(), self.engine.unwrap()).unwrap();
    }

    /// What it would respond, for somebody else to send.
    pub(crate) fn response(&self, request: &str, line: &str, sdp: &str) -> String {
        let mut response = format!("SIP/2.0 {line}\r\n");
        for header in request.lines() {
            let name = header.split(':').next().unwrap_or_default();
            if matches!(name, "Via" | "From" | "Call-ID" | "CSeq") {
                response += &format!("{header}\r\n");
            } else if name == "To" {
                let tag = if header.contains(";tag=") { "" } else { self.tag };
                let parameter = if tag.is_empty() { "" } else { ";tag=" };
                response += &format!("{header}{parameter}{tag}\r\n");
            }
        }
        let own = format!("sip:hand@127.0.0.1:{}", self.port());
        response += &format!("Contact: <{}>\r\n{}", self.contact.unwrap_or(&own), self.headers);
        if !sdp.is_empty() {
            response += "Content-Type: application/sdp\r\n";
        }
        response += &format!("\r\n{sdp}");
        response
    }
}
