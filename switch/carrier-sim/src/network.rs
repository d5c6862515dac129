//! What all calls of the fake network share.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::clock::Clock;
use crate::events::Events;
use crate::media::{News, Scratch};
use crate::options::Options;
use crate::orders::Behaviour;
use crate::ports::Ports;
use crate::registrar::Registrar;
use crate::sounds::Sounds;
use crate::wire::{Route, Wire};

/// Methods that are understood.
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REGISTER, MESSAGE";

/// The network around the calls.
pub(crate) struct Network {
    pub(crate) options: Options,
    pub(crate) wire: Wire,
    pub(crate) events: Events,
    /// Where we are reached, for Contact, Via and SDP.
    pub(crate) address: SocketAddr,
    pub(crate) seed: u64,
    pub(crate) ports: Ports,
    pub(crate) scratch: Scratch,
    /// Empty between calls; kept for its memory.
    pub(crate) news: Vec<News>,
    pub(crate) sounds: Sounds,
    pub(crate) registrar: Registrar,
    pub(crate) clock: Clock,
    /// What numbers were told.
    pub(crate) behaviours: HashMap<String, Behaviour>,
}

impl Network {
    pub(crate) fn new(
        options: Options,
        wire: Wire,
        (events, clock): (Events, Clock),
        bound: SocketAddr,
        seed: u64,
    ) -> Self {
        let ip = if bound.ip().is_unspecified() {
            IpAddr::from(Ipv4Addr::LOCALHOST)
        } else {
            bound.ip()
        };
        Self {
            ports: Ports::new(options.rtp.clone()),
            options,
            wire,
            events,
            address: SocketAddr::new(ip, bound.port()),
            seed,
            scratch: Scratch::default(),
            news: Vec::new(),
            sounds: Sounds::new(),
            registrar: Registrar::default(),
            clock,
            behaviours: HashMap::new(),
        }
    }

    /// The Contact URI of a number that was called over `route`.
    pub(crate) fn contact(&self, user: &str, route: &Route) -> String {
        let transport = if route.is_reliable() { ";transport=tcp" } else { "" };
        let at = if user.is_empty() { "" } else { "@" };
        format!("sip:{user}{at}{}{transport}", self.address)
    }
}
