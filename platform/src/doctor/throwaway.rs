//! An engine of the doctor's own, on ports that nobody has: like the node's in everything else.

use std::net::{IpAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;

use tokio::sync::mpsc;
use yunling_app::config::Settings;
use yunling_app::ports::Random as _;
use yunling_switch::{Switch, SwitchConfig};
use yunling_switch_contract::{Event, EventSink, TrunkEvent};

use crate::clock::SystemRandom;
use crate::node::switch_config;

/// What the engine tells. A doctor makes a handful of events, so the queues need no bound.
struct Sink {
    calls: mpsc::UnboundedSender<Event>,
    trunks: mpsc::UnboundedSender<TrunkEvent>,
}

impl EventSink for Sink {
    fn deliver(&self, event: Event) {
        let _ = self.calls.send(event);
    }

    fn trunk(&self, event: TrunkEvent) {
        let _ = self.trunks.send(event);
    }
}

/// An engine and what it tells.
pub(super) struct Throwaway {
    pub(super) switch: Switch,
    pub(super) calls: mpsc::UnboundedReceiver<Event>,
    pub(super) trunks: mpsc::UnboundedReceiver<TrunkEvent>,
}

impl Throwaway {
    /// Starts one with the node's settings on free ports.
    pub(super) async fn start(
        settings: &Settings,
        change: impl FnOnce(&mut SwitchConfig),
    ) -> anyhow::Result<Self> {
        let mut id_key = [0; 32];
        SystemRandom.fill(&mut id_key);
        let mut config = switch_config(settings, id_key)?;
        for listen in &mut config.sip_listen {
            listen.address.set_port(0);
            if let Some(advertised) = &mut listen.advertised {
                advertised.set_port(0);
            }
        }
        config.rtp.ports = free_ports(settings.rtp.address, 4);
        config.rtp.shards = 1;
        change(&mut config);
        let (to_calls, calls) = mpsc::unbounded_channel();
        let (to_trunks, trunks) = mpsc::unbounded_channel();
        let sink = Arc::new(Sink { calls: to_calls, trunks: to_trunks });
        let switch = Switch::start(config, sink).await?;
        Ok(Self { switch, calls, trunks })
    }
}

/// So many ports from an even one on that nobody holds now; where there are none together, some that
/// the engine will then refuse.
pub(super) fn free_ports(address: IpAddr, count: u16) -> RangeInclusive<u16> {
    const TRIES: usize = 50;
    let free = |first: &u16| {
        let last = first.checked_add(count - 1);
        last.is_some_and(|last| {
            (*first..=last).all(|port| UdpSocket::bind((address, port)).is_ok())
        })
    };
    let any = || UdpSocket::bind((address, 0)).and_then(|socket| socket.local_addr());
    let firsts = (0..TRIES).filter_map(|_| Some(any().ok()?.port() & !1));
    let first = firsts.into_iter().find(free).unwrap_or(1024);
    first..=first.saturating_add(count - 1)
}
