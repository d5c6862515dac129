//! What happened to trunks, as lines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use yunling_switch::{SwitchConfig, Timers};
use yunling_switch_contract::{Engine, Peer, Registering, TrunkEventKind, TrunkPlan};

use crate::rig::{Rig, config, timers};

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(40);

/// A second lasts 20 ms: a failed registration is tried again after some 600 ms, a registration of
/// a minute is refreshed after as long, a silent trunk is asked again after 100 ms.
pub(crate) fn hasty() -> SwitchConfig {
    let second = Duration::from_millis(20);
    SwitchConfig {
        timers: Timers { second, t1: Duration::from_millis(50), ..timers() },
        ..config()
    }
}

/// A trunk that we register with as `u1`, for ten minutes.
pub(crate) fn registering(peer: Peer) -> TrunkPlan {
    let register = Some(Registering { user: "u1".into(), expires_s: 600 });
    TrunkPlan { name: Arc::from(peer.name.as_str()), peer, register, probe_every: None }
}

/// A trunk that is asked once a minute whether it lives.
pub(crate) fn probed(peer: Peer) -> TrunkPlan {
    let probe_every = Some(Duration::from_millis(1_200));
    TrunkPlan { name: Arc::from(peer.name.as_str()), peer, register: None, probe_every }
}

pub(crate) fn line(kind: &TrunkEventKind) -> String {
    match kind {
        TrunkEventKind::Registered { expires_s } => format!("Registered {expires_s}"),
        TrunkEventKind::NotRegistered { sip_code, text, .. } => {
            let code = sip_code.map(|code| format!(" {code}")).unwrap_or_default();
            format!("NotRegistered{code} {text}")
        }
        TrunkEventKind::Alive { sip_code, .. } => format!("Alive {sip_code}"),
        TrunkEventKind::Silent { sip_code, text, times } => {
            let code = sip_code.map(|code| format!(" {code}")).unwrap_or_default();
            format!("Silent {times}{code} {text}")
        }
    }
}

impl Rig {
    pub(crate) fn keep(&self, plans: &[TrunkPlan]) {
        self.switch.keep_trunks(plans.to_vec());
    }

    /// All lines of one trunk.
    pub(crate) fn of_trunk(&self, name: &str) -> Vec<String> {
        let events = self.events.trunks.lock();
        events.iter().filter(|event| &*event.trunk == name).map(|event| line(&event.kind)).collect()
    }

    /// Waits until a trunk has so many lines that begin so.
    pub(crate) async fn until_trunk(&self, name: &str, begin: &str, wanted: usize) {
        let since = Instant::now();
        loop {
            let lines = self.of_trunk(name);
            if lines.iter().filter(|line| line.starts_with(begin)).count() >= wanted {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{wanted} of {begin:?} did not come: {lines:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
