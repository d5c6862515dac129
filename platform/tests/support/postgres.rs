//! A PostgreSQL server that a test may mistreat: in a folder of its own, on a port of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;
use yunling_store::test_database;

use super::{LOOK, PATIENCE};

/// The server's superuser, and the system's user that runs it where we are root.
const USER: &str = "postgres";
/// Where Debian keeps its programs.
const VERSIONS: &str = "/usr/lib/postgresql";

/// How it is told to stop (postgres(1)).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stop {
    /// Transactions under way are undone, and everybody is disconnected in order.
    Fast,
    /// As a crash: the next start recovers.
    Immediate,
}

/// A server that runs or can be started again. Stopped when dropped.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Server {
    /// Makes one and waits until it answers.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            must(Command::new("chown").arg(USER).arg(folder.path()));
        }
        let mut init = as_owner("initdb");
        init.arg("-D").arg(folder.path().join("data"));
        must(init.args(["-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, port, process: None };
        server.start_again().await;
        server
    }

    /// Starts what was stopped, and waits until it answers.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.process.is_none(), "the server runs");
        let mut serve = as_owner("postgres");
        serve.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        serve.arg("-k").arg(self.folder.path());
        // Synced: it is to survive being stopped at once.
        serve.args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]);
        let mut log = std::fs::File::options();
        let log = log.create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let process = serve
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("there is a PostgreSQL server");
        self.process = Some(process);
        let patience = Instant::now() + PATIENCE;
        while !self.sql("SELECT 1").status().unwrap().success() {
            assert!(Instant::now() < patience, "the server does not start");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Stops it and waits for its end.
    pub(crate) async fn stop(&mut self, how: Stop) {
        let signal = match how {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        must(Command::new("kill").args(["-s", signal, &self.postmaster()]));
        let mut process = self.process.take().expect("the server runs");
        let patience = Instant::now() + PATIENCE;
        while process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < patience, "the server does not stop");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// It stands still, with every connection open, until it is thawed.
    pub(crate) fn freeze(&self) {
        // The first one last, so that it cannot start others meanwhile.
        for pid in self.processes() {
            // One may have ended by itself meanwhile.
            let _ = Command::new("kill").args(["-s", "STOP", &pid]).status();
        }
    }

    /// It goes on. So does `runuser`, which stops when its child does.
    pub(crate) fn thaw(&self) {
        let starter = self.process.as_ref().map(|process| process.id().to_string());
        for pid in self.processes().into_iter().chain(starter) {
            let _ = Command::new("kill").args(["-s", "CONT", &pid]).status();
        }
    }

    /// Ends every connection but the one that says so.
    pub(crate) fn disconnect_everybody(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE pid <> pg_backend_pid() AND datname IS NOT NULL";
        must(&mut self.sql(sql));
    }

    /// The address of a fresh database.
    pub(crate) async fn database(&self) -> String {
        test_database::fresh_on(&self.url("postgres")).await
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    fn sql(&self, sql: &str) -> Command {
        let mut command = Command::new("psql");
        command.args(["-q", "-X", "-d", &self.url("postgres"), "-c", sql]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn postmaster(&self) -> String {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        file.lines().next().expect("its first line is the process id").to_owned()
    }

    /// Its processes, the first one last.
    fn processes(&self) -> Vec<String> {
        let postmaster = self.postmaster();
        let everybody = std::fs::read_dir("/proc").unwrap().flatten();
        let mut processes: Vec<String> = everybody
            .filter_map(|entry| {
                let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
                // PID (NAME) STATE PARENT …, where the name may hold anything (proc_pid_stat(5)).
                let parent = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?;
                (parent == postmaster).then(|| entry.file_name().to_string_lossy().into_owned())
            })
            .collect();
        processes.push(postmaster);
        processes
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        self.thaw();
        let _ = Command::new("kill").args(["-s", "QUIT", &self.postmaster()]).status();
        let _ = process.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("--- the PostgreSQL server, newest first ---\n{}", tail.join("\n"));
        }
    }
}

fn as_owner(program: &str) -> Command {
    let program = find(program);
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", USER, "--"]).arg(program).current_dir("/");
    command
}

/// The newest version's.
fn find(program: &str) -> PathBuf {
    let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(program)).collect();
    found.retain(|file| file.exists());
    found.sort();
    found.pop().unwrap_or_else(|| Path::new(program).to_owned())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

fn must(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}
