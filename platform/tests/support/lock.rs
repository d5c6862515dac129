//! Another process that holds SQLite's write lock, as a careless backup script would.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Takes the lock, says so, and keeps it until its standard input ends.
const SCRIPT: &str = "
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
database.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.read()
database.execute('ROLLBACK')
";

/// While it lives, nobody else writes to the database.
pub(crate) struct Lock(Child);

impl Lock {
    /// Waits until it has the lock.
    pub(crate) fn take(database: &Path) -> Self {
        let mut child = Command::new("python3")
            .args(["-c", SCRIPT])
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a python3");
        let said = child.stdout.take().map(BufReader::new);
        let mut line = String::new();
        said.expect("its output is piped").read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "locked", "the other process did not get the lock");
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
