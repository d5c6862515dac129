use futures_util::future::BoxFuture;
use sea_orm::DatabaseConnection;

use crate::StoreError;

/// Makes the writer's connection, at the start and again after one had to be thrown away.
pub(crate) struct Connector(Box<dyn Fn() -> Attempt + Send + Sync>);

type Attempt = BoxFuture<'static, Result<DatabaseConnection, StoreError>>;

impl Connector {
    pub(crate) fn new(connect: impl Fn() -> Attempt + Send + Sync + 'static) -> Self {
        Self(Box::new(connect))
    }

    pub(crate) async fn connect(&self) -> Result<DatabaseConnection, StoreError> {
        (self.0)().await
    }
}
