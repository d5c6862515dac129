//! The sockets, and the only place that names `rsipstack`: its parser, its datagram and stream
//! framing. Transactions and dialogs are ours ([`crate::sip::call`]), because a leg's identifiers
//! are derived and not drawn, because an orphan of an earlier process must be spoken for without a
//! transaction of its own, because a time-out of ours must not look like a 408 of the network's,
//! and because every queue of ours has an end.
//!
//! rsipstack 0.7.14 logs each message at INFO: run with the filter `rsipstack=warn`.
//!
//! Its defects that we know, and what we do about them:
//! 1. A byte that is not UTF-8 in a header ends the header list: mended in our socket before the
//!    parser sees it ([`repair`]). Over TCP there is no such seam: such a message loses the headers
//!    behind that byte.
//! 2. A body without Content-Length over UDP is dropped, against RFC 3261 §18.3: mended likewise.
//! 3. An unknown method fails to parse and is dropped in silence: answered with 501 in our socket.
//!    Over TCP it ends the connection.
//! 4. Digest: refuses `SHA-256` by name, counts `nc` in decimal, quotes `qop`: our own,
//!    [`crate::sip::digest`].
//! 5. The TCP listener only logs when it cannot bind, and a connection is made once for each caller
//!    that asks at the same time: we listen, connect and keep the connections ourselves
//!    ([`streams`]).
//! 6. Its channels are unbounded: our socket drops datagrams while too many wait (SIP repeats
//!    them), and counts them.
//! 7. `Headers::unique_push` deletes all custom headers, and responses lose their own reason
//!    phrase: we write messages ourselves ([`crate::sip::compose`]).
//! 8. A UDP buffer of 8 KiB: longer datagrams are cut, and their Content-Length with them.

mod datagrams;
mod message;
mod repair;
mod resolver;
mod streams;
mod target;

pub(crate) use message::{Message, Method, Start};
#[cfg(test)]
pub(crate) use resolver::Ask;
pub(crate) use target::Target;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rsipstack::transport::TransportEvent;
use rsipstack::transport::connection::TransportReceiver;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use yunling_switch_contract::Transport;

use super::invite::LocalParty;
use super::timers::Timers;
use crate::config::{SipListen, StartError};
use crate::supervision::Vitals;
use datagrams::Datagrams;
use resolver::Resolver;
use streams::Streams;

/// Takes each message that arrives; must not block.
pub(crate) type OnMessage = Box<dyn Fn(Message, Target) + Send + Sync>;

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
    listeners: Vec<Listener>,
    streams: Arc<Streams>,
    resolver: Resolver,
    user_agent: Arc<str>,
    stop: CancellationToken,
}

/// Why something could not be sent: the network's fault or the trunk's, never the engine's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    #[error("the host name {0} cannot be resolved")]
    Name(String),
    #[error("no {0:?} socket listens for the family of {1}")]
    NoListener(Transport, IpAddr),
    #[error("{0} cannot be reached: {1}")]
    Network(SocketAddr, String),
    #[error("{0:?} is no SIP URI that can be called")]
    Uri(String),
}

impl Stack {
    /// Binds all sockets and begins to read.
    pub(crate) async fn bind(
        listen: &[SipListen],
        user_agent: Arc<str>,
        timers: &Timers,
        vitals: &Vitals,
        on_message: OnMessage,
    ) -> Result<Self, StartError> {
        let stop = CancellationToken::new();
        // A socket that cannot be bound takes those before it down with it.
        let unfinished = stop.clone().drop_guard();
        let (events, incoming) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let streams = Arc::new(Streams::new(events.clone(), timers.connect, stop.clone()));
        let mut listeners = Vec::with_capacity(listen.len());
        for (index, wanted) in listen.iter().enumerate() {
            let (local, datagrams) = match wanted.transport {
                Transport::Udp => {
                    let datagrams = Datagrams::bind(wanted.address, index, Arc::clone(&waiting))
                        .map_err(|source| StartError::Bind { listen: wanted.clone(), source })?;
                    let datagrams = Arc::new(datagrams);
                    (datagrams.local(), Some(datagrams))
                }
                Transport::Tcp => {
                    let local = streams
                        .listen(wanted.address, vitals)
                        .map_err(|source| StartError::Bind { listen: wanted.clone(), source })?;
                    (local, None)
                }
            };
            let advertised = match wanted.advertised {
                Some(address) if address.port() != 0 => address,
                Some(address) => SocketAddr::new(address.ip(), local.port()),
                None if local.ip().is_unspecified() => {
                    return Err(StartError::NoAdvertisedAddress { listen: wanted.clone() });
                }
                None => local,
            };
            listeners.push(Listener { transport: wanted.transport, local, advertised, datagrams });
        }
        for listener in &listeners {
            if let Some(datagrams) = &listener.datagrams {
                datagrams.serve(events.clone(), stop.clone(), vitals);
            }
        }
        let routes = listeners.iter().map(|l| (l.transport, l.local)).collect();
        let dispatch = Arc::new(Dispatch {
            incoming: tokio::sync::Mutex::new(incoming),
            routes,
            waiting,
            on_message,
        });
        // Stopped like the readers and not by their end: what it hands messages to leads back here.
        let closing = stop.clone();
        vitals.keep_up("dispatch of SIP messages", move || {
            let (dispatch, closing) = (Arc::clone(&dispatch), closing.clone());
            async move {
                let _stopped = closing.run_until_cancelled(dispatch.run()).await;
                Ok(())
            }
        });
        unfinished.disarm();
        Ok(Self { listeners, streams, resolver: Resolver::system(), user_agent, stop })
    }

    /// Resolves names otherwise than by asking the system.
    #[cfg(test)]
    pub(crate) fn with_resolver(mut self, ask: Ask) -> Self {
        self.resolver = Resolver::new(ask);
        self
    }

    /// What each socket is really bound to.
    pub(crate) fn addresses(&self) -> Vec<(Transport, SocketAddr)> {
        self.listeners.iter().map(|listener| (listener.transport, listener.local)).collect()
    }

    /// How we present ourselves to a target.
    pub(crate) fn local_party(&self, target: &Target) -> LocalParty {
        let listener = &self.listeners[target.listener];
        LocalParty {
            advertised: listener.advertised,
            transport: target.transport,
            user_agent: Arc::clone(&self.user_agent),
        }
    }

    /// Finds the address of a host, and the socket of ours that speaks to it.
    pub(crate) async fn resolve(
        &self,
        host: &str,
        port: u16,
        transport: Transport,
    ) -> Result<Target, Unreachable> {
        self.target(&self.resolver.lookup(host).await?, host, port, transport)
    }

    /// What [`Stack::resolve`] gives, if it would give it at once.
    pub(crate) fn resolve_known(
        &self,
        host: &str,
        port: u16,
        transport: Transport,
    ) -> Option<Result<Target, Unreachable>> {
        let known = self.resolver.known(host)?;
        Some(known.and_then(|addresses| self.target(&addresses, host, port, transport)))
    }

    fn target(
        &self,
        addresses: &[IpAddr],
        host: &str,
        port: u16,
        transport: Transport,
    ) -> Result<Target, Unreachable> {
        let reachable = addresses.iter().find_map(|ip| Some((*ip, self.listener(transport, *ip)?)));
        match reachable {
            Some((ip, listener)) => {
                Ok(Target { transport, address: SocketAddr::new(ip, port), listener })
            }
            None => match addresses.first() {
                Some(ip) => Err(Unreachable::NoListener(transport, *ip)),
                None => Err(Unreachable::Name(host.to_owned())),
            },
        }
    }

    fn listener(&self, transport: Transport, ip: IpAddr) -> Option<usize> {
        self.listeners.iter().position(|listener| {
            listener.transport == transport && listener.local.is_ipv4() == ip.is_ipv4()
        })
    }

    /// Makes sure that there is a connection to a target; gives a token that is cancelled when it
    /// is lost. Datagrams need none.
    pub(crate) async fn connect(
        &self,
        target: &Target,
    ) -> Result<Option<CancellationToken>, Unreachable> {
        match target.transport {
            Transport::Udp => Ok(None),
            Transport::Tcp => self.streams.connect(target.address).await.map(Some),
        }
    }

    /// Whether bytes can be sent without making a connection first.
    pub(crate) fn is_linked(&self, target: &Target) -> bool {
        target.transport == Transport::Udp || self.streams.is_open(target.address)
    }

    /// Sends bytes over what there is: no connection is made.
    pub(crate) async fn send_back(&self, bytes: &[u8], target: Target) -> Result<(), Unreachable> {
        match target.transport {
            Transport::Udp => self.send(bytes, target).await,
            Transport::Tcp => {
                tracing::trace!(to = %target.address, message = %String::from_utf8_lossy(bytes), "sent");
                self.streams.send_back(bytes, target.address).await
            }
        }
    }

    /// Sends bytes.
    pub(crate) async fn send(&self, bytes: &[u8], target: Target) -> Result<(), Unreachable> {
        tracing::trace!(to = %target.address, message = %String::from_utf8_lossy(bytes), "sent");
        match &self.listeners[target.listener].datagrams {
            Some(datagrams) => datagrams
                .send(bytes, target.address)
                .await
                .map_err(|error| Unreachable::Network(target.address, error.to_string())),
            None => self.streams.send(bytes, target.address).await,
        }
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

/// Hands each message to its leg.
struct Dispatch {
    incoming: tokio::sync::Mutex<TransportReceiver>,
    routes: Vec<(Transport, SocketAddr)>,
    waiting: Arc<AtomicUsize>,
    on_message: OnMessage,
}

impl Dispatch {
    /// Runs until the sockets are closed.
    async fn run(&self) {
        let mut incoming = self.incoming.lock().await;
        while let Some(event) = incoming.recv().await {
            self.waiting.store(incoming.len(), Ordering::Relaxed);
            self.take(event);
        }
    }

    fn take(&self, event: TransportEvent) {
        let TransportEvent::Incoming(message, connection, from) = event else { return };
        let Ok(source) = from.get_socketaddr() else { return };
        let transport = if connection.is_reliable() { Transport::Tcp } else { Transport::Udp };
        let listener = match transport {
            Transport::Udp => datagrams::listener_of(&connection),
            Transport::Tcp => self.routes.iter().position(|(listening, local)| {
                *listening == Transport::Tcp && local.is_ipv4() == source.is_ipv4()
            }),
        };
        let Some(listener) = listener else { return };
        match Message::from_parser(message) {
            Some(message) => {
                tracing::trace!(from = %source, ?message, "received");
                let back = Target::back(&message, transport, source, listener);
                (self.on_message)(message, back);
            }
            None => {
                metrics::counter!("switch_sip_dropped_total", "why" => "incomplete").increment(1)
            }
        }
    }
}
