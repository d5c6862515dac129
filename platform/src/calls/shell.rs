//! What every conversation of this node shares.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use yunling_app::App;
use yunling_domain::NodeNumber;
use yunling_switch_contract::Engine;

use super::admission::Admission;
use super::engine_line::EngineLine;
use super::feeder::Halted;
use super::gate::Gate;
use super::routes::Routes;
use super::sip_trace::Keeper;
use super::talk::TalkDesk;
use super::trunks::TrunkDesk;

/// Shared by the dispatcher and its conversations.
pub(crate) struct Shell {
    pub(super) app: App,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) routes: Arc<Routes>,
    pub(super) admission: Arc<Admission>,
    pub(super) desk: TrunkDesk,
    /// Batches that were paused or cancelled.
    pub(super) halted: Arc<Halted>,
    pub(super) gate: Gate,
    /// The click-to-call conversations.
    pub(super) talks: Arc<TalkDesk>,
    /// Stores the SIP messages of conversations that are over.
    pub(super) traces: Keeper,
    pub(super) node: NodeNumber,
    /// Cancelled when the node has drained for long enough: what still runs ends now.
    pub(super) closing: CancellationToken,
}

impl Shell {
    /// A conversation's way to the engine.
    pub(super) fn line(&self) -> EngineLine {
        EngineLine::new(Arc::clone(&self.engine), self.closing.clone())
    }
}
