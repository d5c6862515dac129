//! Recordings of conversations: what there is, whose it is, and where its file lies. A row outlives
//! its file, so that a link can say that the recording was deleted.
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};
use yunling_domain::{AccountId, ApplicationId, ConversationId, Micros, RecordingId};

use crate::{
    Cursor, Page, PageRequest, StoreError, TimeRange, compare,
    entity::recording::{ActiveModel, Column, Entity, Model},
};

/// How far a recording is. A row goes writing → ready → deleted, or writing → failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordingState {
    /// Its file grows.
    Writing,
    /// Its file is complete and can be had.
    Ready,
    /// There is no file of it.
    Failed,
    /// Its file was deleted.
    Deleted,
}

impl RecordingState {
    const ALL: [Self; 4] = [Self::Writing, Self::Ready, Self::Failed, Self::Deleted];

    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Writing => "writing",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }
}

/// Where a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordingPlace {
    /// In the folder of the node that recorded it.
    Disk,
    /// In the object store.
    Objects,
}

impl RecordingPlace {
    const ALL: [Self; 2] = [Self::Disk, Self::Objects];

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Objects => "objects",
        }
    }
}

/// A recording that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecording {
    /// Its identifier.
    pub id: RecordingId,
    /// Whose it is.
    pub account: AccountId,
    /// The application of its conversation.
    pub application: ApplicationId,
    /// What is recorded.
    pub conversation: ConversationId,
    /// The node that records.
    pub node: String,
    /// The file's name below the folder or the bucket's prefix: `{node}/{day}/{file}`.
    pub key: String,
    /// When it begins.
    pub created_at: Micros,
}

/// A stored recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// As it began.
    pub begun: NewRecording,
    /// How far it is.
    pub state: RecordingState,
    /// Where its file lies.
    pub place: RecordingPlace,
    /// When it became complete.
    pub ready_at: Option<Micros>,
    /// When its file was deleted.
    pub deleted_at: Option<Micros>,
    /// Its length.
    pub duration_ms: u64,
    /// The file's length.
    pub octets: u64,
    /// What could not be written in time, and is silent in it.
    pub lost_ms: u64,
    /// Why there is no file, or an incomplete one.
    pub failure: Option<String>,
}

/// What became of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingEnd {
    /// When.
    pub at: Micros,
    /// Its length.
    pub duration_ms: u64,
    /// The file's length; 0 where there is none, and then the recording has failed.
    pub octets: u64,
    /// What could not be written in time.
    pub lost_ms: u64,
    /// What went wrong.
    pub failure: Option<String>,
}

/// Which recordings a list shows. Conditions are joined by "and".
#[derive(Debug, Clone, Default)]
pub struct RecordingFilter {
    /// Of this application.
    pub application: Option<ApplicationId>,
    /// Of this conversation.
    pub conversation: Option<ConversationId>,
    /// Begun in this range.
    pub created: TimeRange,
}

impl TryFrom<Model> for Recording {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let undecodable = |what: String| StoreError::Undecodable { table: "recording", what };
        let state = RecordingState::ALL.into_iter().find(|state| state.as_str() == row.state);
        let place = RecordingPlace::ALL.into_iter().find(|place| place.as_str() == row.place);
        Ok(Self {
            state: state.ok_or_else(|| undecodable(format!("the state {:?}", row.state)))?,
            place: place.ok_or_else(|| undecodable(format!("the place {:?}", row.place)))?,
            begun: NewRecording {
                id: RecordingId::new(row.id),
                account: AccountId::new(row.account),
                application: ApplicationId::new(row.application),
                conversation: ConversationId::new(row.conversation_id),
                node: row.node,
                key: row.key,
                created_at: Micros(row.created_at),
            },
            ready_at: row.ready_at.map(Micros),
            deleted_at: row.deleted_at.map(Micros),
            duration_ms: row.duration_ms.unsigned_abs(),
            octets: row.octets.unsigned_abs(),
            lost_ms: row.lost_ms.unsigned_abs(),
            failure: row.failure,
        })
    }
}

fn read_all(rows: Vec<Model>) -> Result<Vec<Recording>, StoreError> {
    rows.into_iter().map(Recording::try_from).collect()
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Notes that a recording is about to begin.
///
/// # Errors
/// [`StoreError::Conflict`] where the identifier is taken.
pub async fn insert(tx: &impl ConnectionTrait, new: &NewRecording) -> Result<(), StoreError> {
    let row = ActiveModel {
        id: Set(new.id.to_string()),
        account: Set(new.account.to_string()),
        application: Set(new.application.to_string()),
        conversation_id: Set(new.conversation.to_string()),
        node: Set(new.node.clone()),
        state: Set(RecordingState::Writing.as_str().to_owned()),
        place: Set(RecordingPlace::Disk.as_str().to_owned()),
        key: Set(new.key.clone()),
        created_at: Set(new.created_at.0),
        ready_at: Set(None),
        deleted_at: Set(None),
        duration_ms: Set(0),
        octets: Set(0),
        lost_ms: Set(0),
        failure: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// Notes what became of a recording. Gives false, and changes nothing, where it was noted already.
///
/// # Errors
/// Those of a write.
pub async fn end(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RecordingId,
    end: &RecordingEnd,
) -> Result<bool, StoreError> {
    let state = if end.octets > 0 { RecordingState::Ready } else { RecordingState::Failed };
    let changed = Entity::update_many()
        .col_expr(Column::State, Expr::value(state.as_str()))
        .col_expr(Column::ReadyAt, Expr::value(Some(end.at.0)))
        .col_expr(Column::DurationMs, Expr::value(whole(end.duration_ms)))
        .col_expr(Column::Octets, Expr::value(whole(end.octets)))
        .col_expr(Column::LostMs, Expr::value(whole(end.lost_ms)))
        .col_expr(Column::Failure, Expr::value(end.failure.clone()))
        .filter(Column::Id.eq(id.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.eq(RecordingState::Writing.as_str()))
        .exec(tx)
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Notes that a recording's file is deleted. Gives false where it was not to be had any more.
///
/// # Errors
/// Those of a write.
pub async fn mark_deleted(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RecordingId,
    now: Micros,
) -> Result<bool, StoreError> {
    let changed = Entity::update_many()
        .col_expr(Column::State, Expr::value(RecordingState::Deleted.as_str()))
        .col_expr(Column::DeletedAt, Expr::value(Some(now.0)))
        .filter(Column::Id.eq(id.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.eq(RecordingState::Ready.as_str()))
        .exec(tx)
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Notes that the file of a recording that lay on a node's disk is not there any more, and how that
/// was found. Gives false, and changes nothing, where it was moved or deleted meanwhile.
///
/// # Errors
/// Those of a write.
pub async fn mark_missing(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RecordingId,
    now: Micros,
    found: &str,
) -> Result<bool, StoreError> {
    let changed = Entity::update_many()
        .col_expr(Column::State, Expr::value(RecordingState::Deleted.as_str()))
        .col_expr(Column::DeletedAt, Expr::value(Some(now.0)))
        .col_expr(Column::Failure, Expr::value(Some(found)))
        .filter(Column::Id.eq(id.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.eq(RecordingState::Ready.as_str()))
        .filter(Column::Place.eq(RecordingPlace::Disk.as_str()))
        .exec(tx)
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Notes where a recording's file lies now. Gives false, and changes nothing, where it is not to be
/// had any more: then nobody asks for the file again.
///
/// # Errors
/// Those of a write.
pub async fn mark_moved(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RecordingId,
    place: RecordingPlace,
) -> Result<bool, StoreError> {
    let changed = Entity::update_many()
        .col_expr(Column::Place, Expr::value(place.as_str()))
        .filter(Column::Id.eq(id.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.eq(RecordingState::Ready.as_str()))
        .exec(tx)
        .await?;
    Ok(changed.rows_affected == 1)
}

/// The account's recording of that identifier.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &RecordingId,
) -> Result<Option<Recording>, StoreError> {
    Entity::find_by_id(id.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .one(connection)
        .await?
        .map(Recording::try_from)
        .transpose()
}

/// The recording of the account's conversation.
///
/// # Errors
/// Those of a read.
pub async fn of_conversation(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<Option<Recording>, StoreError> {
    Entity::find()
        .filter(Column::ConversationId.eq(conversation.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .order_by_asc(Column::CreatedAt)
        .one(connection)
        .await?
        .map(Recording::try_from)
        .transpose()
}

/// The recordings of those of the account's conversations that have one.
///
/// # Errors
/// Those of a read.
pub async fn of_conversations(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    conversations: &[ConversationId],
) -> Result<Vec<Recording>, StoreError> {
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find()
        .filter(Column::ConversationId.is_in(conversations.iter().map(ConversationId::as_str)))
        .filter(Column::Account.eq(account.as_str()))
        .all(connection)
        .await?;
    rows.into_iter().map(Recording::try_from).collect()
}

/// The account's recordings, newest first.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    filter: &RecordingFilter,
    page: &PageRequest,
) -> Result<Page<Recording>, StoreError> {
    let mut find = Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(compare::within(Column::CreatedAt, filter.created));
    if let Some(application) = &filter.application {
        find = find.filter(Column::Application.eq(application.as_str()));
    }
    if let Some(conversation) = &filter.conversation {
        find = find.filter(Column::ConversationId.eq(conversation.as_str()));
    }
    if let Some(cursor) = &page.after {
        find = find.filter(compare::after(
            Column::CreatedAt,
            cursor.at,
            Column::Id,
            cursor.id.as_str(),
        ));
    }
    let rows = find
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .limit(page.rows() + 1)
        .all(connection)
        .await?;
    Ok(Page::cut(read_all(rows)?, page, |row| Cursor {
        at: row.begun.created_at,
        id: row.begun.id.to_string(),
    }))
}

/// What the platform needs across tenants.
pub mod platform_side {
    use super::{
        AccountId, ApplicationId, Column, ColumnTrait, ConnectionTrait, Entity, EntityTrait,
        Micros, QueryFilter, QueryOrder, QuerySelect, Recording, RecordingId, RecordingPlace,
        RecordingState, StoreError, read_all,
    };
    use sea_orm::Select;
    use sea_orm::sea_query::ExprTrait as _;

    /// The recording that a signed link names: the signature stands for the tenant.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn get(
        connection: &impl ConnectionTrait,
        id: &RecordingId,
    ) -> Result<Option<Recording>, StoreError> {
        let row = Entity::find_by_id(id.as_str()).one(connection).await?;
        row.map(Recording::try_from).transpose()
    }

    /// Recordings of a node that it was writing.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn unfinished(
        connection: &impl ConnectionTrait,
        node: &str,
    ) -> Result<Vec<Recording>, StoreError> {
        let rows = Entity::find()
            .filter(Column::State.eq(RecordingState::Writing.as_str()))
            .filter(Column::Node.eq(node))
            .order_by_asc(Column::CreatedAt)
            .all(connection)
            .await?;
        read_all(rows)
    }

    /// Complete recordings that lie on a node's disk, after the one that was seen last, the oldest
    /// first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn on_disk(
        connection: &impl ConnectionTrait,
        node: &str,
        seen: Option<(Micros, &RecordingId)>,
        limit: u64,
    ) -> Result<Vec<Recording>, StoreError> {
        let find = Entity::find()
            .filter(Column::State.eq(RecordingState::Ready.as_str()))
            .filter(Column::Place.eq(RecordingPlace::Disk.as_str()))
            .filter(Column::Node.eq(node));
        page(connection, find, seen, limit).await
    }

    async fn page(
        connection: &impl ConnectionTrait,
        mut find: Select<Entity>,
        seen: Option<(Micros, &RecordingId)>,
        limit: u64,
    ) -> Result<Vec<Recording>, StoreError> {
        if let Some((at, id)) = seen {
            let later = Column::CreatedAt.gt(at.0);
            let same = Column::CreatedAt.eq(at.0).and(Column::Id.gt(id.as_str()));
            find = find.filter(later.or(same));
        }
        let rows = find
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .limit(limit)
            .all(connection)
            .await?;
        read_all(rows)
    }

    /// Complete recordings that began before an instant, of one application or of all, after the one
    /// that was seen last, the oldest first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn begun_before(
        connection: &impl ConnectionTrait,
        of: Option<(&AccountId, &ApplicationId)>,
        before: Micros,
        seen: Option<(Micros, &RecordingId)>,
        limit: u64,
    ) -> Result<Vec<Recording>, StoreError> {
        let mut find = Entity::find()
            .filter(Column::State.eq(RecordingState::Ready.as_str()))
            .filter(Column::CreatedAt.lt(before.0));
        if let Some((account, application)) = of {
            find = find
                .filter(Column::Account.eq(account.as_str()))
                .filter(Column::Application.eq(application.as_str()));
        }
        page(connection, find, seen, limit).await
    }
}
