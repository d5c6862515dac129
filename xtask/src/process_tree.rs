//! Ends a process with everything that it started.

use std::process::{Command, Stdio};

/// Kills a process and its descendants. The descendants are read from `/proc` first: once their
/// parent is gone they can no longer be told from strangers.
pub(crate) fn kill(root_pid: u32) {
    let mut pids = descendants(root_pid, &parents());
    pids.insert(0, root_pid);
    let outcome = Command::new("kill")
        .arg("-KILL")
        .args(pids.iter().map(u32::to_string))
        .stderr(Stdio::null()) // one of them may have ended by itself meanwhile
        .status();
    if let Err(error) = outcome {
        eprintln!("xtask: cannot run `kill` for {pids:?}: {error}");
    }
}

/// Each process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, parent_in_stat(&stat)?))
        })
        .collect()
}

/// The parent's id from `/proc/PID/stat`: `PID (NAME) STATE PARENT …`, where NAME may itself hold
/// spaces and parentheses (proc_pid_stat(5)).
fn parent_in_stat(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn descendants(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut found = Vec::new();
    let mut unvisited = vec![root];
    while let Some(parent) = unvisited.pop() {
        for (pid, _) in parents.iter().filter(|(_, of)| *of == parent) {
            found.push(*pid);
            unvisited.push(*pid);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_hide_the_parent() {
        assert_eq!(parent_in_stat("42 (a (b) c) S 7 42 42 0"), Some(7));
        assert_eq!(parent_in_stat("42 (cut"), None);
    }

    #[test]
    fn descendants_are_all_generations_and_nobody_else() {
        let parents = [(2, 1), (3, 2), (4, 2), (5, 4), (9, 1)];
        let mut found = descendants(2, &parents);
        found.sort_unstable();
        assert_eq!(found, [3, 4, 5]);
    }
}
