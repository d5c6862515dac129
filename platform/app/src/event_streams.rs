//! How many follow the conversations of each account: every stream has a seat, and gives it back when
//! it is dropped.

use crate::{App, Refusal};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use yunling_domain::error_code::TOO_MANY_STREAMS;
use yunling_domain::{AccountId, ConversationId};

/// The streams that are open: by account, and within it by conversation. As large as the limits of
/// `http.event_streams` let it be.
#[derive(Clone, Default)]
pub(crate) struct EventStreams(Arc<Mutex<Open>>);

type Open = HashMap<AccountId, HashMap<ConversationId, u32>>;

/// One stream's place.
pub(crate) struct Seat {
    streams: EventStreams,
    account: AccountId,
    conversation: ConversationId,
}

/// Takes a place for one more stream.
///
/// # Errors
/// `TOO_MANY_STREAMS`, with the limit that is in the way.
pub(crate) fn take(
    app: &App,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<Seat, Refusal> {
    let limits = app.settings().http.event_streams;
    let streams = app.event_streams().clone();
    let mut open = streams.0.lock();
    let of_account = open.get(account).map_or(0, |own| own.values().sum());
    let of_conversation =
        open.get(account).and_then(|own| own.get(conversation)).copied().unwrap_or(0);
    for (whose, count, limit) in [
        ("conversation", of_conversation, limits.per_conversation),
        ("account", of_account, limits.per_account),
    ] {
        if count >= limit {
            let detail =
                format!("the {whose} has {count} event streams open, and may have {limit}");
            return Err(Refusal::new(TOO_MANY_STREAMS).with_detail(detail));
        }
    }
    *open.entry(account.clone()).or_default().entry(conversation.clone()).or_default() += 1;
    drop(open);
    Ok(Seat { streams, account: account.clone(), conversation: conversation.clone() })
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock();
        let Some(own) = open.get_mut(&self.account) else { return };
        if let Some(count) = own.get_mut(&self.conversation) {
            *count -= 1;
        }
        own.retain(|_, count| *count > 0);
        if own.is_empty() {
            open.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::EventStreamLimits;
    use crate::fakes::World;

    #[tokio::test]
    async fn seats_are_counted_by_account_and_conversation_and_come_back() {
        let mut world = World::open().await;
        let mut settings = world.app.settings().clone();
        settings.http.event_streams = EventStreamLimits { per_account: 3, per_conversation: 2 };
        world.app = world.reopened_under(settings).await;
        let app = &world.app;
        let of = |account: &str, conversation: &str| {
            take(app, &AccountId::new(account), &ConversationId::new(conversation))
        };
        let mut seats = vec![of("a", "CV1").unwrap(), of("a", "CV1").unwrap()];
        let refusal = of("a", "CV1").err().unwrap();
        assert_eq!(refusal.code, TOO_MANY_STREAMS);
        assert!(refusal.detail.contains("the conversation has 2"), "{}", refusal.detail);
        seats.push(of("a", "CV2").unwrap());
        let refusal = of("a", "CV3").err().unwrap();
        assert!(refusal.detail.contains("the account has 3"), "{}", refusal.detail);
        let other = of("b", "CV1").unwrap();
        seats.remove(0);
        seats.push(of("a", "CV3").unwrap());
        drop((seats, other));
        assert!(app.event_streams().0.lock().is_empty(), "nothing is left behind");
    }
}
