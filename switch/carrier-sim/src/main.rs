//! The fake telephone network as a program of its own.

use clap::Parser;
use yunling_carrier_sim::{Options, run};

/// A fake telephone network: a SIP carrier on loopback with handsets; the last two digits of the
/// number called choose what happens.
#[derive(Debug, Parser)]
#[command(name = "yunling-carrier-sim", version)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

// One thread is enough: the work is in the kernel, and calls need no locks.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    Ok(run(Cli::parse().options).await?)
}
