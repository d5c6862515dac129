//! `bench bridge`: conversations of two and three parties, their cost, the way of a packet through
//! the engine and back through it, and what gets lost.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::callees::{Callees, Codec, Media, free_udp};
use super::child::Program;
use super::peer::{Bridged, Peer, Recorded};
use super::table::{Aim, Row};
use super::{Length, Tools, finish, say};
use crate::provision;
use crate::workspace::Workspace;

/// The parts, in the order in which they run.
const PARTS: &[char] = &['a', 'b', 'c', 'd', 'e', 'f'];

/// How long what is steady is watched.
const WINDOW: Duration = Duration::from_secs(8);
/// How long the last packets may be on their way.
const UNDER_WAY: Duration = Duration::from_millis(500);
/// Conversations begun a second.
const PER_S: f64 = 50.0;

/// Options of `bench bridge`.
#[derive(clap::Args)]
pub(super) struct Bridges {
    /// A folder with another engine's scripts, measured in the same run
    #[arg(long, value_name = "DIR")]
    peer: Option<PathBuf>,
    /// Without the peer's crowd of 300
    #[arg(long)]
    quick: bool,
    /// Only these parts: a, b, c, d, e, f
    #[arg(long, value_delimiter = ',', value_name = "PART,…")]
    only: Vec<char>,
    /// Measure what was built before
    #[arg(long)]
    no_build: bool,
}

/// Conversations to be measured.
#[derive(Debug, Clone, Copy)]
struct Load {
    conversations: u32,
    parties: u32,
    recorded: Recorded,
    /// What the second and the third party speak.
    codec: Codec,
}

/// What was seen of them.
struct Seen {
    /// Share of a core for 100 conversations.
    percent_per_100: f64,
    round_trip_p50_ms: f64,
    round_trip_p99_ms: f64,
    /// Said by the first parties, and not come back to them.
    lost: f64,
    detail: Value,
}

impl Load {
    fn plain(conversations: u32) -> Self {
        Self { conversations, parties: 2, recorded: Recorded::No, codec: Codec::Pcma }
    }
}

impl Bridges {
    pub(super) fn run(self, workspace: &Workspace) -> Result<()> {
        let chosen = if self.only.is_empty() { PARTS } else { &self.only };
        if let Some(unknown) = chosen.iter().find(|part| !PARTS.contains(part)) {
            bail!("--only: there is no part `{unknown}`; expected some of a,b,c,d,e,f");
        }
        let parts: BTreeSet<char> = chosen.iter().copied().collect();
        provision::ensure(provision::BUILD)?;
        provision::ensure(provision::BENCH)?;
        let packages: &[&str] = if self.no_build { &[] } else { &["yunling-bench"] };
        let tools = Tools::build(workspace, packages)?;
        let mut rows = Vec::new();
        let outcome = self.measure(&tools, &parts, &mut rows);
        finish(&tools, "bridge", rows)?;
        outcome
    }

    /// Rows that were measured before a part failed are kept.
    fn measure(&self, tools: &Tools, parts: &BTreeSet<char>, rows: &mut Vec<Row>) -> Result<()> {
        let length = if self.quick { Length::Quick } else { Length::Full };
        let has = |part: char| parts.contains(&part);
        let (mut plain, mut recorded, mut crowded) = (None, None, None);
        if let Some(folder) = &self.peer {
            let peer = Peer::start(folder, &tools.out)?;
            if has('a') || has('e') {
                say("(a) the peer's bridges");
                plain = Some(peer.bridged(100, Recorded::No)?);
            }
            if has('b') {
                say("(b) the peer's recordings");
                recorded = Some(peer.bridged(100, Recorded::Yes)?);
            }
            if has('e') && length == Length::Full {
                say("(e) the peer's crowd");
                crowded = Some(peer.bridged(300, Recorded::No)?);
            }
        }
        let mut sides = Sides {
            tools,
            callers: Callees::side(tools, "caller", Media::Talker)?,
            callees: Callees::side(tools, "callee", Media::Echo)?,
        };
        if has('a') || has('e') {
            say("(a) bridges");
            let seen = sides.run(Load::plain(100))?;
            if has('a') {
                let what = "100 conversations, undecoded: % of a core";
                rows.push(seen.cost('a', what, Some(6.0), plain));
            }
            if has('e') {
                rows.push(seen.round_trip(100, plain));
            }
        }
        if has('b') {
            say("(b) recordings");
            let seen = sides.run(Load { recorded: Recorded::Yes, ..Load::plain(100) })?;
            let what = "100 conversations, recorded: % of a core";
            rows.push(seen.cost('b', what, Some(9.0), recorded));
        }
        if has('c') {
            say("(c) A-law and µ-law");
            let seen = sides.run(Load { codec: Codec::Pcmu, ..Load::plain(100) })?;
            let what = "100 conversations, one law into the other: % of a core";
            rows.push(seen.cost('c', what, None, None));
        }
        if has('d') {
            say("(d) three parties");
            let seen = sides.run(Load { parties: 3, ..Load::plain(100) })?;
            let what = "100 conversations of three, mixed: % of a core";
            rows.push(seen.cost('d', what, None, None));
        }
        if has('e') {
            say("(e) the way through");
            rows.push(sides.run(Load::plain(300))?.round_trip(300, crowded));
        }
        if has('f') {
            say("(f) a thousand legs");
            let seen = sides.run(Load::plain(500))?;
            let what = format!(
                "1,000 legs: packets lost ({:.0} % of a core per 100 conversations)",
                seen.percent_per_100
            );
            // More come back than were said if some came twice.
            rows.push(Row::new('f', what, seen.lost.abs(), seen.detail).aim(Aim::AtMost(0.0)));
        }
        Ok(())
    }
}

impl Seen {
    fn cost(&self, part: char, what: &str, aim: Option<f64>, peer: Option<Bridged>) -> Row {
        let row = Row::new(part, what, self.percent_per_100, self.detail.clone())
            .peer(peer.map(|peer| peer.percent_per_100));
        match aim {
            Some(most) => row.aim(Aim::AtMost(most)),
            None => row,
        }
    }

    fn round_trip(&self, conversations: u32, peer: Option<Bridged>) -> Row {
        let what = format!(
            "{conversations} conversations: through the engine twice, ms, p99 (p50 {:.2})",
            self.round_trip_p50_ms
        );
        Row::new('e', what, self.round_trip_p99_ms, self.detail.clone())
            .aim(Aim::AtMost(1.0))
            .peer(peer.map(|peer| peer.round_trip_p99_ms))
    }
}

/// Both sides of the conversations.
struct Sides<'a> {
    tools: &'a Tools,
    /// They speak, and hear what comes back.
    callers: Callees<'a>,
    /// They send back what they hear.
    callees: Callees<'a>,
}

impl Sides<'_> {
    fn run(&mut self, load: Load) -> Result<Seen> {
        self.callees.speaks(load.codec);
        let callers = self.callers.answer(load.conversations)?;
        let callees = self.callees.answer(load.conversations * (load.parties - 1))?;
        let folder = self.tools.out.join("recordings");
        // Left by the last run.
        let _ = std::fs::remove_dir_all(&folder);
        let mut arguments = vec![
            "bridge".to_owned(),
            "--address".into(),
            free_udp(super::alone::ENGINE)?.to_string(),
            "--callers".into(),
            callers.at.to_string(),
            "--callees".into(),
            callees.at.to_string(),
            "--conversations".into(),
            load.conversations.to_string(),
            "--per-s".into(),
            PER_S.to_string(),
            "--parties".into(),
            load.parties.to_string(),
        ];
        if load.recorded == Recorded::Yes {
            arguments.extend(["--record".into(), folder.to_string_lossy().into_owned()]);
        }
        let log = self.tools.out.join("bridge.log");
        let mut engine = Program::ready("the engine", &self.tools.bench, arguments, &log)?;
        let longest = Duration::from_secs_f64(f64::from(load.conversations) / PER_S + 60.0);
        engine.tell("go")?;
        let up = engine.wait_for("up", longest)?;
        ensure!(up["conversations"] == load.conversations, "not all were answered: {up}");
        // Each first party hears silence from its leg, and so learns where to speak to.
        self.callers.tell("talk")?;
        std::thread::sleep(Duration::from_secs(2));
        self.callers.reset()?;
        self.callees.reset()?;
        let before = engine.usage()?;
        std::thread::sleep(WINDOW);
        let after = engine.usage()?;
        self.callers.tell("hush")?;
        std::thread::sleep(UNDER_WAY);
        let (said, heard) = (self.callers.heard()?, self.callees.heard()?);
        engine.tell("end")?;
        let ended = engine.wait_for("ended", longest)?;
        engine.end(Duration::from_secs(5));
        let signalling = (callers.end()?.to_json(), callees.end()?.to_json());
        let _ = std::fs::remove_dir_all(&folder);
        ensure!(said["streams"] == load.conversations, "not all were spoken to: {said}");
        let none_failed = ended["failures"].as_object().is_some_and(serde_json::Map::is_empty);
        ensure!(none_failed, "something failed: {ended}");
        if load.recorded == Recorded::Yes {
            let is_all_there = ended["recorded"] == load.conversations;
            ensure!(is_all_there && ended["recording_lost_ms"] == 0, "recordings lost: {ended}");
        }
        // Of what is mixed or translated nothing comes back as it was said.
        if load.parties == 2 && load.codec == Codec::Pcma {
            ensure!(said["returned"].as_u64() > Some(0), "nothing came back: {said}");
        }
        let figure = |value: &Value| value.as_f64().context("the media tool names no figure");
        let spent = after - before;
        Ok(Seen {
            percent_per_100: 1e4 * spent.share() / f64::from(load.conversations),
            round_trip_p50_ms: figure(&said["round_trip_p50_ms"])?,
            round_trip_p99_ms: figure(&said["round_trip_p99_ms"])?,
            lost: figure(&said["sent"])? - figure(&said["returned"])?,
            detail: json!({
                "callers": said,
                "callees": heard,
                "engine": ended,
                "sipp": [signalling.0, signalling.1],
            }),
        })
    }
}
