//! `bench cdr`: searching, deep pages and exports of many call records, on SQLite and PostgreSQL.

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::node::{ACCOUNT, APPID, Platform, SetUp};
use super::table::{Aim, Row};
use super::{Tools, ask, finish, say};
use crate::workspace::{Workspace, run};
use crate::{postgres, provision};

/// Looks at each page.
const LOOKS: u64 = 15;
/// Records of a page.
const LIMIT: u32 = 100;
/// How often the progress of an export is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Rows that an export and a dump write a second at the least; what is slower has stopped.
const SLOWEST_ROWS_PER_S: u64 = 1_000;
/// Before all but a hundredth of the records that the filler writes (a year until 2026-11-24).
const DEEP: &str = "2025-11-28T00:00:00Z";
/// Nobody is called and nothing is called back.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 77, 9)), 9);

/// Options of `bench cdr`.
#[derive(clap::Args)]
pub(super) struct Cdrs {
    /// Rows of call records, one a leg
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// A PostgreSQL database, empty; without it a throwaway server is started where one is installed
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Measure what was built before
    #[arg(long)]
    no_build: bool,
}

/// A database with records in it, and a node on it.
struct Measured<'a> {
    name: &'a str,
    url: &'a str,
    rows: u64,
    platform: &'a Platform,
}

/// Conditions by name; of each a query that differs from look to look where it can.
type Conditions = (&'static str, fn(u64) -> String);

/// Answered from an index.
const INDEXED: &[Conditions] = &[
    ("none", |_| String::new()),
    ("to", |look| format!("&to={}", callee(look))),
    ("from", |look| format!("&from=01080001{}", 100 + look % 10)),
    ("application", |_| format!("&application={APPID}")),
    ("requestId", |look| format!("&requestId=RQ1000020260101000000{look:013}")),
    ("until", |look| format!("&until=2026-0{}-01T00:00:00Z", 1 + look % 9)),
    ("to, since", |look| format!("&to={}&since={DEEP}", callee(look))),
];

/// Looked at row by row; of some nothing is ever found, so that as much is looked at as a page may.
const SCANNED: &[Conditions] = &[
    ("trunk that carried nothing", |_| "&trunk=nowhere".to_owned()),
    ("trunk that carried a thousandth", |_| "&trunk=rare".to_owned()),
    ("cause that nothing had", |_| "&cause=time-out".to_owned()),
    ("callType that nobody asked for", |_| "&callType=captcha".to_owned()),
    ("result", |_| "&result=1".to_owned()),
    ("byeType", |_| "&byeType=2".to_owned()),
    ("application, trunk that carried nothing", |_| format!("&application={APPID}&trunk=nowhere")),
    ("from, result, callType", |look| {
        format!("&from=01080001{}&result=1&callType=captcha", 100 + look % 10)
    }),
    ("application, another line", |_| format!("&application={APPID}&from=01080001999")),
];

/// Whose first and deep pages are compared.
const PAGED: &[&str] = &["none", "from", "application"];

/// A number that some of the filler's calls went to.
fn callee(look: u64) -> String {
    format!("138{:08}", (look * 4 * 2_654_435_761) % 1_000_000)
}

impl Cdrs {
    pub(super) fn run(self, workspace: &Workspace) -> Result<()> {
        provision::ensure(provision::BUILD)?;
        provision::ensure(provision::DUMPS)?;
        if !self.no_build {
            workspace.claim_target_dir()?;
            // In one go: each for itself would select other features of what both use.
            let mut build = workspace.cargo("build");
            build.args(["--release", "--package", "yunling", "--package", "yunling-store"]);
            run(build.args(["--bin", "yunling", "--example", "fill_cdrs"]))?;
        }
        let tools = Tools::build(workspace, &[])?;
        let mut rows = Vec::new();
        let outcome = self.measure(&tools, &mut rows);
        finish(&tools, "cdr", rows)?;
        outcome
    }

    /// Rows that were measured before something failed are kept.
    fn measure(&self, tools: &Tools, rows: &mut Vec<Row>) -> Result<()> {
        let folder = tools.out.join("cdr");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("yunling.db");
        let on_sqlite = self.on("SQLite", &format!("sqlite://{}", file.display()), tools, rows);
        // Gigabytes that the next run makes anew.
        let _ = std::fs::remove_dir_all(&folder);
        on_sqlite?;
        if let Some(url) = &self.postgres {
            self.on("PostgreSQL", url, tools, rows)
        } else if provision::find("initdb").is_some() {
            let server = postgres::Server::start()?;
            self.on("PostgreSQL without fsync", &server.url(), tools, rows)
        } else {
            eprintln!("  not measured: no --postgres, and no server is installed");
            Ok(())
        }
    }

    fn on(&self, name: &str, url: &str, tools: &Tools, rows: &mut Vec<Row>) -> Result<()> {
        say(&format!("{name}: {} rows are filled in", self.rows));
        let filler = tools.yunling.with_file_name("examples").join("fill_cdrs");
        run(Command::new(filler).args([url, &self.rows.to_string(), ACCOUNT, APPID]))?;
        let set_up =
            SetUp { database: Some(url), trunk: NOWHERE, trunk_calls: None, prompt_s: 0.1 };
        let platform = Platform::start(tools, &set_up, NOWHERE)?;
        let measured = Measured { name, url, rows: self.rows, platform: &platform };
        say(&format!("{name}: searches"));
        rows.push(measured.first_pages('a', "a condition with an index", INDEXED, 100.0)?);
        rows.push(measured.first_pages('b', "any condition", SCANNED, 250.0)?);
        rows.push(measured.deep_pages()?);
        say(&format!("{name}: the database's own dump"));
        let dumped_per_s = measured.dump(&tools.out.join("cdr.dump"))?;
        for (part, format) in [('d', "csv"), ('e', "jsonl"), ('f', "xlsx")] {
            say(&format!("{name}: an export as {format}"));
            rows.push(measured.export(part, format, dumped_per_s)?);
        }
        Ok(())
    }
}

impl Measured<'_> {
    /// The slowest of all first pages.
    fn first_pages(
        &self,
        part: char,
        what: &str,
        conditions: &[Conditions],
        aim_ms: f64,
    ) -> Result<Row> {
        let (mut slowest, mut seen) = (0.0_f64, Vec::new());
        for (name, query) in conditions {
            let (mut took_ms, mut records) = (Vec::new(), 0);
            for look in 0..LOOKS {
                let (page, ms) = self.page(&query(look))?;
                records += page["cdrs"].as_array().map_or(0, Vec::len);
                took_ms.push(ms);
            }
            let first_ms = took_ms[0];
            took_ms.sort_by(f64::total_cmp);
            slowest = slowest.max(took_ms[took_ms.len() - 1]);
            seen.push(json!({
                "conditions": name, "first_ms": first_ms, "p50_ms": took_ms[took_ms.len() / 2],
                "max_ms": took_ms[took_ms.len() - 1], "records": records,
            }));
        }
        let what = format!("{}: first page by {what}, the slowest, ms", self.name);
        Ok(Row::new(part, what, slowest, json!(seen)).aim(Aim::AtMost(aim_ms)))
    }

    /// A page that lies behind 99 of a hundred records beside the first; both at the median.
    fn deep_pages(&self) -> Result<Row> {
        let (mut deepest, mut first_of_it, mut seen) = (0.0_f64, 0.0, Vec::new());
        for (name, query) in INDEXED.iter().filter(|(name, _)| PAGED.contains(name)) {
            let query = query(0);
            let (page, _) = self.page(&format!("{query}&until={DEEP}"))?;
            let cursor = page["nextCursor"].as_str().context("too few records for a deep page")?;
            let median = |query: &str| {
                let mut took_ms = Vec::new();
                for _ in 0..LOOKS {
                    took_ms.push(self.page(query)?.1);
                }
                took_ms.sort_by(f64::total_cmp);
                anyhow::Ok(took_ms[took_ms.len() / 2])
            };
            let (first, deep) = (median(&query)?, median(&format!("{query}&cursor={cursor}"))?);
            if deep >= deepest {
                (deepest, first_of_it) = (deep, first);
            }
            seen.push(json!({ "conditions": name, "first_ms": first, "deep_ms": deep }));
        }
        let what =
            format!("{}: a page behind 99 % of the records (peer: the first), ms", self.name);
        Ok(Row::new('c', what, deepest, json!(seen)).peer(Some(first_of_it)))
    }

    fn page(&self, query: &str) -> Result<(Value, f64)> {
        let path = format!("/api/v1/cdrs?limit={LIMIT}{query}");
        let (page, took) = ask::get(self.platform.http, &path)?;
        Ok((page, took.as_secs_f64() * 1_000.0))
    }

    /// Rows a second of the database's own program, which writes the bare table.
    fn dump(&self, to: &Path) -> Result<f64> {
        let began = Instant::now();
        match self.url.strip_prefix("sqlite://") {
            Some(file) => {
                let file_to = std::fs::File::create(to)?;
                let mut dump = Command::new("sqlite3");
                dump.args(["-readonly", "-header", "-csv", file, "SELECT * FROM \"call\""]);
                run(dump.stdout(file_to))?;
            }
            None => {
                let copy = format!("\\copy \"call\" TO '{}' CSV HEADER", to.display());
                run(Command::new("psql").args(["-X", "-q", "-d", self.url, "-c", &copy]))?;
            }
        }
        let took_s = began.elapsed().as_secs_f64();
        let lines = lines(to)?;
        let _ = std::fs::remove_file(to);
        ensure!(lines == self.rows + 1, "the dump has {lines} lines");
        Ok(self.rows as f64 / took_s)
    }

    /// Rows a second of an export, from its order to the finished file.
    fn export(&self, part: char, format: &str, dumped_per_s: f64) -> Result<Row> {
        let http = self.platform.http;
        let (began, before) = (Instant::now(), self.platform.usage()?);
        let ordered = ask::post(http, "/api/v1/cdr-exports", &json!({ "format": format }))?;
        let id = ordered["id"].as_str().context("an export has an id")?;
        let patience = Duration::from_secs(60 + self.rows / SLOWEST_ROWS_PER_S);
        let mut peak_kb = before.rss_kb;
        let export = loop {
            let (export, _) = ask::get(http, &format!("/api/v1/cdr-exports/{id}"))?;
            peak_kb = peak_kb.max(self.platform.usage()?.rss_kb);
            match export["state"].as_str() {
                Some("ready") => break export,
                Some("waiting" | "running") => ensure!(began.elapsed() < patience, "{export}"),
                _ => bail!("the export ended: {export}"),
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let took_s = began.elapsed().as_secs_f64();
        let spent = self.platform.usage()? - before;
        let file = self.platform.folder.join(format!("data/exports/{id}.{format}"));
        if format == "csv" {
            let lines = lines(&file)?;
            ensure!(lines == self.rows + 1, "the export has {lines} lines");
        }
        std::fs::remove_file(&file).with_context(|| format!("no file {}", file.display()))?;
        let detail = json!({
            "took_s": took_s, "cpu_s": spent.cpu_s(), "records": export["records"],
            "octets": export["octets"], "rss_kb_before": before.rss_kb, "rss_kb_peak": peak_kb,
        });
        let what = format!("{}: export as {format} (peer: the table's dump), rows/s", self.name);
        let per_s = self.rows as f64 / took_s;
        // Only for the direction of the comparison: more is better.
        Ok(Row::new(part, what, per_s, detail).aim(Aim::AtLeast(0.0)).peer(Some(dumped_per_s)))
    }
}

fn lines(file: &Path) -> Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, std::fs::File::open(file)?);
    let mut lines = 0;
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(lines);
        }
        lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let length = bytes.len();
        reader.consume(length);
    }
}
