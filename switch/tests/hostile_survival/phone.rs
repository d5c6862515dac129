//! A phone that answers one call, and listens to the spacing of its packets.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::rig::PATIENCE;

/// What a phone has heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Between one packet and the next.
    pub gaps: Vec<Duration>,
    /// INVITEs that came more than once.
    pub repeated_invites: usize,
}

impl Heard {
    /// The share of gaps up to so many milliseconds.
    pub(crate) fn share_within(&self, ms: u64) -> f64 {
        let within = self.gaps.iter().filter(|gap| **gap <= Duration::from_millis(ms)).count();
        within as f64 / self.gaps.len().max(1) as f64
    }

    pub(crate) fn worst(&self) -> Duration {
        self.gaps.iter().max().copied().unwrap_or_default()
    }
}

/// See the module's head.
pub(crate) struct Phone {
    sip: UdpSocket,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    stop: Arc<AtomicBool>,
}

/// A phone in a call.
pub(crate) struct Talking {
    pub sip: Arc<UdpSocket>,
    pub rtp: Arc<UdpSocket>,
    pub rtcp: Arc<UdpSocket>,
    /// The INVITE.
    pub invite: String,
    /// Where the engine's audio comes from.
    pub media: SocketAddr,
    stop: Arc<AtomicBool>,
    ears: Vec<JoinHandle<Heard>>,
}

impl Phone {
    pub(crate) fn new() -> Self {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            socket
        };
        Self { sip: socket(), rtp: socket(), rtcp: socket(), stop: Arc::default() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.sip.local_addr().unwrap().port()
    }

    /// Waits for an INVITE, answers it, and goes on in the background: requests are answered with
    /// 200, packets are listened to.
    pub(crate) fn answer(self) -> Talking {
        let since = Instant::now();
        let mut buffer = [0; 8_192];
        let (invite, engine) = loop {
            assert!(since.elapsed() < PATIENCE, "nobody calls");
            let Ok((length, from)) = self.sip.recv_from(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with("INVITE ") {
                break (text, from);
            }
        };
        let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {} RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp:{}\r\n",
            port(&self.rtp),
            port(&self.rtcp),
        );
        let answer = response(&invite, &sdp, port(&self.sip));
        self.sip.send_to(answer.as_bytes(), engine).unwrap();
        let media_port = line(&invite, "m=audio ").split(' ').nth(1).unwrap().parse().unwrap();
        let media = SocketAddr::new(engine.ip(), media_port);
        let (sip, rtp) = (Arc::new(self.sip), Arc::new(self.rtp));
        let ears = vec![
            {
                let (sip, stop, invite) =
                    (Arc::clone(&sip), Arc::clone(&self.stop), invite.clone());
                thread::spawn(move || signal(&sip, &stop, &invite, &answer))
            },
            {
                let (rtp, stop) = (Arc::clone(&rtp), Arc::clone(&self.stop));
                thread::spawn(move || listen(&rtp, &stop))
            },
        ];
        let rtcp = Arc::new(self.rtcp);
        Talking { sip, rtp, rtcp, invite, media, stop: self.stop, ears }
    }
}

impl Talking {
    /// The header of the INVITE.
    pub(crate) fn header(&self, name: &str) -> String {
        line(&self.invite, &format!("{name}: ")).to_owned()
    }

    /// Stops, and tells what it has heard.
    pub(crate) fn stop(self) -> Heard {
        self.stop.store(true, Ordering::Release);
        let mut all = Heard::default();
        for ear in self.ears {
            let heard = ear.join().unwrap();
            all.gaps.extend(heard.gaps);
            all.repeated_invites += heard.repeated_invites;
        }
        all
    }

    /// Presses a key: the packets of one telephone-event (RFC 4733).
    pub(crate) fn press(&self, code: u8, sequence: u16) {
        for packet in key_press(code, sequence) {
            self.rtp.send_to(&packet, self.media).unwrap();
        }
    }
}

/// The packets of one key press.
pub(crate) fn key_press(code: u8, sequence: u16) -> Vec<Vec<u8>> {
    let steps = [(0x80u8, 0u8, 160u16), (0, 0, 320), (0, 0x80, 480), (0, 0x80, 480)];
    (0u16..)
        .zip(steps)
        .map(|(n, (marker, end, duration))| {
            let mut packet = vec![0x80, marker | 101];
            packet.extend_from_slice(&sequence.wrapping_add(n).to_be_bytes());
            packet.extend_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
            packet.extend_from_slice(&0x5151_5151u32.to_be_bytes());
            packet.extend_from_slice(&[code, end | 10]);
            packet.extend_from_slice(&duration.to_be_bytes());
            packet
        })
        .collect()
}

/// A 200 to a request; with a description it is the answer to an INVITE.
fn response(request: &str, sdp: &str, port: u16) -> String {
    let mut response = "SIP/2.0 200 OK\r\n".to_owned();
    for header in request.lines().take_while(|line| !line.is_empty()) {
        let name = header.split(':').next().unwrap_or_default();
        if matches!(name, "Via" | "From" | "Call-ID" | "CSeq") {
            response += &format!("{header}\r\n");
        } else if name == "To" {
            let tag = if header.contains(";tag=") { "" } else { ";tag=phone" };
            response += &format!("{header}{tag}\r\n");
        }
    }
    if !sdp.is_empty() {
        response +=
            &format!("Contact: <sip:phone@127.0.0.1:{port}>\r\nContent-Type: application/sdp\r\n");
    }
    response += &format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len());
    response
}

/// Answers what the engine asks.
fn signal(sip: &UdpSocket, stop: &AtomicBool, invite: &str, answer: &str) -> Heard {
    let mut heard = Heard::default();
    let mut buffer = vec![0; 65_536];
    while !stop.load(Ordering::Acquire) {
        let Ok((length, from)) = sip.recv_from(&mut buffer) else { continue };
        let text = String::from_utf8_lossy(&buffer[..length]);
        let is_ours = line(&text, "Call-ID: ") == line(invite, "Call-ID: ");
        match text.split(' ').next() {
            Some("INVITE") if is_ours => {
                heard.repeated_invites += 1;
                sip.send_to(answer.as_bytes(), from).unwrap();
            }
            Some("BYE") => {
                sip.send_to(response(&text, "", 0).as_bytes(), from).unwrap();
            }
            _ => {}
        }
    }
    heard
}

/// Listens to the packets' spacing.
fn listen(rtp: &UdpSocket, stop: &AtomicBool) -> Heard {
    let mut heard = Heard::default();
    let mut last = None;
    while !stop.load(Ordering::Acquire) {
        if rtp.recv(&mut [0; 2_000]).is_ok() {
            let now = Instant::now();
            heard.gaps.extend(last.replace(now).map(|before: Instant| now - before));
        }
    }
    heard
}

/// The line that begins so.
fn line<'a>(text: &'a str, begin: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(begin)).unwrap_or_default()
}
