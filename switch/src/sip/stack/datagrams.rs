//! Our UDP socket under rsipstack's reader: a receive buffer that holds a burst, datagrams mended
//! before they are parsed, and a limit to what may wait.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rsipstack::platform::net::UdpSocket as ReaderSocket;
use rsipstack::transport::SipConnection;
use rsipstack::transport::connection::TransportSender;
use rsipstack::transport::udp::UdpConnection;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::repair::{self, Verdict};
use crate::supervision::Vitals;

/// Kernel buffer each way: some 2,000 messages, a second of a busy node.
const BUFFER_BYTES: usize = 4 << 20;

/// Parsed messages that may wait for their legs. Beyond, datagrams are dropped: SIP repeats them.
const WAITING_LIMIT: usize = 8_192;

/// One UDP socket.
pub(super) struct Datagrams {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    index: usize,
    waiting: Arc<AtomicUsize>,
}

impl Datagrams {
    /// Binds the socket; `waiting` is how many messages wait to be dispatched.
    pub(super) fn bind(
        address: SocketAddr,
        index: usize,
        waiting: Arc<AtomicUsize>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // The kernel grants what its limit allows; less is no reason not to start.
        let _granted = socket.set_recv_buffer_size(BUFFER_BYTES);
        let _granted = socket.set_send_buffer_size(BUFFER_BYTES);
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Self { socket: Arc::new(socket), local, index, waiting })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Begins to read; messages go to `events` until `stop`. The parser is a third party's and its
    /// input anybody's, so the reader is kept up on the same socket.
    pub(super) fn serve(&self, events: TransportSender, stop: CancellationToken, vitals: &Vitals) {
        let (socket, waiting) = (Arc::clone(&self.socket), Arc::clone(&self.waiting));
        let local = self.local;
        // The reader's "external" address is how a message names the socket that it came by.
        let name = SocketAddr::from(([0, 0, 0, 0], u16::try_from(self.index).unwrap_or(u16::MAX)));
        vitals.keep_up("reader of SIP datagrams", move || {
            let (socket, waiting) = (Arc::clone(&socket), Arc::clone(&waiting));
            let (events, stop) = (events.clone(), stop.clone());
            async move {
                let reader = Arc::new(Reader { socket, local, waiting });
                let read = async {
                    let connection = UdpConnection::from_socket(reader, Some(name), Some(stop));
                    connection.await?.serve_loop(events).await
                };
                read.await.map_err(|error| error.to_string())
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

/// Which of our sockets a message came by.
pub(super) fn listener_of(connection: &SipConnection) -> Option<usize> {
    let name = connection.get_addr().get_socketaddr().ok()?;
    Some(usize::from(name.port()))
}

/// The socket as rsipstack reads it.
struct Reader {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    waiting: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl ReaderSocket for Reader {
    async fn recv_from(&self, buffer: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        loop {
            let (length, source) = match self.socket.recv_from(buffer).await {
                Ok(received) => received,
                Err(error) => {
                    // The kernel's word about some earlier datagram; the socket itself lives.
                    tracing::debug!(%error, "receiving a SIP datagram");
                    continue;
                }
            };
            if self.waiting.load(Ordering::Relaxed) > WAITING_LIMIT {
                metrics::counter!("switch_sip_dropped_total", "why" => "flood").increment(1);
                continue;
            }
            match repair::inspect(&buffer[..length]) {
                Verdict::Parse => return Ok((length, source)),
                Verdict::Mended(datagram) => {
                    let length = datagram.len().min(buffer.len());
                    buffer[..length].copy_from_slice(&datagram[..length]);
                    return Ok((length, source));
                }
                Verdict::Answer(reply) => {
                    // Best effort: whoever asked asks again.
                    let _sent = self.socket.try_send_to(&reply, source);
                }
            }
        }
    }

    async fn send_to(&self, buffer: &[u8], address: SocketAddr) -> rsipstack::Result<usize> {
        Ok(self.socket.send_to(buffer, address).await?)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.local)
    }
}
