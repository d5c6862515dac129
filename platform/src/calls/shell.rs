//! What every conversation of this node shares.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use yunling_app::App;
use yunling_domain::NodeNumber;
use yunling_switch_contract::Engine;

use super::admission::Admission;
use super::routes::Routes;
use super::trunk_watch::TrunkWatch;

/// Shared by the dispatcher and its conversations.
pub(crate) struct Shell {
    pub(super) app: App,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) routes: Arc<Routes>,
    pub(super) admission: Arc<Admission>,
    pub(super) trunk_watch: TrunkWatch,
    pub(super) node: NodeNumber,
    /// Cancelled when the node has drained for long enough: what still runs ends now.
    pub(super) closing: CancellationToken,
}

impl Shell {
    /// Notes that a trunk is down, or up again: the gate leaves it out, the figures show it.
    pub(super) fn mark_trunk(&self, trunk: &str, is_down: bool) {
        self.app.trunk_health().set_down(trunk, is_down);
        metrics::gauge!("yunling_trunk_down", "trunk" => trunk.to_owned()).set(if is_down {
            1.0
        } else {
            0.0
        });
    }
}
