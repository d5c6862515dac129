//! Ports for tests.

use crate::apply::{ApplyError, Options, Report, apply};
use crate::config::Settings;
use crate::documents::{self, DocumentFile};
use crate::ports::{Clock, Events, Ids, Poke, Random};
use crate::principal::{Granted, Operator, ScopeKind};
use crate::secrets::Keyring;
use crate::{App, AssembleError, Parts};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;
use yunling_assets::Packs;
use yunling_domain::event::ConversationEvent;
use yunling_domain::ids::format_id;
use yunling_domain::trunk_health::TrunkFact;
use yunling_domain::{AccountId, ConversationId, IdKind, Micros};
use yunling_store::{OpenOptions, Store, test_database};

/// Bytes that never repeat within a test.
#[derive(Debug, Default)]
pub(crate) struct CountingRandom {
    next: AtomicU32,
}

impl Random for CountingRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.next.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        for (byte, of_count) in bytes.iter_mut().zip(count.iter().cycle()) {
            *byte = of_count ^ 0x5a;
        }
    }
}

/// A clock that stands until it is moved. It begins at 2026-11-24 14:00:00 in Shanghai.
#[derive(Debug)]
pub(crate) struct StandingClock {
    now: AtomicI64,
}

impl Default for StandingClock {
    fn default() -> Self {
        Self { now: AtomicI64::new(1_795_500_000_000_000) }
    }
}

impl StandingClock {
    pub(crate) fn advance_ms(&self, ms: i64) {
        self.now.fetch_add(ms * 1_000, Ordering::Relaxed);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Micros {
        Micros(self.now.load(Ordering::Relaxed))
    }
}

/// Identifiers 1, 2, 3… of the published form.
#[derive(Debug, Default)]
pub(crate) struct CountingIds {
    next: AtomicU32,
}

impl Ids for CountingIds {
    fn mint(&self, kind: IdKind) -> String {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let node = "10000".parse().expect("five digits");
        format_id(kind, node, StandingClock::default().now(), chrono_tz::Asia::Shanghai, sequence)
    }
}

/// Counts pokes.
#[derive(Debug, Default)]
pub(crate) struct CountingPoke {
    pub(crate) dispatcher: AtomicU32,
    pub(crate) deliveries: AtomicU32,
}

impl Poke for CountingPoke {
    fn dispatcher(&self) {
        self.dispatcher.fetch_add(1, Ordering::Relaxed);
    }

    fn deliveries(&self) {
        self.deliveries.fetch_add(1, Ordering::Relaxed);
    }
}

/// Nobody watches.
#[derive(Debug, Default)]
pub(crate) struct NoEvents;

impl Events for NoEvents {
    fn publish(&self, _: &ConversationId, _: &ConversationEvent) {}
}

/// A keyring that is the same in every test.
pub(crate) fn keyring() -> Keyring {
    Keyring::parse("secret.key", &format!("test {}\n", "2a".repeat(32))).expect("a well-formed key")
}

/// An application over a real database in a folder of its own, with the sample tenant applied.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Arc<StandingClock>,
    pub(crate) poke: Arc<CountingPoke>,
    pub(crate) folder: TempDir,
}

/// The document's own sample account.
pub(crate) const ACCOUNT: &str = "abcdefghijklmnopqrstuvwxyz012345";
/// Its token.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Its application.
pub(crate) const APPID: &str = "11111111111111111111111111111111";

/// The sample tenant, with a second application and a second account.
pub(crate) const TENANT: &str = r#"
trunks:
  - { name: carrier-a, uri: "sip:127.0.0.1:5070;transport=udp", max_calls: 500, max_cps: 50 }
  - { name: carrier-b, uri: "sip:127.0.0.1:5071;transport=tcp", username: u, password: trunk-pass }
accounts:
  - sid: abcdefghijklmnopqrstuvwxyz012345
    token: "0123456789abcdef0123456789abcdef"
    name: Demo
    limits: { queue_max_len: 3 }
    users: [{ email: admin@example.com, password: "change-me", role: admin }]
    caller_ids:
      - { number: "01080001001", trunks: [carrier-a, carrier-b] }
      - { number: "01080001002", trunk: carrier-b, applications: ["22"] }
    applications:
      - sid: "11111111111111111111111111111111"
        name: demo
        webhook_secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
        notice_url: "http://127.0.0.1:9000/cdr"
        media: [{ name: prompt1.wav, file: ./prompt1.wav }, { name: prompt3.wav, file: ./prompt1.wav }]
      - sid: "22"
        destinations: [mobile, foreign]
  - sid: other
    token: "ffffffffffffffffffffffffffffffff"
    applications: [{ sid: "33" }]
"#;

impl World {
    /// With [`TENANT`] applied as `tenant.yaml`.
    pub(crate) async fn open() -> Self {
        let world = Self::empty().await;
        let report = world.apply(TENANT).await.expect("the sample tenant can be applied");
        assert!(report.plan.problems.is_empty());
        world
    }

    /// With nothing configured.
    pub(crate) async fn empty() -> Self {
        static PACKS: LazyLock<Packs> =
            LazyLock::new(|| Packs::load(None).expect("the packs inside are sound"));
        let folder = tempfile::tempdir().expect("a folder for the test");
        std::fs::write(folder.path().join("prompt1.wav"), tone_wav()).expect("a file for the test");
        let url = test_database::fresh(folder.path()).await;
        let settings = format!(
            "node: \"10000\"\ndata_dir: ./data\ndatabase: {{ url: \"{url}\" }}\n\
             http: {{ listen: \"127.0.0.1:8080\" }}\nsip: {{ listen: [\"udp:127.0.0.1:5060\"] }}\n\
             rtp: {{ address: 127.0.0.1, ports: 20000-20999 }}\n"
        );
        let settings =
            Settings::from_text("yunling.yaml", &settings, folder.path()).expect("sound settings");
        let store = Store::open(&settings.database.url, OpenOptions::default())
            .await
            .expect("a fresh database");
        let (clock, poke) = (Arc::new(StandingClock::default()), Arc::new(CountingPoke::default()));
        let parts = Parts {
            store,
            packs: PACKS.clone(),
            settings,
            keyring: keyring(),
            clock: clock.clone(),
            ids: Arc::new(CountingIds::default()),
            random: Arc::new(CountingRandom::default()),
            poke: poke.clone(),
            events: Arc::new(NoEvents),
        };
        let app = App::assemble(parts).await.expect("an empty database can be read");
        Self { app, clock, poke, folder }
    }

    /// Carries out one statement behind the back of every use case.
    pub(crate) async fn execute(&self, sql: &'static str) {
        use yunling_store::ConnectionTrait as _;
        let writer = self.app.store().writer();
        let done = writer.write(yunling_store::Lane::Live, move |tx| {
            Box::pin(async move { Ok(tx.execute_unprepared(sql).await.map(drop)?) })
        });
        done.await.expect("a sound statement");
    }

    /// A second application over the same database, with these keys.
    pub(crate) async fn reopened_with(&self, keyring: Keyring) -> Result<App, AssembleError> {
        App::assemble(Parts {
            store: self.app.store().clone(),
            packs: self.app.packs().clone(),
            settings: self.app.settings().clone(),
            keyring,
            clock: self.clock.clone(),
            ids: Arc::new(CountingIds::default()),
            random: Arc::new(CountingRandom::default()),
            poke: self.poke.clone(),
            events: Arc::new(NoEvents),
        })
        .await
    }

    /// A second application over the same database, under other settings.
    pub(crate) async fn reopened_under(&self, settings: Settings) -> App {
        let parts = Parts {
            store: self.app.store().clone(),
            packs: self.app.packs().clone(),
            settings,
            keyring: keyring(),
            clock: self.clock.clone(),
            ids: Arc::new(CountingIds::default()),
            random: Arc::new(CountingRandom::default()),
            poke: self.poke.clone(),
            events: Arc::new(NoEvents),
        };
        App::assemble(parts).await.expect("the same database")
    }

    /// What `tenant.yaml` with this text means here.
    pub(crate) fn document(&self, text: &str) -> DocumentFile {
        documents::read("tenant.yaml", text, self.folder.path(), &|_| None)
            .expect("a sound document")
    }

    /// Applies this text as `tenant.yaml`.
    pub(crate) async fn apply(&self, text: &str) -> Result<Report, ApplyError> {
        let operator = Operator::proven("test");
        apply(&self.app, &operator, &[self.document(text)], Options::default()).await
    }

    /// The same, and removes what the set had before.
    pub(crate) async fn prune(&self, text: &str) -> Result<Report, ApplyError> {
        let (operator, options) = (Operator::proven("test"), Options { prune: true, force: false });
        apply(&self.app, &operator, &[self.document(text)], options).await
    }

    /// A trunk's calls have been silent for too long.
    pub(crate) fn trunk_down(&self, trunk: &str) {
        while !self.app.trunks().known_down().contains(trunk) {
            self.app.trunks().learn(trunk, TrunkFact::CallSilent, self.clock.now());
        }
    }

    /// A trunk gives a sign of life.
    pub(crate) fn trunk_up(&self, trunk: &str) {
        self.app.trunks().learn(trunk, TrunkFact::CallHeard, self.clock.now());
    }

    /// Somebody who may do this in the sample account.
    pub(crate) fn caller<S: ScopeKind>(&self) -> Granted<S> {
        Operator::proven("test").in_account(AccountId::new(ACCOUNT))
    }
}

/// A second of a saw-tooth tone, 8 kHz, 16 bits.
pub(crate) fn tone_wav() -> Vec<u8> {
    let samples: Vec<u8> =
        (0..8_000_i32).flat_map(|n| ((n * 661 % 12_000 - 6_000) as i16).to_le_bytes()).collect();
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&(36 + 16_000_u32).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    for half in [1_u16, 1] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    for word in [8_000_u32, 16_000] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    for half in [2_u16, 16] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&16_000_u32.to_le_bytes());
    file.extend_from_slice(&samples);
    file
}
