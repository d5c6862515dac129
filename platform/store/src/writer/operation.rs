use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use sea_orm::DatabaseTransaction;
use tokio::sync::oneshot;

use crate::StoreError;

/// An operation in the queue, whatever it gives back.
pub(super) trait Operation: Send {
    /// Carries it out. It never panics: a panic inside becomes a failure.
    fn run<'t>(self: Box<Self>, tx: &'t DatabaseTransaction) -> BoxFuture<'t, Done>;

    /// Answers without carrying it out.
    fn refuse(self: Box<Self>, error: StoreError);
}

/// An operation that was carried out and waits for the commit.
pub(super) struct Done {
    /// Its own failure: what it did must be undone.
    pub(super) failure: Option<StoreError>,
    answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

impl Done {
    /// Tells the caller: its own outcome where the transaction was committed (`Ok`).
    pub(super) fn answer(self, committed: Result<(), StoreError>) {
        (self.answer)(committed);
    }
}

/// An operation with the type of its result, and who waits for it.
pub(super) struct Typed<T, F> {
    operation: F,
    reply: oneshot::Sender<Result<T, StoreError>>,
    limit_ms: u64,
}

impl<T, F> Typed<T, F> {
    pub(super) fn new(
        operation: F,
        reply: oneshot::Sender<Result<T, StoreError>>,
        limit_ms: u64,
    ) -> Self {
        Self { operation, reply, limit_ms }
    }
}

impl<T, F> Operation for Typed<T, F>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>>
        + Send
        + 'static,
{
    fn run<'t>(self: Box<Self>, tx: &'t DatabaseTransaction) -> BoxFuture<'t, Done> {
        Box::pin(async move {
            let Self { operation, reply, limit_ms } = *self;
            // The state that a panic could leave half-changed is the transaction's, and that is
            // undone.
            let guarded = AssertUnwindSafe(async move { operation(tx).await }).catch_unwind();
            let outcome = match tokio::time::timeout(Duration::from_millis(limit_ms), guarded).await
            {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(panic)) => Err(StoreError::Panicked(words_of(panic.as_ref()))),
                Err(_) => Err(StoreError::TooSlow { limit_ms }),
            };
            Done {
                failure: outcome.as_ref().err().cloned(),
                answer: Box::new(move |committed| {
                    // Who no longer waits needs no answer.
                    let _ = reply.send(committed.and(outcome));
                }),
            }
        })
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}
