//! From what is stored and what the files say to a plan. Pure: marks of secrets come from a
//! function, the database is a slice.

use super::merge::{Fields, merge};
use super::plan::{Action, Plan, Problem, Put, SecretChange, SecretEffect, Step, Write};
use super::references;
use super::secret_rule::{Marks, Verdict, judge, secrets_of};
use super::stored::{Applied, Owner, StoredDoc};
use crate::documents::{DocumentFile, Resource, ResourceKind, SecretName};
use crate::secrets::{Fingerprint, Plain};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// How to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Where both sides changed, take the file's.
    pub force: bool,
    /// Delete what a file set applied earlier and does not name any more.
    pub prune: bool,
}

type Id<'a> = (ResourceKind, &'a str, &'a str);

/// What applying these files would do.
pub(super) fn compute(
    config_version: i64,
    stored: &[StoredDoc],
    files: &[DocumentFile],
    options: Options,
    mark: &dyn Fn(&Plain) -> Fingerprint,
) -> Plan {
    let rows: HashMap<Id<'_>, &StoredDoc> = stored
        .iter()
        .map(|row| ((row.kind, row.account.as_str(), row.key.as_str()), row))
        .collect();
    let mut plan = Plan { config_version, steps: Vec::new(), problems: Vec::new() };
    let mut named: HashMap<Id<'_>, &Resource> = HashMap::new();
    for file in files {
        let mut resources: Vec<&Resource> = file.resources.iter().collect();
        resources.sort_by_key(|resource| resource.kind);
        for resource in resources {
            let id = (resource.kind, resource.account.as_str(), resource.key.as_str());
            if let Some(first) = named.insert(id, resource) {
                plan.problems.push(Problem {
                    at: resource.origin.to_string(),
                    problem: format!(
                        "{} {} stands in two files, first at {}",
                        resource.kind, resource.key, first.origin
                    ),
                });
                continue;
            }
            let step = step(&file.set, resource, rows.get(&id).copied(), options, mark);
            plan.steps.push(step);
        }
    }
    if options.prune {
        let sets: HashSet<&str> = files.iter().map(|file| file.set.as_str()).collect();
        plan.steps.extend(prune(stored, &named, &sets, options));
        plan.problems.extend(files.iter().filter(|file| !file.set_given).map(no_set));
    }
    plan.problems.extend(references::dangling(stored, files, &plan.steps));
    plan
}

fn step(
    set: &str,
    resource: &Resource,
    row: Option<&StoredDoc>,
    options: Options,
    mark: &dyn Fn(&Plain) -> Fingerprint,
) -> Step {
    let mut step = Step {
        set: set.to_owned(),
        kind: resource.kind,
        account: resource.account.clone(),
        key: resource.key.clone(),
        action: Action::Unchanged,
        changes: Vec::new(),
        conflicts: Vec::new(),
        secrets: Vec::new(),
        notes: Vec::new(),
        write: None,
    };
    if let Some(Owner::Set(other)) = row.map(|row| &row.owner)
        && other != set
        && !options.force
    {
        step.action = Action::Conflict;
        step.notes
            .push(format!("managed by {other}: remove it there first, or --force to take it over"));
        return step;
    }
    let (none, no_applied) = (Fields::new(), Applied::default());
    let applied = row.and_then(|row| row.applied.as_ref()).unwrap_or(&no_applied);
    let merged =
        merge(&applied.fields, row.map_or(&none, |row| &row.fields), &resource.doc, options.force);
    let secrets = merge_secrets(&mut step, resource, row, applied, options, mark);
    step.changes = merged.changes;
    step.conflicts = merged.conflicts;

    let now = StoredDoc {
        kind: resource.kind,
        account: resource.account.clone(),
        key: resource.key.clone(),
        fields: merged.doc,
        secrets: secrets.kept,
        applied: Some(Applied { fields: merged.base, secrets: secrets.base }),
        owner: Owner::Set(set.to_owned()),
    };
    let something_new = !step.changes.is_empty()
        || step.secrets.iter().any(|secret| secret.effect != SecretEffect::Conflict);
    step.action = match row {
        None => Action::Create,
        Some(row) if row.owner != now.owner => Action::Adopt,
        Some(_) if something_new => Action::Change,
        Some(_) if step.has_open_conflict() => Action::Conflict,
        Some(_) => Action::Unchanged,
    };
    let base_moves = row.is_none_or(|row| row.applied != now.applied);
    if matches!(step.action, Action::Create | Action::Change | Action::Adopt) || base_moves {
        step.write = Some(Write::Put(Box::new(Put {
            row: now,
            new_secrets: secrets.new,
            blob: resource.blob.clone(),
            media: None,
            origin: resource.origin.clone(),
        })));
    }
    step
}

/// The three outcomes of the secrets of one resource.
#[derive(Default)]
struct MergedSecrets {
    /// Stored ones that stay.
    kept: BTreeMap<SecretName, super::stored::StoredSecret>,
    /// Ones to hash or seal; `None` is minted.
    new: Vec<(SecretName, Option<Plain>)>,
    /// The marks of the next merge.
    base: BTreeMap<SecretName, Fingerprint>,
}

fn merge_secrets(
    step: &mut Step,
    resource: &Resource,
    row: Option<&StoredDoc>,
    applied: &Applied,
    options: Options,
    mark: &dyn Fn(&Plain) -> Fingerprint,
) -> MergedSecrets {
    let mut merged = MergedSecrets::default();
    for &(name, rule) in secrets_of(resource.kind) {
        let given = resource.secrets.iter().find(|(of, _)| *of == name).map(|(_, secret)| secret);
        let stored = row.and_then(|row| row.secrets.get(&name));
        let base = applied.secrets.get(&name);
        let file = given.map(mark);
        let marks = Marks {
            base,
            stored: stored.and_then(|stored| stored.fingerprint()),
            file: file.as_ref(),
        };
        let verdict = judge(rule, marks, options.force);
        let effect = match verdict {
            Verdict::Keep => None,
            Verdict::KeepAndSay => {
                step.notes.push(format!(
                    "{}: the file's differs from the stored one, which stays: it is an initial value only, rotate it instead",
                    name.as_str()
                ));
                None
            }
            Verdict::Set => Some(SecretEffect::Set),
            Verdict::Mint => Some(SecretEffect::Mint),
            Verdict::Remove => Some(SecretEffect::Remove),
            Verdict::Conflict => Some(SecretEffect::Conflict),
        };
        match verdict {
            Verdict::Set => merged.new.push((name, given.cloned())),
            Verdict::Mint => merged.new.push((name, None)),
            Verdict::Remove => {}
            Verdict::Keep | Verdict::KeepAndSay | Verdict::Conflict => {
                merged.kept.extend(stored.map(|stored| (name, stored.clone())));
            }
        }
        let next_base = if verdict == Verdict::Conflict { base.cloned() } else { file.clone() };
        merged.base.extend(next_base.map(|mark| (name, mark)));
        if let Some(effect) = effect {
            let fingerprint = file.filter(|_| effect == SecretEffect::Set);
            step.secrets.push(SecretChange { name, effect, fingerprint });
        }
    }
    merged
}

/// A default set is the base name of a file, which another tenant's file may have too.
fn no_set(file: &DocumentFile) -> Problem {
    Problem {
        at: file.set.clone(),
        problem: format!(
            "expected `set: NAME` in the file: prune deletes what a set applied earlier, and without it every file called {0} is one set (`set: {0}` keeps the one that it has)",
            file.set
        ),
    }
}

/// What the sets own and no file names any more, children before parents. What the console changed
/// since goes only by force.
fn prune<'a>(
    stored: &'a [StoredDoc],
    named: &HashMap<Id<'a>, &Resource>,
    sets: &HashSet<&str>,
    options: Options,
) -> Vec<Step> {
    let mut gone: Vec<&StoredDoc> = stored
        .iter()
        .filter(|row| !named.contains_key(&(row.kind, row.account.as_str(), row.key.as_str())))
        .filter(|row| matches!(&row.owner, Owner::Set(set) if sets.contains(set.as_str())))
        .collect();
    gone.sort_by_key(|row| std::cmp::Reverse(row.kind));
    gone.into_iter()
        .map(|row| {
            let Owner::Set(set) = &row.owner else {
                unreachable!("only rows of a set were kept above")
            };
            let touched = row.applied.as_ref().is_none_or(|applied| applied.fields != row.fields);
            let stays = touched && !options.force;
            let note =
                "changed at the console since it was applied; --force deletes it all the same"
                    .to_owned();
            Step {
                set: set.clone(),
                kind: row.kind,
                account: row.account.clone(),
                key: row.key.clone(),
                action: if stays { Action::Conflict } else { Action::Delete },
                changes: Vec::new(),
                conflicts: Vec::new(),
                secrets: Vec::new(),
                notes: if stays { vec![note] } else { Vec::new() },
                write: if stays { None } else { Some(Write::Delete) },
            }
        })
        .collect()
}

#[cfg(test)]
#[path = "compute_tests.rs"]
mod tests;
