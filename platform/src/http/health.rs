//! Whether this node can take calls: its database takes writes, its SIP sockets are bound, and it
//! is not about to stop. Trunks that are down do not count: they show elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use poem::http::StatusCode;
use poem::web::{Data, Json};
use poem::{IntoResponse as _, Response, handler};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use yunling_app::App;
use yunling_switch::Switch;

use crate::node::Node;

/// A database that does not take a write within this time is of no use to a caller.
const WRITABLE_WITHIN: Duration = Duration::from_secs(3);

/// How often the database is looked at, however often somebody asks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What health is judged by.
pub(super) struct Health {
    app: App,
    switch: Option<Switch>,
    draining: CancellationToken,
    /// What the last look at the database found. Anybody may ask for health, and a look is a write.
    database: tokio::sync::Mutex<Option<(Instant, bool)>>,
}

impl Health {
    /// The health of a node.
    pub(super) fn of(node: &Node) -> Self {
        Self::new(node.app.clone(), node.switch.clone(), node.draining.clone())
    }

    fn new(app: App, switch: Option<Switch>, draining: CancellationToken) -> Self {
        Self { app, switch, draining, database: tokio::sync::Mutex::default() }
    }

    /// Everything that stands in the way of calls.
    async fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.draining.is_cancelled() {
            problems.push("draining: the node is about to stop".to_owned());
        }
        if !self.database_is_writable().await {
            problems.push("database: it takes no writes; the log says why".to_owned());
        }
        if self.switch.as_ref().is_some_and(|switch| !switch.is_bound()) {
            problems.push("sip: a socket is no longer bound".to_owned());
        }
        problems
    }

    /// Whether a write goes through, looked at once in [`LOOK_EVERY`] at most.
    async fn database_is_writable(&self) -> bool {
        let mut known = self.database.lock().await;
        if let Some((at, writable)) = *known
            && at.elapsed() < LOOK_EVERY
        {
            return writable;
        }
        let probe = tokio::time::timeout(WRITABLE_WITHIN, self.app.store().ping_writable()).await;
        let writable = matches!(probe, Ok(Ok(())));
        match probe {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the database takes no writes"),
            Err(_) => tracing::warn!("the database took no write within {WRITABLE_WITHIN:?}"),
        }
        *known = Some((Instant::now(), writable));
        writable
    }
}

/// `GET /healthz`
#[handler]
pub(super) async fn healthz(health: Data<&Arc<Health>>) -> Response {
    let problems = health.problems().await;
    let (status, word) = if problems.is_empty() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    Json(json!({ "status": word, "problems": problems })).with_status(status).into_response()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::api::tests::world::World;

    #[tokio::test]
    async fn a_node_is_well_until_it_drains_or_its_database_takes_no_writes() {
        let world = World::open().await;
        let draining = CancellationToken::new();
        let health = Health::new(world.app.clone(), None, draining.clone());
        assert_eq!(health.problems().await, Vec::<String>::new());
        draining.cancel();
        assert!(health.problems().await[0].starts_with("draining"));
        world.app.store().clone().close().await.unwrap();
        let health = Health::new(world.app.clone(), None, draining);
        let problems = health.problems().await;
        assert!(problems.len() == 2 && problems[1].starts_with("database"), "{problems:?}");
    }
}
