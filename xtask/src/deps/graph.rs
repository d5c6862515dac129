//! The crates' edges, from the output of `cargo metadata`.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a crate of the workspace names in its manifest, and what it reaches.
#[derive(Debug, Default, Clone)]
pub(crate) struct Crate {
    /// Direct dependencies of the library or binary itself, build scripts included.
    pub(crate) uses: BTreeSet<String>,
    /// Direct dependencies of its tests alone.
    pub(crate) tests_use: BTreeSet<String>,
    /// Everything that is linked into it, directly or not.
    pub(crate) links: BTreeSet<String>,
}

/// The workspace's crates by name.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) members: BTreeMap<String, Crate>,
}

impl Graph {
    /// Reads the resolved graph (`cargo metadata --format-version 1`).
    pub(crate) fn read(metadata: &Value) -> Result<Self> {
        let names = names_by_id(metadata)?;
        let nodes = nodes_by_id(metadata)?;
        let mut members = BTreeMap::new();
        for id in list(&metadata["workspace_members"]).filter_map(Value::as_str) {
            let node = nodes.get(id).with_context(|| format!("{id} is not in cargo's graph"))?;
            let mut one = Crate::default();
            for dependency in list(&node["deps"]) {
                let name = name_of(dependency, &names)?;
                if is_linked(dependency) || has_kind(dependency, "build") {
                    one.uses.insert(name);
                } else {
                    one.tests_use.insert(name);
                }
            }
            let mut unvisited = vec![id];
            while let Some(node) = unvisited.pop().and_then(|id| nodes.get(id)) {
                for dependency in list(&node["deps"]).filter(|dependency| is_linked(dependency)) {
                    if one.links.insert(name_of(dependency, &names)?) {
                        unvisited.extend(dependency["pkg"].as_str());
                    }
                }
            }
            members.insert(names.get(id).copied().unwrap_or(id).to_owned(), one);
        }
        Ok(Self { members })
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn names_by_id(metadata: &Value) -> Result<BTreeMap<&str, &str>> {
    list(&metadata["packages"])
        .map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect::<Option<_>>()
        .context("cargo's metadata has a package without a name")
}

fn nodes_by_id(metadata: &Value) -> Result<BTreeMap<&str, &Value>> {
    list(&metadata["resolve"]["nodes"])
        .map(|node| Some((node["id"].as_str()?, node)))
        .collect::<Option<_>>()
        .context("cargo's metadata has a node without an id")
}

fn name_of(dependency: &Value, names: &BTreeMap<&str, &str>) -> Result<String> {
    let id =
        dependency["pkg"].as_str().context("cargo's metadata has a dependency without an id")?;
    Ok(names.get(id).copied().unwrap_or(id).to_owned())
}

/// An ordinary dependency has the kind `null`.
fn is_linked(dependency: &Value) -> bool {
    list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null())
}

fn has_kind(dependency: &Value, wanted: &str) -> bool {
    list(&dependency["dep_kinds"]).any(|kind| kind["kind"] == wanted)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic with its line is what a test is for")]

    use super::*;
    use serde_json::json;

    #[test]
    fn test_dependencies_are_kept_apart_and_links_reach_through_others() {
        let dep = |pkg: &str, kind: Value| json!({ "pkg": pkg, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                { "id": "a", "name": "yunling-domain" }, { "id": "b", "name": "chrono" },
                { "id": "c", "name": "libm" }, { "id": "d", "name": "proptest" },
            ],
            "workspace_members": ["a"],
            "resolve": { "nodes": [
                { "id": "a", "deps": [dep("b", Value::Null), dep("d", json!("dev"))] },
                { "id": "b", "deps": [dep("c", Value::Null)] },
                { "id": "c", "deps": [] }, { "id": "d", "deps": [] },
            ]},
        });
        let graph = Graph::read(&metadata).unwrap();
        let domain = &graph.members["yunling-domain"];
        assert_eq!(domain.uses, BTreeSet::from(["chrono".into()]));
        assert_eq!(domain.tests_use, BTreeSet::from(["proptest".into()]));
        assert_eq!(domain.links, BTreeSet::from(["chrono".into(), "libm".into()]));
    }
}
