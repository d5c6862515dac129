//! The HTTP server: sockets, what is common to every answer, health and metrics. What the
//! interfaces themselves say is in [`crate::api`].

mod acceptor;
mod guard;
mod health;
mod home;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use poem::endpoint::BoxEndpoint;
use poem::listener::{Acceptor as _, Listener as _, TcpAcceptor, TcpListener};
use poem::web::Data;
use poem::{EndpointExt as _, Response, Route, get, handler};
use tokio_util::sync::CancellationToken;
use yunling_app::App;

use self::acceptor::{Limited, MOST_CONNECTIONS};
use crate::api::{self, OperatorToken};
use crate::clock::SystemRandom;
use crate::dev::inbox::Inbox;
use crate::node::Node;

pub(crate) use self::guard::RequestId;

/// How long requests that are being answered may take once the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// A connection that is kept open for the next request is closed after so long.
const IDLE: Duration = Duration::from_secs(60);

/// A bound socket that nobody is served from yet.
pub(crate) struct Listener {
    acceptor: TcpAcceptor,
    address: SocketAddr,
}

/// A server that answers.
pub(crate) struct Server {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// Binds the socket of the HTTP interfaces.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<Listener> {
    let acceptor = TcpListener::bind(address).into_acceptor().await.map_err(|error| {
        let problem = if error.kind() == std::io::ErrorKind::AddrInUse {
            "is in use: stop the other server there, or listen elsewhere"
        } else {
            "cannot be bound"
        };
        anyhow::Error::new(error).context(format!("http.listen {address} {problem}"))
    })?;
    let bound = acceptor.local_addr().into_iter().find_map(|local| local.as_socket_addr().copied());
    Ok(Listener { acceptor, address: bound.unwrap_or(address) })
}

impl Listener {
    /// The address, with the port that port 0 became.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves the interfaces of a node, and the webhook inbox where there is one.
    pub(crate) async fn serve(
        self,
        node: &Node,
        inbox: Option<Arc<Inbox>>,
    ) -> anyhow::Result<Server> {
        let health = Arc::new(health::Health::of(node));
        let operator = OperatorToken::open(&node.app.settings().data_dir, &SystemRandom)
            .context("the operator's token")?;
        let mut routes = Route::new()
            .at("/", get(home::page(inbox.is_some())))
            .at("/healthz", get(health::healthz).data(health))
            .at("/metrics", get(metrics).data(node.metrics.clone()));
        if let Some(inbox) = inbox {
            routes = routes.nest("/dev/inbox", inbox.routes());
        }
        let endpoint = endpoint(routes, node.app.clone(), operator);
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let acceptor = Limited::new(self.acceptor, MOST_CONNECTIONS);
        let server = poem::Server::new_with_acceptor(acceptor).idle_timeout(IDLE);
        let task =
            tokio::spawn(server.run_with_graceful_shutdown(endpoint, stopped, Some(LAST_ANSWERS)));
        Ok(Server { stop, task })
    }
}

/// Everything that is served: these routes and the interfaces.
pub(crate) fn endpoint(
    routes: Route,
    app: App,
    operator: OperatorToken,
) -> BoxEndpoint<'static, Response> {
    api::mount(routes, app.clone(), operator).with(guard::Guard(app)).boxed()
}

impl Server {
    /// Takes no new requests, and waits for the answers that are under way.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the HTTP server ended with an error"),
            Err(error) => tracing::error!(%error, "the HTTP server's task failed"),
        }
    }
}

/// Prometheus text, without tenants' names.
#[handler]
fn metrics(handle: Data<&PrometheusHandle>) -> poem::Response {
    poem::Response::builder()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(handle.render())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn an_address_in_use_is_said_to_be() {
        let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        assert_ne!(first.address().port(), 0);
        let error = bind(first.address()).await.err().unwrap();
        let expected = format!("http.listen {} is in use", first.address());
        assert!(error.to_string().starts_with(&expected), "{error:#}");
    }
}
