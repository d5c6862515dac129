//! Whoever carries conversations, as the interfaces see it.

use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use yunling_app::click::{AdditionSpec, Side};
use yunling_app::ports::{Busy, NotAdded, TalkPhase, TalkState, Talks};
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId};

/// What was asked, and what is answered.
#[derive(Default)]
pub(crate) struct FakeTalks {
    /// Said at every try.
    pub(crate) busy: Mutex<Option<Busy>>,
    /// Said once.
    pub(crate) paced: Mutex<Option<Busy>>,
    pub(crate) reserved: Mutex<Vec<(String, Side)>>,
    pub(crate) released: Mutex<Vec<String>>,
    pub(crate) cancelled: Mutex<Vec<String>>,
    pub(crate) added: Mutex<Vec<AdditionSpec>>,
    pub(crate) not_added: Mutex<Option<NotAdded>>,
    pub(crate) states: Mutex<Vec<(String, TalkState)>>,
}

impl FakeTalks {
    /// Installed in an application.
    pub(crate) fn of(app: &yunling_app::App) -> Arc<Self> {
        let talks = Arc::<Self>::default();
        app.carry_talks(talks.clone());
        talks
    }
}

impl Talks for FakeTalks {
    fn reserve(
        &self,
        _: &AccountId,
        _: &ApplicationId,
        conversation: &ConversationId,
        caller: &Side,
    ) -> Result<(), Busy> {
        if let Some(busy) = self.paced.lock().take() {
            return Err(busy);
        }
        if let Some(busy) = self.busy.lock().clone() {
            return Err(busy);
        }
        self.reserved.lock().push((conversation.to_string(), caller.clone()));
        Ok(())
    }

    fn release(&self, conversation: &ConversationId) {
        self.released.lock().push(conversation.to_string());
    }

    fn cancel(&self, _: &AccountId, conversation: &ConversationId) {
        self.cancelled.lock().push(conversation.to_string());
    }

    fn add<'a>(
        &'a self,
        _: &'a AccountId,
        _: &'a ConversationId,
        addition: AdditionSpec,
    ) -> Pin<Box<dyn Future<Output = Result<CallId, NotAdded>> + Send + 'a>> {
        Box::pin(async move {
            if let Some(refusal) = self.not_added.lock().clone() {
                return Err(refusal);
            }
            self.added.lock().push(addition);
            Ok(CallId::new("CA3"))
        })
    }

    fn state(&self, account: &AccountId, conversation: &ConversationId) -> Option<TalkState> {
        let states = self.states.lock();
        let mut own = states.iter().filter(|(owner, _)| owner == account.as_str());
        own.find(|(_, state)| state.conversation == *conversation).map(|(_, state)| state.clone())
    }

    fn phase(&self, account: &AccountId, conversation: &ConversationId) -> Option<TalkPhase> {
        self.state(account, conversation).map(|state| state.phase)
    }
}
