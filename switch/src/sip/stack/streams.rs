//! TCP and TLS: connections to trunks and from them, one for each far end, made once however many
//! ask. Each is read by a task of its own ([`super::reader`]).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use yunling_switch_contract::Transport;

use super::flood::{Flood, Source};
use super::reader::{Reader, Take};
use super::tls::{Tls, TlsServer};
use super::{Target, Unreachable};
use crate::supervision::Vitals;

/// Connections that may be open. Beyond, new ones of strangers are closed at once.
const LIMIT: usize = 4_096;

/// Connections that those we deal with may have besides, so that strangers cannot take all there
/// are.
const HEADROOM: usize = 1_024;

/// Connections that one source may hold open to us, unless we deal with it: each has buffers and a
/// task.
const STRANGERS_LIMIT: usize = 8;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Connecting with its TLS handshake, or writing to a peer that does not read.
    pub patience: Duration,
    /// Nothing comes for so long over a connection that we made: we send a keep-alive, so that no
    /// NAT forgets it.
    pub keep_alive: Duration,
    /// A peer that has answered keep-alives and now takes longer is gone.
    pub pong: Duration,
    /// A connection that says nothing for so long is closed.
    pub idle: Duration,
}

impl Pace {
    /// The times of RFC 5626 §4.4.1, and ten minutes of silence.
    pub(super) const fn with_patience(patience: Duration) -> Self {
        Self {
            patience,
            keep_alive: Duration::from_secs(95),
            pong: Duration::from_secs(10),
            idle: Duration::from_secs(600),
        }
    }
}

/// What a connection runs over.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Who made a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MadeBy {
    Us,
    Peer,
}

/// A live connection.
#[derive(Clone)]
pub(super) struct Link {
    writing: Arc<tokio::sync::Mutex<WriteHalf<Box<dyn Wire>>>>,
    patience: Duration,
    /// Our end.
    pub local: SocketAddr,
    /// Cancelled when it is lost.
    pub lost: CancellationToken,
}

impl Link {
    /// Writes take at most `patience`; `lost` is cancelled when the connection is no good any more.
    pub(super) fn new(
        writing: WriteHalf<Box<dyn Wire>>,
        patience: Duration,
        local: SocketAddr,
        lost: CancellationToken,
    ) -> Self {
        Self { writing: Arc::new(tokio::sync::Mutex::new(writing)), patience, local, lost }
    }

    /// Writes all or gives the connection up: a message that was written in part spoils all that
    /// follow.
    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        // Dropped in the middle, it has written in part as well.
        let unfinished = self.lost.clone().drop_guard();
        let writing = async {
            let mut writing = self.writing.lock().await;
            writing.write_all(bytes).await?;
            writing.flush().await
        };
        match timeout(self.patience, writing).await {
            Ok(Ok(())) => {
                unfinished.disarm();
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Err(io::Error::other("it does not read what we send")),
        }
    }

    /// Says farewell (TLS's `close_notify`) and ends our direction.
    async fn close(&self) {
        let closing = async { self.writing.lock().await.shutdown().await };
        let _best_effort = timeout(self.patience, closing).await;
    }
}

/// Names a connection. For TCP the far end is enough; over TLS the same far end may have been asked
/// for different certificates.
type Name = (Transport, SocketAddr, usize);

fn name(target: Target) -> Name {
    let outlet = if target.transport == Transport::Tls { target.listener } else { 0 };
    (target.transport, target.address, outlet)
}

type Cell = Arc<OnceCell<Link>>;

/// The connections of one engine.
pub(super) struct Streams {
    links: Mutex<HashMap<Name, Cell>>,
    tls: Tls,
    flood: Arc<Flood>,
    take: Take,
    pace: Pace,
    stop: CancellationToken,
}

/// Binds a socket for connections from outside.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A restarted engine must get its port back while old connections are in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1_024)?;
    TcpListener::from_std(socket.into())
}

impl Streams {
    pub(super) fn new(
        tls: Tls,
        flood: Arc<Flood>,
        take: Take,
        pace: Pace,
        stop: CancellationToken,
    ) -> Self {
        Self { links: Mutex::default(), tls, flood, take, pace, stop }
    }

    /// Begins to take connections from outside; `listener` is the socket's number.
    pub(super) fn serve(
        self: &Arc<Self>,
        socket: TcpListener,
        listener: usize,
        tls: Option<TlsServer>,
        vitals: &Vitals,
    ) {
        let (streams, socket) = (Arc::clone(self), Arc::new(socket));
        vitals.keep_up("acceptance of SIP connections", move || {
            let (streams, socket) = (Arc::clone(&streams), Arc::clone(&socket));
            let tls = tls.clone();
            async move {
                let stop = streams.stop.clone();
                let accepting = streams.accept(&socket, listener, tls.as_ref());
                let _stopped = stop.run_until_cancelled(accepting).await;
                Ok(())
            }
        });
    }

    async fn accept(
        self: &Arc<Self>,
        socket: &TcpListener,
        listener: usize,
        tls: Option<&TlsServer>,
    ) {
        loop {
            let (stream, peer) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accepting a SIP connection");
                    // Out of file descriptors: others must end first.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            if !self.flood.allow_connection(peer.ip()) {
                continue;
            }
            if self.is_full_for(peer.ip()) {
                metrics::counter!("switch_sip_dropped_total", "why" => "connections").increment(1);
                continue;
            }
            let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
            let target = Target { transport, address: peer, listener };
            let cell = Cell::default();
            self.links.lock().insert(name(target), Arc::clone(&cell));
            let (streams, tls) = (Arc::clone(self), tls.cloned());
            let welcome = async move {
                let made = cell.get_or_try_init(|| async {
                    let local = stream.local_addr()?;
                    stream.set_nodelay(true)?;
                    let wire: Box<dyn Wire> = match tls {
                        None => Box::new(stream),
                        Some(tls) => Box::new(tls.accept(stream, streams.pace.patience).await?),
                    };
                    Ok::<_, io::Error>(streams.open(wire, local, target, MadeBy::Peer, &cell))
                });
                if let Err(error) = made.await {
                    tracing::debug!(%peer, %error, "a SIP connection from outside cannot be used");
                    streams.forget(target, &cell);
                }
            };
            if transport == Transport::Tls {
                // A handshake takes as long as the peer likes: others must not wait for it.
                let stop = self.stop.clone();
                tokio::spawn(async move { stop.run_until_cancelled(welcome).await });
            } else {
                welcome.await;
            }
        }
    }

    /// The connection to a target, made if there is none, within `patience`: that bounds connecting,
    /// the TLS handshake, and the wait for somebody else's attempt together.
    pub(super) async fn connect(
        self: &Arc<Self>,
        target: Target,
        patience: Duration,
    ) -> Result<Link, Unreachable> {
        let cell = Arc::clone(self.links.lock().entry(name(target)).or_default());
        let network = |error: io::Error| Unreachable::Network(target.address, error.to_string());
        let shakes_hands = AtomicBool::new(false);
        let made = cell.get_or_try_init(|| async {
            let stream = TcpStream::connect(target.address).await.map_err(network)?;
            stream.set_nodelay(true).map_err(network)?;
            let local = stream.local_addr().map_err(network)?;
            let wire: Box<dyn Wire> = match target.transport {
                Transport::Tls => {
                    shakes_hands.store(true, Ordering::Relaxed);
                    Box::new(self.tls.shake_hands(target.listener, stream).await?)
                }
                Transport::Tcp | Transport::Udp => Box::new(stream),
            };
            // Another's failure may have had the cell forgotten while this attempt waited for it.
            self.links.lock().entry(name(target)).or_insert_with(|| Arc::clone(&cell));
            Ok(self.open(wire, local, target, MadeBy::Us, &cell))
        });
        let made = timeout(patience, made).await.unwrap_or_else(|_elapsed| {
            Err(match shakes_hands.load(Ordering::Relaxed) {
                true => self.tls.gave_up(target.listener),
                false => network(io::ErrorKind::TimedOut.into()),
            })
        });
        match made {
            Ok(link) => Ok(link.clone()),
            Err(error) => {
                self.forget(target, &cell);
                Err(error)
            }
        }
    }

    /// Whom a TLS connection to a trunk leads to.
    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Sends bytes, over a new connection if there is none. Gives our end.
    pub(super) async fn send(
        self: &Arc<Self>,
        bytes: &[u8],
        target: Target,
    ) -> Result<SocketAddr, Unreachable> {
        let link = self.connect(target, self.pace.patience).await?;
        write(&link, bytes, target).await
    }

    /// Sends bytes over the connection that there is. Gives our end.
    pub(super) async fn send_back(
        &self,
        bytes: &[u8],
        target: Target,
    ) -> Result<SocketAddr, Unreachable> {
        match self.link(target) {
            Some(link) => write(&link, bytes, target).await,
            None => Err(Unreachable::Network(target.address, "its connection is gone".to_owned())),
        }
    }

    /// The live connection to a target, if there is one.
    pub(super) fn link(&self, target: Target) -> Option<Link> {
        let link = self.links.lock().get(&name(target)).and_then(|cell| cell.get().cloned());
        link.filter(|link| !link.lost.is_cancelled())
    }

    /// Begins to read a connection; it is forgotten when it ends.
    fn open(
        self: &Arc<Self>,
        wire: Box<dyn Wire>,
        local: SocketAddr,
        target: Target,
        made_by: MadeBy,
        cell: &Cell,
    ) -> Link {
        let (reading, writing) = tokio::io::split(wire);
        let link = Link::new(writing, self.pace.patience, local, self.stop.child_token());
        let (streams, cell, peer) = (Arc::clone(self), Arc::clone(cell), target.address);
        let open = link.clone();
        tokio::spawn(async move {
            let reader = Reader {
                link: &open,
                target,
                made_by,
                pace: streams.pace,
                flood: &streams.flood,
                take: &streams.take,
            };
            let read = reader.read(reading);
            // A connection whose reader is gone would be written to and never heard.
            let read = AssertUnwindSafe(read).catch_unwind();
            match open.lost.run_until_cancelled(read).await {
                Some(Ok(Err(why))) => {
                    tracing::warn!(%peer, %why, "a SIP connection was given up");
                }
                Some(Err(_panic)) => {
                    tracing::error!(
                        %peer,
                        "a SIP connection's reader panicked, by a fault of the SIP parser's: the \
                         connection is given up"
                    );
                }
                Some(Ok(Ok(()))) | None => {}
            }
            streams.forget(target, &cell);
            open.lost.cancel();
            open.close().await;
        });
        link
    }

    /// Whether no more connections are taken from an address.
    fn is_full_for(&self, ip: IpAddr) -> bool {
        let links = self.links.lock();
        if self.flood.is_known(ip) {
            return links.len() >= LIMIT + HEADROOM;
        }
        let source = Source::from(ip);
        let held = links.keys().filter(|(_, peer, _)| Source::from(peer.ip()) == source);
        links.len() >= LIMIT || held.count() >= STRANGERS_LIMIT
    }

    /// Forgets this connection, not a newer one to the same target.
    fn forget(&self, target: Target, cell: &Cell) {
        let mut links = self.links.lock();
        if links.get(&name(target)).is_some_and(|known| Arc::ptr_eq(known, cell)) {
            links.remove(&name(target));
        }
    }
}

async fn write(link: &Link, bytes: &[u8], target: Target) -> Result<SocketAddr, Unreachable> {
    link.write(bytes)
        .await
        .map(|()| link.local)
        .map_err(|error| Unreachable::Network(target.address, error.to_string()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use std::time::Instant;

    use futures_util::future::join_all;
    use yunling_switch_contract::Peer;

    use super::*;
    use crate::config::FloodLimits;

    fn streams() -> Arc<Streams> {
        let flood = Arc::new(Flood::new(FloodLimits::default()));
        let take: Take = Arc::new(|_, _, _| {});
        let pace = Pace::with_patience(Duration::from_secs(20));
        Arc::new(Streams::new(Tls::new(1), flood, take, pace, CancellationToken::new()))
    }

    impl Streams {
        fn hold(&self, peer: SocketAddr) {
            let target = Target { transport: Transport::Tcp, address: peer, listener: 0 };
            self.links.lock().insert(name(target), Cell::default());
        }
    }

    /// The server takes connections and says nothing: whoever waits for another's attempt waits no
    /// longer than for an attempt of its own.
    #[tokio::test]
    async fn all_who_want_one_connection_are_told_within_their_patience() {
        let streams = streams();
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let trunk = Peer::new("t", "127.0.0.1", Transport::Tls);
        let target = Target {
            transport: Transport::Tls,
            address: server.local_addr().unwrap(),
            listener: streams.tls().number(&trunk).unwrap(),
        };
        let patience = Duration::from_millis(500);
        let began = Instant::now();
        let failures = join_all((0..6).map(|_| streams.connect(target, patience))).await;
        let took = began.elapsed();
        assert!(failures.iter().all(Result::is_err));
        let first = failures.into_iter().next().and_then(Result::err).unwrap().to_string();
        assert!(first.contains("did not finish the TLS handshake in time"), "{first}");
        assert!((patience..patience * 3).contains(&took), "{took:?}");
        assert!(streams.links.lock().is_empty());
    }

    #[test]
    fn a_stranger_holds_as_many_connections_from_all_addresses_of_its_network() {
        let rows = [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("2001:db8:1:2::", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
        ];
        for (base, same, other) in rows {
            let (streams, base) = (streams(), base.parse::<IpAddr>().unwrap());
            for n in 0..STRANGERS_LIMIT {
                assert!(!streams.is_full_for(base), "{base} {n}");
                let step = u16::try_from(n).unwrap();
                let address = match base {
                    IpAddr::V4(_) => base,
                    IpAddr::V6(ip) => IpAddr::from((ip.to_bits() + u128::from(step)).to_be_bytes()),
                };
                streams.hold(SocketAddr::new(address, 1_024 + step));
            }
            assert!(streams.is_full_for(same.parse().unwrap()), "{same}");
            assert!(!streams.is_full_for(other.parse().unwrap()), "{other}");
            streams.flood.vouch(same.parse().unwrap());
            assert!(!streams.is_full_for(same.parse().unwrap()), "{same} is known");
        }
    }

    #[test]
    fn strangers_cannot_take_the_connections_of_those_we_deal_with() {
        let streams = streams();
        let (known, stranger) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        streams.flood.vouch(known);
        let hold = |n: usize| {
            let ip = std::net::Ipv4Addr::from_bits(0x0A00_0000 + u32::try_from(n).unwrap());
            streams.hold(SocketAddr::new(ip.into(), 5_060));
        };
        (0..LIMIT).for_each(hold);
        assert!(streams.is_full_for(stranger) && !streams.is_full_for(known));
        (LIMIT..LIMIT + HEADROOM).for_each(hold);
        assert!(streams.is_full_for(known));
    }
}
