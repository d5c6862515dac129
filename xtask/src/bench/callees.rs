//! The called side: sipp answers, and the media tool hears and speaks.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Tools;
use super::child::Program;

/// Where the callees' signalling is.
const SIGNALLING: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 77, 2));
/// Where their media is.
const MEDIA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 77, 3));
/// How long sipp may take for the last answers.
const FAREWELL: Duration = Duration::from_secs(3);

/// What the media of a side does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// Measures what comes and sends it back.
    Echo,
    /// Speaks by itself, and measures how what it said comes back.
    Talker,
}

/// One side of the calls: the media tool, and what sipp needs to be started.
pub(super) struct Callees<'a> {
    tools: &'a Tools,
    /// Tells its files from those of another side.
    name: &'static str,
    codec: Codec,
    media: Program,
    pub(super) media_at: SocketAddr,
}

/// A side's codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Pcma,
    Pcmu,
}

/// Callees that answer.
pub(super) struct Answering {
    sipp: Program,
    statistics: std::path::PathBuf,
    /// Their SIP address.
    pub(super) at: SocketAddr,
}

/// What sipp saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) calls: u64,
    pub(super) ended_well: u64,
    /// By sipp, of lost or late messages of either side.
    pub(super) retransmissions: u64,
}

impl<'a> Callees<'a> {
    /// Starts the media tool.
    pub(super) fn start(tools: &'a Tools) -> Result<Self> {
        Self::side(tools, "callee", Media::Echo)
    }

    /// The same for a side of this name.
    pub(super) fn side(tools: &'a Tools, name: &'static str, media: Media) -> Result<Self> {
        let media_at = free_udp(MEDIA)?;
        let program = match media {
            Media::Echo => "callee",
            Media::Talker => "talker",
        };
        let arguments = [program.to_owned(), "--listen".into(), media_at.to_string()];
        let log = tools.out.join(format!("{name}.log"));
        let media = Program::ready("the media tool", &tools.bench, arguments, &log)?;
        Ok(Self { tools, name, codec: Codec::Pcma, media, media_at })
    }

    /// What it speaks from now on.
    pub(super) fn speaks(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// Begins to answer, at most so many calls.
    pub(super) fn answer(&mut self, calls: u32) -> Result<Answering> {
        self.media.tell("forget")?;
        let at = free_udp(SIGNALLING)?;
        let folder = &self.tools.out;
        let scenario = folder.join(format!("{}.xml", self.name));
        std::fs::write(&scenario, include_str!("callee.xml"))
            .with_context(|| format!("cannot write {}", scenario.display()))?;
        let statistics = folder.join(format!("{}.csv", self.name));
        // Absent is no fault.
        let _ = std::fs::remove_file(&statistics);
        let sipp = crate::provision::find("sipp").context("`sipp` is not there")?;
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let arguments = [
            "-sf".to_owned(),
            path(&scenario),
            "-i".into(),
            at.ip().to_string(),
            "-p".into(),
            at.port().to_string(),
            "-key".into(),
            "hear_ip".into(),
            self.media_at.ip().to_string(),
            "-key".into(),
            "hear_port".into(),
            self.media_at.port().to_string(),
            "-key".into(),
            "codec".into(),
            match self.codec {
                Codec::Pcma => "8",
                Codec::Pcmu => "0",
            }
            .into(),
            "-m".into(),
            calls.to_string(),
            "-l".into(),
            "20000".into(),
            "-buff_size".into(),
            "4000000".into(),
            "-trace_stat".into(),
            "-stf".into(),
            path(&statistics),
            "-fd".into(),
            "1".into(),
            "-nd".into(),
            "-nostdin".into(),
        ];
        let mut sipp = Program::start(
            "sipp",
            &sipp,
            arguments,
            &folder.join(format!("{}_sipp.log", self.name)),
        )?;
        bound(at, &mut sipp)?;
        Ok(Answering { sipp, statistics, at })
    }

    /// Begins a measurement of the packets.
    pub(super) fn reset(&mut self) -> Result<()> {
        self.media.tell("reset")
    }

    /// An order to the talker.
    pub(super) fn tell(&mut self, order: &str) -> Result<()> {
        self.media.tell(order)
    }

    /// Whether a packet goes back for each that comes.
    pub(super) fn speak(&mut self, on: bool) -> Result<()> {
        self.media.tell(if on { "echo on" } else { "echo off" })
    }

    /// The packets since the last reset.
    pub(super) fn heard(&mut self) -> Result<Value> {
        self.media.tell("report")?;
        self.media.next(Duration::from_secs(10))
    }
}

impl Answering {
    /// Ends it and reads what it counted.
    pub(super) fn end(mut self) -> Result<Seen> {
        self.sipp.ends_within(FAREWELL);
        self.sipp.kill();
        self.so_far()
    }

    /// What it counted until a second ago.
    pub(super) fn so_far(&self) -> Result<Seen> {
        let text = std::fs::read_to_string(&self.statistics)
            .with_context(|| format!("sipp left no {}", self.statistics.display()))?;
        seen(&text).context("sipp's statistics are not as known")
    }
}

impl Seen {
    pub(super) fn to_json(self) -> Value {
        json!({
            "calls": self.calls,
            "ended_well": self.ended_well,
            "retransmissions": self.retransmissions,
        })
    }
}

/// The last line of sipp's statistics.
fn seen(csv: &str) -> Option<Seen> {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next()?.split(';').collect();
    let values: Vec<&str> = lines.next_back()?.split(';').collect();
    let value = |name: &str| {
        let column = names.iter().position(|known| *known == name)?;
        values.get(column)?.parse().ok()
    };
    Some(Seen {
        calls: value("TotalCallCreated")?,
        ended_well: value("SuccessfulCall(C)")?,
        retransmissions: value("Retransmissions(C)")?,
    })
}

/// An address of this machine at which nobody listens now.
pub(super) fn free_udp(ip: IpAddr) -> Result<SocketAddr> {
    let socket = UdpSocket::bind((ip, 0)).with_context(|| format!("cannot bind to {ip}"))?;
    Ok(socket.local_addr()?)
}

/// Waits until sipp has its port.
fn bound(at: SocketAddr, sipp: &mut Program) -> Result<()> {
    for _ in 0..200 {
        anyhow::ensure!(sipp.runs(), "sipp ended at once: try it with `sipp -v`");
        if UdpSocket::bind(at).is_err() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    anyhow::bail!("sipp does not listen on {at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let csv = "A;TotalCallCreated;SuccessfulCall(C);Retransmissions(C);\n\
                   x;1;0;0;\nx;12;11;3;\n";
        assert_eq!(seen(csv), Some(Seen { calls: 12, ended_well: 11, retransmissions: 3 }));
        assert_eq!(seen("A;B\n1;2\n"), None);
    }
}
