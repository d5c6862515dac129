//! What an attempt came to, written in one transaction: the attempt, what follows for the delivery,
//! and what follows for its endpoint.

use std::time::Duration;

use yunling_app::App;
use yunling_domain::Micros;
use yunling_store::deliveries::Delivery;
use yunling_store::deliveries::platform_side::{After, DeliveryAttempt, postpone, record_attempt};
use yunling_store::{DatabaseTransaction, Lane, StoreError};

use super::alarm;
use super::schedule::Next;

/// Waits between tries to write, while the database does not take it.
const PATIENCE: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(3),
];

/// An attempt and what follows from it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// The delivery as it was claimed.
    pub(crate) delivery: Delivery,
    /// The version that the claim gave it.
    pub(crate) version: i64,
    pub(crate) attempt: DeliveryAttempt,
    pub(crate) next: Next,
    /// When the attempt was over.
    pub(crate) ended_at: Micros,
}

/// Writes it, again and again for a while where the database does not take it. Gives when the
/// delivery is due again, if it is.
///
/// # Errors
/// It was not written: the claim runs out and the callback is sent again.
pub(crate) async fn write(app: &App, record: &Record) -> Result<Option<Micros>, StoreError> {
    let mut patience = PATIENCE.iter();
    loop {
        let again = record.clone();
        let written = app
            .store()
            .writer()
            .write_patiently(Lane::Live, move |tx| Box::pin(async move { apply(tx, &again).await }))
            .await;
        match (written, patience.next()) {
            (Ok(()), _) => return Ok(due_again(record)),
            (Err(error), Some(wait)) if error.is_transient() => {
                tracing::warn!(%error, "a callback's attempt was not written yet");
                tokio::time::sleep(*wait).await;
            }
            (Err(error), _) => return Err(error),
        }
    }
}

fn due_again(record: &Record) -> Option<Micros> {
    match record.next {
        Next::After(wait_ms) | Next::Postpone(wait_ms) => Some(record.ended_at.plus_ms(wait_ms)),
        Next::Delivered | Next::GiveUp | Next::Disable => None,
    }
}

async fn apply(tx: &DatabaseTransaction, record: &Record) -> Result<(), StoreError> {
    let delivery = &record.delivery;
    let id = &delivery.caused.id;
    let after = match record.next {
        Next::Delivered => After::Delivered,
        Next::After(wait_ms) => After::Retry(record.ended_at.plus_ms(wait_ms)),
        Next::GiveUp => After::Failed,
        Next::Disable => After::HeldBack,
        Next::Postpone(wait_ms) => {
            let next_at = record.ended_at.plus_ms(wait_ms);
            postpone(tx, id, record.version, next_at).await?;
            return Ok(());
        }
    };
    // Where the delivery was changed meanwhile (re-sent, held back, claimed by another node), the
    // attempt is kept all the same and the change stands.
    record_attempt(tx, id, record.version, &record.attempt, after).await?;
    match record.next {
        Next::Disable => {
            let reason = "the receiver answered 410: it wants no more callbacks at this address";
            alarm::disable_address(tx, delivery, reason, record.ended_at).await
        }
        Next::Delivered => alarm::enable(tx, delivery, record.ended_at).await,
        Next::After(_) | Next::GiveUp | Next::Postpone(_) => Ok(()),
    }
}
