//! The table of rooms: which crate may import which. ARCHITECTURE.md tells why.

use super::graph::Graph;

/// One crate of the workspace and its rights.
struct Room {
    name: &'static str,
    /// The workspace's crates that it may import.
    imports: &'static [&'static str],
    /// Those that its tests may import besides.
    tests_import: &'static [&'static str],
    /// Libraries that must not be linked into it, directly or through others.
    never_links: &'static [&'static str],
}

/// What would make pure code impure: a runtime, a database, a web server, chance.
const IMPURE: &[&str] = &["tokio", "sea-orm", "sqlx", "poem", "reqwest", "rand", "getrandom"];

const ROOMS: &[Room] = &[
    Room { name: "yunling-domain", imports: &[], tests_import: &[], never_links: IMPURE },
    Room { name: "yunling-switch-contract", imports: &[], tests_import: &[], never_links: IMPURE },
    Room {
        name: "yunling-switch",
        imports: &["yunling-switch-contract"],
        tests_import: &["yunling-carrier-sim", "yunling-fuzz"],
        never_links: &["sea-orm", "sqlx", "poem"],
    },
    Room {
        name: "yunling-carrier-sim",
        imports: &[],
        tests_import: &[],
        never_links: &["rsipstack"],
    },
    Room {
        name: "yunling-store",
        imports: &["yunling-domain"],
        tests_import: &[],
        never_links: &["poem"],
    },
    Room {
        name: "yunling-assets",
        imports: &["yunling-domain"],
        tests_import: &["yunling-fuzz"],
        never_links: &["sea-orm", "poem"],
    },
    Room {
        name: "yunling-app",
        imports: &["yunling-domain", "yunling-store", "yunling-assets"],
        tests_import: &["yunling-fuzz"],
        never_links: &["poem", "rsipstack"],
    },
    Room {
        name: "yunling-workers",
        imports: &["yunling-app", "yunling-store", "yunling-domain"],
        tests_import: &["yunling-assets"],
        never_links: &["poem", "rsipstack"],
    },
    Room {
        name: "yunling",
        imports: &[
            "yunling-app",
            "yunling-assets",
            "yunling-carrier-sim",
            "yunling-domain",
            "yunling-store",
            "yunling-switch",
            "yunling-switch-contract",
            "yunling-workers",
        ],
        tests_import: &["yunling-fuzz"],
        never_links: &[],
    },
    Room {
        name: "yunling-bench",
        imports: &["yunling-switch", "yunling-switch-contract"],
        tests_import: &[],
        never_links: &["sea-orm", "sqlx", "poem"],
    },
    Room { name: "yunling-fuzz", imports: &[], tests_import: &[], never_links: IMPURE },
    Room { name: "xtask", imports: &[], tests_import: &[], never_links: &["tokio"] },
];

/// Libraries that only some crates may name in their manifests.
const OWNERS: &[(&str, &[&str])] = &[
    ("apalis", &["yunling-workers"]),
    ("poem", &["yunling"]),
    ("poem-openapi", &["yunling"]),
    ("rsipstack", &["yunling-switch"]),
    ("sea-orm", &["yunling-store"]),
    ("sea-orm-migration", &["yunling-store"]),
];

/// How many crates the table knows.
pub(crate) fn count() -> usize {
    ROOMS.len()
}

/// Every edge that the tables forbid, as a sentence.
pub(crate) fn breaches(graph: &Graph) -> Vec<String> {
    let mut breaches = Vec::new();
    for (name, found) in &graph.members {
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            breaches.push(format!(
                "{name} is not in the table of rooms: add it to xtask/src/deps/rooms.rs"
            ));
            continue;
        };
        for used in found.uses.iter().filter(|used| graph.members.contains_key(*used)) {
            if !room.imports.contains(&used.as_str()) {
                breaches
                    .push(format!("{name} imports {used}; it may import {}", listed(room.imports)));
            }
        }
        for used in found.tests_use.iter().filter(|used| graph.members.contains_key(*used)) {
            if !room.imports.contains(&used.as_str()) && !room.tests_import.contains(&used.as_str())
            {
                breaches
                    .push(format!("the tests of {name} import {used}, which is not in the table"));
            }
        }
        for banned in room.never_links.iter().filter(|banned| found.links.contains(**banned)) {
            breaches.push(format!(
                "{name} links {banned}, directly or through others: `cargo tree -p {name} -e normal -i {banned}` shows how"
            ));
        }
        for (library, owners) in OWNERS {
            let named = found.uses.contains(*library) || found.tests_use.contains(*library);
            if named && !owners.contains(&name.as_str()) {
                breaches.push(format!(
                    "{name} names {library} in its manifest; only {} may",
                    listed(owners)
                ));
            }
        }
    }
    breaches
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "no crate of the workspace".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::graph::Crate;
    use super::*;

    /// The table's crates without any edge, but for one crate's, given as words.
    fn graph(name: &str, uses: &str, links: &str) -> Graph {
        let set = |words: &str| words.split_whitespace().map(str::to_owned).collect();
        let mut graph = Graph::default();
        for room in ROOMS {
            graph.members.insert(room.name.to_owned(), Crate::default());
        }
        let one = Crate { uses: set(uses), links: set(links), ..Crate::default() };
        graph.members.insert(name.to_owned(), one);
        graph
    }

    #[test]
    fn each_rule_catches_its_breach() {
        let cases = [
            ("yunling-store", "yunling-domain sea-orm", "tokio", None),
            ("yunling-store", "yunling-app", "", Some("yunling-store imports yunling-app")),
            ("yunling-app", "yunling", "", Some("yunling-app imports yunling;")),
            ("yunling-domain", "", "tokio", Some("yunling-domain links tokio")),
            ("yunling-app", "sea-orm", "", Some("only yunling-store")),
            ("yunling-extra", "", "", Some("not in the table of rooms")),
        ];
        for (name, uses, links, expected) in cases {
            let found = breaches(&graph(name, uses, links));
            match expected {
                None => assert!(found.is_empty(), "{name}: {found:?}"),
                Some(part) => {
                    assert!(found.len() == 1 && found[0].contains(part), "{name}: {found:?}")
                }
            }
        }
    }

    #[test]
    fn nobody_may_import_the_binary() {
        assert!(ROOMS.iter().all(|room| !room.imports.contains(&"yunling")));
    }
}
