//! `cargo xtask bench`: measures the product, beside another engine where one is given. What is
//! measured and how is told in docs/BENCHMARKS.md.

mod alone;
mod ask;
mod bridge;
mod callees;
mod captcha;
mod cdr;
mod child;
mod node;
mod peer;
mod table;
mod usage;
mod whole;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::postgres;
use crate::provision;
use crate::workspace::{Workspace, run};
use alone::{Alone, Wanted};
use callees::Callees;
use peer::Peer;
use table::Row;
use whole::{Database, Whole};

/// The parts, in the order in which they run.
const PARTS: &[char] = &['g', 'a', 'd', 'e', 'c', 'b', 'f'];

/// Measure.
#[derive(clap::Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(clap::Subcommand)]
enum Subject {
    /// Notices: their cost, their rate, the evenness of their packets
    Notices(Notices),
    /// Conversations: the cost of bridges, recordings and mixes, the way of a packet through them
    Bridge(bridge::Bridges),
    /// Captchas: from request to INVITE, alone and beside a batch at full speed
    Captcha(captcha::Captchas),
    /// Call records: searches, deep pages and exports among many
    Cdr(cdr::Cdrs),
}

/// Options of `bench notices`.
#[derive(clap::Args)]
struct Notices {
    /// A folder with another engine's scripts, measured in the same run
    #[arg(long, value_name = "DIR")]
    peer: Option<PathBuf>,
    /// Fewer calls and fewer steps: under two minutes
    #[arg(long)]
    quick: bool,
    /// Only these parts: a, b, c, d, e, f, g
    #[arg(long, value_delimiter = ',', value_name = "PART,…")]
    only: Vec<char>,
    /// A PostgreSQL database to measure (c) on besides, empty; without it a throwaway server is
    /// started where one is installed
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Measure what was built before
    #[arg(long)]
    no_build: bool,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Quick,
    Full,
}

impl Length {
    fn of<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// The programs, and where they may write.
struct Tools {
    bench: PathBuf,
    yunling: PathBuf,
    out: PathBuf,
}

impl Tools {
    /// Builds these packages; what was built before serves for the others.
    fn build(workspace: &Workspace, packages: &[&str]) -> Result<Self> {
        if !packages.is_empty() {
            workspace.claim_target_dir()?;
        }
        for package in packages {
            run(workspace.cargo("build").args(["--release", "--package", package]))?;
        }
        let yunling = workspace.binary("release");
        let tools = Self {
            bench: yunling.with_file_name("yunling-bench"),
            yunling,
            out: workspace.target_dir().join("bench"),
        };
        std::fs::create_dir_all(&tools.out)
            .with_context(|| format!("cannot make {}", tools.out.display()))?;
        Ok(tools)
    }
}

impl Bench {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        match self.subject {
            Subject::Notices(notices) => notices.run(workspace),
            Subject::Bridge(bridges) => bridges.run(workspace),
            Subject::Captcha(captchas) => captchas.run(workspace),
            Subject::Cdr(cdrs) => cdrs.run(workspace),
        }
    }
}

impl Notices {
    fn run(self, workspace: &Workspace) -> Result<()> {
        let parts = self.parts()?;
        provision::ensure(provision::BUILD)?;
        provision::ensure(provision::BENCH)?;
        let packages: &[&str] = if self.no_build { &[] } else { &["yunling", "yunling-bench"] };
        let tools = Tools::build(workspace, packages)?;
        let mut rows = Vec::new();
        let outcome = self.measure(&tools, &parts, &mut rows);
        finish(&tools, "notices", rows)?;
        outcome
    }

    fn parts(&self) -> Result<BTreeSet<char>> {
        let chosen = if self.only.is_empty() { PARTS } else { &self.only };
        if let Some(unknown) = chosen.iter().find(|part| !PARTS.contains(part)) {
            bail!("--only: there is no part `{unknown}`; expected some of a,b,c,d,e,f,g");
        }
        Ok(chosen.iter().copied().collect())
    }

    /// Rows that were measured before a part failed are kept.
    fn measure(&self, tools: &Tools, parts: &BTreeSet<char>, rows: &mut Vec<Row>) -> Result<()> {
        let length = if self.quick { Length::Quick } else { Length::Full };
        let has = |part: char| parts.contains(&part);
        let (mut peer_cost, mut peer_rate) = (None, None);
        if let Some(folder) = self.peer.as_deref().filter(|_| has('a') || has('c')) {
            let peer = Peer::start(folder, &tools.out)?;
            if has('a') {
                say("(a) the peer's cost");
                peer_cost = Some(peer.cost(length)?);
            }
            if has('c') {
                say("(c) the peer's rate");
                let (rate, tried) = peer.rate(length)?;
                peer_rate = Some(rate);
                rows.push(Peer::row(rate, tried));
            }
        }
        let mut callees = Callees::start(tools)?;
        let mut alone = Alone { tools, callees: &mut callees };
        if has('g') {
            say("(g) the bare loop");
            rows.push(alone.bare()?);
        }
        if has('a') {
            say("(a) the engine's cost");
            rows.push(alone.cost(length, peer_cost)?);
        }
        if has('d') || has('e') {
            say("(d) packets, (e) memory");
            let wanted = Wanted { spacing: has('d'), memory: has('e') };
            rows.extend(alone.concurrency(length, wanted)?);
        }
        if has('c') {
            say("(c) the engine's rate");
            rows.push(alone.rate(length, peer_rate)?);
        }
        let mut whole = Whole { tools, callees: &mut callees };
        if has('b') {
            say("(b) the cost from request to callback");
            rows.push(whole.cost(length)?);
        }
        if has('c') {
            say("(c) the rate from request to callback");
            rows.push(whole.rate(length, &Database { name: "SQLite", url: None })?);
            if length == Length::Full {
                self.rate_on_postgres(&mut whole, rows)?;
            }
        }
        if has('f') {
            say("(f) requests accepted");
            rows.push(whole.accepted(length)?);
        }
        Ok(())
    }

    /// On the database that was named, or on a server made for this, or not at all.
    fn rate_on_postgres(&self, whole: &mut Whole<'_, '_>, rows: &mut Vec<Row>) -> Result<()> {
        say("(c) the rate on PostgreSQL");
        if let Some(url) = &self.postgres {
            let database = Database { name: "PostgreSQL", url: Some(url) };
            rows.push(whole.rate(Length::Full, &database)?);
        } else if provision::find("initdb").is_some() {
            let server = postgres::Server::start()?;
            let url = server.url();
            let database = Database { name: "PostgreSQL without fsync", url: Some(&url) };
            rows.push(whole.rate(Length::Full, &database)?);
        } else {
            eprintln!("  not measured: no --postgres, and no server is installed");
        }
        Ok(())
    }
}

/// Writes down what was seen, and prints the table.
fn finish(tools: &Tools, subject: &str, mut rows: Vec<Row>) -> Result<()> {
    rows.sort_by_key(Row::part);
    let file = tools.out.join(format!("{subject}.json"));
    let text = serde_json::to_string_pretty(&table::document(&rows, &machine()))?;
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    print!("\n{}", table::render(&rows));
    println!("\nall that was seen: {}", file.display());
    Ok(())
}

fn say(what: &str) {
    eprintln!("xtask: {what}");
}

/// On what it was measured.
fn machine() -> Value {
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let kernel = Command::new("uname").arg("-r").output().map(|output| output.stdout);
    json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "model": model.trim_start_matches([' ', '\t', ':']),
        "kernel": String::from_utf8_lossy(&kernel.unwrap_or_default()).trim(),
        "load_average": usage::load_average(),
    })
}
