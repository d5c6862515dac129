//! `yunling restore`: a node put back from the file that `yunling backup` wrote.

use std::path::PathBuf;

use clap::Args;
use yunling_app::backup::{self, Queued};
use yunling_app::config::Settings;
use yunling_app::ports::Clock as _;

use super::backup::progress;
use crate::clock::SystemClock;

/// Put a node back from a file that `yunling backup` wrote.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The archive.
    #[arg(long, value_name = "FILE.tar")]
    from: PathBuf,
    /// The node's settings: they say where everything goes.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Replace what is there; files are kept aside.
    #[arg(long)]
    force: bool,
    /// Dial what waited for a line when the backup was taken. Only where the node was stopped before
    /// the backup and did not run since: else numbers may be called a second time.
    #[arg(long)]
    dial_queued: bool,
}

impl Restore {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let settings = Settings::load(&self.config)?;
        let queued = if self.dial_queued { Queued::Dial } else { Queued::Hold };
        let wanted = backup::Restore {
            from: self.from,
            over_existing: self.force,
            queued,
            now: SystemClock.now(),
        };
        let restoring = backup::restore(&settings, wanted, progress());
        let restored = super::runtime()?.block_on(restoring)?;
        let manifest = &restored.manifest;
        println!(
            "restored node {} as release {} backed it up: {} files",
            manifest.node,
            manifest.release,
            manifest.entries.len()
        );
        if restored.held > 0 {
            println!(
                "{} numbers waited for a line; they are closed as interrupted, because they may have \
                 been called since",
                restored.held
            );
        }
        for folder in &restored.aside {
            println!("what was there before: {}", folder.display());
        }
        if restored.key_is_missing {
            println!(
                "secret.key was not in the archive: put it into {} before you start the node",
                settings.data_dir.display()
            );
        }
        Ok(())
    }
}
