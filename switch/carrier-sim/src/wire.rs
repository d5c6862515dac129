//! SIP over UDP and TCP: what comes in, and where things go.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::address;
use crate::framing::{Frame, Framing};
use crate::message::{Malformed, Message};

/// Messages of all TCP connections that wait to be handled; when full, the connections wait, and
/// so do their senders.
const INBOX: usize = 1_024;
/// Messages that wait to be written to one connection; one more closes it.
const OUTBOX: usize = 1_024;
/// A peer that takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(10);
/// Bytes of socket buffer: bursts of several hundred INVITEs must not be lost here.
const UDP_BUFFER: usize = 4 << 20;

/// Names a TCP connection for as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(u64);

/// Where to send a message.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    Udp(SocketAddr),
    /// Over this connection while it lives, else over any to that address.
    Tcp {
        connection: Option<ConnectionId>,
        address: SocketAddr,
    },
}

impl Route {
    pub(crate) const fn transport(&self) -> &'static str {
        match self {
            Self::Udp(_) => "UDP",
            Self::Tcp { .. } => "TCP",
        }
    }

    pub(crate) const fn is_reliable(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }

    /// Where responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4). Marks its Via with where
    /// it really came from.
    pub(crate) fn back(
        request: &mut Message,
        source: SocketAddr,
        connection: Option<ConnectionId>,
    ) -> Self {
        let via = request.top_via().to_owned();
        let wants_port = address::parameter(&via, "rport").is_some();
        let declared = SocketAddr::new(source.ip(), address::sent_by_port(&via));
        if let Some(line) = request.header("Via") {
            let marked = mark(&via, source, wants_port);
            let line = line.trim_start().replacen(&via, &marked, 1);
            request.replace_first("Via", line);
        }
        match connection {
            Some(_) => Self::Tcp { connection, address: declared },
            None if wants_port => Self::Udp(source),
            None => Self::Udp(declared),
        }
    }

    /// Where a request to `uri` goes; `back` is where the dialog's first request came from, for a
    /// URI that holds a name, and for its connection.
    pub(crate) fn to(uri: &str, back: &Self) -> Self {
        let (known, connection) = match back {
            Self::Udp(address) => (*address, None),
            Self::Tcp { connection, address } => (*address, *connection),
        };
        let address = address::socket_address(uri).unwrap_or(known);
        if address::wants_tcp(uri) { Self::Tcp { connection, address } } else { Self::Udp(address) }
    }
}

fn mark(via: &str, source: SocketAddr, wants_port: bool) -> String {
    let mut marked: Vec<String> = via
        .split(';')
        .filter(|part| !part.trim().eq_ignore_ascii_case("rport"))
        .map(str::to_owned)
        .collect();
    marked.push(format!("received={}", source.ip()));
    if wants_port {
        marked.push(format!("rport={}", source.port()));
    }
    marked.join(";")
}

/// What comes in.
pub(crate) enum Inbound {
    Message {
        bytes: Vec<u8>,
        source: SocketAddr,
        connection: Option<ConnectionId>,
    },
    /// A stream that cannot be followed; it was closed.
    Broken {
        source: SocketAddr,
        error: Malformed,
    },
}

enum FromConnection {
    Inbound(Inbound),
    Closed(ConnectionId),
}

/// Both transports on one address.
pub(crate) struct Wire {
    udp: UdpSocket,
    listener: TcpListener,
    datagram: Vec<u8>,
    connections: HashMap<ConnectionId, Connection>,
    last_connection: u64,
    inbox_sender: mpsc::Sender<FromConnection>,
    inbox: mpsc::Receiver<FromConnection>,
}

struct Connection {
    peer: SocketAddr,
    outbox: mpsc::Sender<Vec<u8>>,
}

impl Wire {
    /// # Errors
    /// If the address cannot be bound on both transports.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let (udp, listener) = bind_both(address).await?;
        // The kernel may grant less; then bursts are repeated by their senders.
        let _ = socket2::SockRef::from(&udp).set_recv_buffer_size(UDP_BUFFER);
        let (inbox_sender, inbox) = mpsc::channel(INBOX);
        let connections = HashMap::new();
        Ok(Self {
            udp,
            listener,
            datagram: vec![0; 65_536],
            connections,
            last_connection: 0,
            inbox_sender,
            inbox,
        })
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Waits for what comes next; may be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Inbound {
        loop {
            tokio::select! {
                received = self.udp.recv_from(&mut self.datagram) => {
                    // An error here tells of an earlier datagram that could not be delivered.
                    if let Ok((length, source)) = received {
                        let bytes = self.datagram[..length].to_vec();
                        return Inbound::Message { bytes, source, connection: None };
                    }
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.adopt(peer, async move { Ok(stream) }),
                    // Out of file descriptors: wait for calls to end.
                    Err(_) => sleep(Duration::from_millis(50)).await,
                },
                Some(message) = self.inbox.recv() => match message {
                    FromConnection::Inbound(inbound) => return inbound,
                    FromConnection::Closed(id) => {
                        self.connections.remove(&id);
                    }
                },
            }
        }
    }

    /// Sends, or loses: whoever needs an answer repeats or gives up.
    pub(crate) fn send(&mut self, route: &Route, bytes: &[u8]) {
        match *route {
            Route::Udp(address) => {
                // A full buffer loses the datagram as a network would.
                let _ = self.udp.try_send_to(bytes, address);
            }
            Route::Tcp { connection, address } => {
                let id = self.connection_for(connection, address);
                let full = self
                    .connections
                    .get(&id)
                    .is_some_and(|connection| connection.outbox.try_send(bytes.to_vec()).is_err());
                if full {
                    self.connections.remove(&id);
                }
            }
        }
    }

    fn connection_for(
        &mut self,
        wanted: Option<ConnectionId>,
        address: SocketAddr,
    ) -> ConnectionId {
        let to_address =
            || self.connections.iter().find(|(_, open)| open.peer == address).map(|(id, _)| *id);
        if let Some(id) = wanted.filter(|id| self.connections.contains_key(id)).or_else(to_address)
        {
            return id;
        }
        self.adopt(address, TcpStream::connect(address));
        ConnectionId(self.last_connection)
    }

    fn adopt(
        &mut self,
        peer: SocketAddr,
        stream: impl Future<Output = io::Result<TcpStream>> + Send + 'static,
    ) {
        self.last_connection += 1;
        let id = ConnectionId(self.last_connection);
        let (outbox, waiting) = mpsc::channel(OUTBOX);
        self.connections.insert(id, Connection { peer, outbox });
        let inbox = self.inbox_sender.clone();
        tokio::spawn(async move {
            if let Ok(Ok(stream)) = timeout(STALLED, stream).await {
                carry(stream, id, peer, waiting, &inbox).await;
            }
            // The network has shut down if nobody takes it.
            let _ = inbox.send(FromConnection::Closed(id)).await;
        });
    }
}

/// Port 0 takes a port that is free on both transports.
async fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    for _ in 0..20 {
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Err(error) if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            listener => return Ok((udp, listener?)),
        }
    }
    Err(io::Error::from(io::ErrorKind::AddrInUse))
}

/// Reads and writes one connection until either end closes it.
async fn carry(
    stream: TcpStream,
    id: ConnectionId,
    source: SocketAddr,
    mut outbox: mpsc::Receiver<Vec<u8>>,
    inbox: &mpsc::Sender<FromConnection>,
) {
    let (mut reader, mut writer) = stream.into_split();
    let (mut framing, mut buffer) = (Framing::default(), vec![0; 16_384]);
    loop {
        tokio::select! {
            read = reader.read(&mut buffer) => {
                let Ok(length @ 1..) = read else { return };
                framing.push(&buffer[..length]);
                loop {
                    let inbound = match framing.next_frame() {
                        Ok(None) => break,
                        Ok(Some(Frame::Ping)) => {
                            if !matches!(timeout(STALLED, writer.write_all(b"\r\n")).await, Ok(Ok(()))) {
                                return;
                            }
                            continue;
                        }
                        Ok(Some(Frame::Message(bytes))) => {
                            Inbound::Message { bytes, source, connection: Some(id) }
                        }
                        Err(error) => {
                            let _ = inbox.send(FromConnection::Inbound(Inbound::Broken { source, error })).await;
                            return;
                        }
                    };
                    if inbox.send(FromConnection::Inbound(inbound)).await.is_err() {
                        return;
                    }
                }
            }
            bytes = outbox.recv() => {
                let Some(bytes) = bytes else { return };
                if !matches!(timeout(STALLED, writer.write_all(&bytes)).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    #[test]
    fn answers_go_where_via_says() {
        let cases = [
            (
                "SIP/2.0/UDP 127.0.0.1:6000;rport;branch=b",
                "127.0.0.1:7777",
                "SIP/2.0/UDP 127.0.0.1:6000;branch=b;received=127.0.0.2;rport=7777",
            ),
            (
                "SIP/2.0/UDP 127.0.0.1:6000;branch=b",
                "127.0.0.2:6000",
                "SIP/2.0/UDP 127.0.0.1:6000;branch=b;received=127.0.0.2",
            ),
            (
                "SIP/2.0/UDP h;branch=b, SIP/2.0/UDP p;branch=c",
                "127.0.0.2:5060",
                "SIP/2.0/UDP h;branch=b;received=127.0.0.2, SIP/2.0/UDP p;branch=c",
            ),
        ];
        for (via, to, marked) in cases {
            let text = format!(
                "BYE sip:a SIP/2.0\r\nVia: {via}\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n\r\n"
            );
            let mut request = Message::parse(text.as_bytes()).unwrap();
            let source = "127.0.0.2:7777".parse().unwrap();
            let Route::Udp(address) = Route::back(&mut request, source, None) else {
                panic!("not UDP")
            };
            let expected: SocketAddr = to.parse().unwrap();
            assert_eq!(address.port(), expected.port(), "{via}");
            assert_eq!(request.header("Via"), Some(marked), "{via}");
        }
    }
}
