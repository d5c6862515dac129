//! A start that is expected to fail, with what the operator is told.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Instant;

use super::process::Process;
use super::{LOOK, PATIENCE};

/// Runs `yunling serve` until it ends by itself; gives how, and everything that it has printed.
pub(crate) async fn refused_start(config: &Path) -> (ExitStatus, String) {
    let output = config.with_extension("refused.log");
    // What earlier starts printed there does not count.
    let _ = std::fs::remove_file(&output);
    let arguments = ["serve", "--config", config.to_str().unwrap()];
    let mut process = Process::start("refused start", &arguments, &output);
    let patience = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = process.exited() {
            return (status, process.output());
        }
        assert!(Instant::now() < patience, "it started: it was expected to refuse");
        tokio::time::sleep(LOOK).await;
    }
}
