//! Waiting for how far a call is, as the interface tells it.

use std::time::Instant;

use super::api::{Accepted, Api};
use super::{LOOK, PATIENCE};

/// Waits until the call is `queued`, `dialing`, `ringing`, `answered` or `ended`, and stored as such.
pub(crate) async fn wait_for_state(api: &Api, call: &Accepted, state: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let record = api.call(&call.call_id).await;
        if record["state"] == state {
            return;
        }
        assert!(Instant::now() < deadline, "not {state} within {PATIENCE:?}: {record}");
        tokio::time::sleep(LOOK).await;
    }
}
