//! How long a captcha takes from its request to its INVITE, alone and while a batch runs at full
//! speed.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::callees::free_udp;
use super::child::Program;
use super::node::{Node, SetUp};
use super::{Tools, machine};
use crate::workspace::Workspace;

/// Where the carrier answers.
const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 77, 2));
/// Lines of the only trunk, and what the batch plays on them: some 80 new calls a second.
const LINES: u32 = 200;
const PROMPT_S: f64 = 2.0;
/// The aim for the slowest hundredth of the captchas, milliseconds.
const AIM_P99_MS: f64 = 100.0;
const PATIENCE: Duration = Duration::from_secs(300);

/// Options of `bench captcha`.
#[derive(clap::Args)]
pub(super) struct Captchas {
    /// Fewer captchas and a smaller batch
    #[arg(long)]
    quick: bool,
    /// Numbers of the batch
    #[arg(long, default_value_t = 100_000)]
    batch: u32,
    /// Measure what was built before
    #[arg(long)]
    no_build: bool,
}

impl Captchas {
    pub(super) fn run(self, workspace: &Workspace) -> Result<()> {
        let packages: &[&str] = if self.no_build { &[] } else { &["yunling", "yunling-bench"] };
        let tools = Tools::build(workspace, packages)?;
        let captchas = if self.quick { 100 } else { 1_000 };
        let batch = if self.quick { self.batch.min(10_000) } else { self.batch };
        let mut seen = Vec::new();
        for numbers in [0, batch] {
            super::say(&format!("{captchas} captchas beside a batch of {numbers}"));
            seen.push(measure(&tools, numbers, captchas)?);
        }
        println!(
            "\n{:>10} {:>12} {:>8} {:>8} {:>8} {:>8}",
            "batch", "its calls/s", "p50 ms", "p99 ms", "max ms", "missing"
        );
        for one in &seen {
            let figure = |name: &str| one[name].as_f64().unwrap_or(f64::NAN);
            println!(
                "{:>10} {:>12.1} {:>8.1} {:>8.1} {:>8.1} {:>8}",
                one["batch"],
                figure("batch_calls_per_s"),
                figure("p50_ms"),
                figure("p99_ms"),
                figure("max_ms"),
                one["missing"]
            );
        }
        let met = seen.iter().all(|one| {
            one["missing"] == 0 && one["p99_ms"].as_f64().is_some_and(|p99| p99 <= AIM_P99_MS)
        });
        println!(
            "aim: p99 within {AIM_P99_MS} ms, none missing: {}",
            if met { "met" } else { "NOT met" }
        );
        let file = tools.out.join("captcha.json");
        let document = json!({ "machine": machine(), "seen": seen });
        std::fs::write(&file, serde_json::to_string_pretty(&document)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("all that was seen: {}", file.display());
        Ok(())
    }
}

fn measure(tools: &Tools, batch: u32, captchas: u32) -> Result<Value> {
    let carrier = free_udp(CARRIER)?;
    let set_up =
        SetUp { database: None, trunk: carrier, trunk_calls: Some(LINES), prompt_s: PROMPT_S };
    let node = Node::start(tools, &set_up)?;
    let mut arguments = vec!["captcha".to_owned()];
    arguments.extend(node.access.iter().cloned());
    for (name, value) in [
        ("--carrier", carrier.to_string()),
        ("--batch", batch.to_string()),
        ("--captchas", captchas.to_string()),
        ("--per-s", "10".to_owned()),
    ] {
        arguments.extend([name.to_owned(), value]);
    }
    let log = tools.out.join("captcha.log");
    let program = Program::ready("the captchas", &tools.bench, arguments, &log)?;
    program.wait_for("measured", PATIENCE)
}
