//! The developer's commands: `cargo xtask up`, `test`, `openapi`, `deps`, `bench`, `dist`.
//!
//! Every command that builds uses one profile and one target directory ([`workspace`]), so that
//! what one of them compiled the next one finds. Its own dependencies are kept few: a fresh machine
//! compiles this program before anything else happens.

mod bench;
mod deps;
mod dist;
mod json_drift;
mod openapi;
mod postgres;
mod process_tree;
mod provision;
mod suite;
mod tally;
mod test;
mod up;
mod watched;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The developer's commands of Yunling", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Provision what is missing, build, and start `yunling dev`; further options go to it
    Up(up::Up),
    /// Build all tests once, run them suite by suite, and print a closing table
    Test(test::Test),
    /// Write openapi/openapi.json and openapi/error-codes.json from the code
    Openapi(openapi::Openapi),
    /// Check who imports whom, who may name which library, and the length of files
    Deps,
    /// Measure speed, cost and evenness on this machine, beside another engine if one is given
    Bench(bench::Bench),
    /// Build a release and pack it as a tar.gz
    Dist(dist::Dist),
    /// Print the target directory that all commands share, made safe for this clone
    TargetDir,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let workspace = workspace::Workspace::find()?;
    match command {
        Command::Up(up) => up.run(&workspace),
        Command::Test(test) => test.run(&workspace),
        Command::Openapi(openapi) => openapi.run(&workspace),
        Command::Deps => deps::run(&workspace),
        Command::Bench(bench) => bench.run(&workspace),
        Command::Dist(dist) => dist.run(&workspace),
        Command::TargetDir => {
            workspace.claim_target_dir()?;
            println!("{}", workspace.target_dir().display());
            Ok(())
        }
    }
}
