//! The usual arrangement: a node, its carriers, its customer.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::api::Api;
use super::carrier::Carrier;
use super::customer::Customer;
use super::node::Node;
use super::tenant;

/// Everything that a call needs.
pub(crate) struct World {
    pub(crate) node: Node,
    /// In the order in which they are tried.
    pub(crate) carriers: Vec<Carrier>,
    /// Receives the result callbacks at `/cdr`.
    pub(crate) customer: Customer,
    pub(crate) api: Api,
}

/// What a world is to be like; all of it may be left as it is.
#[derive(Default)]
pub(crate) struct Plan<'a> {
    /// Merged over the node's settings.
    pub(crate) settings: Value,
    /// One carrier for each, with these options of the fake network; none: one carrier without any.
    pub(crate) carriers: &'a [&'a [&'a str]],
    /// Changes the tenant's document before it is applied.
    pub(crate) tenant: Option<&'a dyn Fn(&mut Value)>,
}

impl World {
    /// One carrier, and everything at its default.
    pub(crate) async fn usual() -> Self {
        Self::start(Plan::default()).await
    }

    /// Starts carriers and customer, then the node.
    pub(crate) async fn start(plan: Plan<'_>) -> Self {
        let options = if plan.carriers.is_empty() { &[[].as_slice()] } else { plan.carriers };
        let mut carriers = Vec::new();
        for options in options {
            carriers.push(Carrier::start(options).await);
        }
        let customer = Customer::start().await;
        let addresses: Vec<SocketAddr> = carriers.iter().map(Carrier::address).collect();
        let mut document = tenant::document(&addresses, &customer.url("/cdr"));
        if let Some(change) = plan.tenant {
            change(&mut document);
        }
        let settings = if plan.settings.is_null() { json!({}) } else { plan.settings };
        let node = Node::start(&settings, &document).await;
        let api = node.api();
        Self { node, carriers, customer, api }
    }

    /// The first carrier.
    pub(crate) fn carrier(&self) -> &Carrier {
        &self.carriers[0]
    }
}
