//! `yunling migrate`: the schema brought up to date by the operator's word.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use yunling_app::config::Settings;
use yunling_app::ports::Clock as _;
use yunling_store::{Migrate as WhoMigrates, OpenOptions, Store};
use yunling_workers::tables;

use crate::clock::SystemClock;

/// Show which migrations a database is behind by, and apply them.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// The node's settings.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only show.
    #[arg(long)]
    plan: bool,
}

impl Migrate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let settings = Settings::load(&self.config)?;
        super::runtime()?.block_on(async {
            let outcome = if self.plan { plan(&settings).await } else { apply(&settings).await };
            outcome.context("database.url")
        })
    }
}

async fn plan(settings: &Settings) -> anyhow::Result<()> {
    let state = Store::schema(&settings.database.url).await?;
    println!("{} migrations applied, {} pending", state.applied.len(), state.pending.len());
    for name in &state.pending {
        println!("  {name}");
    }
    // The job library's tables can be looked at only where ours are as they should be.
    if state.pending.is_empty() {
        let store = open(settings).await?;
        let pending = tables::pending(&store).await;
        store.close().await?;
        println!("the job library's tables: {} changes pending", pending?);
    } else {
        println!("the job library's tables are looked at after these");
    }
    Ok(())
}

async fn apply(settings: &Settings) -> anyhow::Result<()> {
    let copies = settings.copies(SystemClock.now());
    let before = Store::migrate(&settings.database.url, copies).await?;
    for name in &before.pending {
        println!("applied {name}");
    }
    let store = open(settings).await?;
    let migrated = tables::migrate(&store).await;
    store.close().await?;
    migrated?;
    println!("the database is up to date");
    Ok(())
}

/// Opens what is up to date already.
async fn open(settings: &Settings) -> anyhow::Result<Store> {
    let options = OpenOptions { migrate: WhoMigrates::Manual, ..OpenOptions::default() };
    Ok(Store::open(&settings.database.url, options).await?)
}
