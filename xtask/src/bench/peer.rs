//! Another engine under the same load, in the same run. Its folder brings the scripts: see
//! docs/BENCHMARKS.md for what they have to be.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Length;
use super::alone::{CLEAN, Load, climb};
use super::table::Row;
use crate::workspace::run;

/// The peer, running. Stopped when dropped.
pub(super) struct Peer {
    folder: PathBuf,
    pid: String,
}

impl Peer {
    /// Copies the folder, because its scripts write beside themselves, and starts the engine.
    pub(super) fn start(from: &Path, out: &Path) -> Result<Self> {
        let folder = out.join("peer");
        // Left by the last run.
        let _ = std::fs::remove_dir_all(&folder);
        run(Command::new("cp").arg("-R").arg(from).arg(&folder))?;
        run(Command::new("chmod").args(["-R", "u+w"]).arg(&folder))?;
        for tool in ["rtpsink", "rtpgen"] {
            let source = format!("{tool}.c");
            // A folder for notices alone needs no generator.
            if folder.join(&source).exists() {
                let arguments = ["-O2", "-w", "-o", tool, &source];
                run(Command::new("cc").current_dir(&folder).args(arguments))?;
            }
        }
        let output = Command::new("bash")
            .current_dir(&folder)
            .args(["asterisk.sh", "start"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start the peer")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let pid = text.lines().next_back().unwrap_or_default().trim().to_owned();
        if !output.status.success() || pid.parse::<u32>().is_err() {
            bail!("the peer did not start; is it installed (`asterisk.sh install`)?");
        }
        Ok(Self { folder, pid })
    }

    /// Its CPU seconds per 1,000 notices, for [`super::alone::Alone::cost`].
    pub(super) fn cost(&self, length: Length) -> Result<f64> {
        let seen = self.notices("cost", Load::steady(300.0, 8.0, length.of(1_000, 450)))?;
        eprintln!("  the peer: {seen}");
        seen["cpu_s_per_1000_calls"].as_f64().context("the peer's report names no CPU")
    }

    /// Its highest clean rate.
    pub(super) fn rate(&self, length: Length) -> Result<(f64, Value)> {
        let steps = length.of(&[150.0, 200.0, 250.0, 300.0, 350.0][..], &[150.0]);
        climb(steps, |per_s| {
            let calls = (per_s * length.of(6.0, 4.0)) as u32;
            let seen = self.notices("rate", Load { calls, per_s, prompt_s: 1.0 })?;
            let clean = seen["uas_ok"] == calls
                && seen["retrans"] == 0
                && seen["rtp"]["lost_by_seq"] == 0
                && seen["rtp"]["pct_20+-2ms"].as_f64().unwrap_or(0.0) >= 100.0 * CLEAN;
            Ok((clean, seen))
        })
    }

    /// Its own row, with all that was seen.
    pub(super) fn row(rate: f64, tried: Value) -> Row {
        Row::new('c', "the peer, 1 s prompt: clean notices per second", rate, tried)
    }

    /// What conversations cost it, and how long a packet takes through it twice.
    pub(super) fn bridged(&self, conversations: u32, recorded: Recorded) -> Result<Bridged> {
        let (name, extension) = match recorded {
            Recorded::No => ("bridge", "plain"),
            Recorded::Yes => ("record", "rec"),
        };
        let output = Command::new("bash")
            .current_dir(&self.folder)
            .args(["bridge2.sh", name, "20", &conversations.to_string(), "8", &self.pid])
            .env("EXT", extension)
            .stderr(Stdio::null())
            .output()
            .context("cannot start the peer's script")?;
        let seen = report(&output.stdout)?;
        eprintln!("  the peer: {seen}");
        let figure = |value: &Value| value.as_f64().context("the peer's report lacks a figure");
        Ok(Bridged {
            percent_per_100: figure(&seen["cpu_pct_per_100_calls"])?,
            round_trip_p99_ms: figure(&seen["gen"]["p99"])?,
        })
    }

    fn notices(&self, name: &str, load: Load) -> Result<Value> {
        let prompt = format!("{:.0}", load.prompt_s);
        let (per_s, calls) = (load.per_s.to_string(), load.calls.to_string());
        let output = Command::new("bash")
            .current_dir(&self.folder)
            .args(["run_notify.sh", name, &per_s, &calls, &self.pid])
            .args(["python3", "notify_ami.py", "--cps", &per_s, "--calls", &calls])
            .args(["--prompt", &format!("/var/ast/prompts/prompt{prompt}")])
            .env("ECHO", "-e")
            .env("HOLD", &prompt)
            .stderr(Stdio::null())
            .output()
            .context("cannot start the peer's script")?;
        report(&output.stdout)
    }
}

/// The last line of JSON that a script printed.
fn report(output: &[u8]) -> Result<Value> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_default())
        .with_context(|| format!("the peer's script printed no report, but {text:?}"))
}

/// Whether conversations are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    No,
    Yes,
}

/// A peer's bridges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bridged {
    /// Share of a core for 100 conversations.
    pub(super) percent_per_100: f64,
    /// 99 % of the packets were not longer on their way.
    pub(super) round_trip_p99_ms: f64,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let stopped = Command::new("bash")
            .current_dir(&self.folder)
            .args(["asterisk.sh", "stop"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // The script's own outcome says less: it also puts away what the engine ran in.
        let runs = || Path::new("/proc").join(&self.pid).exists();
        let patience = Instant::now() + Duration::from_secs(10);
        while runs() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(100));
        }
        if stopped.is_err() || runs() {
            eprintln!("xtask: the peer has not stopped: process {}", self.pid);
        }
    }
}
