//! Attempts: whom to call, from when, in which lane. Rows drive the dialling.
//!
//! A row goes queued → claimed → invited → answered → ended. Each step is a compare-and-set, so
//! that a node that has lost its lease cannot dial.

mod claim;
mod finish;
mod progress;
mod recover;

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId, Micros, RequestId};

pub(crate) use finish::end_all;
pub use finish::{Ending, finish_attempt};
pub use progress::{
    Invite, insert_invited, insert_undialled, mark_answered, mark_cancelled, mark_confirmed,
    mark_invited, mark_left, mark_ringing, mark_to_end,
};

use crate::{
    BULK_ROWS, StoreError,
    entity::attempt::{ActiveModel, Column, Entity, Model},
};

/// What the platform needs across tenants: the dispatcher's side.
pub mod platform_side {
    pub use super::{
        claim::{Claim, Claimed, claim_due, next_due_at, queue_lengths},
        recover::{
            Orphaned, ended, is_any_dialled_before, orphans, purge_ended, release, renew_leases,
            to_end, unfinished,
        },
    };
}

/// Which lane an attempt waits in: a lower one is dialled first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum AttemptLane {
    /// Somebody has clicked and waits for the phone to ring. Older rows have the numbers from 0 on.
    Talk = -1,
    /// Somebody stares at a log-in page.
    Captcha = 0,
    /// A single notice.
    Notice = 1,
    /// One number of a batch.
    Batch = 2,
}

impl AttemptLane {
    /// All, in the order of dialling.
    pub const ALL: [Self; 4] = [Self::Talk, Self::Captcha, Self::Notice, Self::Batch];
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum AttemptState {
    /// Waits until it is due and there is room.
    Queued = 0,
    /// A node has taken it and has not dialled yet.
    Claimed = 1,
    /// An INVITE may have left: it is never dialled again.
    Invited = 2,
    /// The callee has answered.
    Answered = 3,
    /// It is over, and its call record is written.
    Ended = 4,
}

/// An attempt to be queued.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAttempt {
    /// The identifier that the call will have.
    pub call_id: CallId,
    /// The conversation that it will be part of.
    pub conversation_id: ConversationId,
    /// The request that asked for it; stored before it.
    pub request_id: RequestId,
    /// Whose it is.
    pub account: AccountId,
    /// The application it is made for.
    pub application: ApplicationId,
    /// Where it waits.
    pub lane: AttemptLane,
    /// The callee: E.164 where such a form exists, else national.
    pub to_number: String,
    /// The callee as callbacks echo it.
    pub to_shown: String,
    /// The line number to be shown; absent: chosen when it is dialled.
    pub from_number: Option<String>,
    /// Not before this instant.
    pub due_at: Micros,
    /// Not dialled at or after this instant: then result 1, reason 2 (RESOLUTIONS, at a limit).
    pub deadline_at: Micros,
    /// The rule of the gate that let it pass.
    pub rule: Option<String>,
    /// When it was queued.
    pub created_at: Micros,
}

/// A stored attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its key.
    pub id: i64,
    /// As it was queued; `from_number` and `rule` are the latest known.
    pub queued: NewAttempt,
    /// How far it is.
    pub state: AttemptState,
    /// The node that has taken it.
    pub node: Option<String>,
    /// Until when that node may be taken for alive.
    pub lease_until: Option<Micros>,
    /// When it was stored that an INVITE is about to leave.
    pub invited_at: Option<Micros>,
    /// The trunk that it was last dialled on.
    pub trunk: Option<String>,
    /// How many trunks were tried, the last one included.
    pub try_no: u8,
    /// The first 180 or 183.
    pub ring_at: Option<Micros>,
    /// The answer.
    pub answered_at: Option<Micros>,
    /// The end; of a leg that has left its conversation before the others, before its state is
    /// [`AttemptState::Ended`].
    pub ended_at: Option<Micros>,
    /// What is needed to end the answered leg after a crash.
    pub dialog: Option<Value>,
    /// The confirming key, once it was pressed.
    pub input_key: Option<char>,
    /// What a leg that has left its conversation came to, as whoever runs conversations wrote it.
    pub left_as: Option<Value>,
    /// When it was cancelled, or its conversation was to end.
    pub cancelled_at: Option<Micros>,
}

impl TryFrom<Model> for Attempt {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let undecodable = |what: String| StoreError::Undecodable { table: "attempt", what };
        let lane = AttemptLane::ALL
            .into_iter()
            .find(|lane| *lane as i16 == row.lane)
            .ok_or_else(|| undecodable(format!("the lane {}", row.lane)))?;
        let state = match row.state {
            0 => AttemptState::Queued,
            1 => AttemptState::Claimed,
            2 => AttemptState::Invited,
            3 => AttemptState::Answered,
            4 => AttemptState::Ended,
            other => return Err(undecodable(format!("the state {other}"))),
        };
        let try_no =
            u8::try_from(row.try_no).map_err(|_| undecodable(format!("try {}", row.try_no)))?;
        Ok(Self {
            id: row.id,
            queued: NewAttempt {
                call_id: CallId::new(row.call_id),
                conversation_id: ConversationId::new(row.conversation_id),
                request_id: RequestId::new(row.request_id),
                account: AccountId::new(row.account),
                application: ApplicationId::new(row.application),
                lane,
                to_number: row.to_number,
                to_shown: row.to_shown,
                from_number: row.from_number,
                due_at: Micros(row.due_at),
                deadline_at: Micros(row.deadline_at),
                rule: row.rule,
                created_at: Micros(row.created_at),
            },
            state,
            node: row.node,
            lease_until: row.lease_until.map(Micros),
            invited_at: row.invited_at.map(Micros),
            trunk: row.trunk,
            try_no,
            ring_at: row.ring_at.map(Micros),
            answered_at: row.answered_at.map(Micros),
            ended_at: row.ended_at.map(Micros),
            dialog: row.dialog,
            input_key: row.input_key.and_then(|key| key.chars().next()),
            left_as: row.left_as,
            cancelled_at: row.cancelled_at.map(Micros),
        })
    }
}

fn read_all(rows: Vec<Model>) -> Result<Vec<Attempt>, StoreError> {
    rows.into_iter().map(Attempt::try_from).collect()
}

/// Queues attempts, their request being stored already (in the same transaction at the latest).
///
/// # Errors
/// [`StoreError::Conflict`] where a call identifier is taken or the request is not there.
pub async fn insert(tx: &impl ConnectionTrait, new: &[NewAttempt]) -> Result<(), StoreError> {
    // A statement takes 32,766 parameters on SQLite, and a row has 26.
    for part in new.chunks(BULK_ROWS) {
        Entity::insert_many(part.iter().map(row)).exec_without_returning(tx).await?;
    }
    Ok(())
}

fn row(new: &NewAttempt) -> ActiveModel {
    ActiveModel {
        id: NotSet,
        call_id: Set(new.call_id.to_string()),
        conversation_id: Set(new.conversation_id.to_string()),
        request_id: Set(new.request_id.to_string()),
        account: Set(new.account.to_string()),
        application: Set(new.application.to_string()),
        lane: Set(new.lane as i16),
        to_number: Set(new.to_number.clone()),
        to_shown: Set(new.to_shown.clone()),
        state: Set(AttemptState::Queued as i16),
        due_at: Set(new.due_at.0),
        deadline_at: Set(new.deadline_at.0),
        node: Set(None),
        lease_until: Set(None),
        invited_at: Set(None),
        trunk: Set(None),
        try_no: Set(0),
        from_number: Set(new.from_number.clone()),
        ring_at: Set(None),
        answered_at: Set(None),
        ended_at: Set(None),
        dialog: Set(None),
        input_key: Set(None),
        rule: Set(new.rule.clone()),
        created_at: Set(new.created_at.0),
        left_as: Set(None),
        cancelled_at: Set(None),
    }
}

/// The attempts of a request, in the order in which they were queued.
///
/// # Errors
/// Those of a read.
pub async fn of_request(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    request: &RequestId,
) -> Result<Vec<Attempt>, StoreError> {
    let rows = Entity::find()
        .filter(Column::RequestId.eq(request.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .order_by_asc(Column::Id)
        .all(connection)
        .await?;
    read_all(rows)
}

/// The requests among these that have been dialled for, as far as their attempts are kept.
///
/// # Errors
/// Those of a read.
pub async fn dialled(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    requests: &[RequestId],
) -> Result<Vec<RequestId>, StoreError> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<String> = Entity::find()
        .select_only()
        .column(Column::RequestId)
        .distinct()
        .filter(Column::RequestId.is_in(requests.iter().map(RequestId::as_str)))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::InvitedAt.is_not_null())
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(RequestId::new).collect())
}

/// The attempt of a call.
///
/// # Errors
/// Those of a read.
pub async fn of_call(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    call: &CallId,
) -> Result<Option<Attempt>, StoreError> {
    Entity::find()
        .filter(Column::CallId.eq(call.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .one(connection)
        .await?
        .map(Attempt::try_from)
        .transpose()
}

/// How many of the account's attempts wait in a lane.
///
/// # Errors
/// Those of a read.
pub async fn queue_len(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    lane: AttemptLane,
) -> Result<u64, StoreError> {
    claim::count_queued(connection, account, lane).await
}
