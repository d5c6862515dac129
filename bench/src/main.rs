//! The programs that `cargo xtask bench` starts, one a process so that each one's CPU is its own:
//! the engine under load, and those that measure it from outside. Each prints one JSON object a
//! line on standard output and is told what to do by lines on standard input, or ends by itself.

mod bare;
mod bridge;
mod callbacks;
mod callee;
mod captcha;
mod customer;
mod engine;
mod latency;
mod spacing;
mod talker;
mod told;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The same as the product's: figures are of what is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "yunling-bench",
    about = "The load and the measuring tools of `cargo xtask bench`"
)]
struct Cli {
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// The engine alone: dials, plays, hangs up
    Engine(engine::Engine),
    /// The engine alone: dials conversations, bridges and records them, hangs up when told
    Bridge(bridge::Bridge),
    /// One side's media: speaks to whoever speaks to it, and measures how its packets come back
    Talker(talker::Talker),
    /// The callees' media: measures the packets that come, and sends each one back
    Callee(callee::Callee),
    /// A customer: requests over HTTP, and the server that their callbacks come to
    Customer(customer::Customer),
    /// A customer and a carrier: how long captchas take beside a batch
    Captcha(captcha::Captcha),
    /// A bare loop that sends and receives what so many calls would
    Bare(bare::Bare),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().program {
        Program::Engine(engine) => engine.run(),
        Program::Bridge(bridge) => bridge.run(),
        Program::Talker(talker) => talker.run(),
        Program::Callee(callee) => callee.run(),
        Program::Customer(customer) => customer.run(),
        Program::Captcha(captcha) => captcha.run(),
        Program::Bare(bare) => bare.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("yunling-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
