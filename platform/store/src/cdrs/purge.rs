use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use yunling_domain::{AccountId, ConversationId, Micros, RequestId};

use crate::{
    Cursor, StoreError, backend, compare,
    deliveries::DeliveryState,
    entity::{call, click, conversation, delivery, talk},
    requests::RequestState,
};

/// A call whose time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Old {
    /// Its place in the order of the account's calls.
    pub place: Cursor,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The request that asked for it.
    pub request: RequestId,
}

/// The account's calls that were begun before `before`, oldest first, at most `limit` behind `after`.
///
/// # Errors
/// Those of a read.
pub async fn begun_before(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    before: Micros,
    after: Option<&Cursor>,
    limit: u64,
) -> Result<Vec<Old>, StoreError> {
    let mut find = call::Entity::find()
        .select_only()
        .columns([
            call::Column::StartedAt,
            call::Column::CallId,
            call::Column::ConversationId,
            call::Column::RequestId,
        ])
        .filter(call::Column::Account.eq(account.as_str()))
        .filter(call::Column::StartedAt.lt(before.0));
    if let Some(after) = after {
        let place =
            Expr::tuple([Expr::col(call::Column::StartedAt), Expr::col(call::Column::CallId)]);
        find = find
            .filter(place.gt(Expr::tuple([Expr::val(after.at.0), Expr::val(after.id.as_str())])));
    }
    let rows: Vec<(i64, String, String, String)> = find
        .order_by_asc(call::Column::StartedAt)
        .order_by_asc(call::Column::CallId)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?;
    let old = |(at, id, conversation, request): (i64, String, String, String)| Old {
        place: Cursor { at: Micros(at), id },
        conversation: ConversationId::new(conversation),
        request: RequestId::new(request),
    };
    Ok(rows.into_iter().map(old).collect())
}

/// Deletes conversations with their call records, stories and callbacks (but those that are still to
/// be delivered), and those of the requests of which nothing else is left. Gives how many calls.
///
/// # Errors
/// Those of a write.
pub async fn purge(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    old: &[Old],
) -> Result<u64, StoreError> {
    if old.is_empty() {
        return Ok(0);
    }
    let account = account.as_str();
    let conversations = || old.iter().map(|old| old.conversation.as_str());
    let calls = call::Entity::delete_many()
        .filter(call::Column::ConversationId.is_in(conversations()))
        .filter(compare::besides(call::Column::Account, account))
        .exec(tx)
        .await?;
    conversation::Entity::delete_many()
        .filter(conversation::Column::Id.is_in(conversations()))
        .filter(conversation::Column::Account.eq(account))
        .exec(tx)
        .await?;
    talk::Entity::delete_many()
        .filter(talk::Column::ConversationId.is_in(conversations()))
        .filter(talk::Column::Account.eq(account))
        .exec(tx)
        .await?;
    click::Entity::delete_many()
        .filter(click::Column::ConversationId.is_in(conversations()))
        .filter(click::Column::Account.eq(account))
        .exec(tx)
        .await?;
    delivery::Entity::delete_many()
        .filter(delivery::Column::ConversationId.is_in(conversations()))
        .filter(compare::besides(delivery::Column::Account, account))
        .filter(delivery::Column::State.ne(DeliveryState::Pending as i16))
        .exec(tx)
        .await?;
    requests(tx, account, old).await?;
    Ok(calls.rows_affected)
}

/// A request goes with the last of its calls, once all of them had their results; an attempt that
/// has ended refers to it for some days more.
async fn requests(tx: &impl ConnectionTrait, account: &str, old: &[Old]) -> Result<(), StoreError> {
    let marks = vec!["?"; old.len()].join(", ");
    let sql = format!(
        "DELETE FROM request WHERE id IN ({marks}) AND account = ? AND state = ? \
         AND kind <> 'campaign' \
         AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.request_id = request.id) \
         AND NOT EXISTS (SELECT 1 FROM \"call\" AS c \
                         WHERE c.account = request.account AND c.request_id = request.id)"
    );
    let mut values: Vec<sea_orm::Value> =
        old.iter().map(|old| old.request.as_str().into()).collect();
    values.push(account.into());
    values.push(RequestState::Finished.as_str().into());
    tx.execute_raw(backend::statement(tx.get_database_backend(), &sql, values)).await?;
    Ok(())
}
