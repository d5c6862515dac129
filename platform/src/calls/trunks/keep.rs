//! Tells the engine which trunks to keep up, at the start and whenever the configuration has moved.

use std::sync::Arc;

use yunling_app::App;
use yunling_app::directory::Directory;
use yunling_domain::trunk_health::TrunkState;
use yunling_switch_contract::{Engine, TrunkPlan};

use super::super::trunk;
use super::show_up;

/// Follows the configuration until it is dropped.
pub(in super::super) async fn keep(app: App, engine: Arc<dyn Engine>) {
    let mut moves = app.directory_moves();
    let mut said: Option<Vec<TrunkPlan>> = None;
    loop {
        moves.borrow_and_update();
        let directory = app.directory();
        let plans = plans(&directory);
        if said.as_ref() != Some(&plans) {
            engine.keep_trunks(plans.clone());
            said = Some(plans);
        }
        show(&app, &directory);
        // A drain or another trunk may be what waiting calls wait for.
        app.poke().dispatcher();
        if moves.changed().await.is_err() {
            return;
        }
    }
}

/// A trunk that is being drained is kept up: its calls go on, and it may be resumed.
fn plans(directory: &Directory) -> Vec<TrunkPlan> {
    directory.trunks().filter(|trunk| trunk.enabled).map(|one| trunk::plan(one)).collect()
}

/// The figures of every trunk from its first moment on, so that an alarm has something to watch.
fn show(app: &App, directory: &Directory) {
    let now = app.clock().now();
    for trunk in directory.trunks() {
        let observed = app.trunks().observe(&trunk.name, now);
        // A disabled trunk is not watched.
        let state = observed.map_or(TrunkState::Down, |observed| observed.standing.state);
        show_up(&trunk.name, state);
        let draining = directory.draining().contains_key(&trunk.name);
        metrics::gauge!("yunling_trunk_draining", "trunk" => trunk.name.to_string())
            .set(if draining { 1.0 } else { 0.0 });
    }
}
