//! A store, an app and a dispatcher in a temporary folder, and an engine that follows a script.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;
use yunling_app::apply;
use yunling_app::config::Settings;
use yunling_app::ports::Clock as _;
use yunling_app::principal::Operator;
use yunling_app::secrets::Keyring;
use yunling_app::submit_notice::{self, Envelope, NoticeRequest};
use yunling_app::{App, Parts, documents};
use yunling_assets::Packs;
use yunling_domain::{AccountId, CallId};
use yunling_store::calls::Cdr;
use yunling_store::ids::IdMint;
use yunling_store::{OpenOptions, Store, attempts, calls, test_database};
use yunling_switch_contract::{
    Codec, Command, Dial, DialogState, Engine, Event, EventKind, EventSink, LegId, Media,
    MediaFigures, Overloaded, Owner, Termination, TerminationKind, TrunkEvent, TrunkEventKind,
    TrunkPlan,
};

use crate::calls::{Calls, Routes};
use crate::clock::{SystemClock, SystemRandom};
use crate::ports::{Minting, Pokes, Watchers};

pub(super) const ACCOUNT: &str = "abcdefghijklmnopqrstuvwxyz012345";
pub(super) const APPLICATION: &str = "11111111111111111111111111111111";
/// How long a state may take to come about on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a test limits; by default nothing that it would notice.
pub(super) struct Limits {
    pub(super) max_calls: u32,
    pub(super) notices_wait_s: u32,
    pub(super) ring_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_calls: 50, notices_wait_s: 30, ring_ms: 60_000 }
    }
}

type Reaction = dyn Fn(&Command) -> Vec<EventKind> + Send + Sync;

/// An engine that answers every command with the events that a function says.
pub(super) struct Script {
    reaction: Box<Reaction>,
    pub(super) commands: Mutex<Vec<Command>>,
    /// Each list of trunks that it was told to keep.
    kept: Mutex<Vec<Vec<TrunkPlan>>>,
    pub(super) most_at_once: AtomicUsize,
    up: Mutex<std::collections::HashMap<LegId, Owner>>,
    sink: Mutex<Option<Arc<Routes>>>,
    commanded: Notify,
}

impl Script {
    pub(super) fn new(
        reaction: impl Fn(&Command) -> Vec<EventKind> + Send + Sync + 'static,
    ) -> Self {
        Self {
            reaction: Box::new(reaction),
            commands: Mutex::default(),
            kept: Mutex::default(),
            most_at_once: AtomicUsize::new(0),
            up: Mutex::default(),
            sink: Mutex::default(),
            commanded: Notify::new(),
        }
    }

    pub(super) fn dials(&self) -> Vec<Dial> {
        let commands = self.commands.lock();
        let dials = commands.iter().filter_map(|command| match command {
            Command::Dial(dial) => Some((**dial).clone()),
            _ => None,
        });
        dials.collect()
    }

    /// Waits until it was told to keep trunks so often; gives the lists.
    pub(super) async fn wait_for_kept(&self, count: usize) -> Vec<Vec<TrunkPlan>> {
        let reached = async {
            loop {
                let told = self.commanded.notified();
                if self.kept.lock().len() >= count {
                    return self.kept.lock().clone();
                }
                told.await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("trunks are to be kept")
    }

    /// Tells the platform of a trunk.
    pub(super) fn tell(&self, trunk: &str, kind: TrunkEventKind) {
        let sink = self.sink.lock().clone().expect("the rig has started");
        sink.trunk(TrunkEvent { trunk: trunk.into(), at: Instant::now(), kind });
    }

    /// Something happens to a leg that is up.
    pub(super) fn happens(&self, leg: &LegId, kind: EventKind) {
        let owner = {
            let mut up = self.up.lock();
            let owner = up.get(leg).copied();
            if matches!(kind, EventKind::Ended { .. }) {
                up.remove(leg);
            }
            owner
        };
        let sink = self.sink.lock().clone().expect("the rig has started");
        let owner = owner.unwrap_or_else(|| panic!("{leg} is not up for {kind:?}"));
        sink.deliver(Event { owner, leg: leg.clone(), at: Instant::now(), kind });
    }

    /// Something is told of a leg that may be gone already.
    pub(super) fn tells(&self, owner: Owner, leg: &LegId, kind: EventKind) {
        let sink = self.sink.lock().clone().expect("the rig has started");
        sink.deliver(Event { owner, leg: leg.clone(), at: Instant::now(), kind });
    }

    /// Waits until something can be found in the commands so far.
    pub(super) async fn wait_for<T>(
        &self,
        what: &str,
        find: impl Fn(&[Command]) -> Option<T>,
    ) -> T {
        let reached = async {
            loop {
                let commanded = self.commanded.notified();
                if let Some(found) = find(&self.commands.lock()) {
                    return found;
                }
                commanded.await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, reached).await;
        found.unwrap_or_else(|_| panic!("not commanded: {what} in {:?}", self.commands.lock()))
    }

    pub(super) async fn wait_for_dials(&self, count: usize) {
        let reached = async {
            loop {
                let commanded = self.commanded.notified();
                if self.dials().len() >= count {
                    return;
                }
                commanded.await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the calls are dialled");
    }
}

impl Engine for Script {
    fn keep_trunks(&self, trunks: Vec<TrunkPlan>) {
        self.kept.lock().push(trunks);
        self.commanded.notify_waiters();
    }

    fn send(&self, command: Command) -> Result<(), Overloaded> {
        let leg = command.leg().clone();
        let owner = {
            let mut up = self.up.lock();
            match &command {
                Command::Dial(dial) => {
                    up.insert(leg.clone(), dial.owner);
                    self.most_at_once.fetch_max(up.len(), Ordering::Relaxed);
                }
                Command::Reap { owner, .. } => {
                    up.insert(leg.clone(), *owner);
                }
                _ => {}
            }
            up.get(&leg).copied()
        };
        self.commands.lock().push(command.clone());
        self.commanded.notify_waiters();
        let events = (self.reaction)(&command);
        let sink = self.sink.lock().clone();
        if let (Some(owner), Some(sink)) = (owner, sink) {
            for kind in events {
                if matches!(kind, EventKind::Ended { .. }) {
                    self.up.lock().remove(&leg);
                }
                sink.deliver(Event { owner, leg: leg.clone(), at: Instant::now(), kind });
            }
        }
        Ok(())
    }
}

/// A folder for one rig, or for one after another.
pub(super) fn folder() -> Arc<tempfile::TempDir> {
    Arc::new(tempfile::tempdir().expect("a temporary folder"))
}

/// A node's `calls` role around a script.
pub(super) struct Rig {
    pub(super) script: Arc<Script>,
    pub(super) app: App,
    _folder: Arc<tempfile::TempDir>,
    _calls: Calls,
}

impl Rig {
    pub(super) async fn start(script: Script) -> Self {
        Self::start_with(script, Limits::default()).await
    }

    pub(super) async fn start_with(script: Script, limits: Limits) -> Self {
        Self::open(script, folder(), &limits).await
    }

    /// A rig over what a folder holds already.
    pub(super) async fn open(
        script: Script,
        folder: Arc<tempfile::TempDir>,
        limits: &Limits,
    ) -> Self {
        let (app, pokes) = app(&folder, limits).await;
        let routes = Arc::new(Routes::default());
        let script = Arc::new(script);
        *script.sink.lock() = Some(Arc::clone(&routes));
        let node = app.settings().node.0;
        let engine: Arc<dyn Engine> = Arc::clone(&script) as _;
        let calls = Calls::start(app.clone(), engine, routes, node, Arc::clone(&pokes.dispatcher));
        Self { script, app, _folder: folder, _calls: calls }
    }

    /// Changes the documents: the first text by the second.
    pub(super) async fn change(&self, what: &str, by: &str) {
        let text = tenant(&Limits::default()).to_string();
        assert!(text.contains(what), "{what} is not in {text}");
        apply_text(&self.app, &text.replace(what, by)).await;
    }

    /// Brings the documents back to what they were at the start: what was added goes.
    pub(super) async fn reset(&self) {
        let mut text = tenant(&Limits::default());
        text["set"] = "tenant.yaml".into();
        let text = text.to_string();
        apply_with(&self.app, &text, apply::Options { force: true, prune: true }).await;
    }

    pub(super) async fn submit(&self, to: &str) -> CallId {
        let body = json!({
            "appid": APPLICATION,
            "to": to,
            "contents": [{ "type": "digits", "content": "12" }],
            "times": 1,
        });
        let request = NoticeRequest::from_body(body.to_string().as_bytes()).expect("an object");
        let caller = Operator::proven("test").in_account(AccountId::new(ACCOUNT));
        submit_notice::run(&self.app, &caller, &request, Envelope::default())
            .await
            .expect("the notice is accepted")
            .call_id
    }

    pub(super) async fn record_of(&self, call: &CallId) -> Cdr {
        let account = AccountId::new(ACCOUNT);
        self.until("a call's record", async || {
            calls::get(self.app.store().reader(), &account, call).await.expect("a read")
        })
        .await
    }

    pub(super) async fn wait_for_ringing(&self, call: &CallId) {
        let account = AccountId::new(ACCOUNT);
        self.until("a stored ringing", async || {
            let row = attempts::of_call(self.app.store().reader(), &account, call).await;
            row.expect("a read").and_then(|row| row.ring_at)
        })
        .await;
    }

    /// The bodies of all callbacks that were caused.
    pub(super) async fn callbacks(&self) -> Vec<Value> {
        rows::callbacks(&self.app, &AccountId::new(ACCOUNT)).await
    }

    pub(super) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} did not come about");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

mod rows {
    use super::*;
    use yunling_store::{PageRequest, deliveries};

    pub(super) async fn callbacks(app: &App, account: &AccountId) -> Vec<Value> {
        let filter = deliveries::DeliveryFilter::default();
        let page = deliveries::list(
            app.store().reader(),
            account,
            &filter,
            &PageRequest { after: None, limit: 100 },
        )
        .await
        .expect("a read");
        let bodies = page.rows.iter().map(|row| serde_json::from_str(&row.caused.body));
        bodies.collect::<Result<_, _>>().expect("callbacks are JSON")
    }
}

/// The address of a folder's database: a second rig over the folder finds what the first one left.
async fn database(folder: &Path) -> String {
    let address = folder.join("database-address");
    if let Ok(known) = std::fs::read_to_string(&address) {
        return known;
    }
    let fresh = test_database::fresh(folder).await;
    std::fs::write(&address, &fresh).expect("the folder is ours");
    fresh
}

async fn app(folder: &tempfile::TempDir, limits: &Limits) -> (App, Pokes) {
    let settings = json!({
        "node": "10000",
        "data_dir": folder.path(),
        "database": { "url": database(folder.path()).await },
        "http": { "listen": "127.0.0.1:0" },
        "sip": { "listen": ["udp:127.0.0.1:5060"] },
        "rtp": { "address": "127.0.0.1", "ports": "20000-29999" },
        "calls": {
            "queue_max_wait": { "notices_s": limits.notices_wait_s },
            "ring_ms": limits.ring_ms,
        },
    });
    let settings = Settings::from_text("yunling.yaml", &settings.to_string(), folder.path());
    let settings = settings.expect("sound settings");
    let store = Store::open(&settings.database.url, OpenOptions::default()).await.expect("a store");
    let now = SystemClock.now();
    let mint = IdMint::open(&store, settings.node.0, settings.zone.0, now).await.expect("a mint");
    let pokes = Pokes::default();
    let app = App::assemble(Parts {
        keyring: Keyring::open(folder.path(), &SystemRandom).expect("a keyring"),
        packs: Packs::load(None).expect("the default packs"),
        settings,
        store,
        clock: Arc::new(SystemClock),
        ids: Arc::new(Minting(Arc::new(mint))),
        random: Arc::new(SystemRandom),
        poke: Arc::new(pokes.clone()),
        events: Arc::new(Watchers::default()),
    })
    .await
    .expect("an app");
    apply_text(&app, &tenant(limits).to_string()).await;
    (app, pokes)
}

fn tenant(limits: &Limits) -> Value {
    let trunk = |name: &str| json!({ "name": name, "uri": "sip:127.0.0.1:5070", "max_calls": limits.max_calls });
    json!({
        "trunks": [trunk("carrier-a"), trunk("carrier-b")],
        "accounts": [{
            "sid": ACCOUNT,
            "token": "0123456789abcdef0123456789abcdef",
            "caller_ids": [{ "number": "01080001001", "trunks": ["carrier-a", "carrier-b"] }],
            "applications": [{
                "sid": APPLICATION,
                "notice_url": "http://127.0.0.1:9/cdr",
                "cdr_url": "http://127.0.0.1:9/talk-cdr",
                "status_url": "http://127.0.0.1:9/talk-status",
            }],
        }],
    })
}

async fn apply_text(app: &App, text: &str) {
    apply_with(app, text, apply::Options { force: true, prune: false }).await;
}

async fn apply_with(app: &App, text: &str, options: apply::Options) {
    let folder = &app.settings().data_dir;
    let file = documents::read("tenant.yaml", text, folder, &|_| None).expect("sound documents");
    apply::apply(app, &Operator::proven("test"), &[file], options).await.expect("applied");
}

pub(super) fn termination(kind: TerminationKind) -> Termination {
    Termination::new(kind)
}

pub(super) fn ended(kind: TerminationKind) -> EventKind {
    EventKind::Ended { termination: termination(kind), figures: MediaFigures::default() }
}

pub(super) fn rejected(code: u16) -> EventKind {
    let termination =
        Termination { sip_code: Some(code), ..Termination::new(TerminationKind::Rejected) };
    EventKind::Ended { termination, figures: MediaFigures::default() }
}

pub(super) fn answered() -> EventKind {
    EventKind::Answered {
        dialog: Box::new(DialogState {
            call_id: "call".to_owned(),
            local_tag: "ours".to_owned(),
            remote_tag: "theirs".to_owned(),
            local_uri: "sip:01080001001@127.0.0.1".to_owned(),
            remote_uri: "sip:13800100001@127.0.0.1".to_owned(),
            remote_target: "sip:127.0.0.1:5070".to_owned(),
            routes: Vec::new(),
            local_cseq: 1,
        }),
        media: Media { codec: Codec::Pcma, ptime_ms: 20, telephone_event: true },
    }
}
