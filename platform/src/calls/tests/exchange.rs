//! A rig with phones: clicks are stored as the API stores them, and each phone does what a test says.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use yunling_app::click::{AdditionSpec, ClickSpec, Side, VoiceNames};
use yunling_app::ports::{TalkState, Talks};
use yunling_domain::conversation::{Record, Ringback};
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId, IdKind, Number, RequestId};
use yunling_store::attempts::{AttemptLane, NewAttempt};
use yunling_store::calls::{self, CallFilter, Cdr};
use yunling_store::deliveries::{self, DeliveryFilter};
use yunling_store::requests::NewRequest;
use yunling_store::talks::{self, Talk};
use yunling_store::{Lane, PageRequest, RequestKind, attempts, requests};
use yunling_switch_contract::{
    Command, EventKind, LegId, MediaFigures, Play, PlayEnd, ReapOutcome, Termination,
    TerminationKind,
};

use super::rig::{self, ACCOUNT, APPLICATION, Limits, Rig, Script};

pub(super) const CALLER: &str = "13800100001";
pub(super) const CALLEE: &str = "13800100002";
pub(super) const THIRD: &str = "13800100003";
const LINE: &str = "01080001001";
const PAGE: PageRequest = PageRequest { after: None, limit: 100 };

/// A party as a click names it.
pub(super) fn side(number: &str) -> Side {
    let stored = |text: &str| Number::parse_dialable(text).expect("a number").stored();
    Side { number: stored(number), shown: number.to_owned(), line: stored(LINE) }
}

/// A click that asks for nothing special.
pub(super) fn plain() -> ClickSpec {
    ClickSpec {
        caller: side(CALLER),
        callee: side(CALLEE),
        voices: VoiceNames::default(),
        ringback: Ringback::PassThrough,
        record: Record::Off,
        max_duration_s: None,
        last_minute_voice: None,
        masked: false,
        subject: None,
    }
}

/// An addCall that asks for nothing special.
pub(super) fn third() -> AdditionSpec {
    AdditionSpec {
        callee: side(THIRD),
        voices: VoiceNames::default(),
        ringback: Ringback::PassThrough,
        record: Record::Off,
        timeout_s: 120,
    }
}

/// A node with phones.
pub(super) struct Exchange {
    pub(super) rig: Rig,
    answered: Arc<Mutex<HashSet<LegId>>>,
}

/// A click that was stored.
pub(super) struct Clicked {
    pub(super) conversation: ConversationId,
    pub(super) request: RequestId,
    pub(super) call: CallId,
}

/// What the customer was told of a conversation that is over.
pub(super) struct Told {
    /// `seq number status cause` of each status callback, in the order of `seq`.
    pub(super) statuses: Vec<String>,
    /// The CDR callbacks.
    pub(super) cdrs: Vec<Value>,
    /// The bodies of the status callbacks.
    pub(super) bodies: Vec<Value>,
}

impl Exchange {
    pub(super) async fn open() -> Self {
        Self::open_over(rig::folder(), Limits::default(), |_| None).await
    }

    /// Phones of which some commands are answered otherwise.
    pub(super) async fn open_over(
        folder: Arc<tempfile::TempDir>,
        limits: Limits,
        otherwise: impl Fn(&Command) -> Option<Vec<EventKind>> + Send + Sync + 'static,
    ) -> Self {
        let answered = Arc::<Mutex<HashSet<LegId>>>::default();
        let known = Arc::clone(&answered);
        let script = Script::new(move |command| {
            if let Some(events) = otherwise(command) {
                return events;
            }
            match command {
                Command::HangUp { leg, .. } if known.lock().contains(leg) => {
                    vec![rig::ended(TerminationKind::LocalBye)]
                }
                Command::HangUp { .. } => vec![ended(TerminationKind::Cancelled, Some(487))],
                Command::StopRecording { recording, .. } => vec![EventKind::Recorded {
                    recording: *recording,
                    duration_ms: 3_000,
                    octets: 96_044,
                    lost_ms: 0,
                    failure: None,
                }],
                Command::Reap { .. } => vec![EventKind::Reaped {
                    outcome: ReapOutcome::Ended(rig::termination(TerminationKind::LocalBye)),
                }],
                Command::Dial(_)
                | Command::Play(_)
                | Command::StopPlay { .. }
                | Command::Hear { .. }
                | Command::Record(_)
                | Command::Acknowledge { .. }
                | Command::AwaitKeys { .. } => Vec::new(),
            }
        });
        Self { rig: Rig::open(script, folder, &limits).await, answered }
    }

    pub(super) fn account() -> AccountId {
        AccountId::new(ACCOUNT)
    }

    pub(super) fn talks(&self) -> &dyn Talks {
        self.rig.app.talks().expect("the rig has the calls role")
    }

    /// Reserves a line and stores a click, as the API does.
    pub(super) async fn click(&self, spec: &ClickSpec) -> Clicked {
        let clicked = self.prepare();
        let application = ApplicationId::new(APPLICATION);
        self.talks()
            .reserve(&Self::account(), &application, &clicked.conversation, &spec.caller)
            .expect("a line is free");
        self.store(&clicked, spec).await;
        clicked
    }

    /// The identifiers of a click.
    pub(super) fn prepare(&self) -> Clicked {
        let ids = self.rig.app.ids();
        Clicked {
            conversation: ConversationId::new(ids.mint(IdKind::Conversation)),
            request: RequestId::new(ids.mint(IdKind::Request)),
            call: CallId::new(ids.mint(IdKind::Call)),
        }
    }

    /// Stores a click.
    pub(super) async fn store(&self, clicked: &Clicked, spec: &ClickSpec) {
        self.store_and(clicked, spec, false).await;
    }

    /// Stores a click, and that it is cancelled where it is, before anybody can claim it.
    pub(super) async fn store_and(&self, clicked: &Clicked, spec: &ClickSpec, cancelled: bool) {
        let now = self.rig.app.clock().now();
        let request = NewRequest {
            id: clicked.request.clone(),
            account: Self::account(),
            application: ApplicationId::new(APPLICATION),
            kind: RequestKind::Click,
            spec: serde_json::to_value(spec).expect("texts and numbers"),
            to_raw: spec.callee.shown.clone(),
            userdata: Some("ud".to_owned()),
            urls: json!({}),
            from_number: None,
            api_version: "20210801".to_owned(),
            created_at: now,
        };
        let attempt = NewAttempt {
            call_id: clicked.call.clone(),
            conversation_id: clicked.conversation.clone(),
            request_id: clicked.request.clone(),
            account: Self::account(),
            application: ApplicationId::new(APPLICATION),
            lane: AttemptLane::Talk,
            to_number: spec.caller.number.clone(),
            to_shown: spec.caller.shown.clone(),
            from_number: Some(spec.caller.line.clone()),
            due_at: now,
            deadline_at: now.plus_ms(30_000),
            rule: None,
            created_at: now,
        };
        let writer = self.rig.app.store().writer();
        let stored = writer.write(Lane::Live, move |tx| {
            Box::pin(async move {
                requests::insert(tx, &request).await?;
                attempts::insert(tx, std::slice::from_ref(&attempt)).await?;
                if cancelled {
                    let NewAttempt { account, request_id, conversation_id, .. } = &attempt;
                    attempts::mark_cancelled(tx, account, request_id, conversation_id, now).await?;
                }
                Ok::<_, yunling_store::StoreError>(())
            })
        });
        stored.await.expect("the click is stored");
        self.rig.app.poke().dispatcher();
    }

    /// The leg of the latest call to a number.
    pub(super) async fn leg(&self, number: &str) -> LegId {
        let find = |commands: &[Command]| {
            commands.iter().rev().find_map(|command| match command {
                Command::Dial(dial) if dial.to == number => Some(dial.leg.clone()),
                _ => None,
            })
        };
        self.rig.script.wait_for(&format!("a call to {number}"), find).await
    }

    /// One thing that happens, as a test writes it: who, what.
    pub(super) async fn happens(&self, who: &str, what: &str) {
        let leg = self.leg(who).await;
        let words: Vec<&str> = what.split(' ').collect();
        let kind = match words.as_slice() {
            ["rings"] => EventKind::Ringing { code: 180, early_media: false },
            ["rings-early"] => EventKind::Ringing { code: 183, early_media: true },
            ["audio"] => EventKind::EarlyAudio,
            ["answers"] => {
                self.answered.lock().insert(leg.clone());
                rig::answered()
            }
            ["leaves"] => rig::ended(TerminationKind::RemoteBye),
            ["lost"] => EventKind::MediaLost { silent_ms: 30_000 },
            ["silent"] => ended(TerminationKind::NoReply, None),
            ["rejects", code] => ended(TerminationKind::Rejected, code.parse().ok()),
            ["heard"] => {
                let play = self.last_play(&leg).await;
                EventKind::PlayFinished { play: play.play, end: PlayEnd::Completed }
            }
            other => panic!("unknown: {other:?}"),
        };
        self.rig.script.happens(&leg, kind);
    }

    /// What a leg is played last.
    pub(super) async fn last_play(&self, leg: &LegId) -> Play {
        let find = |commands: &[Command]| {
            commands.iter().rev().find_map(|command| match command {
                Command::Play(play) if play.leg == *leg => Some((**play).clone()),
                _ => None,
            })
        };
        self.rig.script.wait_for(&format!("a play to {leg}"), find).await
    }

    /// Waits until somebody hears all of these, and nobody else.
    pub(super) async fn hears(&self, who: &str, whom: &[&str]) {
        let leg = self.leg(who).await;
        let mut expected = Vec::new();
        for other in whom {
            expected.push(self.leg(other).await);
        }
        let find = |commands: &[Command]| {
            let last = commands.iter().rev().find_map(|command| match command {
                Command::Hear { leg: hearing, others } if *hearing == leg => Some(others.clone()),
                _ => None,
            });
            (last.unwrap_or_default() == expected).then_some(())
        };
        self.rig.script.wait_for(&format!("{who} hears {whom:?}"), find).await;
    }

    /// How a conversation ended, once it has.
    pub(super) async fn ended(&self, clicked: &Clicked) -> Talk {
        let reader = self.rig.app.store().reader();
        self.rig
            .until("a conversation's record", async || {
                talks::get(reader, &Self::account(), &clicked.conversation).await.expect("a read")
            })
            .await
    }

    /// Waits until a live conversation is as wanted.
    pub(super) async fn shows(
        &self,
        clicked: &Clicked,
        wanted: impl Fn(&TalkState) -> bool,
    ) -> TalkState {
        self.rig
            .until("a state of a live conversation", async || {
                self.talks().state(&Self::account(), &clicked.conversation).filter(&wanted)
            })
            .await
    }

    /// Its call records, by the order of the calls.
    pub(super) async fn records(&self, clicked: &Clicked) -> Vec<Cdr> {
        let filter =
            CallFilter { request_id: Some(clicked.request.clone()), ..CallFilter::default() };
        let account = Self::account();
        let page = calls::list(self.rig.app.store().reader(), &account, &filter, &PAGE);
        let mut rows = page.await.expect("a read").rows;
        rows.sort_by(|a, b| {
            (a.started_at, a.call_id.as_str()).cmp(&(b.started_at, b.call_id.as_str()))
        });
        rows
    }

    /// What the customer was told of it.
    pub(super) async fn told(&self, clicked: &Clicked) -> Told {
        let filter = DeliveryFilter {
            conversation_id: Some(clicked.conversation.clone()),
            ..DeliveryFilter::default()
        };
        let account = Self::account();
        let page = deliveries::list(self.rig.app.store().reader(), &account, &filter, &PAGE);
        let mut rows = page.await.expect("a read").rows;
        rows.sort_by_key(|row| row.caused.seq);
        let body = |row: &deliveries::Delivery| -> Value {
            serde_json::from_str(&row.caused.body).expect("callbacks are JSON")
        };
        let text = |value: &Value| value.as_str().unwrap_or("no text").to_owned();
        let mut told = Told { statuses: Vec::new(), cdrs: Vec::new(), bodies: Vec::new() };
        for row in &rows {
            let body = body(row);
            match row.caused.kind.as_str() {
                "click.status" => {
                    let words = [text(&body["to"]), text(&body["callStatus"])];
                    let cause = text(&body["callCause"]);
                    told.statuses.push(format!("{} {cause}", words.join(" ")).trim().to_owned());
                    told.bodies.push(body);
                }
                "click.cdr" => told.cdrs.push(body),
                other => panic!("a callback of the kind {other}"),
            }
        }
        told
    }
}

/// The end of a leg.
pub(super) fn ended(kind: TerminationKind, sip_code: Option<u16>) -> EventKind {
    let termination = Termination { sip_code, ..Termination::new(kind) };
    EventKind::Ended { termination, figures: MediaFigures::default() }
}

/// The one CDR callback.
pub(super) fn only<'a>(cdrs: &'a [Value], name: &str) -> &'a Value {
    let [cdr] = cdrs else { panic!("{name}: one CDR callback, not {cdrs:?}") };
    cdr
}
