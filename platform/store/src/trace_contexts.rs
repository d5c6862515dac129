//! To which distributed trace (W3C Trace Context) a request and a callback belong, so that a trace
//! goes on behind the rows, after a restart too. Written only while traces are exported.
//!
//! Keys are identifiers of ours that no tenant chooses, and no tenant reads the rows.

/// What the platform needs across tenants.
pub mod platform_side {
    use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, sea_query::OnConflict};
    use yunling_domain::Micros;

    use crate::{
        StoreError,
        backend::in_time,
        entity::trace_context::{ActiveModel, Column, Entity},
    };

    /// Notes the traceparent that goes on with a request or a delivery. The first one stays.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn note(
        tx: &impl ConnectionTrait,
        key: &str,
        traceparent: &str,
        at: Micros,
    ) -> Result<(), StoreError> {
        let row = ActiveModel {
            key: Set(key.to_owned()),
            traceparent: Set(traceparent.to_owned()),
            created_at: Set(at.0),
        };
        let first_stays = OnConflict::column(Column::Key).do_nothing().to_owned();
        Entity::insert(row).on_conflict(first_stays).exec_without_returning(tx).await?;
        Ok(())
    }

    /// What was noted. A call waits for it, so it is given up like any look that a call waits for.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn get(
        connection: &impl ConnectionTrait,
        key: &str,
    ) -> Result<Option<String>, StoreError> {
        let row = in_time(async { Ok(Entity::find_by_id(key).one(connection).await?) }).await?;
        Ok(row.map(|row| row.traceparent))
    }

    /// Deletes notes from before `before`, at most `limit` of them. Gives how many.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn purge(
        tx: &impl ConnectionTrait,
        before: Micros,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM trace_context WHERE key IN (\
                   SELECT key FROM trace_context WHERE created_at < ? \
                   ORDER BY created_at LIMIT ?)";
        let values = vec![before.0.into(), i64::from(limit).into()];
        let statement = crate::backend::statement(tx.get_database_backend(), sql, values);
        Ok(tx.execute_raw(statement).await?.rows_affected())
    }
}
