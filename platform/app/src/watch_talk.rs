//! Following a click-to-call conversation: what has happened so far, then what happens, to its end.

use crate::event_streams::{self, Seat};
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
use yunling_domain::{ApplicationId, ConversationId, Micros};

/// How often the conversation itself is looked at: it may end without telling, or this watcher may
/// have been too slow for what was told.
const LOOK: Duration = Duration::from_secs(5);

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// Something happened.
    Event(ConversationEvent),
    /// Nothing more is told from this instant on, though the conversation goes on.
    Stopped(Stopped, Micros),
}

/// Why a watcher is told nothing more of a conversation that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Its browser token has run out.
    TokenExpired,
    /// Its credential is not valid any more.
    CredentialRevoked,
}

impl Stopped {
    /// As the last event says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenExpired => "token_expired",
            Self::CredentialRevoked => "credential_revoked",
        }
    }
}

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
    /// When the conversation itself is looked at again, and whether the watcher may still look.
    look_at: Instant,
    /// When its browser token runs out.
    expires: Option<Instant>,
    stopped: Option<Stopped>,
    _seat: Seat,
    /// The place of the next event that was not seen.
    next_seq: u32,
    is_masked: bool,
    is_over: bool,
}

/// Begins to follow.
///
/// # Errors
/// `UNKNOWN_APPLICATION`, `NOT_FOUND`; `TOO_MANY_STREAMS`.
pub async fn run(
    app: &App,
    caller: Granted<ReadCalls>,
    application: ApplicationId,
    conversation: ConversationId,
    page: Option<Page>,
) -> Result<Following, Refusal> {
    let seat = event_streams::take(app, caller.account(), &conversation)?;
    let expires = page.as_ref().map(|page| {
        let left_ms = page.expires_at.ms_since(app.clock().now());
        Instant::now() + Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
    });
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
        expires,
        stopped: None,
        _seat: seat,
        next_seq: 0,
        is_masked: false,
        is_over: false,
    };
    following.look().await?;
    Ok(following)
}

impl Following {
    /// What is told next; nothing after the conversation's end, or where it runs on another node.
    pub async fn next(&mut self) -> Option<Followed> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Followed::Event(event));
            }
            if self.is_over {
                let now = self.app.clock().now();
                return self.stopped.take().map(|why| Followed::Stopped(why, now));
            }
            self.wait().await;
        }
    }

    fn stop(&mut self, why: Stopped) {
        self.is_over = true;
        self.stopped = Some(why);
    }

    /// Whether the watcher might begin to follow now, by what it has shown.
    fn is_credential_valid(&self) -> bool {
        let (directory, account) = (self.app.directory(), self.caller.account());
        let credential = match &self.page {
            Some(page) => Some(page.credential.as_str()),
            None => self.caller.credential(),
        };
        // The platform's operator shows none of an account.
        credential.is_none_or(|credential| {
            directory.account(account).is_some_and(|account| !account.suspended)
                && directory.has_credential(account, credential)
        })
    }

    async fn wait(&mut self) {
        if self.expires.is_some_and(|expires| expires <= Instant::now()) {
            return self.stop(Stopped::TokenExpired);
        }
        let until = self.expires.map_or(self.look_at, |expires| expires.min(self.look_at));
        let told = match &mut self.told {
            Some(told) => tokio::time::timeout_at(until, told.recv()).await,
            None => {
                tokio::time::sleep_until(until).await;
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
        if !self.is_credential_valid() {
            return self.stop(Stopped::CredentialRevoked);
        }
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
