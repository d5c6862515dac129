#![expect(clippy::unwrap_used, reason = "tests")]
use super::super::stored::{SealedSecret, StoredSecret};
use super::*;
use crate::documents::read;
use serde_json::{Value, json};
use std::path::Path;
use yunling_domain::Micros;

const NO_FORCE: Options = Options { force: false, prune: false };
const FORCE: Options = Options { force: true, prune: false };
const PRUNE: Options = Options { force: false, prune: true };
const PRUNE_BY_FORCE: Options = Options { force: true, prune: true };

fn file(text: &str) -> DocumentFile {
    let file = read("t.yaml", text, Path::new("."), &|_| None).unwrap();
    DocumentFile { set_given: true, ..file }
}

fn mark(secret: &Plain) -> Fingerprint {
    Fingerprint::of_text(secret.expose())
}

fn plan_of(stored: &[StoredDoc], files: &[DocumentFile], options: Options) -> Plan {
    compute(7, stored, files, options, &mark)
}

/// Stores what a plan writes, secrets as if sealed.
fn carry_out(stored: &mut Vec<StoredDoc>, plan: Plan) {
    for step in plan.steps {
        let at = stored.iter().position(|row| {
            (row.kind, row.account.as_str(), row.key.as_str())
                == (step.kind, step.account.as_str(), step.key.as_str())
        });
        match step.write {
            None => {}
            Some(Write::Delete) => drop(stored.remove(at.unwrap())),
            Some(Write::Put(put)) => {
                let Put { mut row, new_secrets, .. } = *put;
                for (name, secret) in new_secrets {
                    let fingerprint =
                        secret.as_ref().map_or_else(|| Fingerprint::of_text("minted"), mark);
                    row.secrets.insert(name, sealed(fingerprint));
                }
                match at {
                    Some(at) => stored[at] = row,
                    None => stored.push(row),
                }
            }
        }
    }
}

fn sealed(fingerprint: Fingerprint) -> StoredSecret {
    let sealed = serde_json::from_value(json!("k:x")).unwrap();
    StoredSecret::Sealed { active: vec![SealedSecret { sealed, fingerprint, since: Micros(0) }] }
}

fn applied(text: &str) -> Vec<StoredDoc> {
    let mut stored = Vec::new();
    carry_out(&mut stored, plan_of(&[], &[file(text)], NO_FORCE));
    stored
}

fn actions(plan: &Plan) -> Vec<(ResourceKind, Action)> {
    plan.steps.iter().map(|step| (step.kind, step.action)).collect()
}

fn set(stored: &mut [StoredDoc], key: &str, field: &str, value: Value) {
    let row = stored.iter_mut().find(|row| row.key == key).unwrap();
    row.fields.insert(field.to_owned(), value);
}

const TRUNK: &str =
    "trunks: [{ name: t, uri: \"sip:x\", max_calls: 5, username: u, password: one }]\n";

#[test]
fn an_unchanged_file_does_nothing_and_the_console_keeps_what_it_changed() {
    let mut stored = applied(TRUNK);
    assert!(plan_of(&stored, &[file(TRUNK)], NO_FORCE).is_empty());
    set(&mut stored, "t", "max_calls", json!(9));
    let plan = plan_of(&stored, &[file(TRUNK)], NO_FORCE);
    assert!(plan.is_empty(), "{plan}");
    assert!(!plan.has_open_conflicts());
}

#[test]
fn a_changed_field_is_applied_and_the_other_side_stays() {
    let mut stored = applied(TRUNK);
    set(&mut stored, "t", "max_cps", json!(3));
    let plan = plan_of(&stored, &[file(&TRUNK.replace("max_calls: 5", "max_calls: 6"))], NO_FORCE);
    assert_eq!(actions(&plan), [(ResourceKind::Trunk, Action::Change)]);
    carry_out(&mut stored, plan);
    assert_eq!(
        (&stored[0].fields["max_calls"], &stored[0].fields["max_cps"]),
        (&json!(6), &json!(3))
    );
}

#[test]
fn a_field_changed_on_both_sides_waits_for_force() {
    let mut stored = applied(TRUNK);
    set(&mut stored, "t", "max_calls", json!(9));
    let changed = [file(&TRUNK.replace("max_calls: 5", "max_calls: 6"))];
    let plan = plan_of(&stored, &changed, NO_FORCE);
    assert_eq!(actions(&plan), [(ResourceKind::Trunk, Action::Conflict)]);
    assert!(plan.has_open_conflicts() && plan.is_empty());
    insta::assert_snapshot!(plan.to_string());
    carry_out(&mut stored, plan);
    assert!(plan_of(&stored, &changed, NO_FORCE).has_open_conflicts(), "it stays one");
    let forced = plan_of(&stored, &changed, FORCE);
    assert!(!forced.has_open_conflicts());
    carry_out(&mut stored, forced);
    assert_eq!(stored[0].fields["max_calls"], json!(6));
    assert!(plan_of(&stored, &changed, NO_FORCE).is_empty());
}

#[test]
fn a_trunks_password_follows_the_file_until_it_is_changed_elsewhere() {
    let mut stored = applied(TRUNK);
    let changed = [file(&TRUNK.replace("password: one", "password: two"))];
    let plan = plan_of(&stored, &changed, NO_FORCE);
    assert_eq!(plan.steps[0].secrets[0].effect, SecretEffect::Set);
    stored[0].secrets.insert(SecretName::Password, sealed(Fingerprint::of_text("rotated")));
    let plan = plan_of(&stored, &changed, NO_FORCE);
    assert_eq!(plan.steps[0].secrets[0].effect, SecretEffect::Conflict);
    carry_out(&mut stored, plan);
    assert_eq!(stored[0].secrets[&SecretName::Password].fingerprint().unwrap().as_str(), "rotated");
    let forced = plan_of(&stored, &changed, FORCE);
    carry_out(&mut stored, forced);
    assert_eq!(stored[0].secrets[&SecretName::Password].fingerprint().unwrap().as_str(), "two");
}

#[test]
fn tokens_and_webhook_secrets_are_initial_values_only() {
    let text = "accounts: [{ sid: a, token: 0123456789abcdef, applications: [{ sid: x }] }]\n";
    let mut stored = applied(text);
    let marks = |stored: &[StoredDoc]| -> Vec<String> {
        stored
            .iter()
            .flat_map(|row| row.secrets.values())
            .map(|s| s.fingerprint().unwrap().to_string())
            .collect()
    };
    assert_eq!(marks(&stored), ["0123456789abcdef", "minted"]);
    let other = [file(&text.replace("0123456789abcdef", "fedcba9876543210"))];
    for options in [NO_FORCE, FORCE] {
        let plan = plan_of(&applied(text), &other, options);
        assert!(plan.steps[0].notes[0].contains("initial value only"), "{plan}");
        carry_out(&mut stored, plan);
        assert_eq!(marks(&stored), ["0123456789abcdef", "minted"]);
    }
    assert!(plan_of(&stored, &other, NO_FORCE).steps[0].notes.is_empty(), "it is said once");
}

#[test]
fn what_another_set_manages_is_left_alone() {
    let stored = applied(TRUNK);
    let other = DocumentFile { set: "other.yaml".into(), ..file(&TRUNK.replace("5", "6")) };
    let plan = plan_of(&stored, std::slice::from_ref(&other), NO_FORCE);
    assert_eq!(actions(&plan), [(ResourceKind::Trunk, Action::Conflict)]);
    assert!(plan.is_empty());
    assert!(plan.steps[0].notes[0].contains("managed by t.yaml"));
    let forced = plan_of(&stored, &[other], FORCE);
    assert_eq!(actions(&forced), [(ResourceKind::Trunk, Action::Adopt)]);
}

#[test]
fn a_file_adopts_what_the_console_made() {
    let mut stored = applied(TRUNK);
    (stored[0].owner, stored[0].applied) = (Owner::Console, None);
    let plan = plan_of(&stored, &[file(TRUNK)], NO_FORCE);
    assert_eq!(actions(&plan), [(ResourceKind::Trunk, Action::Adopt)]);
    assert!(plan.steps[0].changes.is_empty());
    carry_out(&mut stored, plan);
    assert!(plan_of(&stored, &[file(TRUNK)], NO_FORCE).is_empty());
}

#[test]
fn prune_deletes_only_its_own_and_only_what_nobody_touched() {
    let two = "trunks: [{ name: s, uri: \"sip:x\" }, { name: t, uri: \"sip:y\" }]\n";
    let mut stored = applied(two);
    let foreign =
        DocumentFile { set: "other".into(), ..file("trunks: [{ name: o, uri: \"sip:z\" }]\n") };
    carry_out(&mut stored, plan_of(&[], &[foreign], NO_FORCE));
    let one = [file("trunks: [{ name: s, uri: \"sip:x\" }]\n")];
    let kept = plan_of(&stored, &one, NO_FORCE);
    assert!(kept.is_empty(), "without prune nothing goes: {kept}");
    let plan = plan_of(&stored, &one, PRUNE);
    let gone: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| step.action == Action::Delete)
        .map(|step| &step.key)
        .collect();
    assert_eq!(gone, ["t"]);
    set(&mut stored, "t", "max_calls", json!(1));
    let touched = plan_of(&stored, &one, PRUNE);
    assert_eq!(touched.count(Action::Delete), 0, "{touched}");
    assert_eq!(plan_of(&stored, &one, PRUNE_BY_FORCE).count(Action::Delete), 1);
}

#[test]
fn a_set_that_nobody_chose_is_not_pruned() {
    let stored = applied(TRUNK);
    for (text, problems) in [("trunks: []\n", 1), ("set: t.yaml\ntrunks: []\n", 0)] {
        let file = read("b/t.yaml", text, Path::new("."), &|_| None).unwrap();
        let plan = plan_of(&stored, std::slice::from_ref(&file), PRUNE);
        assert_eq!(plan.problems.len(), problems, "{plan}");
        for problem in &plan.problems {
            assert_eq!(problem.at, "t.yaml");
            assert!(problem.problem.starts_with("expected `set: NAME`"), "{}", problem.problem);
        }
        assert_eq!(plan_of(&stored, &[file], NO_FORCE).problems.len(), 0, "without prune it may");
    }
}

#[test]
fn what_refers_to_nothing_is_a_problem_with_its_place() {
    let line = "accounts: [{ sid: a, caller_ids: [{ number: \"13800100001\", trunk: t, applications: [x] }] }]\n";
    let plan = plan_of(&[], &[file(line)], NO_FORCE);
    let told: Vec<String> =
        plan.problems.iter().map(|p| format!("{}: {}", p.at, p.problem)).collect();
    insta::assert_snapshot!(told.join("\n"));
    let stored = applied(TRUNK);
    let without = line.replace(", applications: [x]", "");
    assert!(
        plan_of(&stored, &[file(&without)], NO_FORCE).problems.is_empty(),
        "a stored trunk will do"
    );
    let lines =
        plan_of(&stored, &[DocumentFile { set: "lines".into(), ..file(&without) }], NO_FORCE);
    let mut stored = stored;
    carry_out(&mut stored, lines);
    let gone = plan_of(&stored, &[file("trunks: []\n")], PRUNE);
    assert_eq!(gone.problems.len(), 1, "a trunk that a line needs does not go: {gone}");
}

#[test]
fn one_resource_in_two_files_is_a_problem() {
    let other = DocumentFile { set: "other".into(), ..file(TRUNK) };
    let plan = plan_of(&[], &[file(TRUNK), other], NO_FORCE);
    assert!(plan.problems[0].problem.contains("stands in two files"));
}

#[test]
fn a_plan_reads_well() {
    let text = "trunks: [{ name: t, uri: \"sip:x\", username: u, password: one }]\n\
                accounts: [{ sid: a, name: Demo, token: 0123456789abcdef, applications: [{ sid: x }] }]\n";
    insta::assert_snapshot!(plan_of(&[], &[file(text)], NO_FORCE).to_string());
    let mut stored = applied(text);
    set(&mut stored, "a", "name", json!("Stage"));
    let changed = text
        .replace("name: Demo", "name: Show, zone: Asia/Tokyo")
        .replace("password: one", "password: two");
    let changed = changed.replace("applications: [{ sid: x }]", "applications: []");
    let plan = plan_of(&stored, &[file(&changed)], PRUNE);
    insta::assert_snapshot!(plan.to_string());
    insta::assert_json_snapshot!(plan);
}
