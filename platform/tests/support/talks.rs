//! A click-to-call from the customer's side: its commands, the states and the record that it is told.

use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::api::Reply;
use super::customer::Callback;
use super::handsets::Handset;
use super::node::merge;
use super::records::text;
use super::world::{Plan, World};
use super::{LOOK, PATIENCE, voices};

/// Where status callbacks go in the tests.
pub(crate) const STATUS_PATH: &str = "/status";
/// Where records go.
pub(crate) const CDR_PATH: &str = "/cdr";

/// A node, a fake network that notes each packet, a customer, and an application with the prompts of
/// [`voices`].
pub(crate) struct TalkWorld {
    pub(crate) world: World,
    /// The library's files.
    pub(crate) _library: TempDir,
}

impl TalkWorld {
    /// `settings` are merged over the node's; `change` changes the tenant's document.
    pub(crate) async fn start(settings: Value, change: impl Fn(&mut Value)) -> Self {
        Self::start_with(&["--packets"], settings, change).await
    }

    /// For conversations so many that noting their packets would be most of the work.
    pub(crate) async fn for_many() -> Self {
        Self::start_with(&[], json!({}), |_| {}).await
    }

    async fn start_with(carrier: &[&str], settings: Value, change: impl Fn(&mut Value)) -> Self {
        let library = tempfile::tempdir().unwrap();
        let media = voices::library(library.path());
        let tenant = |document: &mut Value| {
            let application = &mut document["accounts"][0]["applications"][0];
            let url = application["notice_url"].as_str().unwrap().to_owned();
            let base = url.trim_end_matches(CDR_PATH);
            application["status_url"] = format!("{base}{STATUS_PATH}").into();
            application["cdr_url"] = format!("{base}{CDR_PATH}").into();
            application["media"] = media.clone();
            // All conversations of a test begin at once.
            document["trunks"][0]["max_cps"] = 1_000.into();
            change(document);
        };
        let world =
            World::start(Plan { settings, carriers: &[carrier], tenant: Some(&tenant) }).await;
        Self { world, _library: library }
    }
}

/// One conversation.
pub(crate) struct Talk<'a> {
    world: &'a World,
    /// `conversationSid`.
    pub(crate) sid: String,
}

impl<'a> Talk<'a> {
    /// click2call for these two; `fields` are merged over the request. It has to be accepted.
    pub(crate) async fn start(
        world: &'a World,
        caller: &Handset<'_>,
        callee: &Handset<'_>,
        fields: &Value,
    ) -> Self {
        let sid = world.api.click(&caller.number, &callee.number, fields).await;
        Self { world, sid }
    }

    /// One that somebody else has started.
    pub(crate) fn of(world: &'a World, sid: &str) -> Self {
        Self { world, sid: sid.to_owned() }
    }

    /// cancelCall.
    pub(crate) async fn cancel(&self) -> Reply {
        self.world.api.ctc_command(&self.sid, "cancelCall", &Value::Null).await
    }

    /// addCall with this callee and these fields.
    pub(crate) async fn add(&self, third: &Handset<'_>, fields: &Value) -> Reply {
        let mut body = json!({ "callee": third.number });
        merge(&mut body, fields);
        self.world.api.ctc_command(&self.sid, "addCall", &body).await
    }

    /// addCall that has to be accepted.
    pub(crate) async fn add_accepted(&self, third: &Handset<'_>, fields: &Value) {
        let reply = self.add(third, fields).await;
        assert_eq!(reply.body["statusCode"], "00000", "addCall of {}: {reply:?}", self.sid);
    }

    /// The callbacks of this conversation on a path, in the order in which they came, repeats left
    /// out. Fails where a signature is wrong.
    fn told(&self, path: &str) -> Vec<Callback> {
        let mut callbacks = self.world.customer.with("conversationSid", &self.sid);
        callbacks.retain(|callback| callback.path == path);
        let mut ids = std::collections::HashSet::new();
        callbacks.retain(|callback| ids.insert(callback.id().to_owned()));
        for callback in &callbacks {
            callback.verify().unwrap();
        }
        callbacks
    }

    /// Its states so far.
    pub(crate) fn statuses(&self) -> Vec<Value> {
        self.told(STATUS_PATH).iter().map(Callback::json).collect()
    }

    /// The states of one party, with the cause after the last one: `initiated ringing failed`.
    pub(crate) fn story(&self, party: &Handset<'_>) -> String {
        let statuses = self.statuses();
        let of_party = statuses.iter().filter(|status| status["to"] == *party.number);
        let words = of_party.map(|status| match text(status, "callCause") {
            "" => text(status, "callStatus").to_owned(),
            cause => format!("{}/{cause}", text(status, "callStatus")),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Waits for a status of this party.
    pub(crate) async fn wait_for_status(&self, party: &Handset<'_>, status: &str) {
        self.wait(&format!("status {status} of {}", party.number), || {
            let statuses = self.statuses();
            let found = statuses
                .iter()
                .find(|one| one["to"] == *party.number && one["callStatus"] == status);
            found.map(drop)
        })
        .await;
    }

    /// Waits for its record.
    pub(crate) async fn record(&self) -> Value {
        let record = self.wait("CDR", || self.told(CDR_PATH).first().map(Callback::json)).await;
        // Each leg's `completed` has been sent before; its delivery may still be on its way. One that
        // was never dialled has no states.
        self.wait("completed of every leg", || {
            let statuses = self.statuses();
            let count = |what| statuses.iter().filter(|one| one["callStatus"] == what).count();
            (count("completed") >= count("initiated")).then_some(())
        })
        .await;
        record
    }

    /// How many records it has: one, once it is over.
    pub(crate) fn records(&self) -> usize {
        self.told(CDR_PATH).len()
    }

    /// Waits until `look` finds something.
    async fn wait<T>(&self, name: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "no {name} for {} within {PATIENCE:?}; it was told {:#?}",
                self.sid,
                self.world
                    .customer
                    .with("conversationSid", &self.sid)
                    .iter()
                    .map(Callback::json)
                    .collect::<Vec<_>>()
            );
            tokio::time::sleep(LOOK).await;
        }
    }
}
