//! `cargo xtask up`: from a fresh clone to a running product.

use crate::provision;
use crate::workspace::{Workspace, show};
use anyhow::{Result, anyhow};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Provision, build, start.
#[derive(clap::Args)]
pub(crate) struct Up {
    /// Passed on to `yunling dev`, for example `--data DIR` or `--http 127.0.0.1:8081`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    options: Vec<OsString>,
}

impl Up {
    /// Returns only if something failed: in success the product takes this process's place, so
    /// that Ctrl-C and signals reach it directly.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        provision::ensure(provision::BUILD)?;
        eprintln!(
            "xtask: building into {} (the first build compiles some 450 libraries; later ones take seconds)",
            workspace.target_dir().display()
        );
        let binary = workspace.build_yunling()?;
        let mut dev = Command::new(&binary);
        dev.arg("dev").args(&self.options);
        eprintln!("xtask: starting `{}`", show(&dev));
        let error = dev.exec();
        Err(anyhow!("cannot start {}: {error}", binary.display()))
    }
}
