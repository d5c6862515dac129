//! From rows to the published call detail record: a page's worth at a time, in a few reads whatever
//! its length.

use crate::principal::{Granted, ReadCalls, Scope, Scopes};
use crate::recordings;
use crate::tell_status::national;
use crate::{App, number_privacy};
use std::collections::{BTreeSet, HashMap};
use yunling_domain::cdr::{CdrEnding, CdrFacts, CdrLegFacts, CdrObject};
use yunling_domain::conversation::ByeType;
use yunling_domain::{AccountId, CallId, ConversationId, RequestId};
use yunling_store::calls::{self, Cdr};
use yunling_store::recordings::Recording;
use yunling_store::talks::{self, Talk};
use yunling_store::{RequestKind, StoreError, clicks, requests};

/// How much of a record its reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Numbers of masked conversations whole.
    pub(crate) numbers: bool,
    /// Links to recordings.
    pub(crate) recordings: bool,
}

impl Sight {
    /// Of whoever reads.
    pub(crate) fn of(caller: &Granted<ReadCalls>) -> Self {
        Self::of_scopes(caller.scopes())
    }

    /// Of whoever has these scopes.
    pub(crate) fn of_scopes(scopes: &Scopes) -> Self {
        Self {
            numbers: scopes.include(Scope::ReadNumbers),
            recordings: scopes.include(Scope::ReadRecordings),
        }
    }

    /// Of what callbacks show: the link, and masked numbers masked.
    pub(crate) const CALLBACK: Self = Self { numbers: false, recordings: true };
}

/// What the records need besides the legs that stand for them.
#[derive(Default)]
struct Around {
    /// Of clicks, by `callSeq`.
    legs: HashMap<ConversationId, Vec<Cdr>>,
    talks: HashMap<ConversationId, Talk>,
    recordings: HashMap<ConversationId, Recording>,
    /// The caller's call of each masked conversation.
    masked: HashMap<ConversationId, CallId>,
    user_data: HashMap<RequestId, String>,
}

/// The records of the conversations for which `rows` stand, in their order.
///
/// # Errors
/// Those of a read.
pub(crate) async fn run(
    app: &App,
    account: &AccountId,
    sight: Sight,
    rows: &[Cdr],
) -> Result<Vec<CdrObject>, StoreError> {
    let around = look_around(app, account, sight, rows).await?;
    let directory = app.directory();
    let zone = directory.account(account).map_or(app.settings().zone.0, |account| account.zone);
    let compose = |row: &Cdr| {
        let conversation = &row.conversation_id;
        let legs = around.legs.get(conversation).map_or(std::slice::from_ref(row), Vec::as_slice);
        let caller_only = around.masked.get(conversation);
        let numbers: Vec<(String, String)> = legs
            .iter()
            .map(|leg| {
                let is_hidden = caller_only.is_some_and(|caller| *caller != leg.call_id);
                let to = match is_hidden {
                    true => number_privacy::hidden(&leg.to_number),
                    false => national(&leg.to_number),
                };
                (national(&leg.from_number), to)
            })
            .collect();
        let recording = around.recordings.get(conversation).map(|one| recordings::facts(app, one));
        let talk = around.talks.get(conversation);
        let ending = row.bye_type.map(|bye_type| CdrEnding {
            bye_type: bye_type.number(),
            by: talk.map_or("", |talk| talk.ended_by.as_str()),
            hangup_reason: talk.map_or("", |talk| talk.hangup_reason.as_str()),
        });
        CdrObject::new(&CdrFacts {
            account: account.as_str(),
            application: row.application.as_str(),
            conversation: conversation.as_str(),
            request: row.request_id.as_str(),
            kind: row.kind.as_str(),
            recording_url: recording.as_ref().and_then(|recording| recording.url.as_deref()),
            recording_duration_s: recording.as_ref().and_then(|recording| recording.duration_s),
            user_data: around.user_data.get(&row.request_id).map(String::as_str),
            ending,
            result: row.bye_type.map_or(row.result, |bye_type| u8::from(!answered(bye_type))),
            reason: row.reason.filter(|_| row.bye_type.is_none()),
            input_key: row.input_key.as_deref(),
            legs: legs
                .iter()
                .zip(&numbers)
                .map(|(leg, (from, to))| leg_facts(leg, from, to))
                .collect(),
            zone,
        })
    };
    Ok(rows.iter().map(compose).collect())
}

/// The callee's answer is what a click-to-call conversation is about (RESOLUTIONS, byeType).
const fn answered(bye_type: ByeType) -> bool {
    match bye_type {
        ByeType::CallerNotAnswered | ByeType::CallerLeftEarly | ByeType::CalleeNotAnswered => false,
        ByeType::CallerHungUp | ByeType::CalleeHungUp | ByeType::TimeLimit => true,
    }
}

fn leg_facts<'a>(leg: &'a Cdr, from: &'a str, to: &'a str) -> CdrLegFacts<'a> {
    CdrLegFacts {
        seq: leg.leg,
        call: leg.call_id.as_str(),
        from,
        to,
        started_at: leg.started_at,
        ring_at: leg.ring_at,
        answered_at: leg.answered_at,
        ended_at: leg.ended_at,
        cause: &leg.cause,
        hangup_reason: leg.hangup_reason.as_deref().unwrap_or_default(),
        sip_code: leg.sip_code,
    }
}

async fn look_around(
    app: &App,
    account: &AccountId,
    sight: Sight,
    rows: &[Cdr],
) -> Result<Around, StoreError> {
    let reader = app.store().reader();
    let asked: BTreeSet<RequestId> = rows.iter().map(|row| row.request_id.clone()).collect();
    let asked: Vec<RequestId> = asked.into_iter().collect();
    let mut around = Around {
        user_data: requests::user_data(reader, account, &asked).await?.into_iter().collect(),
        ..Around::default()
    };
    let talked: BTreeSet<ConversationId> = rows
        .iter()
        .filter(|row| row.kind == RequestKind::Click)
        .map(|row| row.conversation_id.clone())
        .collect();
    if talked.is_empty() {
        return Ok(around);
    }
    let ids: Vec<ConversationId> = talked.iter().cloned().collect();
    for leg in calls::of_conversations(reader, account, &ids).await? {
        around.legs.entry(leg.conversation_id.clone()).or_default().push(leg);
    }
    let talks = talks::these(reader, account, &ids).await?;
    around.talks = talks.into_iter().map(|talk| (talk.conversation.clone(), talk)).collect();
    if sight.recordings {
        let found = yunling_store::recordings::of_conversations(reader, account, &ids).await?;
        around.recordings =
            found.into_iter().map(|one| (one.begun.conversation.clone(), one)).collect();
    }
    if !sight.numbers {
        let masked = clicks::masked(reader, account, &talked).await?;
        around.masked =
            masked.into_iter().map(|click| (click.conversation, click.caller_call)).collect();
    }
    Ok(around)
}
