//! Metrics of trunks. The label is the trunk's name: there are some hundred at most, and the
//! operator chose them. Those of a trunk that is gone stay at 0.

use yunling_switch_contract::TrunkEventKind;

/// Whether a trunk has us registered.
pub(super) fn registered(trunk: &str, yes: bool) {
    let value = if yes { 1.0 } else { 0.0 };
    metrics::gauge!("switch_trunk_registered", "trunk" => trunk.to_owned()).set(value);
}

/// What came of a question for signs of life.
pub(super) fn probed(trunk: &str, event: &TrunkEventKind) {
    let alive = if let TrunkEventKind::Alive { round_trip_ms, .. } = event {
        metrics::gauge!("switch_trunk_round_trip_ms", "trunk" => trunk.to_owned())
            .set(f64::from(*round_trip_ms));
        1.0
    } else {
        0.0
    };
    metrics::gauge!("switch_trunk_alive", "trunk" => trunk.to_owned()).set(alive);
}

/// A trunk is not asked any more.
pub(super) fn not_probed(trunk: &str) {
    metrics::gauge!("switch_trunk_alive", "trunk" => trunk.to_owned()).set(0.0);
    metrics::gauge!("switch_trunk_round_trip_ms", "trunk" => trunk.to_owned()).set(0.0);
}

/// A keeper panicked.
pub(super) fn keeper_panicked() {
    metrics::counter!("switch_task_faults_total", "task" => "keeper of a trunk").increment(1);
}
