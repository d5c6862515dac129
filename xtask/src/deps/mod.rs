//! `cargo xtask deps`: the rules of who may import whom, checked against what is there.

mod graph;
mod rooms;
mod sources;

use crate::dist::host_triple;
use crate::workspace::Workspace;
use anyhow::{Result, bail};

/// Checks the crates' edges and the source files; tells every breach, not only the first.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let host = host_triple()?;
    let metadata = workspace.metadata(&["--filter-platform", &host])?;
    let graph = graph::Graph::read(&metadata)?;
    let mut breaches = rooms::breaches(&graph);
    let files = sources::read(workspace.root())?;
    breaches.extend(sources::breaches(&files));
    if breaches.is_empty() {
        println!("{} crates and {} source files keep the rules", rooms::count(), files.len());
        return Ok(());
    }
    for breach in &breaches {
        println!("{breach}");
    }
    bail!(
        "{} breach(es) of the rules in ARCHITECTURE.md: move the code to the room that may do it, or change the table in xtask/src/deps/ together with ARCHITECTURE.md",
        breaches.len()
    )
}
