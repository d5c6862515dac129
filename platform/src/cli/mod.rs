//! The command line: DESIGN's contract with outside tools.

mod apply;
mod backup;
mod dev;
mod doctor;
mod migrate;
mod openapi;
mod restore;
mod serve;

use clap::{Parser, Subcommand};

/// 云铃 Yunling: a cloud-calling platform in one binary.
#[derive(Debug, Parser)]
#[command(name = "yunling", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on this machine: a demo tenant, a fake telephone network, a webhook inbox.
    Dev(dev::Dev),
    /// Run a node as its configuration says.
    Serve(serve::Serve),
    /// Show what resource documents would change, and change it.
    Apply(apply::Apply),
    /// Show which migrations a database is behind by, and apply them.
    Migrate(migrate::Migrate),
    /// Copy a node, which may be running, into one file.
    Backup(backup::Backup),
    /// Put a node back from such a file.
    Restore(restore::Restore),
    /// Look at everything that a node needs, and say what is wrong and what to do.
    Doctor(doctor::Doctor),
    /// Print the API's OpenAPI document, or the error catalogue.
    Openapi(openapi::Openapi),
    /// The fake telephone network, as `dev` starts it.
    #[command(hide = true, name = "carrier-sim")]
    CarrierSim(yunling_carrier_sim::Options),
}

impl Cli {
    /// Carries out the command.
    ///
    /// # Errors
    /// Whatever stopped it, with what was being done; `main` prints it.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Dev(command) => command.run(),
            Command::Serve(command) => command.run(),
            Command::Apply(command) => command.run(),
            Command::Migrate(command) => command.run(),
            Command::Backup(command) => command.run(),
            Command::Restore(command) => command.run(),
            Command::Doctor(command) => command.run(),
            Command::Openapi(command) => command.run(),
            Command::CarrierSim(options) => runtime()?.block_on(async {
                yunling_carrier_sim::run(options).await?;
                Ok(())
            }),
        }
    }
}

/// One runtime per process; made here, because some commands need none.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Where the data folder is when nobody says.
const DEFAULT_DATA_DIR: &str = "./data";
