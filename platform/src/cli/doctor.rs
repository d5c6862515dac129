//! `yunling doctor`: what is wrong with this node, and what to do.

use std::path::PathBuf;

use clap::Args;

use crate::doctor::{self, Language};

/// Look at everything that a node needs, and say what is wrong and what to do.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The node's settings.
    #[arg(long, value_name = "FILE", default_value = "yunling.yaml")]
    config: PathBuf,
    /// For machines: everything that was found, in both languages.
    #[arg(long)]
    json: bool,
    /// The language of what is said; else that of LC_ALL, LC_MESSAGES or LANG.
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Option<Language>,
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let report = super::runtime()?.block_on(doctor::examine(&self.config));
        if self.json {
            println!("{:#}", report.json());
        } else {
            print!("{}", report.text(self.lang.unwrap_or_else(of_locale)));
        }
        anyhow::ensure!(report.is_well(), "something is wrong: see FAIL above");
        Ok(())
    }
}

/// In the order of POSIX: the first that is set and not empty counts.
fn of_locale() -> Language {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
    Language::of_locale(&locale.unwrap_or_default())
}
