//! The trunks as this node sees them: configured, drained, alive, loaded. For the operator.

use crate::directory::Trunk;
use crate::trunks::Observed;
use crate::{App, Operator, Refusal};
use std::sync::Arc;
use yunling_domain::error_code::NOT_FOUND;
use yunling_store::trunk_states::Draining;

/// A trunk.
#[derive(Debug, Clone)]
pub struct TrunkView {
    /// As configured.
    pub trunk: Arc<Trunk>,
    /// Since when and by whom it is being drained, where it is.
    pub draining: Option<Draining>,
    /// What this node knows of it; nothing of a disabled one.
    pub observed: Option<Observed>,
}

/// Every trunk, by name.
pub fn run(app: &App, _operator: &Operator) -> Vec<TrunkView> {
    let (directory, now) = (app.directory(), app.clock().now());
    let views = directory.trunks().map(|trunk| TrunkView {
        trunk: Arc::clone(trunk),
        draining: directory.draining().get(&trunk.name).cloned(),
        observed: app.trunks().observe(&trunk.name, now),
    });
    views.collect()
}

/// One trunk.
///
/// # Errors
/// `NOT_FOUND` where no such trunk is configured.
pub fn get(app: &App, operator: &Operator, name: &str) -> Result<TrunkView, Refusal> {
    let mut all = run(app, operator).into_iter();
    all.find(|view| &*view.trunk.name == name)
        .ok_or_else(|| Refusal::new(NOT_FOUND).with_detail("there is no trunk of this name"))
}
