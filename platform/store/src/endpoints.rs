//! Who callbacks go to, with their health. A receiver is a scheme, host and port of an account: an
//! account may put something new into the path each time, and all of it is answered by one server.
//! Single addresses have rows only where they were disabled.
use aws_lc_rs::digest::{SHA256, digest};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};
use yunling_domain::{AccountId, Micros};

use crate::{
    StoreError,
    entity::endpoint::{ActiveModel, Column, Entity, Model},
};

/// A receiver or an address of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its key.
    pub id: i64,
    /// Whose it is.
    pub account: AccountId,
    /// Scheme, host and port of a receiver, or the whole address.
    pub url: String,
    /// When it was disabled; absent while it is in use.
    pub disabled_at: Option<Micros>,
    /// Why it was disabled.
    pub reason: Option<String>,
    /// Attempts that failed since the last success.
    pub consecutive_failures: u32,
    /// When it was first used.
    pub created_at: Micros,
}

impl From<Model> for Endpoint {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            account: AccountId::new(row.account),
            url: row.url,
            disabled_at: row.disabled_at.map(Micros),
            reason: row.reason,
            consecutive_failures: row.consecutive_failures.unsigned_abs(),
            created_at: Micros(row.created_at),
        }
    }
}

/// The account's row for the receiver that an address belongs to, made where it is missing.
///
/// # Errors
/// Those of a write.
pub async fn ensure(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    url: &str,
    now: Micros,
) -> Result<Endpoint, StoreError> {
    let receiver = receiver_of(url);
    // Unlike an address's: an address may be just a scheme, host and port.
    let hash = hash_of(&format!("receiver {receiver}"));
    ensure_row(tx, account, &hash, &receiver, now).await
}

async fn ensure_row(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    url_hash: &str,
    url: &str,
    now: Micros,
) -> Result<Endpoint, StoreError> {
    if let Some(found) = by_hash(tx, account, url_hash).await? {
        return Ok(found);
    }
    let row = ActiveModel {
        id: NotSet,
        account: Set(account.to_string()),
        url_hash: Set(url_hash.to_owned()),
        url: Set(url.to_owned()),
        disabled_at: Set(None),
        reason: Set(None),
        consecutive_failures: Set(0),
        created_at: Set(now.0),
    };
    Entity::insert(row)
        .on_conflict(
            OnConflict::columns([Column::Account, Column::UrlHash]).do_nothing().to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    by_hash(tx, account, url_hash).await?.ok_or(StoreError::NotFound("endpoint"))
}

fn hash_of(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}

/// Scheme, host and port of an address, in one spelling. What is no address is all one receiver's:
/// nothing is ever sent there.
fn receiver_of(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "no address".to_owned() };
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let scheme = scheme.trim().to_ascii_lowercase();
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    let host = host.trim_end_matches(':');
    match scheme.as_str() {
        "http" if !has_port => format!("http://{host}:80"),
        "https" if !has_port => format!("https://{host}:443"),
        _ => format!("{scheme}://{host}"),
    }
}

/// Whether this very address was disabled.
pub(crate) async fn is_disabled_address(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    url: &str,
) -> Result<bool, StoreError> {
    let found = by_hash(connection, account, &hash_of(url)).await?;
    Ok(found.is_some_and(|endpoint| endpoint.disabled_at.is_some()))
}

async fn by_hash(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    url_hash: &str,
) -> Result<Option<Endpoint>, StoreError> {
    Ok(Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::UrlHash.eq(url_hash))
        .one(connection)
        .await?
        .map(Endpoint::from))
}

/// The account's receivers and disabled addresses, in the order of their first use.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
) -> Result<Vec<Endpoint>, StoreError> {
    let rows = Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .order_by_asc(Column::Id)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(Endpoint::from).collect())
}

/// Puts a disabled receiver or address back into use; what was held back for it can be re-sent.
///
/// # Errors
/// [`StoreError::NotFound`] where the account has no such address.
pub async fn enable(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: i64,
) -> Result<(), StoreError> {
    let changed = Entity::update_many()
        .col_expr(Column::DisabledAt, Expr::value(Option::<i64>::None))
        .col_expr(Column::Reason, Expr::value(Option::<String>::None))
        .col_expr(Column::ConsecutiveFailures, Expr::value(0))
        .filter(Column::Id.eq(id))
        .filter(Column::Account.eq(account.as_str()))
        .exec(tx)
        .await?;
    if changed.rows_affected == 0 { Err(StoreError::NotFound("endpoint")) } else { Ok(()) }
}

/// What the platform needs across tenants.
pub mod platform_side {
    use super::{AccountId, Column, ConnectionTrait, Endpoint, Entity, Expr, Micros, StoreError};
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

    /// Disables a receiver that was given up, or an address by its row. What waits for it is held
    /// back by [`hold_back`](crate::deliveries::platform_side::hold_back).
    ///
    /// # Errors
    /// Those of a write.
    pub async fn disable(
        tx: &impl ConnectionTrait,
        id: i64,
        reason: &str,
        now: Micros,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::DisabledAt, Expr::value(now.0))
            .col_expr(Column::Reason, Expr::value(reason))
            .filter(Column::Id.eq(id))
            .filter(Column::DisabledAt.is_null())
            .exec(tx)
            .await?;
        Ok(())
    }

    /// Disables one address of a receiver: it answered 410. Gives the address's key, or none where
    /// it was disabled before.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn disable_address(
        tx: &impl ConnectionTrait,
        account: &AccountId,
        url: &str,
        reason: &str,
        now: Micros,
    ) -> Result<Option<i64>, StoreError> {
        let row = super::ensure_row(tx, account, &super::hash_of(url), url, now).await?;
        if row.disabled_at.is_some() {
            return Ok(None);
        }
        disable(tx, row.id, reason, now).await?;
        Ok(Some(row.id))
    }

    /// Puts a receiver and its address back into use, where they were disabled. Gives those that
    /// were.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn enable_both(
        tx: &impl ConnectionTrait,
        account: &AccountId,
        receiver: i64,
        url: &str,
    ) -> Result<Vec<Endpoint>, StoreError> {
        let receiver = Entity::find_by_id(receiver).one(tx).await?.map(Endpoint::from);
        let address = super::by_hash(tx, account, &super::hash_of(url)).await?;
        let mut enabled = Vec::new();
        for endpoint in receiver.into_iter().chain(address) {
            let known = enabled.iter().any(|one: &Endpoint| one.id == endpoint.id);
            if endpoint.disabled_at.is_some() && !known {
                super::enable(tx, account, endpoint.id).await?;
                enabled.push(endpoint);
            }
        }
        Ok(enabled)
    }

    /// Deletes rows from before `before` that are in use and that no delivery refers to, at most
    /// `limit` of them. Gives how many.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn purge_idle(
        tx: &impl ConnectionTrait,
        before: Micros,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM endpoint WHERE id IN (SELECT e.id FROM endpoint e \
                   WHERE e.disabled_at IS NULL AND e.created_at < ? \
                   AND NOT EXISTS (SELECT 1 FROM delivery d \
                                   WHERE d.account = e.account AND d.endpoint_id = e.id) \
                   ORDER BY e.id LIMIT ?)";
        let values = vec![before.0.into(), i64::from(limit).into()];
        let statement = crate::backend::statement(tx.get_database_backend(), sql, values);
        Ok(tx.execute_raw(statement).await?.rows_affected())
    }

    /// Disabled receivers and addresses, for the alarm.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn disabled(connection: &impl ConnectionTrait) -> Result<Vec<Endpoint>, StoreError> {
        let rows = Entity::find()
            .filter(Column::DisabledAt.is_not_null())
            .order_by_asc(Column::Id)
            .all(connection)
            .await?;
        Ok(rows.into_iter().map(Endpoint::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_server_are_one_receivers() {
        let cases = [
            ("http://a.example/x?order=1", "http://a.example:80"),
            ("HTTP://A.example:80/y", "http://a.example:80"),
            ("http://a.example?z", "http://a.example:80"),
            ("https://a.example", "https://a.example:443"),
            ("https://user:secret@a.example:8443/#top", "https://a.example:8443"),
            ("https://[2001:db8::1]/x", "https://[2001:db8::1]:443"),
            ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443"),
            ("nonsense", "no address"),
        ];
        for (url, receiver) in cases {
            assert_eq!(receiver_of(url), receiver, "{url}");
        }
    }
}
