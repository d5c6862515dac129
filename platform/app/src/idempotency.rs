//! `Idempotency-Key`: the same request again gets the same answer and is not called again. Only
//! what was accepted is remembered; a refusal did nothing, so its repeat is looked at afresh.

use crate::{App, Refusal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use yunling_domain::AccountId;
use yunling_domain::error_code::{
    BAD_IDEMPOTENCY_KEY, IDEMPOTENCY_CONFLICT, IDEMPOTENCY_IN_PROGRESS, INTERNAL,
};
use yunling_store::idempotency::{IdempotencyKey, KeptAnswer, Known, lookup};

/// The longest key, in characters.
const MAX_CHARS: usize = 255;
/// What was accepted is answered with 200 on every surface.
const ANSWERED: u16 = 200;
/// When a request that is still under way is worth repeating, seconds.
const UNDER_WAY_RETRY_S: u32 = 1;

/// A key and the request that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    key: String,
    body_sha: String,
}

impl Idempotency {
    /// Takes the header's value and the request's body as it came.
    ///
    /// # Errors
    /// `BAD_IDEMPOTENCY_KEY`: the key is empty or has more than 255 characters.
    pub fn new(key: &str, body: &[u8]) -> Result<Self, Refusal> {
        if !(1..=MAX_CHARS).contains(&key.chars().count()) {
            let detail = format!("expected 1 to {MAX_CHARS} characters");
            return Err(Refusal::field(BAD_IDEMPOTENCY_KEY, "Idempotency-Key", detail));
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
        Ok(Self { key: key.to_owned(), body_sha: hex::encode(digest) })
    }

    /// The key as it is stored: one of an account and an operation.
    fn stored_key(&self, account: &AccountId, route: &str) -> IdempotencyKey {
        IdempotencyKey { account: account.clone(), key: self.key.clone(), route: route.to_owned() }
    }

    /// What the key is to stand for, from the commit on that stores what is answered.
    pub(crate) fn answered_by(
        self,
        account: &AccountId,
        route: &str,
        answer: &impl Serialize,
    ) -> KeptAnswer {
        KeptAnswer {
            key: self.stored_key(account, route),
            body_sha: self.body_sha,
            status: ANSWERED,
            response: serde_json::to_string(answer)
                .expect("an answer is a few texts, which become JSON"),
        }
    }
}

/// The answer that the key stands for already, if any.
pub(crate) async fn earlier_answer<T: DeserializeOwned>(
    app: &App,
    account: &AccountId,
    route: &str,
    idempotency: &Idempotency,
) -> Result<Option<T>, Refusal> {
    let key = idempotency.stored_key(account, route);
    replayed(lookup(app.store().reader(), &key, &idempotency.body_sha).await?)
}

/// The answer that a key stands for which another request has taken in the meantime.
pub(crate) fn answer_of_another<T: DeserializeOwned>(known: Known) -> Result<T, Refusal> {
    let earlier = replayed(known)?;
    Ok(earlier.expect("a key that was not taken is known: a new one is taken"))
}

/// What is known of a key, as an answer.
fn replayed<T: DeserializeOwned>(known: Known) -> Result<Option<T>, Refusal> {
    match known {
        Known::New => Ok(None),
        Known::OtherBody => {
            Err(Refusal::field(IDEMPOTENCY_CONFLICT, "Idempotency-Key", IDEMPOTENCY_CONFLICT.en))
        }
        Known::UnderWay => {
            Err(Refusal::new(IDEMPOTENCY_IN_PROGRESS).retry_after(UNDER_WAY_RETRY_S))
        }
        Known::Answered { response, .. } => match serde_json::from_str(&response) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => {
                tracing::error!(%error, "a stored answer cannot be read");
                Err(Refusal::new(INTERNAL))
            }
        },
    }
}
