//! An application over a real database, a clock that stands until it is moved, and the delivery of
//! callbacks.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use tokio::sync::Notify;
use yunling_app::apply::{self, Options};
use yunling_app::config::{Callbacks, Settings};
use yunling_app::ports::{Clock, Events, Ids, Poke, Random};
use yunling_app::principal::Operator;
use yunling_app::secrets::Keyring;
use yunling_app::{App, Parts, documents};
use yunling_assets::Packs;
use yunling_domain::event::ConversationEvent;
use yunling_domain::{AccountId, ApplicationId, ConversationId, IdKind, Micros};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::deliveries::platform_side::DeliveryAttempt;
use yunling_store::deliveries::{self, Delivery, DeliveryState, NewDelivery};
use yunling_store::endpoints::{self, Endpoint};
use yunling_store::{JobPool, Lane, OpenOptions, PageRequest, Store, TimeRange, test_database};
use yunling_workers::{Deliveries, DeliverySettings};

pub(crate) const ACCOUNT: &str = "abcdefghijklmnopqrstuvwxyz012345";
pub(crate) const APPLICATION: &str = "11111111111111111111111111111111";
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

const TENANT: &str = r#"
accounts:
  - sid: abcdefghijklmnopqrstuvwxyz012345
    token: "0123456789abcdef0123456789abcdef"
    applications:
      - sid: "11111111111111111111111111111111"
        webhook_secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
"#;

/// A clock that stands until it is moved.
pub(crate) struct StandingClock(AtomicI64);

impl StandingClock {
    pub(crate) fn set(&self, now: Micros) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::Relaxed))
    }
}

/// Different bytes every time.
#[derive(Default)]
struct CountingRandom(AtomicU32);

impl Random for CountingRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9).to_le_bytes();
        for (byte, of_count) in bytes.iter_mut().zip(count.iter().cycle()) {
            *byte = *of_count;
        }
    }
}

struct NoIds;

impl Ids for NoIds {
    fn mint(&self, _: IdKind) -> String {
        unreachable!("nothing here mints identifiers")
    }
}

struct NoEvents;

impl Events for NoEvents {
    fn publish(&self, _: &ConversationId, _: &ConversationEvent) {}
}

struct Pokes(Arc<Notify>);

impl Poke for Pokes {
    fn dispatcher(&self) {}
    fn deliveries(&self) {
        self.0.notify_one();
    }
}

/// The application and what a test needs of it.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Arc<StandingClock>,
    pub(crate) poked: Arc<Notify>,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn open() -> Self {
        static PACKS: LazyLock<Packs> = LazyLock::new(|| Packs::load(None).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let url = test_database::fresh(folder.path()).await;
        let settings = format!(
            "node: \"10000\"\ndata_dir: ./data\ndatabase: {{ url: \"{url}\" }}\n\
             http: {{ listen: \"127.0.0.1:8080\" }}\nsip: {{ listen: [\"udp:127.0.0.1:5060\"] }}\n\
             rtp: {{ address: 127.0.0.1, ports: 20000-20999 }}\n\
             callbacks: {{ allow: [\"127.0.0.0/8\"] }}\n"
        );
        let settings = Settings::from_text("yunling.yaml", &settings, folder.path()).unwrap();
        let store = Store::open(&settings.database.url, OpenOptions::default()).await.unwrap();
        let random = Arc::new(CountingRandom::default());
        let keyring = Keyring::open(folder.path(), &*random).unwrap();
        let clock = Arc::new(StandingClock(AtomicI64::new(1_795_500_000_000_000)));
        let poked = Arc::new(Notify::new());
        let parts = Parts {
            store,
            packs: PACKS.clone(),
            settings,
            keyring,
            clock: Arc::clone(&clock) as _,
            ids: Arc::new(NoIds),
            random,
            poke: Arc::new(Pokes(Arc::clone(&poked))),
            events: Arc::new(NoEvents),
        };
        let app = App::assemble(parts).await.unwrap();
        let document = documents::read("tenant.yaml", TENANT, folder.path(), &|_| None).unwrap();
        let operator = Operator::proven("test");
        apply::apply(&app, &operator, &[document], Options::default()).await.unwrap();
        Self { app, clock, poked, _folder: folder }
    }

    /// Loopback is open, a receiver has 500 ms, and the outbox is looked at all the time.
    pub(crate) fn settings() -> DeliverySettings {
        let callbacks = Callbacks {
            allow: vec![yunling_app::yaml::Parsed("127.0.0.0/8".parse().unwrap())],
            timeout_ms: 500,
            ..Callbacks::default()
        };
        DeliverySettings { callbacks, sweep_ms: 20, finish_ms: 0 }
    }

    pub(crate) fn start(&self) -> Deliveries {
        self.start_with(&Self::settings())
    }

    pub(crate) fn start_with(&self, settings: &DeliverySettings) -> Deliveries {
        Deliveries::start(self.app.clone(), Arc::clone(&self.poked), settings).unwrap()
    }

    /// An event as the end of a call causes it.
    pub(crate) fn event(&self, id: &str, url: &str) -> NewDelivery {
        NewDelivery {
            id: format!("msg_{id}"),
            application: ApplicationId::new(APPLICATION),
            conversation_id: None,
            seq: 0,
            kind: "notice.result".to_owned(),
            url: url.to_owned(),
            body: format!("{{\"id\":\"{id}\",\"name\":\"云铃\"}}"),
            created_at: self.app.clock().now(),
        }
    }

    pub(crate) async fn cause(&self, events: Vec<NewDelivery>) {
        self.app
            .store()
            .writer()
            .write(Lane::Live, move |tx| {
                Box::pin(async move {
                    for event in &events {
                        deliveries::insert(tx, &AccountId::new(ACCOUNT), event).await?;
                    }
                    Ok(())
                })
            })
            .await
            .unwrap();
        self.poked.notify_one();
    }

    pub(crate) async fn delivery(&self, id: &str) -> (Delivery, Vec<DeliveryAttempt>) {
        let id = format!("msg_{id}");
        deliveries::get(self.app.store().reader(), &AccountId::new(ACCOUNT), &id)
            .await
            .unwrap()
            .expect("the delivery is there")
    }

    /// Waits until so many attempts at it are on record.
    pub(crate) async fn attempts(
        &self,
        id: &str,
        count: usize,
    ) -> (Delivery, Vec<DeliveryAttempt>) {
        until(&format!("{count} attempts at {id}"), async || {
            self.delivery(id).await.1.len() >= count
        })
        .await;
        // The row was read before its attempts: read both again, now that they are written.
        let found = self.delivery(id).await;
        assert_eq!(found.1.len(), count, "{found:?}");
        found
    }

    pub(crate) async fn delivered(&self, ids: &[String]) {
        for id in ids {
            until(&format!("{id} is delivered"), async || {
                self.delivery(id).await.0.state == DeliveryState::Delivered
            })
            .await;
        }
    }

    pub(crate) async fn endpoint(&self, url: &str) -> Endpoint {
        let account = AccountId::new(ACCOUNT);
        let all = endpoints::list(self.app.store().reader(), &account).await.unwrap();
        all.into_iter().find(|endpoint| endpoint.url == url).expect("the endpoint is there")
    }

    /// Makes every application's secret unreadable, as under another key. Gives the documents as
    /// they were.
    pub(crate) async fn damage_secrets(&self) -> Vec<(String, String)> {
        let keys = self.texts("SELECT key FROM resource WHERE kind = 'application'").await;
        let mut docs = Vec::new();
        let mut damaged = Vec::new();
        for key in keys {
            let sql = format!(
                "SELECT CAST(doc AS TEXT) FROM resource WHERE kind = 'application' AND key = '{key}'"
            );
            let doc: serde_json::Value = serde_json::from_str(&self.texts(&sql).await[0]).unwrap();
            let doc = doc.to_string();
            let (head, sealed) = doc.split_once("\"sealed\":\"").expect("it has a secret");
            let (sealed, tail) = sealed.split_once('"').expect("it ends");
            let sealed: String = sealed.chars().rev().collect();
            damaged.push((key.clone(), format!("{head}\"sealed\":\"{sealed}\"{tail}")));
            docs.push((key, doc));
        }
        self.restore_secrets(damaged).await;
        docs
    }

    pub(crate) async fn restore_secrets(&self, docs: Vec<(String, String)>) {
        for (key, doc) in docs {
            let doc = doc.replace('\'', "''");
            let sql = format!(
                "UPDATE resource SET doc = '{doc}' WHERE kind = 'application' AND key = '{key}'"
            );
            assert_eq!(self.execute(&sql).await, 1);
        }
        self.app.reload().await.unwrap();
    }

    /// Carries out a statement behind the product's back. Gives how many rows it changed.
    pub(crate) async fn execute(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.app.store().job_pool() {
            JobPool::Sqlite(pool) => sqlx::query(sql).execute(pool).await.unwrap().rows_affected(),
            JobPool::Postgres(pool) => {
                sqlx::query(sql).execute(pool).await.unwrap().rows_affected()
            }
        }
    }

    /// The texts in a query's only column.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.app.store().job_pool() {
            JobPool::Sqlite(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
            JobPool::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
        }
    }

    /// How many rows of a table there are with this condition.
    pub(crate) async fn count(&self, table: &str, condition: &str) -> i64 {
        let sql = format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table} WHERE {condition}");
        self.texts(&sql).await[0].parse().unwrap()
    }

    /// The job library's table.
    pub(crate) fn jobs_table(&self) -> &'static str {
        match self.app.store().job_pool() {
            JobPool::Sqlite(_) => "Jobs",
            JobPool::Postgres(_) => "apalis.jobs",
        }
    }

    /// The row of an address's receiver.
    pub(crate) async fn receiver(&self, url: &str) -> Endpoint {
        let origin = url.split('/').take(3).collect::<Vec<_>>().join("/");
        self.endpoint(&origin).await
    }

    /// The actions of the deliverer in the audit, newest first.
    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        let page = PageRequest { limit: 100, after: None };
        let account = AccountId::new(ACCOUNT);
        let page = audit::list(self.app.store().reader(), &account, TimeRange::default(), &page);
        let mut rows = page.await.unwrap().rows;
        rows.retain(|row| row.who == "deliveries");
        rows
    }
}

/// Waits on a state.
pub(crate) async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let watch = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), watch)
        .await
        .unwrap_or_else(|_| panic!("waited in vain until {what}"));
}
