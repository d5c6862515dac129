//! Exports of call records, and ranges of them that are pushed again: rows that a worker takes, goes
//! on with from its last checkpoint whatever died in between, and ends.
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, sea_query::Expr,
};
use serde_json::Value;
use yunling_domain::{AccountId, Micros};

use crate::{
    Cursor, Page, PageRequest, StoreError, backend,
    cdrs::CdrFilter,
    compare,
    entity::cdr_export::{ActiveModel, Column, Entity, Model},
};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident $text:literal)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            const ALL: &[Self] = &[$(Self::$variant),+];

            /// As stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            pub(crate) fn parse(text: &str, table: &'static str) -> Result<Self, StoreError> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or_else(|| {
                    StoreError::Undecodable { table, what: format!("{text:?}") }
                })
            }
        }
    )+};
}

words! {
    /// What becomes of the records.
    ExportFormat {
        /// A table of legs, RFC 4180.
        Csv "csv"
        /// An object a line.
        Lines "jsonl"
        /// A workbook.
        Workbook "xlsx"
        /// No file: callbacks of up to 500 records each.
        Push "push"
    }
    /// How far an export is: waiting → running → ready → expired, or failed, or cancelled.
    ExportState {
        /// Nobody has begun.
        Waiting "waiting"
        /// It is being written.
        Running "running"
        /// Its file can be had; of a push: every callback is in the outbox.
        Ready "ready"
        /// It came to nothing.
        Failed "failed"
        /// The tenant wants it no more.
        Cancelled "cancelled"
        /// Its file was deleted when its time was over.
        Expired "expired"
    }
}

/// An export as it is ordered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewExport {
    /// Its identifier.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// Who ordered it, as audit rows name it.
    pub who: String,
    /// What becomes of the records.
    pub format: ExportFormat,
    /// Which records.
    pub filter: CdrFilter,
    /// Whether whoever ordered it sees masked numbers.
    pub sees_numbers: bool,
    /// Whether whoever ordered it may listen to recordings.
    pub sees_recordings: bool,
    /// The schedule that it comes from.
    pub schedule: Option<String>,
    /// When it was ordered.
    pub created_at: Micros,
    /// When it may begin.
    pub due_at: Micros,
}

/// How much of an export is done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Records.
    pub records: u64,
    /// The file's length.
    pub octets: u64,
    /// The start of the last record: newest first, so what is older is still to come.
    pub reached_at: Option<Micros>,
    /// What the writer goes on from; its own words.
    pub checkpoint: Option<Value>,
}

/// A stored export.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// As it was ordered.
    pub ordered: NewExport,
    /// How far it is.
    pub state: ExportState,
    /// How much is done.
    pub progress: Progress,
    /// The node on whose disk the file lies; none: it lies in the object store, or is not begun.
    pub node: Option<String>,
    /// When it ended.
    pub finished_at: Option<Micros>,
    /// When the file is deleted.
    pub expires_at: Option<Micros>,
    /// Why it came to nothing.
    pub failure: Option<String>,
}

/// Who writes an export, and until when nobody else may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The node.
    pub node: String,
    /// A name of its own for each time that an export is taken.
    pub name: String,
    /// The end of the lease.
    pub until: Micros,
}

impl TryFrom<Model> for Export {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let filter = serde_json::from_value(row.filter).map_err(|error| {
            StoreError::Undecodable { table: "cdr_export", what: error.to_string() }
        })?;
        Ok(Self {
            state: ExportState::parse(&row.state, "cdr_export")?,
            progress: Progress {
                records: row.records.unsigned_abs(),
                octets: row.octets.unsigned_abs(),
                reached_at: row.reached_at.map(Micros),
                checkpoint: row.checkpoint,
            },
            node: row.node,
            finished_at: row.finished_at.map(Micros),
            expires_at: row.expires_at.map(Micros),
            failure: row.failure,
            ordered: NewExport {
                format: ExportFormat::parse(&row.format, "cdr_export")?,
                id: row.id,
                account: AccountId::new(row.account),
                who: row.who,
                filter,
                sees_numbers: row.sees_numbers != 0,
                sees_recordings: row.sees_recordings != 0,
                schedule: row.schedule_id,
                created_at: Micros(row.created_at),
                due_at: Micros(row.due_at),
            },
        })
    }
}

/// The filter as it is stored.
pub(crate) fn filter_of(filter: &CdrFilter) -> Result<Value, StoreError> {
    serde_json::to_value(filter)
        .map_err(|error| StoreError::Statement(format!("a filter is no JSON: {error}")))
}

/// Stores an order.
///
/// # Errors
/// [`StoreError::Conflict`] where the identifier is taken.
pub async fn insert(tx: &impl ConnectionTrait, new: &NewExport) -> Result<(), StoreError> {
    let row = ActiveModel {
        id: Set(new.id.clone()),
        account: Set(new.account.to_string()),
        who: Set(new.who.clone()),
        format: Set(new.format.as_str().to_owned()),
        state: Set(ExportState::Waiting.as_str().to_owned()),
        filter: Set(filter_of(&new.filter)?),
        sees_numbers: Set(new.sees_numbers.into()),
        sees_recordings: Set(new.sees_recordings.into()),
        schedule_id: Set(new.schedule.clone()),
        created_at: Set(new.created_at.0),
        due_at: Set(new.due_at.0),
        node: Set(None),
        holder: Set(None),
        lease_until: Set(None),
        checkpoint: Set(None),
        records: Set(0),
        octets: Set(0),
        reached_at: Set(None),
        finished_at: Set(None),
        expires_at: Set(None),
        failure: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// The account's export of that identifier.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &str,
) -> Result<Option<Export>, StoreError> {
    let row =
        Entity::find_by_id(id).filter(Column::Account.eq(account.as_str())).one(connection).await?;
    row.map(Export::try_from).transpose()
}

/// The account's exports, newest first.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    page: &PageRequest,
) -> Result<Page<Export>, StoreError> {
    let mut find = Entity::find().filter(Column::Account.eq(account.as_str()));
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
    let rows = rows.into_iter().map(Export::try_from).collect::<Result<Vec<_>, _>>()?;
    let key = |row: &Export| Cursor { at: row.ordered.created_at, id: row.ordered.id.clone() };
    Ok(Page::cut(rows, page, key))
}

/// How many of the account's exports are not over.
///
/// # Errors
/// Those of a read.
pub async fn open(
    connection: &impl ConnectionTrait,
    account: &AccountId,
) -> Result<u64, StoreError> {
    Ok(Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(Expr::cust("finished_at IS NULL"))
        .count(connection)
        .await?)
}

/// Ends an export that the tenant wants no more; a worker that writes it finds out at its next
/// checkpoint. Of one that is ready the file is deleted soon. Gives false where there was nothing to
/// end.
///
/// # Errors
/// Those of a write.
pub async fn cancel(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &str,
    now: Micros,
) -> Result<bool, StoreError> {
    let endable =
        [ExportState::Waiting, ExportState::Running, ExportState::Ready].map(ExportState::as_str);
    let changed = Entity::update_many()
        .col_expr(Column::State, Expr::value(ExportState::Cancelled.as_str()))
        .col_expr(Column::Holder, Expr::value(Option::<String>::None))
        .col_expr(Column::LeaseUntil, Expr::value(Option::<i64>::None))
        .col_expr(Column::FinishedAt, Expr::value(now.0))
        .col_expr(Column::ExpiresAt, Expr::value(now.0))
        .filter(Column::Id.eq(id))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.is_in(endable))
        .exec(tx)
        .await?;
    Ok(changed.rows_affected == 1)
}

/// What the platform needs across tenants: the worker's side.
pub mod platform_side {
    use super::{
        Column, ConnectionTrait, Entity, Export, ExportState, Expr, Holder, Micros, Progress,
        StoreError, backend,
    };
    use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

    /// The export of that identifier.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn get(
        connection: &impl ConnectionTrait,
        id: &str,
    ) -> Result<Option<Export>, StoreError> {
        Entity::find_by_id(id).one(connection).await?.map(Export::try_from).transpose()
    }

    /// Takes the export that has been due longest, of an account none of whose exports is being
    /// written by another node.
    ///
    /// What lies on this node is this node's at once: a node writes one export at a time, so whoever
    /// held it was a process that has died. What lies on another node is left to it while it lives,
    /// and then begun anew; a push, which has no file, is gone on with by any node when the lease has
    /// run out.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn take(
        tx: &impl ConnectionTrait,
        holder: &Holder,
        now: Micros,
    ) -> Result<Option<Export>, StoreError> {
        let sql = "SELECT id FROM cdr_export WHERE finished_at IS NULL AND due_at <= ? \
             AND (node = ? OR (lease_until IS NULL OR lease_until <= ?) \
                  AND (node IS NULL OR format = 'push' OR NOT EXISTS \
                       (SELECT 1 FROM node_lease WHERE node_lease.node = cdr_export.node \
                        AND node_lease.until > ?))) \
             AND NOT EXISTS (SELECT 1 FROM cdr_export AS held WHERE held.finished_at IS NULL \
                             AND held.account = cdr_export.account AND held.lease_until > ? \
                             AND held.node <> ?) \
             ORDER BY due_at, id LIMIT 1";
        let node = || holder.node.as_str().into();
        let values = vec![now.0.into(), node(), now.0.into(), now.0.into(), now.0.into(), node()];
        let backend = tx.get_database_backend();
        let found = tx.query_one_raw(backend::statement(backend, sql, values)).await?;
        let Some(row) = found else { return Ok(None) };
        let id: String = row.try_get("", "id")?;
        let sql = "UPDATE cdr_export SET state = ?, \
             records = CASE WHEN node = ? OR format = 'push' THEN records ELSE 0 END, \
             octets = CASE WHEN node = ? OR format = 'push' THEN octets ELSE 0 END, \
             checkpoint = CASE WHEN node = ? OR format = 'push' THEN checkpoint ELSE NULL END, \
             node = ?, holder = ?, lease_until = ? \
             WHERE id = ? AND finished_at IS NULL \
             AND (node = ? OR lease_until IS NULL OR lease_until <= ?)";
        let values = vec![
            ExportState::Running.as_str().into(),
            node(),
            node(),
            node(),
            node(),
            holder.name.as_str().into(),
            holder.until.0.into(),
            id.as_str().into(),
            node(),
            now.0.into(),
        ];
        let taken = tx.execute_raw(backend::statement(backend, sql, values)).await?;
        if taken.rows_affected() == 0 {
            return Ok(None);
        }
        get(tx, &id).await
    }

    /// Keeps how much is done, and the lease. Gives false where the export is this holder's no more:
    /// it was cancelled, or another took it over.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn keep(
        tx: &impl ConnectionTrait,
        id: &str,
        holder: &Holder,
        progress: &Progress,
    ) -> Result<bool, StoreError> {
        let changed = Entity::update_many()
            .col_expr(Column::Records, Expr::value(progress.records.cast_signed()))
            .col_expr(Column::Octets, Expr::value(progress.octets.cast_signed()))
            .col_expr(Column::ReachedAt, Expr::value(progress.reached_at.map(|at| at.0)))
            .col_expr(Column::Checkpoint, Expr::value(progress.checkpoint.clone()))
            .col_expr(Column::LeaseUntil, Expr::value(holder.until.0))
            .filter(Column::Id.eq(id))
            .filter(Column::Holder.eq(holder.name.as_str()))
            .filter(Expr::cust("finished_at IS NULL"))
            .exec(tx)
            .await?;
        Ok(changed.rows_affected == 1)
    }

    /// Gives an export back until `due_at`.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn give_back(
        tx: &impl ConnectionTrait,
        id: &str,
        holder: &Holder,
        due_at: Micros,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::Holder, Expr::value(Option::<String>::None))
            .col_expr(Column::LeaseUntil, Expr::value(Option::<i64>::None))
            .col_expr(Column::DueAt, Expr::value(due_at.0))
            .filter(Column::Id.eq(id))
            .filter(Column::Holder.eq(holder.name.as_str()))
            .exec(tx)
            .await?;
        Ok(())
    }

    /// How an export ended.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ExportEnd {
        /// When.
        pub at: Micros,
        /// When its file is deleted.
        pub expires_at: Option<Micros>,
        /// Whether its file lies in the object store, and on no node's disk.
        pub in_objects: bool,
        /// Why it came to nothing; absent: it is ready.
        pub failure: Option<String>,
    }

    /// Ends an export. Gives false where it is this holder's no more.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn end(
        tx: &impl ConnectionTrait,
        id: &str,
        holder: &Holder,
        end: &ExportEnd,
    ) -> Result<bool, StoreError> {
        let state = match end.failure {
            None => ExportState::Ready,
            Some(_) => ExportState::Failed,
        };
        let mut update = Entity::update_many();
        if end.in_objects {
            update = update.col_expr(Column::Node, Expr::value(Option::<String>::None));
        }
        let changed = update
            .col_expr(Column::State, Expr::value(state.as_str()))
            .col_expr(Column::FinishedAt, Expr::value(end.at.0))
            .col_expr(Column::ExpiresAt, Expr::value(end.expires_at.map(|at| at.0)))
            .col_expr(Column::Failure, Expr::value(end.failure.clone()))
            .col_expr(Column::Holder, Expr::value(Option::<String>::None))
            .col_expr(Column::LeaseUntil, Expr::value(Option::<i64>::None))
            .filter(Column::Id.eq(id))
            .filter(Column::Holder.eq(holder.name.as_str()))
            .filter(Expr::cust("finished_at IS NULL"))
            .exec(tx)
            .await?;
        Ok(changed.rows_affected == 1)
    }

    /// At most `limit` exports whose files, on this node or in the object store, have served their
    /// time.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn expired(
        connection: &impl ConnectionTrait,
        node: &str,
        now: Micros,
        limit: u64,
    ) -> Result<Vec<Export>, StoreError> {
        let rows = Entity::find()
            .filter(Column::ExpiresAt.lte(now.0))
            .filter(Condition::any().add(Column::Node.eq(node)).add(Column::Node.is_null()))
            .order_by_asc(Column::ExpiresAt)
            .limit(limit)
            .all(connection)
            .await?;
        rows.into_iter().map(Export::try_from).collect()
    }

    /// Notes that an export's file is deleted. One that was cancelled or failed stays so.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn mark_expired(tx: &impl ConnectionTrait, id: &str) -> Result<(), StoreError> {
        let sql = "UPDATE cdr_export SET expires_at = NULL, \
                   state = CASE WHEN state = 'ready' THEN 'expired' ELSE state END WHERE id = ?";
        let statement = backend::statement(tx.get_database_backend(), sql, vec![id.into()]);
        tx.execute_raw(statement).await?;
        Ok(())
    }
}
