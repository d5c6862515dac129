//! Reads one connection: frames to messages, keep-alives answered and sent (RFC 5626 §3.5.1, §4.4.1).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use rsipstack::sip::{SipMessage, Transport as WireTransport};
use rsipstack::transport::SipConnection;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;
use yunling_switch_contract::Transport;

use super::Target;
use super::flood::Flood;
use super::framing::{Frame, Framing, Torn};
use super::repair::{self, Verdict};
use super::streams::{Link, MadeBy, Pace};

/// What is read at once.
const READ_BYTES: usize = 4_096;

/// Messages that are taken before the runtime's other tasks get their turn.
const TURN: u32 = 64;

/// Takes each message, the connection that it came by, and our end of that; must not block.
pub(super) type Take = Arc<dyn Fn(SipMessage, Target, SocketAddr) + Send + Sync>;

/// Whose messages are read, and who gets them.
pub(super) struct Reader<'a> {
    pub link: &'a Link,
    pub target: Target,
    pub made_by: MadeBy,
    pub pace: Pace,
    pub flood: &'a Flood,
    pub take: &'a Take,
}

impl Reader<'_> {
    /// Reads until the peer closes, has said nothing for too long, or has said too much.
    ///
    /// # Errors
    /// Why the connection must be given up.
    pub(super) async fn read(&self, mut reading: impl AsyncRead + Unpin) -> Result<(), String> {
        let (mut buffer, mut framing) = (BytesMut::new(), Framing::default());
        let mut heard_at = Instant::now();
        let (mut pinged, mut answers_pings) = (false, false);
        let mut turn = 0;
        loop {
            buffer.reserve(READ_BYTES);
            let patience = match (self.made_by, pinged && answers_pings) {
                (MadeBy::Peer, _) => self.pace.idle,
                (MadeBy::Us, false) => self.pace.keep_alive,
                (MadeBy::Us, true) => self.pace.pong,
            };
            match timeout(patience, reading.read_buf(&mut buffer)).await {
                Ok(Ok(0)) => return Ok(()),
                Ok(Ok(_)) => heard_at = Instant::now(),
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_elapsed) if pinged && answers_pings => {
                    return Err("it no longer answers our keep-alives".to_owned());
                }
                Err(_elapsed)
                    if self.made_by == MadeBy::Peer || heard_at.elapsed() >= self.pace.idle =>
                {
                    tracing::debug!(peer = %self.target.address, "a SIP connection has said nothing for long");
                    return Ok(());
                }
                Err(_elapsed) => {
                    self.link.write(b"\r\n\r\n").await.map_err(|error| error.to_string())?;
                    pinged = true;
                    continue;
                }
            }
            while let Some(frame) = framing.next(&mut buffer).map_err(torn_off)? {
                if !self.flood.allow_message(self.target.address.ip()) {
                    // Read on, it would cost us however little is wanted of it.
                    return Ok(());
                }
                match frame {
                    Frame::Ping => {
                        self.link.write(b"\r\n").await.map_err(|error| error.to_string())?;
                    }
                    Frame::Pong => {
                        if pinged {
                            answers_pings = true;
                            framing.pong_awaited();
                        }
                    }
                    Frame::Message(bytes) => self.message(&bytes).await,
                }
                turn += 1;
                if turn == TURN {
                    turn = 0;
                    tokio::task::yield_now().await;
                }
            }
            pinged = false;
        }
    }

    /// Mends, parses and hands on one message.
    async fn message(&self, bytes: &[u8]) {
        let parsed = match repair::inspect(bytes) {
            Verdict::Parse => parse(bytes, self.target),
            Verdict::Mended(mended) => parse(&mended, self.target),
            Verdict::Answer(reply) => {
                // Whoever does not read it loses the connection, which its reader then sees.
                let _sent = self.link.write(&reply).await;
                return;
            }
        };
        match parsed {
            Some(message) => (self.take)(message, self.target, self.link.local),
            None => {
                tracing::debug!(peer = %self.target.address, length = bytes.len(), "this is not SIP");
                metrics::counter!("switch_sip_dropped_total", "why" => "malformed").increment(1);
            }
        }
    }
}

/// The stream is ended; what it held is lost.
fn torn_off(torn: Torn) -> String {
    metrics::counter!("switch_sip_dropped_total", "why" => "torn").increment(1);
    torn.to_string()
}

/// Parses a message and notes in a request's Via where it really came from (RFC 3261 §18.2.1).
fn parse(bytes: &[u8], target: Target) -> Option<SipMessage> {
    let wire = match target.transport {
        Transport::Udp => WireTransport::Udp,
        Transport::Tcp => WireTransport::Tcp,
        Transport::Tls => WireTransport::Tls,
    };
    let message = SipMessage::try_from(bytes).ok()?;
    SipConnection::update_msg_received(message, target.address, wire).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use std::time::Duration;

    use parking_lot::Mutex;
    use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::FloodLimits;
    use crate::sip::stack::Message;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A reader of one connection, the other end of that, and the methods of what it read.
    struct Peer {
        far: DuplexStream,
        read: Arc<Mutex<Vec<String>>>,
        ended: tokio::task::JoinHandle<Result<(), String>>,
    }

    fn connect(made_by: MadeBy, pace: Pace) -> Peer {
        let (near, far) = duplex(64 * 1_024);
        let (reading, writing) =
            tokio::io::split(Box::new(near) as Box<dyn super::super::streams::Wire>);
        let address = "127.0.0.1:5060".parse().unwrap();
        let link = Link::new(writing, PATIENCE, address, CancellationToken::new());
        let read = Arc::<Mutex<Vec<String>>>::default();
        let methods = Arc::clone(&read);
        let ended = tokio::spawn(async move {
            let take: Take = Arc::new(move |message, _, _| {
                let message = Message::from_parser(message).unwrap();
                methods.lock().push(message.cseq_method().as_str().to_owned());
            });
            let flood = Flood::new(FloodLimits::default());
            let target = Target { transport: Transport::Tcp, address, listener: 0 };
            let reader = Reader { link: &link, target, made_by, pace, flood: &flood, take: &take };
            reader.read(reading).await
        });
        Peer { far, read, ended }
    }

    fn hasty() -> Pace {
        Pace {
            patience: PATIENCE,
            keep_alive: Duration::from_millis(50),
            pong: Duration::from_millis(100),
            idle: PATIENCE,
        }
    }

    impl Peer {
        async fn expect(&mut self, text: &str) {
            let mut buffer = vec![0; text.len()];
            let reading = timeout(PATIENCE, self.far.read_exact(&mut buffer));
            reading.await.unwrap().unwrap();
            assert_eq!(buffer, text.as_bytes());
        }

        async fn send(&mut self, text: &str) {
            self.far.write_all(text.as_bytes()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_quiet_connection_of_ours_is_kept_alive_as_long_as_it_answers() {
        let mut peer = connect(MadeBy::Us, hasty());
        for _ in 0..3 {
            peer.expect("\r\n\r\n").await;
            peer.send("\r\n").await;
        }
        peer.expect("\r\n\r\n").await;
        let why = timeout(PATIENCE, peer.ended).await.unwrap().unwrap();
        assert_eq!(why, Err("it no longer answers our keep-alives".to_owned()));
        let mut rest = Vec::new();
        peer.far.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"", "two answers are not a keep-alive of the peer's");
    }

    /// A keep-alive is answered, so it costs as much of a stranger's allowance as a message does.
    #[tokio::test]
    async fn keep_alives_beyond_the_allowance_end_the_connection() {
        let mut peer = connect(MadeBy::Peer, hasty());
        let burst = usize::try_from(FloodLimits::default().burst).unwrap();
        peer.send(&"\r\n\r\n".repeat(burst * 10)).await;
        assert_eq!(timeout(PATIENCE, peer.ended).await.unwrap().unwrap(), Ok(()));
        let mut answers = Vec::new();
        peer.far.read_to_end(&mut answers).await.unwrap();
        assert!((burst..burst * 5).contains(&(answers.len() / 2)), "{}", answers.len() / 2);
    }

    /// Who has never answered a keep-alive need not understand them.
    #[tokio::test]
    async fn a_peer_that_knows_no_keep_alives_is_left_alone_until_it_is_idle() {
        let idle = Duration::from_millis(400);
        let mut peer = connect(MadeBy::Us, Pace { idle, ..hasty() });
        let began = Instant::now();
        peer.expect("\r\n\r\n\r\n\r\n\r\n\r\n").await;
        assert_eq!(timeout(PATIENCE, peer.ended).await.unwrap().unwrap(), Ok(()));
        assert!(began.elapsed() >= idle);
    }

    #[tokio::test]
    async fn one_bad_message_costs_only_itself() {
        let mut peer = connect(MadeBy::Peer, Pace { idle: PATIENCE, ..hasty() });
        let rest = "Via: SIP/2.0/TCP h;branch=1\r\nFrom: <sip:x@y>;tag=f\r\nTo: <sip:a@b>\r\n\
            Call-ID: i\r\nl: 0\r\n";
        let request =
            |method| format!("{method} sip:a@b SIP/2.0\r\n{rest}CSeq: 1 {method}\r\n\r\n");
        peer.send(&request("OPTIONS")).await;
        peer.send(&request("FOO")).await;
        peer.send("no SIP at all\r\nl: 2\r\n\r\nxx\r\n\r\n").await;
        peer.send(&request("BYE")).await;
        peer.expect("SIP/2.0 501 Not Implemented\r\n").await;
        while peer.read.lock().len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(*peer.read.lock(), ["OPTIONS", "BYE"]);
        peer.send("BYE sip:a@b SIP/2.0\r\nX: y\r\n\r\n").await;
        let why = timeout(PATIENCE, peer.ended).await.unwrap().unwrap().unwrap_err();
        assert!(why.contains("no Content-Length"), "{why}");
    }
}
