//! The product under load: `yunling serve` in a folder of its own, its limits lifted.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::Tools;
use super::callees::free_udp;
use super::child::Program;
use super::usage::Usage;

/// Where it listens, for customers, carriers and callees.
const NODE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 77, 1));
/// Where its customer listens.
const CUSTOMER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 77, 4));
/// The tenant's names; any do.
pub(super) const ACCOUNT: &str = "abcdefghijklmnopqrstuvwxyz012345";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(super) const APPID: &str = "11111111111111111111111111111111";
const CONTENT: &str = "prompt.wav";
/// How long a start may take.
const START: Duration = Duration::from_secs(60);

/// How a node is set up for a part.
pub(super) struct SetUp<'a> {
    /// The database's address; a new SQLite file where absent.
    pub(super) database: Option<&'a str>,
    /// The trunk's address.
    pub(super) trunk: SocketAddr,
    /// Calls that the trunk takes at once; absent: any number.
    pub(super) trunk_calls: Option<u32>,
    /// Length of what is played.
    pub(super) prompt_s: f64,
}

/// A node that runs.
pub(super) struct Platform {
    process: Program,
    /// Where it answers.
    pub(super) http: SocketAddr,
    /// Its settings, documents and data.
    pub(super) folder: PathBuf,
}

impl Platform {
    /// Starts one whose callbacks go to `receiver`.
    pub(super) fn start(tools: &Tools, set_up: &SetUp<'_>, receiver: SocketAddr) -> Result<Self> {
        let folder = tools.out.join(format!("node-{}", std::process::id()));
        // Left by a run that was killed, under a number that has come again.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let http = free_tcp(NODE)?;
        let config = folder.join("yunling.yaml");
        // JSON is YAML.
        write(&config, &settings(http, free_udp(NODE)?, set_up).to_string())?;
        write(&folder.join("tenant.yaml"), &tenant(receiver, set_up).to_string())?;
        std::fs::write(folder.join(CONTENT), tone_wav(set_up.prompt_s))?;
        let arguments = ["serve".as_ref(), "--config".as_ref(), config.as_os_str()];
        let mut process =
            Program::start("yunling", &tools.yunling, arguments, &tools.out.join("node.log"))?;
        wait_until_healthy(http, &mut process, &tools.out)?;
        Ok(Self { process, http, folder })
    }

    /// What it has used so far.
    pub(super) fn usage(&self) -> Result<Usage> {
        self.process.usage()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.process.kill();
        // It is in the target directory, and made anew by the next run.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A node that runs, and its customer.
pub(super) struct Node {
    platform: Platform,
    pub(super) customer: Program,
    /// The arguments by which a program of the bench finds and enters it.
    pub(super) access: Vec<String>,
}

impl Node {
    /// Starts both.
    pub(super) fn start(tools: &Tools, set_up: &SetUp<'_>) -> Result<Self> {
        let receiver = free_tcp(CUSTOMER)?;
        let platform = Platform::start(tools, set_up, receiver)?;
        let mut access = Vec::new();
        for (name, value) in [
            ("--api", platform.http.to_string()),
            ("--account", ACCOUNT.to_owned()),
            ("--token", TOKEN.to_owned()),
            ("--appid", APPID.to_owned()),
            ("--content", CONTENT.to_owned()),
        ] {
            access.extend([name.to_owned(), value]);
        }
        let mut arguments = vec!["customer".to_owned()];
        arguments.extend(access.iter().cloned());
        arguments.extend(["--receive".to_owned(), receiver.to_string()]);
        let log = tools.out.join("customer.log");
        let customer = Program::ready("the customer", &tools.bench, arguments, &log)?;
        Ok(Self { platform, customer, access })
    }

    /// What the node has used so far.
    pub(super) fn usage(&self) -> Result<Usage> {
        self.platform.usage()
    }
}

fn settings(http: SocketAddr, sip: SocketAddr, set_up: &SetUp<'_>) -> serde_json::Value {
    json!({
        "node": "10000",
        "data_dir": "./data",
        "database": { "url": set_up.database.unwrap_or("sqlite://./data/yunling.db") },
        "http": { "listen": http.to_string() },
        "sip": { "listen": [format!("udp:{sip}")] },
        "rtp": { "address": NODE.to_string(), "ports": "10000-59999" },
        "callbacks": {
            "allow": ["127.0.0.0/8"],
            "max_in_flight": 4_096,
            "max_in_flight_per_endpoint": 512,
        },
        "calls": {
            "no_reply_ms": 32_000,
            "queue_max_len": 10_000_000,
            "queue_max_wait": { "notices_s": 3_600 },
        },
        "resources": ["./tenant.yaml"],
        "log": { "filter": "warn" },
    })
}

fn tenant(receiver: SocketAddr, set_up: &SetUp<'_>) -> serde_json::Value {
    let mut trunk = json!({
        "name": "callees",
        "uri": format!("sip:{};transport=udp", set_up.trunk),
        "number_format": "national",
        // The callees answer calls alone.
        "probe_s": 0,
    });
    if let Some(calls) = set_up.trunk_calls {
        trunk["max_calls"] = calls.into();
    }
    json!({
        "trunks": [trunk],
        "accounts": [{
            "sid": ACCOUNT,
            "token": TOKEN,
            "name": "Bench",
            "caller_ids": [{ "number": "01080001001", "trunks": ["callees"] }],
            "applications": [{
                "sid": APPID,
                "name": "bench",
                "notice_url": format!("http://{receiver}/notice"),
                "media": [{ "name": CONTENT, "file": format!("./{CONTENT}") }],
            }],
        }],
    })
}

/// A WAV file (RIFF, 16 bit, mono, 8 kHz) of a tone.
fn tone_wav(seconds: f64) -> Vec<u8> {
    let samples = (seconds * 8_000.0) as u32;
    let bytes = samples * 2;
    let mut wav = Vec::with_capacity(44 + bytes as usize);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + bytes).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16_u32.to_le_bytes());
    for half in [1_u16, 1] {
        wav.extend_from_slice(&half.to_le_bytes()); // PCM, one channel
    }
    wav.extend_from_slice(&8_000_u32.to_le_bytes());
    wav.extend_from_slice(&16_000_u32.to_le_bytes());
    for half in [2_u16, 16] {
        wav.extend_from_slice(&half.to_le_bytes()); // bytes a sample, bits
    }
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&bytes.to_le_bytes());
    for sample in 0..samples {
        let phase = f64::from(sample) * 440.0 / 8_000.0 * std::f64::consts::TAU;
        wav.extend_from_slice(&((phase.sin() * 8_000.0) as i16).to_le_bytes());
    }
    wav
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn free_tcp(ip: IpAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((ip, 0)).with_context(|| format!("cannot bind to {ip}"))?;
    Ok(listener.local_addr()?)
}

fn wait_until_healthy(http: SocketAddr, process: &mut Program, out: &Path) -> Result<()> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if !process.runs() {
            bail!("yunling did not start; what it said is in {}", out.join("node.log").display());
        }
        if is_healthy(http).unwrap_or(false) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("yunling was not healthy within {} s", START.as_secs())
}

fn is_healthy(http: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(http)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split_ascii_whitespace().nth(1) == Some("200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_as_long_as_it_says() {
        let wav = tone_wav(0.5);
        assert_eq!(wav.len(), 44 + 8_000);
        assert_eq!(wav[40..44], 8_000_u32.to_le_bytes());
        assert_eq!(&wav[..4], b"RIFF");
    }
}
