//! A node's settings: `yunling.yaml`. The keys `node`, `data_dir`, `database`, `http`, `sip`, `rtp`,
//! `callbacks` and `resources` are a contract with outside tools; everything else has a default.
//! `deploy/yunling.yaml` is the manual of every key.

mod address;
mod calls;
mod load;

pub use address::{Cidr, PortRange, SipListen, SipTransport};
pub use calls::{Calls, QueueMaxWait};

use crate::yaml::{Parsed, Zone};
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use yunling_domain::NodeNumber;

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
    /// The log on standard error.
    #[serde(default)]
    pub log: Log,
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
}

/// `sip:`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sip {
    /// `udp:127.0.0.1:5060`, `tcp:…`; not empty.
    pub listen: Vec<Parsed<SipListen>>,
    /// The address that peers are told to answer to, where it is not the one listened on.
    #[serde(default, deserialize_with = "address::some_ip_address")]
    pub public_address: Option<IpAddr>,
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
    /// The base of links that go out, without a slash at its end.
    pub fn public_url(&self) -> String {
        match &self.http.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.http.listen),
        }
    }
}
