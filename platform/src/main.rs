//! The `yunling` binary: see [`yunling::cli`].

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    match yunling::cli::Cli::parse().run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // The chain, outermost first: what was tried, then why it failed.
            eprintln!("yunling: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
