//! A caller small enough to be seen through: one UDP socket for SIP, one for RTP.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// One call's caller.
pub(crate) struct Caller {
    sip: UdpSocket,
    pub(crate) rtp: UdpSocket,
    sim: SocketAddr,
    number: String,
    call_id: String,
    to: String,
    peer_rtp: Option<SocketAddr>,
    sequence: u16,
    timestamp: u32,
}

impl Caller {
    /// Calls `number`; `codecs` are the payload types of the offer and their rtpmap lines.
    pub(crate) fn call(sim: SocketAddr, number: &str, codecs: (&str, &str)) -> Self {
        let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let (sip, rtp) = (socket(), socket());
        sip.set_read_timeout(Some(PATIENCE)).unwrap();
        rtp.set_read_timeout(Some(PATIENCE)).unwrap();
        let call_id = format!("test-{}@127.0.0.1", sip.local_addr().unwrap().port());
        let to = format!("<sip:{number}@{sim}>");
        let caller = Self {
            sip,
            rtp,
            sim,
            number: number.to_owned(),
            call_id,
            to,
            peer_rtp: None,
            sequence: 65_530,
            timestamp: 0xffff_ff00,
        };
        let port = caller.rtp.local_addr().unwrap().port();
        let (types, maps) = codecs;
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {types}\r\n{maps}a=ptime:20\r\n"
        );
        caller.send(
            "INVITE",
            1,
            "one",
            &format!("Content-Type: application/sdp\r\n{}", body(&offer)),
        );
        caller
    }

    /// Sends a request with this CSeq and branch; `rest` is further headers and the body.
    pub(crate) fn send(&self, method: &str, cseq: u32, branch: &str, rest: &str) {
        let Self { sim, number, call_id, to, .. } = self;
        let own = self.sip.local_addr().unwrap();
        let rest = if rest.is_empty() { body("") } else { rest.to_owned() };
        let request = format!(
            "{method} sip:{number}@{sim} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:01080001001@{own}>;tag=caller\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:caller@{own}>\r\n\
             P-Asserted-Identity: <sip:01080001001@carrier>\r\n{rest}"
        );
        self.sip.send_to(request.as_bytes(), sim).unwrap();
    }

    /// The next message from the network.
    pub(crate) fn receive(&self) -> String {
        let mut buffer = [0; 4_096];
        let (length, _) = self.sip.recv_from(&mut buffer).expect("the network says something");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Waits for a message that begins so; others are passed over.
    pub(crate) fn receive_until(&self, start: &str) -> String {
        loop {
            let message = self.receive();
            if message.starts_with(start) {
                return message;
            }
        }
    }

    /// Waits for the answer and acknowledges it.
    pub(crate) fn talk(&mut self) {
        let answer = self.receive_until("SIP/2.0 200");
        self.learn(&answer);
        self.send("ACK", 1, "ack", "");
    }

    /// Takes the network's tag and RTP address from a response.
    pub(crate) fn learn(&mut self, response: &str) {
        let line = |start: &str| {
            response.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned)
        };
        self.to = line("To: ").expect("a response has To");
        let port = line("m=audio ").and_then(|media| media.split(' ').next()?.parse().ok());
        self.peer_rtp = port.map(|port: u16| SocketAddr::new(self.sim.ip(), port));
    }

    /// Answers a request of the network's.
    pub(crate) fn reply(&self, request: &str, status: &str) {
        let copied: String = request
            .lines()
            .filter(|line| {
                ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
                    .iter()
                    .any(|name| line.starts_with(name))
            })
            .map(|line| format!("{line}\r\n"))
            .collect();
        self.sip
            .send_to(format!("SIP/2.0 {status}\r\n{copied}{}", body("")).as_bytes(), self.sim)
            .unwrap();
    }

    /// Hangs up and waits for the answer.
    pub(crate) fn hang_up(&self) {
        self.send("BYE", 2, "bye", "");
        self.receive_until("SIP/2.0 200");
    }

    /// Sends one RTP packet; the stream goes on by its length.
    pub(crate) fn speak(&mut self, payload_type: u8, payload: &[u8]) {
        self.skip_or_send(payload_type, payload, true);
    }

    /// As if a packet had been lost on the way.
    pub(crate) fn lose(&mut self, payload: &[u8]) {
        self.skip_or_send(0, payload, false);
    }

    fn skip_or_send(&mut self, payload_type: u8, payload: &[u8], send: bool) {
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend([1, 2, 3, 4]);
        packet.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(u32::try_from(payload.len()).unwrap());
        if send {
            self.rtp.send_to(&packet, self.peer_rtp.expect("the call was answered")).unwrap();
        }
    }

    /// Sends frames at their pace, for so long.
    pub(crate) fn speak_for(&mut self, ms: u64, payload_type: u8, byte: impl Fn(usize) -> u8) {
        let start = Instant::now();
        for frame in 0..ms / 20 {
            let due = start + Duration::from_millis(frame * 20);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let payload: Vec<u8> =
                (0..160).map(|at| byte(usize::try_from(frame).unwrap() * 160 + at)).collect();
            self.speak(payload_type, &payload);
        }
    }

    /// The next RTP packet: payload type, marker, sequence, timestamp, payload.
    pub(crate) fn hear(&self) -> (u8, bool, u16, u32, Vec<u8>) {
        let mut buffer = [0; 2_048];
        let (length, _) = self.rtp.recv_from(&mut buffer).expect("the network sends RTP");
        let packet = &buffer[..length];
        (
            packet[1] & 0x7f,
            packet[1] & 0x80 != 0,
            u16::from_be_bytes([packet[2], packet[3]]),
            u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]),
            packet[12..].to_vec(),
        )
    }
}

/// Content-Length, the blank line, and the body.
pub(crate) fn body(text: &str) -> String {
    format!("Content-Length: {}\r\n\r\n{text}", text.len())
}
