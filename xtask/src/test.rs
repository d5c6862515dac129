//! `cargo xtask test`: provision, build once, run suite by suite, sum up.

use crate::postgres::{self, Server};
use crate::suite::{self, Suite};
use crate::tally::Tally;
use crate::workspace::{Workspace, run};
use crate::{provision, watched};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// A suite that takes longer hangs; a soak has no such limit but a day.
const SUITE_LIMIT: Duration = Duration::from_secs(15 * 60);
const SOAK_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Build and run tests.
#[derive(clap::Args)]
pub(crate) struct Test {
    /// Run the long forms of the tests that have one (sets YUNLING_SOAK=1)
    #[arg(long)]
    soak: bool,
    /// Print the names of the suites and stop
    #[arg(long)]
    list: bool,
    /// Only these suites: `unit`, or the name of an integration test
    #[arg(value_name = "SUITE")]
    suites: Vec<String>,
}

struct Ran {
    suite: Suite,
    tally: Tally,
    took: Duration,
}

impl Test {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let all = suite::all(&workspace.metadata(&["--no-deps"])?)?;
        let suites = suite::select(all, &self.suites)?;
        if self.list {
            suites.iter().for_each(|suite| println!("{}", suite.name));
            return Ok(());
        }
        provision::ensure(provision::BUILD)?;
        provision::ensure(provision::TESTS)?;
        workspace.claim_target_dir()?;

        let started = Instant::now();
        run(workspace.cargo("test").args(["--workspace", "--all-targets", "--no-run"]))?;
        println!("\nbuilt all tests in {}", minutes(started.elapsed()));

        let wants_postgres = suites.iter().any(|suite| suite.on_postgres);
        let server = if wants_postgres { Some(Server::start()?) } else { None };
        let mut ran = Vec::new();
        for suite in suites {
            println!("\n── {} {}", suite.name, if suite.one_thread { "(one thread)" } else { "" });
            let started = Instant::now();
            let server = server.as_ref().filter(|_| suite.on_postgres);
            let tally = self.run_suite(workspace, &suite, server)?;
            if let Some(server) = server {
                server.clear();
            }
            let took = started.elapsed();
            println!("── {}: {}", suite.name, minutes(took));
            ran.push(Ran { suite, tally, took });
        }
        close(&ran)
    }

    fn run_suite(
        &self,
        workspace: &Workspace,
        suite: &Suite,
        server: Option<&Server>,
    ) -> Result<Tally> {
        let mut command = workspace.cargo("test");
        command.args(suite.cargo_arguments()).env_remove(postgres::VARIABLE);
        if let Some(server) = server {
            command.env(postgres::VARIABLE, server.url());
        }
        if self.soak {
            command.env("YUNLING_SOAK", "1");
        }
        let mut tally =
            watched::run(&mut command, if self.soak { SOAK_LIMIT } else { SUITE_LIMIT })?;
        if tally.ran() == 0 {
            tally.fail("ran no test at all");
        }
        Ok(tally)
    }
}

/// The closing table and the one line that machines read.
fn close(ran: &[Ran]) -> Result<()> {
    let width = ran.iter().map(|ran| ran.suite.name.len()).max().unwrap_or(0).max("suite".len());
    let mut sum = Tally::default();
    println!(
        "\n{:width$}  {:>7}  {:>7}  {:>7}  {:>8}",
        "suite", "passed", "failed", "ignored", "time"
    );
    for Ran { suite, tally, took } in ran {
        println!(
            "{:width$}  {:>7}  {:>7}  {:>7}  {:>8}",
            suite.name,
            tally.passed,
            tally.failed,
            tally.ignored,
            minutes(*took)
        );
        sum.add(tally);
    }
    for Ran { suite, tally, .. } in ran {
        for failure in &tally.failures {
            println!("failed: {}: {failure}", suite.name);
        }
    }
    let skipped =
        if sum.ignored > 0 { format!(", {} skipped", sum.ignored) } else { String::new() };
    println!("\n{} passed, {} failed{skipped}", sum.passed, sum.failed);
    if sum.failed > 0 {
        let again: Vec<&str> = ran
            .iter()
            .filter(|ran| ran.tally.failed > 0)
            .map(|ran| ran.suite.name.as_str())
            .collect();
        bail!(
            "tests failed; run only the suites concerned by `cargo xtask test {}`",
            again.join(" ")
        );
    }
    Ok(())
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
}
