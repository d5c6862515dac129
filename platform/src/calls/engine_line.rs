//! Commands to the engine, with patience: its queue may be full for a moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use yunling_switch_contract::{Command, Engine, HangUpWhy, LegId};

/// How long a command may wait for room in the engine's queue before the platform is at fault.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long between two tries.
const RETRY: Duration = Duration::from_millis(5);

/// A conversation's way to the engine.
#[derive(Clone)]
pub(super) struct EngineLine {
    engine: Arc<dyn Engine>,
    closing: CancellationToken,
}

impl EngineLine {
    pub(super) fn new(engine: Arc<dyn Engine>, closing: CancellationToken) -> Self {
        Self { engine, closing }
    }

    /// Hands a command to the engine. Says whether it was taken: where the engine's queue stays
    /// full, the fault is the platform's.
    pub(super) async fn command(&self, command: Command) -> bool {
        let patient_until = Instant::now() + PATIENCE;
        loop {
            let Err(error) = self.engine.send(command.clone()) else { return true };
            if Instant::now() >= patient_until {
                tracing::error!(%error, leg = %command.leg(), "the call engine takes no commands");
                return false;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Hands over a command for a leg that is up. Where it is not taken the leg is ended.
    pub(super) async fn direct(&self, command: Command) {
        let leg = command.leg().clone();
        if !self.command(command).await {
            self.hang_up(&leg, HangUpWhy::PlatformFault).await;
        }
    }

    /// Ends a leg, however long the engine takes to listen: a leg that nobody ends is billed.
    pub(super) async fn hang_up(&self, leg: &LegId, why: HangUpWhy) {
        let hang_up = Command::HangUp { leg: leg.clone(), why };
        while !self.command(hang_up.clone()).await {
            if self.closing.is_cancelled() {
                return;
            }
        }
    }
}
