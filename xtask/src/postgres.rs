//! A PostgreSQL server for one run of the tests: in a folder of its own, on a port of its own, with
//! nothing synced to the disk, thrown away at the end.

use crate::provision;
use anyhow::{Context, Result, bail};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What the tests read to find the server (yunling-store's `test_database`).
pub(crate) const VARIABLE: &str = "YUNLING_TEST_DATABASE";
/// The server's own superuser, and the system's user that runs it where we are root.
const USER: &str = "postgres";
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running server; stopped and removed when dropped.
pub(crate) struct Server {
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl Server {
    /// Makes one and waits until it answers.
    pub(crate) fn start() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("yunling-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let is_root = provision::is_root();
        if is_root {
            // PostgreSQL refuses to run as root.
            must(Command::new("chown").arg(USER).arg(&folder))?;
        }
        let data = folder.join("data");
        let mut init = as_owner(is_root, &program("initdb")?);
        init.arg("-D").arg(&data).args(["-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]);
        must(init.stdout(Stdio::null()))?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut serve = as_owner(is_root, &program("postgres")?);
        serve.arg("-D").arg(&data).args(["-p", &port.to_string(), "-k"]).arg(&folder);
        for setting in [
            "listen_addresses=127.0.0.1",
            "max_connections=500",
            "fsync=off",
            "full_page_writes=off",
            "autovacuum=off",
        ] {
            serve.args(["-c", setting]);
        }
        let log = std::fs::File::create(folder.join("log"))?;
        let process = serve
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start postgres")?;
        let mut server = Self { folder, port, process };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let give_up_at = Instant::now() + START_LIMIT;
        while !self.psql("SELECT 1").status().is_ok_and(|status| status.success()) {
            let ended = self.process.try_wait()?;
            if ended.is_some() || Instant::now() > give_up_at {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("the tests' PostgreSQL server did not start: {log}");
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Its address, for [`VARIABLE`].
    pub(crate) fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    /// Removes the databases that a suite has left: each takes 8 MB.
    pub(crate) fn clear(&self) {
        let list = "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'";
        let Ok(output) = self.psql(list).stdout(Stdio::piped()).output() else { return };
        for name in String::from_utf8_lossy(&output.stdout).split_whitespace() {
            // One that is left is removed with the server.
            let _ = self.psql(&format!("DROP DATABASE {name} WITH (FORCE)")).status();
        }
    }

    fn psql(&self, sql: &str) -> Command {
        let mut command = Command::new(program("psql").unwrap_or_else(|_| "psql".into()));
        command
            .args(["-q", "-A", "-t", "-X", "-d", &self.url(), "-c", sql])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ask_to_stop();
        let give_up_at = Instant::now() + STOP_LIMIT;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < give_up_at {
            std::thread::sleep(LOOK_EVERY);
        }
        // One that has ended was reaped: its number may be somebody else's by now.
        if matches!(self.process.try_wait(), Ok(None)) {
            crate::process_tree::kill(self.process.id());
        }
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    /// By a signal that lets it give back its shared memory (postgres(1): fast shutdown).
    fn ask_to_stop(&self) {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid"));
        if let Some(pid) = pid.as_deref().unwrap_or_default().lines().next() {
            let _ = Command::new("kill").args(["-s", "INT", pid]).status();
        }
    }
}

/// Where Debian puts the server's programs: not on the PATH.
fn program(name: &str) -> Result<PathBuf> {
    provision::find(name).with_context(|| format!("`{name}` of PostgreSQL is missing"))
}

fn as_owner(is_root: bool, program: &Path) -> Command {
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", USER, "--"]).arg(program).current_dir("/");
    command
}

fn must(command: &mut Command) -> Result<()> {
    crate::workspace::run(command.stdin(Stdio::null()))
}
