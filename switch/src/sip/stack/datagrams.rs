//! UDP: reads datagrams, drops what a stranger sends too much of, mends and parses the rest, and
//! hands each message on before it reads the next. What comes faster than that waits in the kernel's
//! buffer, and beyond it is lost: SIP repeats it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::sip::{SipMessage, Transport as WireTransport};
use rsipstack::transport::SipConnection;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::flood::Flood;
use super::repair::{self, Verdict};
use crate::supervision::Vitals;

/// Kernel buffer each way: some 2,000 messages, a second of a busy node.
const BUFFER_BYTES: usize = 4 << 20;

/// The longest datagram that there is.
const DATAGRAM_LEN: usize = 65_536;

/// Datagrams that are read before the runtime's other tasks get their turn.
const TURN: u32 = 64;

/// Takes each message and where it came from; must not block.
pub(super) type Take = Arc<dyn Fn(SipMessage, SocketAddr) + Send + Sync>;

/// One UDP socket.
pub(super) struct Datagrams {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
}

impl Datagrams {
    /// Binds the socket.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // The kernel grants what its limit allows; less is no reason not to start.
        let _granted = socket.set_recv_buffer_size(BUFFER_BYTES);
        let _granted = socket.set_send_buffer_size(BUFFER_BYTES);
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Self { socket: Arc::new(socket), local })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Begins to read; messages go to `take` until `stop`. The parser is a third party's and its
    /// input anybody's, so the reader is kept up on the same socket.
    pub(super) fn serve(
        &self,
        flood: Arc<Flood>,
        take: Take,
        stop: CancellationToken,
        vitals: &Vitals,
    ) {
        let reader = Arc::new(Reader { socket: Arc::clone(&self.socket), flood, take });
        vitals.keep_up("reader of SIP datagrams", move || {
            let (reader, stop) = (Arc::clone(&reader), stop.clone());
            async move {
                let _stopped = stop.run_until_cancelled(reader.read()).await;
                Ok(())
            }
        });
    }

    /// Sends one datagram.
    pub(super) async fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        match self.socket.try_send_to(bytes, to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.send_to(bytes, to).await.map(drop)
            }
            other => other.map(drop),
        }
    }
}

/// What reads one socket.
struct Reader {
    socket: Arc<UdpSocket>,
    flood: Arc<Flood>,
    take: Take,
}

impl Reader {
    async fn read(&self) {
        let mut buffer = vec![0; DATAGRAM_LEN];
        let mut turn = 0;
        loop {
            match self.socket.recv_from(&mut buffer).await {
                Ok((length, source)) => self.datagram(&buffer[..length], source),
                // The kernel's word about some earlier datagram; the socket itself lives.
                Err(error) => tracing::debug!(%error, "receiving a SIP datagram"),
            }
            turn += 1;
            if turn == TURN {
                turn = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    fn datagram(&self, datagram: &[u8], source: SocketAddr) {
        if !self.flood.allow_message(source.ip()) {
            return;
        }
        match read(datagram, source) {
            Read::Message(message) => (self.take)(message, source),
            Read::Answer(reply) => {
                // Best effort: whoever asked asks again.
                let _sent = self.socket.try_send_to(&reply, source);
            }
            Read::KeepAlive => {}
            Read::Malformed => {
                tracing::debug!(%source, length = datagram.len(), "this is not SIP");
                metrics::counter!("switch_sip_dropped_total", "why" => "malformed").increment(1);
            }
        }
    }
}

/// What a datagram turns out to be.
pub(super) enum Read {
    Message(SipMessage),
    /// A request that can only be refused, by this.
    Answer(Vec<u8>),
    KeepAlive,
    Malformed,
}

/// Mends and parses a datagram, and notes in a request's Via where it really came from (RFC 3261
/// §18.2.1, RFC 3581 §4).
pub(super) fn read(datagram: &[u8], source: SocketAddr) -> Read {
    if is_keep_alive(datagram) {
        return Read::KeepAlive;
    }
    let parsed = match repair::inspect(datagram) {
        Verdict::Parse => SipMessage::try_from(datagram),
        Verdict::Mended(mended) => SipMessage::try_from(&mended[..]),
        Verdict::Answer(reply) => return Read::Answer(reply),
    };
    let received = parsed.ok().and_then(|message| {
        SipConnection::update_msg_received(message, source, WireTransport::Udp).ok()
    });
    received.map_or(Read::Malformed, Read::Message)
}

/// Line ends alone keep a NAT's binding open (RFC 5626 §3.5.1 gives streams an answer to them;
/// datagrams get none).
fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram.iter().all(u8::is_ascii_whitespace)
}
