//! Takes the far instants at which deliveries are due again into wake-up jobs.

use std::collections::BTreeSet;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Keyed};
use super::wake_delivery::WakeDelivery;

/// Instants that are stored in one transaction.
const AT_ONCE: usize = 256;

/// Stores what `far` gives until `stopping` or its other end is gone. One job serves all deliveries
/// of a second.
pub(crate) async fn store(desk: Desk, mut far: mpsc::Receiver<i64>, stopping: CancellationToken) {
    let mut instants = Vec::new();
    loop {
        instants.clear();
        let received = far.recv_many(&mut instants, AT_ONCE);
        if stopping.run_until_cancelled(received).await.unwrap_or(0) == 0 {
            return;
        }
        let seconds: BTreeSet<u64> =
            instants.iter().filter_map(|second| u64::try_from(*second).ok()).collect();
        let jobs = seconds.into_iter().map(|second| Keyed {
            job: WakeDelivery {},
            key: second.to_string(),
            run_at_s: Some(second),
        });
        if let Err(error) = desk.push(jobs.collect()).await {
            tracing::warn!(error, "wake-ups were not stored; the sweep finds their deliveries");
        }
    }
}
