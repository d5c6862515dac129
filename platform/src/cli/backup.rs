//! `yunling backup`: a node, which may be running, in one file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use yunling_app::backup::{self, Progress, Secrets, Target};
use yunling_app::config::Settings;
use yunling_app::ports::Clock as _;

use crate::clock::SystemClock;

/// Copy a node, which may be running, into one file.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The node's settings.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The archive to be written; `-` is standard output.
    #[arg(long, value_name = "FILE.tar")]
    to: PathBuf,
    /// Put secret.key and operator.token into it: whoever has it can read everything.
    #[arg(long)]
    with_secrets: bool,
}

impl Backup {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let settings = Settings::load(&self.config)?;
        let to = match &self.to {
            dash if dash == Path::new("-") => Target::Output,
            file => Target::File(file.clone()),
        };
        let secrets = if self.with_secrets { Secrets::Included } else { Secrets::LeftOut };
        let wanted = backup::Backup { to, secrets, now: SystemClock.now() };
        let taken = backup::take(&settings, wanted, progress());
        let manifest = super::runtime()?.block_on(taken)?;
        if !manifest.left_out.is_empty() {
            eprintln!(
                "not in it: {}. Keep them apart from this file, and put them into data_dir when you \
                 restore: without secret.key every token and secret is void",
                manifest.left_out.join(", ")
            );
        }
        Ok(())
    }
}

/// To standard error: standard output may be the archive.
pub(super) fn progress() -> Progress {
    Arc::new(|line| eprintln!("{line}"))
}
