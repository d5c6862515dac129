//! The few tasks that the whole engine lives by: readers of sockets, the dispatch of messages, the
//! intake of commands. One that ends by a panic or an error is begun anew, for what it had in hand
//! is one message and the others must not suffer; while one cannot be kept up, the engine says so.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{sleep, timeout};

/// A task that runs for so long is sound.
const STEADY: Duration = Duration::from_secs(5);

/// Faults without a steady time in between that are passed over: a few bad messages at once.
const TOLERATED: u32 = 16;

/// The pause before each new beginning beyond [`TOLERATED`], so that a fault that comes back at
/// once does not eat the machine.
const PAUSE: Duration = Duration::from_millis(100);

/// Knows whether all tasks that were begun with it are kept up. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vitals {
    ailing: Arc<AtomicUsize>,
}

/// One task that cannot be kept up.
struct Ailment(Arc<AtomicUsize>);

impl Drop for Ailment {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Vitals {
    /// Whether every task is kept up.
    pub(crate) fn are_sound(&self) -> bool {
        self.ailing.load(Ordering::Acquire) == 0
    }

    /// Runs `work` in a task of its own, again and again until it ends with `Ok`: its purpose is
    /// gone. `Err` says why it cannot go on.
    pub(crate) fn keep_up<W>(&self, task: &'static str, work: impl FnMut() -> W + Send + 'static)
    where
        W: Future<Output = Result<(), String>> + Send + 'static,
    {
        tokio::spawn(self.clone().watch(task, work));
    }

    async fn watch<W>(self, task: &'static str, mut work: impl FnMut() -> W + Send + 'static)
    where
        W: Future<Output = Result<(), String>> + Send + 'static,
    {
        let mut faults = 0;
        let mut ailment = None;
        loop {
            let mut running = pin!(AssertUnwindSafe(async { work().await }).catch_unwind());
            let ended = match timeout(STEADY, &mut running).await {
                Ok(ended) => ended,
                Err(_elapsed) => {
                    (faults, ailment) = (0, None);
                    running.await
                }
            };
            let why = match ended {
                Ok(Ok(())) => return,
                Ok(Err(why)) => why,
                // The hook has printed where.
                Err(_panic) => "it panicked".to_owned(),
            };
            faults += 1;
            tracing::error!(
                task,
                why,
                faults,
                "a task that all calls need has failed, by a fault of the engine's or of its SIP \
                 parser's: it is begun anew"
            );
            metrics::counter!("switch_task_faults_total", "task" => task).increment(1);
            if faults > TOLERATED {
                ailment.get_or_insert_with(|| self.ailment());
                sleep(PAUSE).await;
            }
        }
    }

    fn ailment(&self) -> Ailment {
        self.ailing.fetch_add(1, Ordering::AcqRel);
        Ailment(Arc::clone(&self.ailing))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use tokio::sync::{Mutex, mpsc};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_panics_or_fails_is_begun_anew_and_loses_only_what_it_had_in_hand() {
        let (sender, queue) = mpsc::unbounded_channel::<&str>();
        let (done, mut results) = mpsc::unbounded_channel();
        let (vitals, queue) = (Vitals::default(), Arc::new(Mutex::new(queue)));
        vitals.keep_up("test", move || {
            let (queue, done) = (Arc::clone(&queue), done.clone());
            async move {
                while let Some(item) = queue.lock().await.recv().await {
                    assert!(item != "panic", "this panic is part of a test");
                    if item == "fail" {
                        return Err("part of a test".to_owned());
                    }
                    done.send(item).unwrap();
                }
                Ok(())
            }
        });
        for item in ["1", "panic", "2", "fail", "fail", "3"] {
            sender.send(item).unwrap();
        }
        for expected in ["1", "2", "3"] {
            let result = timeout(PATIENCE, results.recv()).await.unwrap();
            assert_eq!(result, Some(expected));
        }
        assert!(vitals.are_sound());
        drop(sender);
        assert_eq!(timeout(PATIENCE, results.recv()).await.unwrap(), None, "it ended for good");
    }

    #[tokio::test]
    async fn a_task_that_cannot_be_kept_up_is_known() {
        let vitals = Vitals::default();
        vitals.keep_up("test", || async { Err("part of a test".to_owned()) });
        let ailing = async {
            while vitals.are_sound() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, ailing).await.unwrap();
    }
}
