//! Which suites there are, and which of them must run with one thread.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeSet;

/// Suites whose tests measure time or sound, or kill processes: on a machine of two cores they
/// would disturb one another. A suite belongs here when its name holds one of these words.
const ONE_THREAD: &[&str] = &[
    "audio", "backup", "calls", "crash", "kill", "ladder", "media", "recovery", "sipp", "soak",
    "survival", "timing",
];

/// The name of the suite of all unit tests.
const UNIT: &str = "unit";

/// What the second run of a suite, on PostgreSQL, is called.
const ON_POSTGRES: &str = "_postgres";

/// Suites that are run on PostgreSQL as well, and those of their tests: all, or those whose names
/// hold one of these words. Their code names no database (yunling-store's `test_database`).
const BOTH_DATABASES: &[(&str, &[&str])] = &[
    (
        UNIT,
        &[
            "api::tests::",
            "calls::tests::",
            "submit_notice::tests::",
            "submit_batch::tests::",
            "finish_call::tests::",
            "campaigns::",
            "do_not_call::tests::",
            "exports::tests::",
        ],
    ),
    ("store", &[]),
    ("deliveries", &[]),
    ("delivery_callbacks", &["crash", "sent_again", "gone_is_disabled"]),
    ("calls_notice", &[]),
    ("calls_batch", &[]),
    ("calls_campaign", &[]),
    ("crash_recovery", &[]),
    ("crash_click", &[]),
    ("crash_exports", &["push"]),
];

/// One line of the closing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suite {
    /// What the developer calls it: `unit`, or the name of a file or folder in a `tests/` folder;
    /// with `_postgres` where it runs on that database.
    pub(crate) name: String,
    /// Whether its tests run one after the other.
    pub(crate) one_thread: bool,
    /// Whether it runs on the tests' PostgreSQL server instead of SQLite.
    pub(crate) on_postgres: bool,
    target: String,
    filters: &'static [&'static str],
}

impl Suite {
    fn named(target: &str) -> Self {
        let one_thread = ONE_THREAD.iter().any(|word| target.contains(word));
        Self {
            name: target.to_owned(),
            one_thread,
            on_postgres: false,
            target: target.to_owned(),
            filters: &[],
        }
    }

    /// The same once more on PostgreSQL, if it is one of [`BOTH_DATABASES`].
    fn on_postgres(&self) -> Option<Self> {
        let (_, filters) = BOTH_DATABASES.iter().find(|(target, _)| *target == self.target)?;
        let name = format!("{}{ON_POSTGRES}", self.target);
        Some(Self { name, on_postgres: true, filters, ..self.clone() })
    }

    /// The arguments for `cargo test`. Always with `--workspace`: selecting one package would
    /// select other features and compile its dependencies again.
    pub(crate) fn cargo_arguments(&self) -> Vec<&str> {
        let mut arguments = vec!["--workspace", "--no-fail-fast"];
        if self.target == UNIT {
            arguments.extend(["--lib", "--bins"]);
        } else {
            arguments.extend(["--test", &self.target]);
        }
        if self.one_thread || self.on_postgres || !self.filters.is_empty() {
            arguments.push("--");
        }
        if self.on_postgres {
            // Some are about PostgreSQL alone, and ignored elsewhere.
            arguments.push("--include-ignored");
        }
        if self.one_thread {
            arguments.push("--test-threads=1");
        }
        arguments.extend(self.filters);
        arguments
    }
}

/// All suites in the order in which they run: the unit tests, then what may use all cores, then
/// what needs the machine for itself. From the output of `cargo metadata`.
pub(crate) fn all(metadata: &Value) -> Result<Vec<Suite>> {
    let packages = metadata["packages"].as_array().context("cargo's metadata lists no packages")?;
    let names: BTreeSet<&str> = packages
        .iter()
        .flat_map(|package| package["targets"].as_array().into_iter().flatten())
        .filter(|target| {
            target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "test"))
        })
        .filter_map(|target| target["name"].as_str())
        .collect();
    let mut suites: Vec<Suite> = names.into_iter().map(Suite::named).collect();
    suites.sort_by_key(|suite| suite.one_thread); // stable: by name within each half
    suites.insert(0, Suite::named(UNIT));
    Ok(suites
        .into_iter()
        .flat_map(|suite| {
            let again = suite.on_postgres();
            [Some(suite), again]
        })
        .flatten()
        .collect())
}

/// The wanted ones among `all`, in `all`'s order; all of them where none is named.
pub(crate) fn select(all: Vec<Suite>, wanted: &[String]) -> Result<Vec<Suite>> {
    let unknown: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|name| !all.iter().any(|suite| suite.name == *name))
        .collect();
    if !unknown.is_empty() {
        let known: Vec<&str> = all.iter().map(|suite| suite.name.as_str()).collect();
        bail!("there is no suite `{}`; there are: {}", unknown.join("`, `"), known.join(", "));
    }
    if wanted.is_empty() {
        return Ok(all);
    }
    Ok(all.into_iter().filter(|suite| wanted.contains(&suite.name)).collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic with its line is what a test is for")]

    use super::*;
    use serde_json::json;

    fn metadata() -> Value {
        json!({ "packages": [
            { "targets": [{ "kind": ["lib"], "name": "yunling_switch" }, { "kind": ["test"], "name": "sipp_ladder" }] },
            { "targets": [{ "kind": ["test"], "name": "writer" }, { "kind": ["test"], "name": "heard_audio" }] },
        ]})
    }

    #[test]
    fn unit_tests_come_first_and_suites_that_measure_come_last() {
        let suites = all(&metadata()).unwrap();
        let order: Vec<(&str, bool)> =
            suites.iter().map(|s| (s.name.as_str(), s.one_thread)).collect();
        assert_eq!(
            order,
            [
                ("unit", false),
                ("unit_postgres", false),
                ("writer", false),
                ("heard_audio", true),
                ("sipp_ladder", true)
            ]
        );
    }

    #[test]
    fn a_suite_knows_how_it_is_run() {
        assert_eq!(
            Suite::named("unit").cargo_arguments(),
            ["--workspace", "--no-fail-fast", "--lib", "--bins"]
        );
        assert_eq!(
            Suite::named("sipp_ladder").cargo_arguments(),
            ["--workspace", "--no-fail-fast", "--test", "sipp_ladder", "--", "--test-threads=1"]
        );
    }

    #[test]
    fn a_suite_on_postgresql_is_the_same_with_its_own_name() {
        let suite = Suite::named("calls_notice").on_postgres().unwrap();
        assert_eq!((suite.name.as_str(), suite.on_postgres), ("calls_notice_postgres", true));
        let here = Suite::named("calls_notice");
        let (here, mut there) = (here.cargo_arguments(), suite.cargo_arguments());
        there.retain(|argument| *argument != "--include-ignored");
        assert_eq!(there, here);
        assert_eq!(suite.cargo_arguments().len(), here.len() + 1);
        let unit = Suite::named("unit").on_postgres().unwrap();
        assert!(unit.cargo_arguments().ends_with(BOTH_DATABASES[0].1), "{unit:?}");
        assert_eq!(Suite::named("sipp_ladder").on_postgres(), None);
    }

    #[test]
    fn a_wrong_name_is_refused_with_the_right_ones() {
        let error = select(all(&metadata()).unwrap(), &["wirter".into()]).unwrap_err().to_string();
        assert!(
            error.contains("`wirter`") && error.contains("unit, unit_postgres, writer"),
            "{error}"
        );
        let chosen = select(all(&metadata()).unwrap(), &["writer".into()]).unwrap();
        assert_eq!(chosen, [Suite::named("writer")]);
    }
}
