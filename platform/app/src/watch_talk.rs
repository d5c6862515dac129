//! Following a click-to-call conversation: what has happened so far, then what happens, to its end.

use crate::get_talk::{self, ENDED, UNDER_WAY};
use crate::number_privacy;
use crate::principal::{Granted, Page, ReadCalls};
use crate::{App, Refusal};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use yunling_domain::event::{ConversationEvent, EventBody};
use yunling_domain::{ApplicationId, ConversationId};

/// How often the conversation itself is looked at: it may end without telling, or this watcher may
/// have been too slow for what was told.
const LOOK: Duration = Duration::from_secs(5);

/// A conversation that is followed.
pub struct Following {
    app: App,
    caller: Granted<ReadCalls>,
    application: ApplicationId,
    conversation: ConversationId,
    page: Option<Page>,
    /// None where nobody tells of live conversations here.
    told: Option<Receiver<(ConversationId, ConversationEvent)>>,
    ready: VecDeque<ConversationEvent>,
    /// When the conversation itself is looked at again.
    look_at: Instant,
    /// The place of the next event that was not seen.
    next_seq: u32,
    is_masked: bool,
    is_over: bool,
}

/// Begins to follow.
///
/// # Errors
/// `UNKNOWN_APPLICATION`, `NOT_FOUND`.
pub async fn run(
    app: &App,
    caller: Granted<ReadCalls>,
    application: ApplicationId,
    conversation: ConversationId,
    page: Option<Page>,
) -> Result<Following, Refusal> {
    // Heard from before the first look, so that nothing falls between the two.
    let told = app.events().watch();
    let mut following = Following {
        app: app.clone(),
        caller,
        application,
        conversation,
        page,
        told,
        ready: VecDeque::new(),
        look_at: Instant::now(),
        next_seq: 0,
        is_masked: false,
        is_over: false,
    };
    following.look().await?;
    Ok(following)
}

impl Following {
    /// The next event; none after the conversation's end, or where it runs on another node.
    pub async fn next(&mut self) -> Option<ConversationEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        let told = match &mut self.told {
            Some(told) => tokio::time::timeout_at(self.look_at, told.recv()).await,
            None => {
                tokio::time::sleep_until(self.look_at).await;
                Ok(Err(RecvError::Lagged(0)))
            }
        };
        match told {
            Ok(Ok((conversation, event))) => {
                if conversation == self.conversation && event.seq == self.next_seq {
                    self.take(event);
                } else if conversation == self.conversation && event.seq > self.next_seq {
                    self.look_again().await;
                }
            }
            Ok(Err(RecvError::Lagged(_))) | Err(_) => self.look_again().await,
            Ok(Err(RecvError::Closed)) => self.is_over = true,
        }
    }

    async fn look_again(&mut self) {
        if let Err(refusal) = self.look().await {
            tracing::debug!(%refusal, "a conversation is not followed any longer");
            self.is_over = true;
        }
    }

    async fn look(&mut self) -> Result<(), Refusal> {
        self.look_at = Instant::now() + LOOK;
        let view = get_talk::run(
            &self.app,
            &self.caller,
            &self.application,
            &self.conversation,
            self.page.as_ref(),
        )
        .await?;
        self.is_masked = view.click.masked && !number_privacy::sees_all(&self.caller);
        for event in view.events {
            if event.seq >= self.next_seq {
                self.take(event);
            }
        }
        // What runs elsewhere is told there.
        self.is_over |= view.state == ENDED || view.state == UNDER_WAY;
        Ok(())
    }

    fn take(&mut self, mut event: ConversationEvent) {
        self.next_seq = event.seq.saturating_add(1);
        self.is_over |= matches!(event.body, EventBody::TalkFinished { .. });
        if self.is_masked {
            number_privacy::of_events(std::slice::from_mut(&mut event));
        }
        self.ready.push_back(event);
    }
}
