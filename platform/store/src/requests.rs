//! Requests that were accepted.
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, sea_query::Expr,
};
use serde_json::Value;
use yunling_domain::{AccountId, ApplicationId, Micros, RequestId};

use crate::{
    Cursor, Page, PageRequest, RequestKind, StoreError, TimeRange, compare,
    entity::{
        attempt, batch, campaign,
        request::{ActiveModel, Column, Entity, Model},
    },
};

/// A request as it is accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRequest {
    /// Its `requestid`.
    pub id: RequestId,
    /// Whose it is.
    pub account: AccountId,
    /// The application it was made for.
    pub application: ApplicationId,
    /// What was asked for.
    pub kind: RequestKind,
    /// What is to be done: a serialised `NoticeSpec`, for a click its `ClickSpec`, for a campaign its
    /// `CampaignContents`.
    pub spec: Value,
    /// The callee as the customer wrote it; empty for a batch, whose numbers are many.
    pub to_raw: String,
    /// The customer's own text, echoed in callbacks.
    pub userdata: Option<String>,
    /// Callback addresses that override the application's.
    pub urls: Value,
    /// The line number to be shown, national form; absent: the account's first.
    pub from_number: Option<String>,
    /// The SoftVersion, echoed as `apiVersion`.
    pub api_version: String,
    /// When it was accepted.
    pub created_at: Micros,
}

/// A stored request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// As it was accepted.
    pub accepted: NewRequest,
    /// How far it is.
    pub state: RequestState,
}

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestState {
    /// Accepted; its calls are queued, running or ended.
    Accepted,
    /// A batch whose numbers are still being written.
    Expanding,
    /// Withdrawn by the tenant or an operator.
    Cancelled,
    /// Every number has its result.
    Finished,
}

impl RequestState {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Expanding => "expanding",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        [Self::Accepted, Self::Expanding, Self::Cancelled, Self::Finished]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Undecodable {
                table: "request",
                what: format!("the state {text:?}"),
            })
    }
}

/// Which requests a list shows.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Of this application.
    pub application: Option<ApplicationId>,
    /// Of this kind.
    pub kind: Option<RequestKind>,
    /// Accepted in this range.
    pub created: TimeRange,
}

/// Which part of the live requests is looked at.
#[derive(Debug, Clone, Default)]
pub struct LiveWindow {
    /// Those behind this one.
    pub after: Option<RequestId>,
    /// Those that were accepted from then on.
    pub accepted_since: Option<Micros>,
}

impl TryFrom<Model> for Request {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            state: RequestState::parse(&row.state)?,
            accepted: NewRequest {
                kind: RequestKind::parse(&row.kind, "request")?,
                id: RequestId::new(row.id),
                account: AccountId::new(row.account),
                application: ApplicationId::new(row.application),
                spec: row.spec,
                to_raw: row.to_raw,
                userdata: row.userdata,
                urls: row.urls,
                from_number: row.from_number,
                api_version: row.api_version,
                created_at: Micros(row.created_at),
            },
        })
    }
}

/// Stores a request; a batch begins as [`RequestState::Expanding`].
///
/// # Errors
/// [`StoreError::Conflict`] where the identifier is taken.
pub async fn insert(tx: &impl ConnectionTrait, new: &NewRequest) -> Result<(), StoreError> {
    let state = match new.kind {
        RequestKind::Batch => RequestState::Expanding,
        RequestKind::Notice | RequestKind::Captcha | RequestKind::Click | RequestKind::Campaign => {
            RequestState::Accepted
        }
    };
    let row = ActiveModel {
        id: Set(new.id.to_string()),
        account: Set(new.account.to_string()),
        application: Set(new.application.to_string()),
        kind: Set(new.kind.as_str().to_owned()),
        state: Set(state.as_str().to_owned()),
        spec: Set(new.spec.clone()),
        to_raw: Set(new.to_raw.clone()),
        userdata: Set(new.userdata.clone()),
        urls: Set(new.urls.clone()),
        from_number: Set(new.from_number.clone()),
        api_version: Set(new.api_version.clone()),
        created_at: Set(new.created_at.0),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// # Errors
/// [`StoreError::NotFound`] where the account has no such request.
pub async fn set_state(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    state: RequestState,
) -> Result<(), StoreError> {
    let changed = Entity::update_many()
        .col_expr(Column::State, Expr::value(state.as_str()))
        .filter(Column::Id.eq(id.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .exec(tx)
        .await?;
    if changed.rows_affected == 0 { Err(StoreError::NotFound("request")) } else { Ok(()) }
}

/// The account's request of that identifier.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<Option<Request>, StoreError> {
    Entity::find_by_id(id.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .one(connection)
        .await?
        .map(Request::try_from)
        .transpose()
}

/// Those of the account's requests, in no order.
///
/// # Errors
/// Those of a read.
pub async fn these(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    ids: &[RequestId],
) -> Result<Vec<Request>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find()
        .filter(Column::Id.is_in(ids.iter().map(RequestId::as_str)))
        .filter(Column::Account.eq(account.as_str()))
        .all(connection)
        .await?;
    rows.into_iter().map(Request::try_from).collect()
}

/// The customer's own text of those of the account's requests that have one.
///
/// # Errors
/// Those of a read.
pub async fn user_data(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    ids: &[RequestId],
) -> Result<Vec<(RequestId, String)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, Option<String>)> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::Userdata])
        .filter(Column::Id.is_in(ids.iter().map(RequestId::as_str)))
        .filter(Column::Account.eq(account.as_str()))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().filter_map(|(id, text)| Some((RequestId::new(id), text?))).collect())
}

/// The account's requests, newest first.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    filter: &RequestFilter,
    page: &PageRequest,
) -> Result<Page<Request>, StoreError> {
    let mut find = Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(compare::within(Column::CreatedAt, filter.created));
    if let Some(application) = &filter.application {
        find = find.filter(Column::Application.eq(application.as_str()));
    }
    if let Some(kind) = filter.kind {
        find = find.filter(Column::Kind.eq(kind.as_str()));
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
    let rows = rows.into_iter().map(Request::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut(rows, page, |row| Cursor {
        at: row.accepted.created_at,
        id: row.accepted.id.to_string(),
    }))
}

/// At most `limit` of the application's requests, by identifier, of which a call waits, runs or is
/// still to be written.
///
/// # Errors
/// Those of a read.
pub async fn live(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    application: &ApplicationId,
    window: &LiveWindow,
    limit: u64,
) -> Result<Vec<Request>, StoreError> {
    let of_live_calls = attempt::Entity::find()
        .select_only()
        .column(attempt::Column::RequestId)
        .filter(attempt::Column::Account.eq(account.as_str()))
        .filter(attempt::Column::Application.eq(application.as_str()))
        // The conditions of two partial indexes, word for word: ended rows are many.
        .filter(Expr::cust("(state = 0 OR state IN (1, 2, 3))"));
    // A batch's numbers are rows of its own until they are queued.
    let of_live_batches = batch::Entity::find()
        .select_only()
        .column(batch::Column::RequestId)
        .filter(batch::Column::Account.eq(account.as_str()))
        .filter(Expr::cust("finished_at IS NULL"));
    // A campaign's contents are chosen long before its first call.
    let of_live_campaigns = campaign::Entity::find()
        .select_only()
        .column(campaign::Column::RequestId)
        .filter(campaign::Column::Account.eq(account.as_str()))
        .filter(Expr::cust("finished_at IS NULL"));
    let live = Condition::any()
        .add(Column::State.eq(RequestState::Expanding.as_str()))
        .add(Column::Id.in_subquery(of_live_batches.into_query()))
        .add(Column::Id.in_subquery(of_live_campaigns.into_query()))
        .add(Column::Id.in_subquery(of_live_calls.into_query()));
    let mut find = Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::Application.eq(application.as_str()))
        .filter(live);
    if let Some(after) = &window.after {
        find = find.filter(Column::Id.gt(after.as_str()));
    }
    if let Some(since) = window.accepted_since {
        find = find.filter(Column::CreatedAt.gte(since.0));
    }
    let rows = find.order_by_asc(Column::Id).limit(limit).all(connection).await?;
    rows.into_iter().map(Request::try_from).collect()
}

/// What the platform needs across tenants.
pub mod platform_side {
    use super::{ConnectionTrait, Entity, Request, RequestId, StoreError};
    use sea_orm::EntityTrait;

    use crate::backend::in_time;

    /// The request that an attempt belongs to.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn get(
        connection: &impl ConnectionTrait,
        id: &RequestId,
    ) -> Result<Option<Request>, StoreError> {
        let find = Entity::find_by_id(id.as_str());
        let row = in_time(async { Ok(find.one(connection).await?) }).await?;
        row.map(Request::try_from).transpose()
    }
}
