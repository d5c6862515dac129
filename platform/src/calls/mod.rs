//! The shell around the machines: rows become calls here, and calls become records.
//!
//! `dispatcher` claims rows and starts `conversation`s under `supervision`; each is one task that
//! owns its machine. Click-to-call conversations have a folder of their own, `talk`. `feeder` turns
//! the numbers of batches and campaigns into rows. `map` is the only place where engine events become
//! domain inputs. `recovery` ends what an earlier process left behind.

mod admission;
mod anchor;
mod conversation;
mod dispatcher;
mod engine_line;
mod facts;
mod feeder;
mod gate;
mod map;
mod recovery;
mod routes;
mod shell;
mod sip_trace;
mod speak;
mod story;
mod supervision;
mod talk;
#[cfg(test)]
mod tests;
mod timers;
mod trunk;
mod trunks;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use yunling_app::App;
use yunling_domain::NodeNumber;
use yunling_switch_contract::Engine;

pub(crate) use routes::Routes;
use shell::Shell;
pub(crate) use trunk::plan as trunk_plan;
pub(crate) use trunks::TrunkDesk;

/// How long a claim holds without being renewed: a node that is silent for so long is dead.
const LEASE_MS: i64 = 60_000;
/// How long to wait before looking again for interrupted calls.
const STOCK_RETRY: Duration = Duration::from_secs(1);
/// How long the traces of calls that have just ended may take to be stored.
const LAST_TRACES: Duration = Duration::from_secs(5);
/// How long calls may take to end once they have been told to.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// The running `calls` role of a node.
pub(crate) struct Calls {
    draining: CancellationToken,
    closing: CancellationToken,
    running: TaskTracker,
    dispatcher: tokio::task::JoinHandle<()>,
    recovery: tokio::task::JoinHandle<()>,
    keeper: tokio::task::JoinHandle<()>,
    obeying: tokio::task::JoinHandle<()>,
    feeding: tokio::task::JoinHandle<()>,
    campaigning: tokio::task::JoinHandle<()>,
    keeping: sip_trace::Keeping,
}

impl Calls {
    /// Starts the recovery of what was left behind, and the dispatcher.
    pub(crate) fn start(
        app: App,
        engine: Arc<dyn Engine>,
        routes: Arc<Routes>,
        node: NodeNumber,
        poked: Arc<Notify>,
    ) -> Self {
        let draining = CancellationToken::new();
        let closing = CancellationToken::new();
        let running = TaskTracker::new();
        let admission = Arc::<admission::Admission>::default();
        app.trunks().ask_for_loads(Arc::clone(&admission) as _);
        let desk = TrunkDesk::new(app.clone());
        routes.tell_of_trunks(desk.clone());
        let keeper = tokio::spawn(trunks::keep(app.clone(), Arc::clone(&engine)));
        let halted = Arc::<feeder::Halted>::default();
        let (traces, keeping) = sip_trace::Keeper::start(app.clone());
        let gate =
            gate::Gate { app: app.clone(), admission: Arc::clone(&admission), desk: desk.clone() };
        let talks = Arc::new(talk::TalkDesk::new(gate.clone()));
        app.carry_talks(Arc::clone(&talks) as _);
        let shell = Arc::new(Shell {
            app: app.clone(),
            traces,
            engine,
            routes,
            admission,
            desk,
            halted: Arc::clone(&halted),
            gate,
            talks,
            node,
            closing: closing.clone(),
        });
        let dispatcher = dispatcher::Dispatcher::new(
            Arc::clone(&shell),
            poked,
            draining.clone(),
            running.clone(),
        );
        let (stock_taken, ready) = tokio::sync::oneshot::channel();
        let obeyed = Arc::clone(&shell);
        let obeying = tokio::spawn(async move { talk::obey(&obeyed).await });
        let recovery = tokio::spawn(recover(shell, stock_taken));
        let drained = draining.clone();
        let dispatcher = tokio::spawn(async move {
            // Rows left behind are told apart from rows claimed anew only before the first claim.
            let ready = drained.run_until_cancelled(ready).await;
            if matches!(ready, Some(Ok(()))) {
                dispatcher.run().await;
            }
        });
        let campaigning =
            tokio::spawn(feeder::run_campaigns(app.clone(), Arc::clone(&halted), draining.clone()));
        let feeding = tokio::spawn(feeder::run(app, halted, draining.clone()));
        Self {
            draining,
            closing,
            running,
            dispatcher,
            recovery,
            keeper,
            obeying,
            feeding,
            campaigning,
            keeping,
        }
    }

    /// How many calls are under way.
    pub(crate) fn live(&self) -> usize {
        self.running.len()
    }

    /// Claims nothing more, lets calls end by themselves for so long, then ends them.
    pub(crate) async fn drain(self, patience: Duration) {
        self.draining.cancel();
        let _ = self.dispatcher.await;
        let _ = self.feeding.await;
        let _ = self.campaigning.await;
        self.running.close();
        if tokio::time::timeout(patience, self.running.wait()).await.is_err() {
            tracing::warn!(calls = self.running.len(), "ending the calls that are still up");
            self.closing.cancel();
            if tokio::time::timeout(LAST_WORDS, self.running.wait()).await.is_err() {
                tracing::error!(calls = self.running.len(), "stopping with calls that did not end");
            }
        }
        self.recovery.abort();
        self.keeper.abort();
        self.obeying.abort();
        self.keeping.stop(LAST_TRACES).await;
    }
}

async fn recover(shell: Arc<Shell>, stock_taken: tokio::sync::oneshot::Sender<()>) {
    let interrupted = loop {
        let stock = async {
            feeder::look(&shell.app, &shell.halted).await?;
            recovery::take_stock(&shell).await
        };
        match stock.await {
            Ok(interrupted) => break interrupted,
            Err(error) => {
                tracing::error!(%error, "cannot look for interrupted calls; nothing is dialled until then");
                tokio::time::sleep(STOCK_RETRY).await;
            }
        }
    };
    let _ = stock_taken.send(());
    recovery::end_all(&shell, interrupted).await;
}
