//! The parts that need only the engine: (a) cost, (c) rate, (d) spacing, (e) memory, (g) the
//! machine's own limit.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::callees::{Callees, Seen, free_udp};
use super::child::Program;
use super::table::{Aim, Row};
use super::usage::{Spent, Usage};
use super::{Length, Tools};

/// Where the engine's sockets are bound.
pub(super) const ENGINE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 77, 1));
/// How long a callee rings, as in callee.xml.
pub(super) const RING_S: f64 = 0.3;
/// The share of packets in time below which a rate is not clean.
pub(super) const CLEAN: f64 = 0.98;
/// How long what is steady is watched.
const WINDOW: Duration = Duration::from_secs(8);
/// How long the memory of ended calls may take to come back before it is looked at.
const AFTER: Duration = Duration::from_secs(3);

/// Calls to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) calls: u32,
    pub(super) per_s: f64,
    pub(super) prompt_s: f64,
}

impl Load {
    /// A load that keeps so many calls up at once.
    pub(super) fn steady(concurrent: f64, prompt_s: f64, calls: u32) -> Self {
        Self { calls, per_s: concurrent / (prompt_s + RING_S), prompt_s }
    }

    fn longest(self) -> Duration {
        Duration::from_secs_f64(f64::from(self.calls) / self.per_s + self.prompt_s + 60.0)
    }
}

/// What came of it.
pub(super) struct Outcome {
    /// Over the whole run.
    spent: Spent,
    before: Usage,
    /// While every call was up, where that was asked for.
    window: Option<(Spent, Usage, Value)>,
    after: Usage,
    ended: Value,
    heard: Value,
    seen: Seen,
    load: Load,
}

impl Outcome {
    fn cpu_s_per_1_000(&self) -> f64 {
        1_000.0 * self.spent.cpu_s() / f64::from(self.load.calls)
    }

    /// Whether nothing went wrong: every call spoken to, nothing repeated, nothing lost, packets
    /// in time.
    fn is_clean(&self) -> bool {
        self.ended["played"] == self.load.calls
            && self.seen.retransmissions == 0
            && self.heard["lost"] == 0
            && self.heard["in_time"].as_f64().unwrap_or(0.0) >= CLEAN
    }

    fn to_json(&self) -> Value {
        json!({
            "calls": self.load.calls,
            "per_s": self.load.per_s,
            "prompt_s": self.load.prompt_s,
            "cpu_s": self.spent.cpu_s(),
            "engine": self.ended,
            "heard": self.heard,
            "sipp": self.seen.to_json(),
        })
    }
}

/// The engine's parts.
pub(super) struct Alone<'a, 'b> {
    pub(super) tools: &'a Tools,
    pub(super) callees: &'b mut Callees<'a>,
}

impl Alone<'_, '_> {
    fn run(&mut self, load: Load, steady: bool) -> Result<Outcome> {
        let answering = self.callees.answer(load.calls)?;
        let arguments = [
            "engine".to_owned(),
            "--address".into(),
            free_udp(ENGINE)?.to_string(),
            "--callee".into(),
            answering.at.to_string(),
            "--calls".into(),
            load.calls.to_string(),
            "--per-s".into(),
            load.per_s.to_string(),
            "--prompt-ms".into(),
            ((load.prompt_s * 1_000.0) as u32).to_string(),
        ];
        let log = self.tools.out.join("engine.log");
        let mut engine = Program::ready("the engine", &self.tools.bench, arguments, &log)?;
        let before = engine.usage()?;
        engine.tell("go")?;
        let mut window = None;
        if steady {
            engine.wait_for("answered", load.longest())?;
            std::thread::sleep(Duration::from_secs(1));
            self.callees.reset()?;
            let from = engine.usage()?;
            std::thread::sleep(WINDOW);
            let to = engine.usage()?;
            window = Some((to - from, to, self.callees.heard()?));
        }
        let ended = engine.wait_for("ended", load.longest())?;
        let spent = engine.usage()? - before;
        let heard = self.callees.heard()?;
        let seen = answering.end()?;
        if steady {
            std::thread::sleep(AFTER);
        }
        let after = engine.usage()?;
        engine.end(Duration::from_secs(5));
        Ok(Outcome { spent, before, window, after, ended, heard, seen, load })
    }

    /// (a) What 300 calls at once cost.
    pub(super) fn cost(&mut self, length: Length, peer: Option<f64>) -> Result<Row> {
        let outcome = self.run(Load::steady(300.0, 8.0, length.of(1_000, 450)), false)?;
        let what = "engine, 8 s prompt, 300 at once: CPU-s per 1,000 notices";
        Ok(Row::new('a', what, outcome.cpu_s_per_1_000(), outcome.to_json())
            .aim(Aim::AtMost(2.7))
            .peer(peer))
    }

    /// (c) The highest rate that is clean.
    pub(super) fn rate(&mut self, length: Length, peer: Option<f64>) -> Result<Row> {
        let steps =
            length.of(&[300.0, 450.0, 600.0, 750.0, 900.0, 1_050.0, 1_200.0][..], &[300.0, 750.0]);
        let seconds = length.of(6.0, 4.0);
        let (highest, tried) = climb(steps, |per_s| {
            let load = Load { calls: (per_s * seconds) as u32, per_s, prompt_s: 1.0 };
            let outcome = self.run(load, false)?;
            Ok((outcome.is_clean(), outcome.to_json()))
        })?;
        Ok(Row::new('c', "engine, 1 s prompt: clean notices per second", highest, tried)
            .aim(Aim::AtLeast(750.0))
            .peer(peer))
    }

    /// (d), (e) What so many prompts at once cost, how even their packets are, what they take of
    /// the memory.
    pub(super) fn concurrency(&mut self, length: Length, wanted: Wanted) -> Result<Vec<Row>> {
        let levels: &[u32] = match (wanted.spacing, length) {
            (false, _) => &[1_000],
            (true, Length::Quick) => &[100, 1_000],
            (true, Length::Full) => &[100, 500, 1_000, 2_000],
        };
        let mut rows = Vec::new();
        for calls in levels {
            let outcome = self.run(upright(*calls), true)?;
            let (spent, full, heard) = outcome.window.as_ref().context("it was watched")?;
            let detail = json!({
                "window": heard,
                "whole": outcome.to_json(),
            });
            let share = 100.0 * spent.share();
            let in_time = 100.0 * heard["in_time"].as_f64().unwrap_or(0.0);
            let gap = |name: &str| heard[name].as_f64().unwrap_or(f64::NAN);
            if wanted.spacing {
                let aims = (*calls == 1_000).then_some((Aim::AtMost(35.0), Aim::AtLeast(99.0)));
                let row = Row::new('d', format!("{calls} prompts: % of a core"), share, detail);
                rows.push(aims.map_or(row.clone(), |(most, _)| row.aim(most)));
                let what = format!(
                    "{calls} prompts: % of packets within 20±2 ms (p50 {:.1}, p99 {:.1}, max {:.1} ms)",
                    gap("gap_p50_ms"),
                    gap("gap_p99_ms"),
                    gap("gap_max_ms"),
                );
                let row = Row::new('d', what, in_time, heard.clone());
                rows.push(aims.map_or(row.clone(), |(_, least)| row.aim(least)));
            }
            if wanted.memory && *calls == 1_000 {
                let kb = |usage: &Usage| usage.rss_kb as f64;
                let of_calls = (kb(full) - kb(&outcome.before)) / f64::from(*calls);
                let detail = json!({
                    "before_kb": outcome.before.rss_kb,
                    "full_kb": full.rss_kb,
                    "after_kb": outcome.after.rss_kb,
                });
                rows.push(
                    Row::new('e', "KB of memory per call at 1,000", of_calls, detail)
                        .aim(Aim::AtMost(40.0)),
                );
                let kept = (kb(&outcome.after) - kb(&outcome.before)) / 1_024.0;
                let what = format!("MB kept {} s after 1,000 calls", AFTER.as_secs());
                rows.push(Row::new('e', what, kept, Value::Null));
            }
        }
        if wanted.spacing && length == Length::Full {
            self.callees.speak(false)?;
            let outcome = self.run(upright(1_000), true);
            self.callees.speak(true)?;
            let outcome = outcome?;
            let (spent, _, heard) = outcome.window.as_ref().context("it was watched")?;
            let what = "1,000 prompts, callees silent: % of a core";
            rows.push(Row::new('d', what, 100.0 * spent.share(), heard.clone()));
        }
        Ok(rows)
    }

    /// (g) A bare loop that sends and receives as many packets.
    pub(super) fn bare(&mut self) -> Result<Row> {
        let arguments = [
            "bare".to_owned(),
            "--address".into(),
            ENGINE.to_string(),
            "--callee".into(),
            self.callees.media_at.to_string(),
            "--calls".into(),
            "1000".into(),
        ];
        let log = self.tools.out.join("bare.log");
        let bare = Program::ready("the bare loop", &self.tools.bench, arguments, &log)?;
        std::thread::sleep(Duration::from_secs(1));
        self.callees.reset()?;
        let before = bare.usage()?;
        std::thread::sleep(WINDOW);
        let spent = bare.usage()? - before;
        let heard = self.callees.heard()?;
        bare.end(Duration::from_secs(2));
        let detail = json!({ "heard": heard });
        let what = "a bare loop, the packets of 1,000 prompts: % of a core";
        Ok(Row::new('g', what, 100.0 * spent.share(), detail))
    }
}

/// Which figures of the same runs are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) spacing: bool,
    pub(super) memory: bool,
}

/// So many calls, all up for [`WINDOW`].
fn upright(calls: u32) -> Load {
    let per_s = (f64::from(calls) / 4.0).clamp(50.0, 250.0);
    let climbing_s = f64::from(calls) / per_s;
    let prompt_s = climbing_s + RING_S + 1.0 + WINDOW.as_secs_f64() + 1.5;
    Load { calls, per_s, prompt_s }
}

/// Tries one rate after the other, each once more where it was not clean, until one fails; gives
/// the last clean one, 0 if none was, and all that was seen.
pub(super) fn climb(
    steps: &[f64],
    mut attempt: impl FnMut(f64) -> Result<(bool, Value)>,
) -> Result<(f64, Value)> {
    let (mut highest, mut tried) = (0.0, Vec::new());
    for per_s in steps {
        let mut clean = false;
        for _ in 0..2 {
            let (was_clean, seen) = attempt(*per_s)?;
            eprintln!("  {per_s}/s: {}", if was_clean { "clean" } else { "not clean" });
            tried.push(json!({ "per_s": per_s, "clean": was_clean, "seen": seen }));
            clean = was_clean;
            if clean {
                break;
            }
        }
        if !clean {
            break;
        }
        highest = *per_s;
    }
    Ok((highest, Value::Array(tried)))
}

/// Where a SIP peer that says nothing may be.
pub(super) fn silent_address() -> SocketAddr {
    SocketAddr::new(ENGINE, 9)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic with its line is what a test is for")]

    use super::*;

    #[test]
    fn a_climb_ends_at_the_first_rate_that_fails_twice() {
        let mut asked = Vec::new();
        let (highest, _) = climb(&[1.0, 2.0, 3.0, 4.0], |per_s| {
            asked.push(per_s);
            let again = asked.iter().filter(|one| **one == per_s).count() == 2;
            Ok((per_s < 2.0 || per_s == 2.0 && again, Value::Null))
        })
        .unwrap();
        assert_eq!(highest, 2.0);
        assert_eq!(asked, [1.0, 2.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn a_steady_load_keeps_its_calls_up() {
        let load = Load::steady(300.0, 8.0, 1_000);
        assert!((load.per_s * (8.0 + RING_S) - 300.0).abs() < 1e-9);
        assert!(upright(2_000).prompt_s > 2_000.0 / 250.0 + WINDOW.as_secs_f64());
    }
}
