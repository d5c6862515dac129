//! What is stored of a call while it runs. That it may have been dialled is committed before the
//! INVITE leaves; ringing and answer are written while the call goes on, so that nobody who has
//! picked up waits for a disk.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use yunling_domain::conversation::LegOutcome;
use yunling_domain::{AccountId, Micros, NodeNumber};
use yunling_store::attempts::{self, Attempt, Invite, NewAttempt};
use yunling_store::{DatabaseTransaction, Lane, Store, StoreError};
use yunling_switch_contract::{Command, DialogState, LegId};

use super::LEASE_MS;
use super::engine_line::EngineLine;

/// How long to leave the database alone after it refused a fact.
const RETRY: Duration = Duration::from_millis(200);

/// A fact on its way into the database.
type Marking<'t> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 't>>;

/// Writes the facts of one call.
pub(super) struct Facts {
    store: Store,
    node: NodeNumber,
    account: AccountId,
    row: Row,
    rule: Option<String>,
    from_number: String,
    writing: JoinSet<Result<(), StoreError>>,
}

/// The row that the facts are written to.
enum Row {
    /// By its key.
    Stored(i64),
    /// Stored when the call is about to leave.
    New(Box<NewAttempt>),
}

impl Facts {
    /// For the call of a claimed row, which is about to show `from_number`.
    pub(super) fn new(
        store: Store,
        node: NodeNumber,
        attempt: &Attempt,
        from_number: String,
    ) -> Self {
        Self {
            store,
            node,
            account: attempt.queued.account.clone(),
            row: Row::Stored(attempt.id),
            rule: attempt.queued.rule.clone(),
            from_number,
            writing: JoinSet::new(),
        }
    }

    /// For a leg that joins a conversation which runs, and has no row yet.
    pub(super) fn of_new(
        store: Store,
        node: NodeNumber,
        new: NewAttempt,
        from_number: String,
    ) -> Self {
        Self {
            store,
            node,
            account: new.account.clone(),
            rule: new.rule.clone(),
            row: Row::New(Box::new(new)),
            from_number,
            writing: JoinSet::new(),
        }
    }

    /// Whether there is a row.
    pub(super) fn is_stored(&self) -> bool {
        matches!(self.row, Row::Stored(_))
    }

    /// Commits that an INVITE is about to leave; after this the row is never dialled again.
    ///
    /// # Errors
    /// It was not committed, so nothing may be dialled.
    pub(super) async fn invited(
        &mut self,
        at: Micros,
        trunk: &Arc<str>,
        attempt: u8,
    ) -> Result<(), StoreError> {
        let account = self.account.clone();
        let invite = Invite {
            node: self.node,
            trunk: trunk.to_string(),
            try_no: attempt.saturating_add(1),
            from_number: self.from_number.clone(),
            rule: self.rule.clone(),
            at,
        };
        let writer = self.store.writer();
        match &self.row {
            Row::Stored(id) => {
                let id = *id;
                writer
                    .write(Lane::Live, move |tx| {
                        Box::pin(
                            async move { attempts::mark_invited(tx, &account, id, &invite).await },
                        )
                    })
                    .await
            }
            Row::New(new) => {
                let (new, lease_until) = (new.clone(), at.plus_ms(LEASE_MS));
                let id = writer
                    .write(Lane::Live, move |tx| {
                        Box::pin(async move {
                            attempts::insert_invited(tx, &new, &invite, lease_until).await
                        })
                    })
                    .await?;
                self.row = Row::Stored(id);
                Ok(())
            }
        }
    }

    /// Notes the first ringing.
    pub(super) fn ringing(&mut self, at: Micros) {
        self.note(move |tx, account, id| {
            Box::pin(async move { attempts::mark_ringing(tx, &account, id, at).await })
        });
    }

    /// Notes the answer, and what a restarted node needs to end the call; the engine acknowledges it
    /// then.
    pub(super) fn answered(
        &mut self,
        at: Micros,
        dialog: &DialogState,
        line: &EngineLine,
        leg: &LegId,
    ) {
        let dialog = serde_json::to_value(dialog).unwrap_or(Value::Null);
        let (line, acknowledge) = (line.clone(), Command::Acknowledge { leg: leg.clone() });
        self.note_and(
            move |tx, account, id| {
                let dialog = dialog.clone();
                Box::pin(async move { attempts::mark_answered(tx, &account, id, at, dialog).await })
            },
            async move {
                // Where the engine does not listen it acknowledges by itself a moment later.
                let _ = line.command(acknowledge).await;
            },
        );
    }

    /// Notes that the leg has left a conversation which may go on, and what it came to.
    pub(super) fn left(&mut self, outcome: &LegOutcome) {
        let at = outcome.ended_at;
        let left_as = serde_json::to_value(outcome).unwrap_or(Value::Null);
        self.note(move |tx, account, id| {
            let left_as = left_as.clone();
            Box::pin(async move { attempts::mark_left(tx, &account, id, at, left_as).await })
        });
    }

    /// Notes the confirming key.
    pub(super) fn confirmed(&mut self, key: char) {
        self.note(move |tx, account, id| {
            Box::pin(async move { attempts::mark_confirmed(tx, &account, id, key).await })
        });
    }

    /// Writes a fact beside the call, again and again while the database is away.
    fn note(
        &mut self,
        mark: impl for<'t> Fn(&'t DatabaseTransaction, AccountId, i64) -> Marking<'t>
        + Clone
        + Send
        + 'static,
    ) {
        self.note_and(mark, std::future::ready(()));
    }

    /// The same, and then does what waits for it.
    fn note_and(
        &mut self,
        mark: impl for<'t> Fn(&'t DatabaseTransaction, AccountId, i64) -> Marking<'t>
        + Clone
        + Send
        + 'static,
        then: impl Future<Output = ()> + Send + 'static,
    ) {
        // Nothing happens to a leg before its row is stored.
        let Row::Stored(id) = self.row else { return };
        let (store, account) = (self.store.clone(), self.account.clone());
        self.writing.spawn(async move {
            loop {
                let (mark, account) = (mark.clone(), account.clone());
                let written = store
                    .writer()
                    .write_patiently(Lane::Live, move |tx| mark(tx, account, id))
                    .await;
                match written {
                    Err(error) if error.is_transient() => tokio::time::sleep(RETRY).await,
                    Ok(()) => {
                        then.await;
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                }
            }
        });
    }

    /// Waits until one of the writes is done; for ever where none is under way. Cancel-safe.
    pub(super) async fn settle(&mut self) {
        match self.writing.join_next().await {
            Some(written) => report(written),
            None => std::future::pending().await,
        }
    }

    /// Waits until none is under way.
    pub(super) async fn settle_all(&mut self) {
        while let Some(written) = self.writing.join_next().await {
            report(written);
        }
    }
}

/// Commits a leg that was not dialled, and what it came to.
///
/// # Errors
/// It was not committed: a crash before the end of its conversation forgets it.
pub(super) async fn undialled(
    store: &Store,
    new: NewAttempt,
    outcome: &LegOutcome,
) -> Result<(), StoreError> {
    let at = outcome.ended_at;
    let left_as = serde_json::to_value(outcome).unwrap_or(Value::Null);
    store
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move { attempts::insert_undialled(tx, &new, at, left_as).await })
        })
        .await
}

impl Drop for Facts {
    /// What was begun is written even where the conversation's task has panicked.
    fn drop(&mut self) {
        self.writing.detach_all();
    }
}

/// A fact that could not be written is not lost: it is in the call record that ends the call.
fn report(written: Result<Result<(), StoreError>, tokio::task::JoinError>) {
    match written {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a fact of a running call was not stored"),
        Err(error) => tracing::error!(%error, "writing a fact of a running call failed"),
    }
}
