//! A program of the bench as a process of its own, spoken to in lines.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::usage::Usage;
use crate::process_tree;

/// Killed, with whatever it started, when dropped.
pub(super) struct Program {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
}

impl Program {
    /// Starts it. What it prints that is JSON is for [`Program::wait_for`]; its standard error goes
    /// to `log`.
    pub(super) fn start<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        log: &Path,
    ) -> Result<Self> {
        let log = std::fs::File::create(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let Some(output) = output else { return };
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Ok(value) = serde_json::from_str(&line)
                    && sender.send(value).is_err()
                {
                    return;
                }
            }
        });
        Ok(Self { name: name.to_owned(), child, input, lines })
    }

    /// Starts it and waits for its first line.
    pub(super) fn ready<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        log: &Path,
    ) -> Result<Self> {
        let started = Self::start(name, program, arguments, log)?;
        started.next(Duration::from_secs(30)).with_context(|| {
            format!("{name} did not begin; what it said is in {}", log.display())
        })?;
        Ok(started)
    }

    /// Gives it a line.
    pub(super) fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("its standard input is closed")?;
        writeln!(input, "{line}").with_context(|| format!("{} does not listen", self.name))
    }

    /// Its next line.
    pub(super) fn next(&self, patience: Duration) -> Result<Value> {
        match self.lines.recv_timeout(patience) {
            Ok(value) => Ok(value),
            Err(RecvTimeoutError::Timeout) => {
                bail!("{} said nothing for {} s", self.name, patience.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => bail!("{} has ended", self.name),
        }
    }

    /// Its next line whose `at` is this; others are passed over.
    pub(super) fn wait_for(&self, at: &str, patience: Duration) -> Result<Value> {
        let deadline = Instant::now() + patience;
        loop {
            let line = self.next(deadline.saturating_duration_since(Instant::now()))?;
            if line["at"] == at {
                return Ok(line);
            }
        }
    }

    /// What it has used so far.
    pub(super) fn usage(&self) -> Result<Usage> {
        Usage::of(self.child.id())
    }

    /// Whether it still runs.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; true if it ended by itself in time.
    pub(super) fn ends_within(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.runs() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        true
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        if self.runs() {
            process_tree::kill(self.child.id());
        }
    }

    /// Closes its standard input and waits for its end.
    pub(super) fn end(mut self, patience: Duration) {
        self.input = None;
        self.ends_within(patience);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}
