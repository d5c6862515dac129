//! From a trunk's name to a server of it that takes what we send (RFC 3263).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use yunling_switch_contract::{Peer, Transport};

use super::shunned::Shunned;
use super::{Stack, Target, Unreachable};
use crate::sip::invite::LocalParty;

/// Servers that are tried for one request: each takes some seconds if it is dead.
const MOST_TRIES: usize = 4;

/// A connection that takes longer and is then not waited for any more has failed.
const SUSPICIOUS: Duration = Duration::from_millis(1_000);

/// A trunk's server that can be sent to.
#[derive(Debug)]
pub(crate) struct Reached {
    pub target: Target,
    /// How we present ourselves to it.
    pub party: LocalParty,
    /// Cancelled when the connection is lost; absent where it takes none.
    pub lost: Option<CancellationToken>,
}

impl Stack {
    /// Finds a trunk's server and connects to it where that takes a connection. One that cannot be
    /// connected to is left out for a while, and the next is tried at once. `lot` decides between
    /// servers of the same rank, the same lot in the same way.
    pub(crate) async fn reach(&self, peer: &Peer, lot: u64) -> Result<Reached, Unreachable> {
        let mut targets = self.targets(peer, lot).await?;
        targets.truncate(MOST_TRIES);
        let mut failure = Unreachable::Name(peer.host.clone());
        let count = targets.len();
        for (index, target) in targets.into_iter().enumerate() {
            // With another one to try, none may use up the time that a call has.
            let patience = if index + 1 < count { self.connect / 2 } else { self.connect };
            match self.connect(target, patience).await {
                Ok(reached) => return Ok(reached),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn connect(&self, target: Target, patience: Duration) -> Result<Reached, Unreachable> {
        if target.transport == Transport::Udp {
            return Ok(Reached { target, party: self.party(&target, None), lost: None });
        }
        let trial = Trial { shunned: &self.shunned, target, began: Instant::now() };
        match self.streams.connect(target, patience).await {
            Ok(link) => {
                std::mem::forget(trial);
                let party = self.party(&target, Some(link.local));
                Ok(Reached { target, party, lost: Some(link.lost) })
            }
            Err(error) => {
                self.shun(&target);
                Err(error)
            }
        }
    }

    /// A server did not answer, or said that it cannot serve: others of its trunk are tried first
    /// for some seconds.
    pub(crate) fn shun(&self, target: &Target) {
        self.shunned.lock().shun(target.transport, target.address, Instant::now());
    }

    /// Whether the next request to a trunk would go to a server that has not failed just now.
    pub(crate) async fn has_fresh(&self, peer: &Peer, lot: u64) -> bool {
        let Ok(targets) = self.targets(peer, lot).await else { return false };
        targets.first().is_some_and(|target| !self.is_shunned(target))
    }

    fn is_shunned(&self, target: &Target) -> bool {
        self.shunned.lock().is_shunned(target.transport, target.address, Instant::now())
    }

    /// All servers of a trunk that we have a socket for, in the order in which to try them.
    async fn targets(&self, peer: &Peer, lot: u64) -> Result<Vec<Target>, Unreachable> {
        let transport = peer.transport;
        let outlet = match transport {
            Transport::Tls => Some(self.streams.tls().number(peer)?),
            Transport::Udp | Transport::Tcp => None,
        };
        let located = self.resolver.locate(&peer.host, peer.port, transport, lot).await?;
        let mut targets = self.with_sockets(&located, transport, outlet)?;
        // Once for each: another task may change what is shunned, and an order must not waver.
        targets.sort_by_cached_key(|target| self.is_shunned(target));
        Ok(targets)
    }

    /// Where a URI within a dialog leads, over that transport. The peer of a TLS connection must
    /// prove to be the trunk, whatever host the URI names.
    pub(crate) async fn resolve(
        &self,
        (host, port, transport): (&str, Option<u16>, Transport),
        trunk: Target,
    ) -> Result<Target, Unreachable> {
        let located = self.resolver.locate(host, port, transport, 0).await;
        self.follow(located, transport, trunk)
    }

    /// What [`Stack::resolve`] gives, if it would give it at once.
    pub(crate) fn resolve_known(
        &self,
        (host, port, transport): (&str, Option<u16>, Transport),
        trunk: Target,
    ) -> Option<Result<Target, Unreachable>> {
        let located = self.resolver.located(host, port, transport, 0)?;
        Some(self.follow(located, transport, trunk))
    }

    fn follow(
        &self,
        located: Result<Vec<(IpAddr, u16)>, Unreachable>,
        transport: Transport,
        trunk: Target,
    ) -> Result<Target, Unreachable> {
        let outlet = match (transport, trunk.transport) {
            (Transport::Tls, Transport::Tls) => Some(trunk.listener),
            (Transport::Tls, _) => {
                return Err(Unreachable::Tls("a trunk without TLS cannot ask for it".to_owned()));
            }
            (Transport::Udp | Transport::Tcp, _) => None,
        };
        let targets = self.with_sockets(&located?, transport, outlet)?;
        let fresh = targets.iter().find(|target| !self.is_shunned(target));
        Ok(*fresh.unwrap_or(&targets[0]))
    }

    /// The sockets of ours that speak to those places; at least one.
    fn with_sockets(
        &self,
        located: &[(IpAddr, u16)],
        transport: Transport,
        outlet: Option<usize>,
    ) -> Result<Vec<Target>, Unreachable> {
        let targets: Vec<Target> = located
            .iter()
            .filter_map(|(ip, port)| {
                let listener = outlet.or_else(|| self.listener(transport, *ip))?;
                Some(Target { transport, address: SocketAddr::new(*ip, *port), listener })
            })
            .collect();
        match (targets.is_empty(), located.first()) {
            (false, _) => Ok(targets),
            (true, Some((ip, _))) => Err(Unreachable::NoListener(transport, *ip)),
            (true, None) => Err(Unreachable::Name(String::new())),
        }
    }

    fn listener(&self, transport: Transport, ip: IpAddr) -> Option<usize> {
        self.listeners.iter().position(|listener| {
            listener.transport == transport && listener.local.is_ipv4() == ip.is_ipv4()
        })
    }

    /// How we present ourselves to a target. Where no socket of ours could be called back, the
    /// connection itself is named: whoever wants to reach us uses it.
    fn party(&self, target: &Target, connection: Option<SocketAddr>) -> LocalParty {
        let ip = target.address.ip();
        let advertised = match (self.listener(target.transport, ip), connection) {
            (Some(listener), _) => self.listeners[listener].advertised,
            (None, Some(connection)) => {
                SocketAddr::new(self.public(ip).unwrap_or(connection.ip()), connection.port())
            }
            (None, None) => self.listeners[target.listener].advertised,
        };
        LocalParty {
            advertised,
            transport: target.transport,
            user_agent: Arc::clone(&self.user_agent),
        }
    }

    /// Our address as the other side of a NAT sees it, if we were told one of that family.
    fn public(&self, family: IpAddr) -> Option<IpAddr> {
        self.listeners
            .iter()
            .filter(|listener| listener.advertised.is_ipv4() == family.is_ipv4())
            .find(|listener| listener.advertised.ip() != listener.local.ip())
            .map(|listener| listener.advertised.ip())
    }
}

/// An attempt to connect. Dropped before its end (the call was given up meanwhile), it has failed
/// if it took suspiciously long.
struct Trial<'a> {
    shunned: &'a Mutex<Shunned>,
    target: Target,
    began: Instant,
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if self.began.elapsed() >= SUSPICIOUS {
            let Target { transport, address, .. } = self.target;
            self.shunned.lock().shun(transport, address, Instant::now());
        }
    }
}
