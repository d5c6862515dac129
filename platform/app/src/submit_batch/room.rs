use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use yunling_domain::AccountId;
use yunling_domain::error_code::OVERLOADED;

use crate::Refusal;

/// Batches that are taken in at the same time. One of the largest takes some 30 MB of memory while
/// it is read and written.
const MOST_HELD: usize = 4;
/// Of them one account's: who sends slowly keeps nobody else out.
const MOST_OF_ACCOUNT: usize = 2;
/// How soon somebody whose batch was refused may try again, seconds.
const RETRY_S: u32 = 2;

/// Room for batches on their way in; one more than fits is refused.
#[derive(Debug, Default)]
pub struct BatchRoom(Arc<Mutex<HashMap<AccountId, usize>>>);

/// A place for one batch, from its first byte until it is stored: whoever still works at the batch
/// holds it, though its caller may have gone.
#[derive(Debug, Clone)]
pub struct BatchPlace(#[expect(dead_code, reason = "held for its end")] Arc<Held>);

#[derive(Debug)]
struct Held {
    room: Arc<Mutex<HashMap<AccountId, usize>>>,
    account: AccountId,
}

impl BatchRoom {
    /// A place for one more batch of an account.
    ///
    /// # Errors
    /// `OVERLOADED` with a time to try again, where every place is taken.
    pub fn enter(&self, account: &AccountId) -> Result<BatchPlace, Refusal> {
        let mut held = self.0.lock();
        let refusal =
            |detail: String| Err(Refusal::new(OVERLOADED).with_detail(detail).retry_after(RETRY_S));
        if held.values().sum::<usize>() >= MOST_HELD {
            return refusal(format!("{MOST_HELD} batches are being taken in already"));
        }
        let own = held.entry(account.clone()).or_default();
        if *own >= MOST_OF_ACCOUNT {
            return refusal(format!("{own} batches of the account are being taken in already"));
        }
        *own += 1;
        let (room, account) = (Arc::clone(&self.0), account.clone());
        Ok(BatchPlace(Arc::new(Held { room, account })))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.room.lock();
        if let Some(own) = held.get_mut(&self.account) {
            *own -= 1;
            if *own == 0 {
                held.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_does_not_take_all_places() {
        let room = BatchRoom::default();
        let account = |name: &str| AccountId::new(name);
        let enter = |name: &str| room.enter(&account(name));
        let first = [enter("a"), enter("a")];
        assert!(first.iter().all(Result::is_ok));
        assert_eq!(enter("a").err().map(|refusal| refusal.code.name), Some(OVERLOADED.name));
        let others = [enter("b"), enter("c")];
        assert!(others.iter().all(Result::is_ok));
        assert!(enter("d").is_err(), "all places are taken");
        let still_worked_at = others[0].clone();
        drop(others);
        assert!(enter("d").is_ok());
        drop(first);
        assert_eq!(room.0.lock().len(), 1, "{still_worked_at:?} is held");
    }
}
