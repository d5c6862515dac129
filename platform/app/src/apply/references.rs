//! What refers to something that is not there once the plan has been carried out.

use super::plan::{Problem, Step, Write};
use super::stored::StoredDoc;
use crate::documents::{DocumentFile, ResourceKind};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// The configuration as the plan leaves it, and what dangles in it.
pub(super) fn dangling(
    stored: &[StoredDoc],
    files: &[DocumentFile],
    steps: &[Step],
) -> Vec<Problem> {
    let mut after: BTreeMap<(ResourceKind, &str, &str), &super::merge::Fields> = stored
        .iter()
        .map(|row| ((row.kind, row.account.as_str(), row.key.as_str()), &row.fields))
        .collect();
    for step in steps {
        let id = (step.kind, step.account.as_str(), step.key.as_str());
        match &step.write {
            Some(Write::Put(put)) => drop(after.insert(id, &put.row.fields)),
            Some(Write::Delete) => drop(after.remove(&id)),
            None => {}
        }
    }
    let places: HashMap<(ResourceKind, &str, &str), String> = files
        .iter()
        .flat_map(|file| &file.resources)
        .map(|resource| {
            (
                (resource.kind, resource.account.as_str(), resource.key.as_str()),
                resource.origin.to_string(),
            )
        })
        .collect();
    let mut problems = Vec::new();
    for (id @ (kind, account, key), fields) in &after {
        let mut needs = |wanted: ResourceKind, of: &str, name: &str| {
            if !after.contains_key(&(wanted, of, name)) {
                let at = places.get(id).cloned().unwrap_or_else(|| format!("stored {kind} {key}"));
                problems.push(Problem { at, problem: missing(wanted, name) });
            }
        };
        if !account.is_empty() && *kind != ResourceKind::Account {
            needs(ResourceKind::Account, account, account);
        }
        match kind {
            ResourceKind::CallerId => {
                texts(fields.get("trunks")).for_each(|trunk| needs(ResourceKind::Trunk, "", trunk));
                texts(fields.get("applications"))
                    .for_each(|sid| needs(ResourceKind::Application, account, sid));
            }
            ResourceKind::Route => {
                texts(fields.get("trunks")).for_each(|trunk| needs(ResourceKind::Trunk, "", trunk));
            }
            ResourceKind::Media => {
                let sid = key.split_once('/').map_or(*key, |(sid, _)| sid);
                needs(ResourceKind::Application, account, sid);
            }
            ResourceKind::Trunk
            | ResourceKind::Account
            | ResourceKind::User
            | ResourceKind::Application => {}
        }
    }
    problems
}

fn missing(kind: ResourceKind, name: &str) -> String {
    match kind {
        ResourceKind::Trunk => {
            format!("there is no trunk named {name:?}: add it, or correct the name")
        }
        ResourceKind::Application => format!("the account has no application {name:?}"),
        _ => format!("there is no {kind} {name:?}"),
    }
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
