//! The parts that need the whole product: (b) cost from request to callback, (c) rate, (f) requests
//! accepted while nobody is dialled.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::alone::{CLEAN, Load, RING_S, climb, silent_address};
use super::callees::Callees;
use super::node::{Node, SetUp};
use super::table::{Aim, Row};
use super::{Length, Tools};

/// How long the last callback may take after the end of the last call, in a clean run: the platform
/// kept up.
const KEPT_UP_S: f64 = 3.0;
/// The 99th percentile of answers below which a rate of requests is good, milliseconds.
const PROMPT_ANSWER_MS: f64 = 10.0;
/// How long one load and its callbacks may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// The product's parts.
pub(super) struct Whole<'a, 'b> {
    pub(super) tools: &'a Tools,
    pub(super) callees: &'b mut Callees<'a>,
}

/// Where the rows are.
pub(super) struct Database<'a> {
    pub(super) name: &'a str,
    /// Absent: SQLite.
    pub(super) url: Option<&'a str>,
}

impl Whole<'_, '_> {
    /// (b) What a notice costs from its request to its callback.
    pub(super) fn cost(&mut self, length: Length) -> Result<Row> {
        let load = Load::steady(300.0, 8.0, length.of(1_000, 450));
        let answering = self.callees.answer(load.calls)?;
        let set_up = SetUp {
            database: None,
            trunk: answering.at,
            trunk_calls: None,
            prompt_s: load.prompt_s,
        };
        let mut node = Node::start(self.tools, &set_up)?;
        let before = node.usage()?;
        let (requested, done) = ask(&mut node, load, "13800")?;
        ensure!(done["delivered"].as_u64() > Some(0), "no call was delivered: {requested}");
        let after = node.usage()?;
        let spent = after - before;
        let detail = json!({
            "cpu_s": spent.cpu_s(),
            "rss_kb_before": before.rss_kb,
            "rss_kb_after": after.rss_kb,
            "requested": requested,
            "done": done,
            "heard": self.callees.heard()?,
            "sipp": answering.end()?.to_json(),
        });
        let cost = 1_000.0 * spent.cpu_s() / f64::from(load.calls);
        let what = "request to callback, 8 s prompt, 300 at once: CPU-s per 1,000 notices";
        Ok(Row::new('b', what, cost, detail).aim(Aim::AtMost(4.0)))
    }

    /// (c) The highest rate from request to callback that is clean.
    pub(super) fn rate(&mut self, length: Length, database: &Database<'_>) -> Result<Row> {
        let steps = length
            .of(&[75.0, 150.0, 225.0, 300.0, 375.0, 450.0, 525.0, 600.0][..], &[150.0, 300.0]);
        let seconds = length.of(6.0, 4.0);
        // One node for all steps: its rows pile up as a customer's would.
        let all: f64 = steps.iter().map(|per_s| 2.0 * per_s * seconds).sum();
        let answering = self.callees.answer(all as u32)?;
        let set_up =
            SetUp { database: database.url, trunk: answering.at, trunk_calls: None, prompt_s: 1.0 };
        let mut node = Node::start(self.tools, &set_up)?;
        let mut tries = 0;
        let mut repeated = 0;
        let (highest, tried) = climb(steps, |per_s| {
            let load = Load { calls: (per_s * seconds) as u32, per_s, prompt_s: 1.0 };
            self.callees.reset()?;
            let before = node.usage()?;
            tries += 1;
            let (requested, done) = ask(&mut node, load, &format!("138{tries:02}"))?;
            let spent = node.usage()? - before;
            let heard = self.callees.heard()?;
            let total = answering.so_far()?.retransmissions;
            let retransmissions = total - std::mem::replace(&mut repeated, total);
            let longest_s = f64::from(load.calls) / per_s + load.prompt_s + RING_S + KEPT_UP_S;
            let clean = requested["accepted"] == load.calls
                && done["delivered"] == load.calls
                && done["took_s"].as_f64().is_some_and(|took_s| took_s <= longest_s)
                && retransmissions == 0
                && heard["lost"] == 0
                && heard["in_time"].as_f64().unwrap_or(0.0) >= CLEAN;
            let seen = json!({
                "cpu_s_per_1000": 1_000.0 * spent.cpu_s() / f64::from(load.calls),
                "cores": spent.share(),
                "retransmissions": retransmissions,
                "requested": requested,
                "done": done,
                "heard": heard,
            });
            Ok((clean, seen))
        })?;
        let what = format!(
            "request to callback on {}, 1 s prompt: clean notices per second",
            database.name
        );
        let row = Row::new('c', what, highest, tried);
        Ok(if database.url.is_none() { row.aim(Aim::AtLeast(300.0)) } else { row })
    }

    /// (f) Requests accepted a second while the only trunk is full.
    pub(super) fn accepted(&mut self, length: Length) -> Result<Row> {
        let steps = length
            .of(&[250.0, 500.0, 750.0, 1_000.0, 1_250.0, 1_500.0, 2_000.0][..], &[500.0, 1_000.0]);
        let set_up =
            SetUp { database: None, trunk: silent_address(), trunk_calls: Some(1), prompt_s: 1.0 };
        let mut node = Node::start(self.tools, &set_up)?;
        let mut tries = 0;
        let (highest, tried) = climb(steps, |per_s| {
            tries += 1;
            let count = (per_s * length.of(5.0, 3.0)) as u32;
            node.customer.tell(&format!("{count} {per_s} 138{tries:02} -"))?;
            let before = node.usage()?;
            let requested = node.customer.wait_for("requested", PATIENCE)?;
            let spent = node.usage()? - before;
            let took_s = requested["took_s"].as_f64().unwrap_or(f64::INFINITY);
            let good = requested["accepted"] == count
                && requested["p99_ms"].as_f64().is_some_and(|p99| p99 < PROMPT_ANSWER_MS)
                && f64::from(count) / took_s >= 0.95 * per_s;
            Ok((good, json!({ "cores": spent.share(), "requested": requested })))
        })?;
        let what = "requests accepted per second, 99 % within 10 ms, dialling held";
        Ok(Row::new('f', what, highest, tried).aim(Aim::AtLeast(1_000.0)))
    }
}

/// Makes the requests of a load; gives what was answered and what was called back.
fn ask(node: &mut Node, load: Load, prefix: &str) -> Result<(Value, Value)> {
    node.customer.tell(&format!("{} {} {prefix} callbacks", load.calls, load.per_s))?;
    let requested = node.customer.wait_for("requested", PATIENCE)?;
    let done = node.customer.wait_for("done", PATIENCE)?;
    Ok((requested, done))
}
