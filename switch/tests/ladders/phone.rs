//! A telephone by hand, with a voice and an ear: what two of them hear of each other.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::hand::Hand;

/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module's head.
pub(crate) struct Phone {
    pub hand: Hand,
    rtp: UdpSocket,
    /// Where the engine takes this phone's media.
    engine: Option<SocketAddr>,
    invite: String,
    sequence: u16,
}

/// The codecs' names in SDP.
pub(crate) const PCMA: u8 = 8;
pub(crate) const PCMU: u8 = 0;

impl Phone {
    pub(crate) fn new() -> Self {
        let (hand, rtp) = (Hand::new(), ear());
        Self { hand, rtp, engine: None, invite: String::new(), sequence: 0 }
    }

    /// The call comes.
    pub(crate) fn rings(&mut self) {
        self.invite = self.hand.recv("INVITE");
        let line = self.invite.lines().find(|line| line.starts_with("m=audio ")).unwrap();
        let port = line.split(' ').nth(1).unwrap().parse().unwrap();
        self.engine = Some(SocketAddr::from(([127, 0, 0, 1], port)));
    }

    /// Its description: one codec, a direction.
    fn sdp(&self, codec: u8, direction: &str) -> String {
        let port = self.rtp.local_addr().unwrap().port();
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {codec}\r\na={direction}\r\n"
        )
    }

    /// Responds to the INVITE with its description.
    pub(crate) fn says(&self, line: &str, codec: u8) {
        self.hand.respond(&self.invite, line, &self.sdp(codec, "sendrecv"));
    }

    /// Responds to the INVITE without one.
    pub(crate) fn says_only(&self, line: &str) {
        self.hand.answer(&self.invite, line);
    }

    /// The call's other branch: its media is elsewhere, what was there speaks on as `other`.
    pub(crate) fn swap_media(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.rtp, &mut other.rtp);
        other.engine = self.engine;
    }

    /// Takes another socket for its media.
    pub(crate) fn moves(&mut self) {
        self.rtp = ear();
    }

    /// Offers what it does now; the engine accepts it.
    pub(crate) fn reinvites(&mut self, cseq: u32, codec: u8, direction: &str) {
        let sdp = self.sdp(codec, direction);
        self.ask("INVITE", cseq, &sdp);
        let answer = self.hand.recv("SIP/2.0 200");
        assert!(answer.contains(&format!("CSeq: {cseq} INVITE")), "{answer}");
        self.ask("ACK", cseq, "");
    }

    /// A request within the dialog.
    fn ask(&self, method: &str, cseq: u32, sdp: &str) {
        let header = |name: &str| {
            let begin = format!("{name}: ");
            let line = self.invite.lines().find(|line| line.starts_with(&begin)).unwrap();
            line[begin.len()..].to_owned()
        };
        let contact = header("Contact");
        let uri = contact.trim_start_matches('<').split('>').next().unwrap().to_owned();
        let port = self.hand.port();
        let content_type = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        self.hand.send(&format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{method}{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: {};tag={}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:phone@127.0.0.1:{port}>\r\n{content_type}Content-Length: {}\r\n\r\n{sdp}",
            header("To"),
            self.hand.tag,
            header("From"),
            header("Call-ID"),
            sdp.len(),
        ));
    }

    /// Takes the BYE.
    pub(crate) fn is_left(&mut self) {
        let bye = self.hand.recv("BYE");
        self.hand.answer(&bye, "200 OK");
    }

    /// Says 20 ms.
    pub(crate) fn speaks(&mut self, codec: u8, code: u8) {
        self.sequence += 1;
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = (u32::from(self.sequence) * 160).to_be_bytes();
        let mut packet = vec![0x80, codec, s0, s1, t0, t1, t2, t3, 0, 0, 0, 7];
        packet.extend([code; 160]);
        self.rtp.send_to(&packet, self.engine.unwrap()).unwrap();
    }

    /// All that it has heard since: payload type and payload of each packet.
    pub(crate) fn heard(&self) -> Vec<(u8, Vec<u8>)> {
        let mut buffer = [0; 2_000];
        std::iter::from_fn(|| {
            let length = self.rtp.recv(&mut buffer).ok()?;
            Some((buffer[1] & 0x7F, buffer[12..length].to_vec()))
        })
        .collect()
    }

    /// Waits until it hears nothing more.
    pub(crate) fn until_quiet(&self) {
        let start = Instant::now();
        while !self.heard().is_empty() {
            assert!(start.elapsed() < PATIENCE, "it still hears something");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Speaks until another one has heard this, and gives all that it has heard until then.
    pub(crate) fn is_heard_by(
        &mut self,
        other: &Self,
        said: (u8, u8),
        heard: (u8, u8),
    ) -> Vec<(u8, Vec<u8>)> {
        let (start, mut all) = (Instant::now(), Vec::new());
        let wanted = (heard.0, vec![heard.1; 160]);
        while !all.contains(&wanted) {
            assert!(start.elapsed() < PATIENCE, "{said:?} is never heard as {heard:?}");
            self.speaks(said.0, said.1);
            std::thread::sleep(Duration::from_millis(10));
            all.extend(other.heard());
        }
        all
    }
}

fn ear() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}
