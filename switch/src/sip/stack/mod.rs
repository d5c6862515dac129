//! The sockets, and the only place that names `rsipstack`, of which we use the parser alone.
//! Transactions and dialogs are ours ([`crate::sip::call`]), because a leg's identifiers
//! are derived and not drawn, because an orphan of an earlier process must be spoken for without a
//! transaction of its own, because a time-out of ours must not look like a 408 of the network's,
//! and because every queue of ours has an end.
//!
//! Its defects that we know (0.7.14), and what we do about them:
//! 1. A byte that is not UTF-8 in a header ends the header list: mended before the parser sees
//!    it ([`repair`]).
//! 2. A body without Content-Length over UDP is dropped, against RFC 3261 §18.3: mended likewise.
//! 3. An unknown method fails to parse and is dropped in silence, over TCP with its connection:
//!    answered with 501.
//! 4. Digest: refuses `SHA-256` by name, counts `nc` in decimal, quotes `qop`: our own,
//!    [`crate::sip::digest`].
//! 5. The TCP listener only logs when it cannot bind, a connection is made once for each caller
//!    that asks at the same time, each has 128 KiB of buffers, and one bad message ends it: we
//!    listen, connect, frame and read ourselves ([`streams`], [`framing`], [`reader`]).
//! 6. Its channels are unbounded and its readers log, and answer, whatever comes: we read
//!    datagrams ourselves too ([`datagrams`]), one after the other.
//! 7. `Headers::unique_push` deletes all custom headers, and responses lose their own reason
//!    phrase: we write messages ourselves ([`crate::sip::compose`]).
//!
//! What strangers may send is limited before any of it is parsed ([`flood`]); what the tortuous
//! messages of RFC 4475 lead to is in docs/HOSTILE-INPUT.md.

mod datagrams;
mod flood;
mod framing;
mod message;
mod names;
mod reach;
mod reader;
mod repair;
mod resolver;
mod services;
mod shunned;
mod streams;
mod target;
mod tls;
mod watch;

pub(crate) use message::{Message, Method, Start};
#[cfg(test)]
pub(crate) use names::Questions;
pub(crate) use reach::Reached;
pub(crate) use target::Target;
pub(crate) use watch::{Path, Watch};

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rsipstack::sip::SipMessage;
use tokio_util::sync::CancellationToken;
use yunling_switch_contract::Transport;

use super::timers::Timers;
use crate::config::{FloodLimits, SipListen, StartError, TlsIdentity};
use crate::supervision::Vitals;
use datagrams::Datagrams;
use flood::Flood;
use resolver::Resolver;
use shunned::Shunned;
use streams::{Pace, Streams};
use tls::{Tls, TlsServer};
use watch::Watched;

/// Whose a message turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// A call's, live or just ended: its sender knows a Call-ID that nobody can guess.
    ToACall,
    ToNobody,
}

/// Takes each message that arrives; must not block.
pub(crate) type OnMessage = Box<dyn Fn(Message, Target) -> Belongs + Send + Sync>;

/// What the sockets need to be told.
pub(crate) struct StackConfig<'a> {
    pub listen: &'a [SipListen],
    /// Whom the sockets for TLS show themselves as.
    pub tls: Option<&'a TlsIdentity>,
    /// The name servers to ask; those of the system if absent.
    pub dns: Option<&'a [SocketAddr]>,
    pub user_agent: &'a str,
    pub flood: FloodLimits,
    pub timers: &'a Timers,
}

/// A socket that we listen on.
struct Listener {
    transport: Transport,
    local: SocketAddr,
    advertised: SocketAddr,
    /// Absent for streams.
    datagrams: Option<Arc<Datagrams>>,
}

/// The SIP sockets of one engine.
pub(crate) struct Stack {
    listeners: Arc<[Listener]>,
    streams: Arc<Streams>,
    resolver: Resolver,
    shunned: Mutex<Shunned>,
    /// How long connecting may take.
    connect: Duration,
    flood: Arc<Flood>,
    user_agent: Arc<str>,
    watched: Arc<Watched>,
    stop: CancellationToken,
}

/// Why something could not be sent: the network's fault or the trunk's, never the engine's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("the host name {0} cannot be resolved")]
    Name(String),
    #[error("the DNS of {0} says that it has no SIP service over this transport")]
    NoService(String),
    #[error("no {0:?} socket listens for the family of {1}")]
    NoListener(Transport, IpAddr),
    #[error("{0} cannot be reached: {1}")]
    Network(SocketAddr, String),
    /// Says by itself whose fault it is.
    #[error("{0}")]
    Tls(String),
    #[error("{0:?} is no SIP URI that can be called")]
    Uri(String),
}

/// A socket that is bound and not read yet.
enum Bound {
    Datagrams(Arc<Datagrams>),
    Streams(tokio::net::TcpListener, Option<TlsServer>),
}

impl Bound {
    fn of(wanted: &SipListen, tls: Option<&TlsIdentity>) -> Result<(Self, SocketAddr), StartError> {
        let failed = |source| StartError::Bind { listen: wanted.clone(), source };
        if wanted.transport == Transport::Udp {
            let datagrams = Arc::new(Datagrams::bind(wanted.address).map_err(failed)?);
            let local = datagrams.local();
            return Ok((Self::Datagrams(datagrams), local));
        }
        let server = match (wanted.transport, tls) {
            (Transport::Tls, Some(identity)) => Some(TlsServer::new(identity)?),
            (Transport::Tls, None) => return Err(StartError::NoTlsIdentity),
            (Transport::Tcp | Transport::Udp, _) => None,
        };
        let socket = streams::bind(wanted.address).map_err(failed)?;
        let local = socket.local_addr().map_err(failed)?;
        Ok((Self::Streams(socket, server), local))
    }
}

impl Stack {
    /// Binds all sockets and begins to read.
    pub(crate) async fn bind(
        config: StackConfig<'_>,
        vitals: &Vitals,
        on_message: OnMessage,
    ) -> Result<Self, StartError> {
        let mut listeners = Vec::with_capacity(config.listen.len());
        let mut accepting = Vec::new();
        for (index, wanted) in config.listen.iter().enumerate() {
            let (bound, local) = Bound::of(wanted, config.tls)?;
            let advertised = match wanted.advertised {
                Some(address) if address.port() != 0 => address,
                Some(address) => SocketAddr::new(address.ip(), local.port()),
                None if local.ip().is_unspecified() => {
                    return Err(StartError::NoAdvertisedAddress { listen: wanted.clone() });
                }
                None => local,
            };
            let datagrams = match bound {
                Bound::Datagrams(datagrams) => Some(datagrams),
                Bound::Streams(socket, server) => {
                    accepting.push((index, socket, server));
                    None
                }
            };
            listeners.push(Listener { transport: wanted.transport, local, advertised, datagrams });
        }
        let listeners: Arc<[Listener]> = listeners.into();
        let stop = CancellationToken::new();
        let flood = Arc::new(Flood::new(config.flood));
        let watched = Arc::<Watched>::default();
        let dispatch = Arc::new(Dispatch {
            watched: Arc::clone(&watched),
            flood: Arc::clone(&flood),
            on_message,
        });
        for (index, listener) in listeners.iter().enumerate() {
            if let Some(datagrams) = &listener.datagrams {
                let (dispatch, local) = (Arc::clone(&dispatch), listener.local);
                let take: datagrams::Take = Arc::new(move |message, address| {
                    let from = Target { transport: Transport::Udp, address, listener: index };
                    dispatch.message(message, from, local);
                });
                datagrams.serve(Arc::clone(&flood), take, stop.clone(), vitals);
            }
        }
        let take: reader::Take =
            Arc::new(move |message, from, local| dispatch.message(message, from, local));
        let streams = Arc::new(Streams::new(
            Tls::new(listeners.len()),
            Arc::clone(&flood),
            take,
            Pace::with_patience(config.timers.connect),
            stop.clone(),
        ));
        for (index, socket, server) in accepting {
            streams.serve(socket, index, server, vitals);
        }
        Ok(Self {
            listeners,
            streams,
            resolver: Resolver::new(names::Questions::to(config.dns)),
            shunned: Mutex::default(),
            connect: config.timers.connect,
            flood,
            user_agent: config.user_agent.into(),
            watched,
            stop,
        })
    }

    /// Resolves names otherwise than by asking name servers.
    #[cfg(test)]
    pub(crate) fn with_resolver(mut self, questions: Questions) -> Self {
        self.resolver = Resolver::new(questions);
        self
    }

    /// Shows every message to a watch from now on. Only the first one is taken.
    pub(crate) fn watch(&self, watch: Arc<dyn Watch>) {
        self.watched.by(watch);
    }

    /// What each socket is really bound to.
    pub(crate) fn addresses(&self) -> Vec<(Transport, SocketAddr)> {
        self.listeners.iter().map(|listener| (listener.transport, listener.local)).collect()
    }

    /// Whether bytes can be sent without making a connection first.
    pub(crate) fn is_linked(&self, target: &Target) -> bool {
        target.transport == Transport::Udp || self.streams.link(*target).is_some()
    }

    /// Sends bytes over what there is: no connection is made.
    pub(crate) async fn send_back(&self, bytes: &[u8], target: Target) -> Result<(), Unreachable> {
        self.put(bytes, target, OverWhat::ThereIs).await
    }

    /// Sends bytes of our own accord: whoever gets them is known from then on ([`flood`]).
    pub(crate) async fn send(&self, bytes: &[u8], target: Target) -> Result<(), Unreachable> {
        self.flood.vouch(target.address.ip());
        self.put(bytes, target, OverWhat::ItTakes).await
    }

    /// Whether a source is one that we deal with, and no stranger.
    pub(crate) fn is_known(&self, source: IpAddr) -> bool {
        self.flood.is_known(source)
    }

    async fn put(&self, bytes: &[u8], target: Target, over: OverWhat) -> Result<(), Unreachable> {
        tracing::trace!(to = %target.address, message = %String::from_utf8_lossy(bytes), "sent");
        let at = Instant::now();
        let local = match (self.datagrams(&target), over) {
            (Some((datagrams, local)), _) => datagrams
                .send(bytes, target.address)
                .await
                .map(|()| local)
                .map_err(|error| Unreachable::Network(target.address, error.to_string()))?,
            (None, OverWhat::ItTakes) => self.streams.send(bytes, target).await?,
            (None, OverWhat::ThereIs) => self.streams.send_back(bytes, target).await?,
        };
        let path = Path { transport: target.transport, local, remote: target.address };
        self.watched.sent(bytes, path, at);
        Ok(())
    }

    fn datagrams(&self, target: &Target) -> Option<(&Datagrams, SocketAddr)> {
        let listener = self.listeners.get(target.listener)?;
        Some((listener.datagrams.as_deref()?, listener.local))
    }

    /// Waits for something, but not behind the sockets' end.
    pub(crate) async fn while_open<T>(&self, awaited: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(awaited).await
    }

    /// Closes all sockets.
    pub(crate) fn close(&self) {
        self.stop.cancel();
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What bytes may be sent over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OverWhat {
    /// A connection that is open.
    ThereIs,
    /// A new one if need be.
    ItTakes,
}

/// Reads one datagram as the sockets do. Nothing: it is dropped in silence; `Err`: it can only be
/// refused, by these bytes.
#[cfg(test)]
pub(crate) fn read(datagram: &[u8], source: SocketAddr) -> Option<Result<Message, Vec<u8>>> {
    match datagrams::read(datagram, source) {
        datagrams::Read::Message(message) => Message::from_parser(message).ok().map(Ok),
        datagrams::Read::Answer(reply) => Some(Err(reply)),
        datagrams::Read::KeepAlive | datagrams::Read::Malformed => None,
    }
}

/// Hands each message to its leg.
struct Dispatch {
    watched: Arc<Watched>,
    flood: Arc<Flood>,
    on_message: OnMessage,
}

impl Dispatch {
    /// Hands a message to whoever it is for; it came from there to our end `local`.
    fn message(&self, message: SipMessage, from: Target, local: SocketAddr) {
        let source = from.address;
        match Message::from_parser(message) {
            Ok(message) => {
                tracing::trace!(from = %source, ?message, "received");
                let path = Path { transport: from.transport, local, remote: source };
                self.watched.received(&message, path);
                let back = Target::back(&message, from.transport, source, from.listener);
                if (self.on_message)(message, back) == Belongs::ToACall {
                    self.flood.vouch(source.ip());
                }
            }
            Err(flaw) => {
                tracing::debug!(%source, %flaw, "a SIP message that cannot be dealt with");
                metrics::counter!("switch_sip_dropped_total", "why" => flaw.why()).increment(1);
            }
        }
    }
}
