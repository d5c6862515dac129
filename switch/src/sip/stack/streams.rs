//! TCP: connections to trunks and from them, one for each address, made once however many ask.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use rsipstack::sip::Transport as WireTransport;
use rsipstack::transport::connection::TransportSender;
use rsipstack::transport::stream::StreamConnection as _;
use rsipstack::transport::tcp::TcpConnection;
use rsipstack::transport::{SipAddr, SipConnection};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Unreachable;
use crate::supervision::Vitals;

/// A connection that says nothing for so long is closed; SIP keep-alives come every few minutes.
const IDLE: Duration = Duration::from_secs(600);

/// Connections that may be open. Beyond, new ones from outside are closed at once.
const LIMIT: usize = 4_096;

/// A live connection.
#[derive(Clone)]
struct Link {
    connection: TcpConnection,
    lost: CancellationToken,
}

/// The TCP connections of one engine.
pub(super) struct Streams {
    links: Mutex<HashMap<SocketAddr, Arc<OnceCell<Link>>>>,
    events: TransportSender,
    patience: Duration,
    stop: CancellationToken,
}

impl Streams {
    /// `patience`: how long connecting, or writing to a peer that does not read, may take.
    pub(super) fn new(
        events: TransportSender,
        patience: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self { links: Mutex::default(), events, patience, stop }
    }

    /// Listens on an address; gives the one that it is really bound to.
    pub(super) fn listen(
        self: &Arc<Self>,
        address: SocketAddr,
        vitals: &Vitals,
    ) -> io::Result<SocketAddr> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // A restarted engine must get its port back while old connections are in TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(1_024)?;
        let listener = TcpListener::from_std(socket.into())?;
        let local = listener.local_addr()?;
        let (streams, listener) = (Arc::clone(self), Arc::new(listener));
        vitals.keep_up("acceptance of SIP connections", move || {
            let (streams, listener) = (Arc::clone(&streams), Arc::clone(&listener));
            async move {
                let stop = streams.stop.clone();
                let _stopped = stop.run_until_cancelled(streams.accept(&listener)).await;
                Ok(())
            }
        });
        Ok(local)
    }

    async fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    if self.links.lock().len() >= LIMIT {
                        metrics::counter!("switch_sip_dropped_total", "why" => "connections")
                            .increment(1);
                        continue;
                    }
                    let cell = Arc::new(OnceCell::new());
                    self.links.lock().insert(peer, Arc::clone(&cell));
                    let opened =
                        cell.get_or_try_init(|| async { self.open(stream, peer, &cell) }).await;
                    if let Err(error) = opened {
                        tracing::warn!(%peer, %error, "a SIP connection from outside cannot be used");
                        self.forget(peer, &cell);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a SIP connection");
                    // Out of file descriptors: others must end first.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// The connection to an address, made if there is none; the token is cancelled when it is lost.
    pub(super) async fn connect(
        self: &Arc<Self>,
        address: SocketAddr,
    ) -> Result<CancellationToken, Unreachable> {
        Ok(self.link(address).await?.lost)
    }

    /// Sends bytes, over a new connection if there is none.
    pub(super) async fn send(
        self: &Arc<Self>,
        bytes: &[u8],
        address: SocketAddr,
    ) -> Result<(), Unreachable> {
        let link = self.link(address).await?;
        self.write(bytes, address, link).await
    }

    /// Sends bytes over the connection that there is.
    pub(super) async fn send_back(
        &self,
        bytes: &[u8],
        address: SocketAddr,
    ) -> Result<(), Unreachable> {
        match self.open_link(address) {
            Some(link) => self.write(bytes, address, link).await,
            None => Err(Unreachable::Network(address, "its connection is gone".to_owned())),
        }
    }

    /// Whether there is a connection to an address.
    pub(super) fn is_open(&self, address: SocketAddr) -> bool {
        self.open_link(address).is_some()
    }

    fn open_link(&self, address: SocketAddr) -> Option<Link> {
        let link = self.links.lock().get(&address).and_then(|cell| cell.get().cloned());
        link.filter(|link| !link.lost.is_cancelled())
    }

    async fn write(
        &self,
        bytes: &[u8],
        address: SocketAddr,
        link: Link,
    ) -> Result<(), Unreachable> {
        let written = timeout(self.patience, link.connection.send_raw(bytes)).await;
        let failure = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => "it does not read what we send".to_owned(),
        };
        // A message that was written in part spoils all that follow.
        link.lost.cancel();
        Err(Unreachable::Network(address, failure))
    }

    async fn link(self: &Arc<Self>, address: SocketAddr) -> Result<Link, Unreachable> {
        let cell = Arc::clone(self.links.lock().entry(address).or_default());
        let made = cell.get_or_try_init(|| async {
            let connecting = timeout(self.patience, TcpStream::connect(address)).await;
            let stream =
                connecting.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))?;
            self.open(stream, address, &cell)
        });
        match made.await {
            Ok(link) => Ok(link.clone()),
            Err(error) => {
                self.forget(address, &cell);
                Err(Unreachable::Network(address, error.to_string()))
            }
        }
    }

    /// Begins to read a connection; it is forgotten when it ends.
    fn open(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        cell: &Arc<OnceCell<Link>>,
    ) -> io::Result<Link> {
        stream.set_nodelay(true)?;
        let local = SipAddr { r#type: Some(WireTransport::Tcp), addr: stream.local_addr()?.into() };
        let lost = self.stop.child_token();
        let connection = TcpConnection::from_stream(stream, local, Some(lost.clone()))
            .map_err(io::Error::other)?;
        let link = Link { connection, lost };
        let (streams, cell, reading) = (Arc::clone(self), Arc::clone(cell), link.clone());
        tokio::spawn(async move {
            let serving = reading.connection.serve_loop(streams.events.clone(), IDLE);
            // A connection whose reader is gone would be written to and never heard.
            let serving = AssertUnwindSafe(serving).catch_unwind();
            match reading.lost.run_until_cancelled(serving).await {
                Some(Ok(Err(error))) => {
                    tracing::warn!(%peer, %error, "a SIP connection was given up");
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
            streams.forget(peer, &cell);
            reading.lost.cancel();
            let _closed =
                timeout(streams.patience, SipConnection::Tcp(reading.connection).close()).await;
        });
        Ok(link)
    }

    /// Forgets this connection, not a newer one to the same address.
    fn forget(&self, address: SocketAddr, cell: &Arc<OnceCell<Link>>) {
        let mut links = self.links.lock();
        if links.get(&address).is_some_and(|known| Arc::ptr_eq(known, cell)) {
            links.remove(&address);
        }
    }
}
