//! A node's settings: `yunling.yaml`. The keys `node`, `data_dir`, `database`, `http`, `sip`, `rtp`,
//! `callbacks` and `resources` are a contract with outside tools; everything else has a default.
//! `deploy/yunling.yaml` is the manual of every key.

mod address;
mod calls;
mod exports;
mod load;
mod media;
mod recordings;
mod sip_trace;
mod telemetry;

pub use address::{Cidr, PortRange, SipListen, SipTransport};
pub use calls::{Calls, CampaignHours, QueueMaxWait};
pub use exports::Exports;
pub use media::Media;
pub use recordings::{ObjectStore, Recordings, StoreKind};
pub use sip_trace::{Keep, SipTraceRule};
pub use telemetry::Telemetry;

use crate::yaml::{Parsed, Zone};
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use yunling_domain::{Micros, NodeNumber};
use yunling_store::{Copies, Migrate, OpenOptions};

/// Where copies of the database go that are taken before migrations, in the data folder.
pub const BACKUPS: &str = "backups";

/// Everything that `yunling.yaml` can say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Five digits, part of every identifier that this node mints.
    pub node: Parsed<NodeNumber>,
    /// Where the node keeps its files: database, secret key, recordings.
    pub data_dir: PathBuf,
    /// Where the rows are.
    pub database: Database,
    /// The HTTP side: published surface, admin API, console.
    pub http: Http,
    /// The SIP side.
    pub sip: Sip,
    /// The media side.
    pub rtp: Rtp,
    /// How callbacks are delivered.
    #[serde(default)]
    pub callbacks: Callbacks,
    /// Resource documents that are applied at start, in order.
    #[serde(default)]
    pub resources: Vec<PathBuf>,
    /// Timers and limits of calls.
    #[serde(default)]
    pub calls: Calls,
    /// How text is spoken.
    #[serde(default)]
    pub speech: Speech,
    /// What tenants may put into their media libraries.
    #[serde(default)]
    pub media: Media,
    /// Where recordings of calls go, and for how long.
    #[serde(default)]
    pub recordings: Recordings,
    /// Where exports of call records go, and for how long.
    #[serde(default)]
    pub exports: Exports,
    /// The log on standard error.
    #[serde(default)]
    pub log: Log,
    /// Which conversations' SIP messages are kept.
    #[serde(default)]
    pub sip_trace: SipTraceRule,
    /// Traces for an OpenTelemetry collector.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// The zone of the stamps inside identifiers, and of accounts that name none.
    #[serde(default = "shanghai")]
    pub zone: Zone,
}

fn shanghai() -> Zone {
    Zone(chrono_tz::Asia::Shanghai)
}

/// `database:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite://./data/yunling.db`, or `postgres://user@host/db`.
    pub url: String,
    /// Who brings the schema up to date: every start, or the operator with `yunling migrate`.
    #[serde(default)]
    pub migrate: Migration,
    /// Whether a SQLite database is copied into `data_dir/backups` before a migration changes it.
    #[serde(default = "yes")]
    pub copy_before_migration: bool,
}

/// `database.migrate`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Migration {
    /// At the start.
    #[default]
    Automatic,
    /// Only by command; a start refuses a schema that is behind.
    Manual,
}

fn yes() -> bool {
    true
}

/// `http:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where to listen.
    #[serde(deserialize_with = "address::socket_address")]
    pub listen: SocketAddr,
    /// How others reach this server; the base of links that go out. Default: from `listen`.
    pub public_url: Option<Parsed<url::Url>>,
    /// `http.event_streams`
    #[serde(default)]
    pub event_streams: EventStreamLimits,
}

/// `http.event_streams:` — how many conversations may be followed at once; each stream holds a
/// connection for as long as its conversation lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventStreamLimits {
    /// Streams of one account.
    pub per_account: u32,
    /// Streams of one conversation.
    pub per_conversation: u32,
}

impl Default for EventStreamLimits {
    fn default() -> Self {
        Self { per_account: 1_000, per_conversation: 20 }
    }
}

/// `sip:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sip {
    /// `udp:127.0.0.1:5060`, `tcp:…`, `tls:…`; not empty.
    pub listen: Vec<Parsed<SipListen>>,
    /// The address that peers are told to answer to, where it is not the one listened on.
    #[serde(default, deserialize_with = "address::some_ip_address")]
    pub public_address: Option<IpAddr>,
    /// Name servers that trunks' names are asked of, `127.0.0.1:53`; absent: those of the system.
    #[serde(default, deserialize_with = "address::some_socket_addresses")]
    pub dns: Option<Vec<SocketAddr>>,
    /// Whom listeners for TLS show themselves as.
    pub tls: Option<SipTls>,
    /// How much one stranger may send.
    #[serde(default)]
    pub flood: Flood,
}

/// `sip.tls:` — PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SipTls {
    /// Our certificate, and behind it those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// `sip.flood:` — for each IPv4 address, and each IPv6 network of 64 bits, that we do not deal with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Flood {
    /// Messages a second, over time; a new connection counts as ten.
    pub per_source_per_s: u32,
    /// Messages at once.
    pub burst: u32,
}

impl Default for Flood {
    fn default() -> Self {
        Self { per_source_per_s: 50, burst: 100 }
    }
}

/// `rtp:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rtp {
    /// The local address of media.
    #[serde(deserialize_with = "address::ip_address")]
    pub address: IpAddr,
    /// `20000-29999`: even ports carry RTP, the odd one after each carries RTCP.
    pub ports: Parsed<PortRange>,
    /// The address written into SDP, where it is not the local one.
    #[serde(default, deserialize_with = "address::some_ip_address")]
    pub public_address: Option<IpAddr>,
    /// A party of a conversation of whom nothing came for so long is taken for gone, seconds.
    #[serde(default = "Rtp::usual_silence_s")]
    pub silence_s: u32,
}

impl Rtp {
    /// Longer than any network takes to come back, shorter than people wait in silence.
    const fn usual_silence_s() -> u32 {
        30
    }
}

/// `callbacks:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Callbacks {
    /// Private, loopback and link-local ranges that callbacks may reach all the same.
    pub allow: Vec<Parsed<Cidr>>,
    /// Deliveries in flight at once, all endpoints together.
    pub max_in_flight: u32,
    /// Deliveries in flight at once to one endpoint.
    pub max_in_flight_per_endpoint: u32,
    /// How long a receiver may take to answer, milliseconds.
    pub timeout_ms: u32,
}

impl Default for Callbacks {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            max_in_flight: 256,
            max_in_flight_per_endpoint: 8,
            timeout_ms: 15_000,
        }
    }
}

/// `speech:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Speech {
    /// A folder of studio recordings that take the place of the packs inside the program.
    pub packs: Option<PathBuf>,
    /// In digit strings, 1 is read 幺 (as numbers are told on the telephone) instead of 一.
    pub yao_for_one: bool,
    /// The pause between two contents, milliseconds.
    pub gap_ms: u32,
    /// The pause between two plays of a notice without keys, milliseconds.
    pub replay_gap_ms: u32,
    /// How much decoded media of the tenants' libraries is kept in memory, mebibytes.
    pub media_cache_mib: u32,
}

impl Default for Speech {
    fn default() -> Self {
        Self {
            packs: None,
            yao_for_one: false,
            gap_ms: 150,
            replay_gap_ms: 1_000,
            media_cache_mib: 256,
        }
    }
}

/// `log:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// One line of text a record, or one JSON object.
    pub format: LogFormat,
    /// What is logged: `info`, or a filter such as `info,yunling_switch=debug`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Settings {
    /// How the database is opened by a node that starts at `now`.
    pub fn open_options(&self, now: Micros) -> OpenOptions {
        let migrate = match self.database.migrate {
            Migration::Automatic => Migrate::Automatic,
            Migration::Manual => Migrate::Manual,
        };
        OpenOptions { migrate, copies: self.copies(now), ..OpenOptions::default() }
    }

    /// Where a copy goes that is taken before a migration; none where the operator wants none.
    pub fn copies(&self, now: Micros) -> Option<Copies> {
        let folder = self.data_dir.join(BACKUPS);
        self.database.copy_before_migration.then_some(Copies { folder, now })
    }

    /// The base of links that go out, without a slash at its end.
    pub fn public_url(&self) -> String {
        match &self.http.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.http.listen),
        }
    }
}
