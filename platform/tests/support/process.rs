//! A child process that dies with its test, and whose output is shown when the test fails.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use super::{LOOK, PATIENCE};

/// So many lines of the output are shown.
const SHOWN: usize = 120;

/// A running child.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts the product's binary with these arguments; its output is appended to a file.
    pub(crate) fn start(name: &'static str, arguments: &[&str], output: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(output).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_yunling"))
            .args(arguments)
            .env_remove("YUNLING_LOG")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .expect("cargo built the binary before its tests");
        Self { name, child, output: output.to_owned() }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has printed, also before it was started again.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Fails the test if it has ended.
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.exited() {
            panic!("{} ended by itself: {status}", self.name);
        }
    }

    /// SIGKILL: nothing is tidied up.
    pub(crate) fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by its name (`TERM`, `STOP`, `CONT`).
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(sent.success(), "{name} could not be sent to {}", self.name);
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(Instant::now() < patience, "{} does not end at SIGTERM", self.name);
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before; there is nothing else to be done then.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let shown = &lines[lines.len().saturating_sub(SHOWN)..];
            eprintln!("--- {} ({} lines, the last {}) ---", self.name, lines.len(), shown.len());
            eprintln!("{}", shown.join("\n"));
        }
    }
}
