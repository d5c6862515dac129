//! The data folder: writable, roomy, its key in place, and fast enough.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use yunling_app::config::Settings;
use yunling_app::secrets::Keyring;

use super::report::{Report, both};

/// Less is soon full of a busy node's call records.
const LITTLE_MIB: u64 = 1_024;
/// Less stops a migration or a backup.
const TOO_LITTLE_MIB: u64 = 100;
/// Writes that are timed: small ones, as commits are.
const WRITES: usize = 50;
const WRITE_BYTES: usize = 4_096;
/// A call commits some five times before its record; commits of many calls share one write. Slower
/// than this, requests are seen to wait.
const SLOW: Duration = Duration::from_millis(20);
/// Slower than this, writes of a busy second do not fit into it.
const TOO_SLOW: Duration = Duration::from_millis(200);

pub(super) async fn look(settings: &Settings, report: &mut Report) {
    let folder = settings.data_dir.clone();
    let shown = folder.display().to_string();
    if !folder.is_dir() {
        let made = tokio::task::spawn_blocking(move || could_be_made(&folder)).await;
        match made {
            Ok(true) => report.ok(
                "data_dir",
                both!(
                    "{shown}：尚不存在，首次启动时创建",
                    "{shown}: not there yet, the first start makes it"
                ),
            ),
            _ => report.fail(
                "data_dir",
                both!("{shown}：不存在，也无法创建", "{shown}: not there, and cannot be made"),
                both!(
                    "创建该目录并归节点的用户所有，或修改 data_dir",
                    "make it and give it to the node's user, or change data_dir"
                ),
            ),
        }
        return;
    }
    let timed = folder.clone();
    match tokio::task::spawn_blocking(move || time_writes(&timed)).await {
        Ok(Ok([usual, slowest])) => {
            report.ok("data_dir", both!("{shown}：可写", "{shown}: writable"));
            judge_speed(usual, slowest, report);
        }
        Ok(Err(error)) => report.fail(
            "data_dir",
            both!("{shown}：不可写：{error}", "{shown}: not writable: {error}"),
            both!(
                "检查目录属主、挂载方式和剩余空间",
                "check its owner, how it is mounted, and whether there is room"
            ),
        ),
        Err(_) => report.skip("data_dir", both!("未能测试", "it could not be tried")),
    }
    look_for_room(&folder, report);
    look_at_key(&folder, report);
}

fn could_be_made(folder: &Path) -> bool {
    let parent = folder.ancestors().find(|parent| parent.is_dir());
    parent.is_some_and(|parent| probe_file(parent).is_ok())
}

/// A file of our own, gone when it is dropped.
fn probe_file(folder: &Path) -> io::Result<Probe> {
    let path = folder.join(format!(".yunling-doctor-{}", std::process::id()));
    let file = fs::File::options().create_new(true).write(true).open(&path)?;
    Ok(Probe { file, path })
}

struct Probe {
    file: fs::File,
    path: std::path::PathBuf,
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// How long a small write takes to be on the disk: usually, and at worst but for one in a hundred.
fn time_writes(folder: &Path) -> io::Result<[Duration; 2]> {
    let mut probe = probe_file(folder)?;
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let began = Instant::now();
        probe.file.write_all(&[0; WRITE_BYTES])?;
        probe.file.sync_data()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok([times[WRITES / 2], times[WRITES * 99 / 100]])
}

fn judge_speed(usual: Duration, slowest: Duration, report: &mut Report) {
    let found = both!(
        "小块写入并落盘：中位 {usual:.1?}，p99 {slowest:.1?}",
        "a small write reaches the disk in {usual:.1?} (p50), {slowest:.1?} (p99)"
    );
    let advice = both!(
        "使用本地 SSD；网络盘和无掉电保护的盘每次提交都要等待",
        "use a local SSD: on network disks and disks without power-loss protection every commit waits"
    );
    if usual > TOO_SLOW {
        report.fail("disk_speed", found, advice);
    } else if usual > SLOW || slowest > TOO_SLOW {
        report.warn("disk_speed", found, advice);
    } else {
        report.ok("disk_speed", found);
    }
}

fn look_for_room(folder: &Path, report: &mut Report) {
    let Some(mib) = free_mib(folder) else {
        report.skip("disk_space", both!("无法得知（没有 df）", "unknown (there is no df)"));
        return;
    };
    let found = both!("剩余 {mib} MiB", "{mib} MiB free");
    let advice = both!(
        "清理磁盘或扩容；磁盘满时节点停止受理呼叫",
        "make room: a node whose disk is full takes no calls"
    );
    if mib < TOO_LITTLE_MIB {
        report.fail("disk_space", found, advice);
    } else if mib < LITTLE_MIB {
        report.warn("disk_space", found, advice);
    } else {
        report.ok("disk_space", found);
    }
}

/// By POSIX's `df -Pk`, whose fourth column of the second line is what is available.
fn free_mib(folder: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kib: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib / 1024)
}

fn look_at_key(folder: &Path, report: &mut Report) {
    let path = folder.join(Keyring::FILE_NAME);
    let shown = path.display().to_string();
    match fs::metadata(&path) {
        Ok(found) if found.permissions().mode() & 0o077 == 0 => {
            report.ok(
                "secret_key",
                both!("{shown}：仅属主可读", "{shown}: only its owner may read it"),
            );
        }
        Ok(found) => {
            let mode = found.permissions().mode() & 0o777;
            report.fail(
                "secret_key",
                both!(
                    "{shown}：权限 {mode:o}，其他用户可读",
                    "{shown}: mode {mode:o}, others may read it"
                ),
                both!("执行 chmod 600 {shown}", "chmod 600 {shown}"),
            );
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => report.ok(
            "secret_key",
            both!(
                "尚不存在，首次启动时生成；请与备份分开保管",
                "not there yet, the first start makes it; keep a copy apart from the backups"
            ),
        ),
        Err(error) => report.fail(
            "secret_key",
            both!("{shown}：{error}", "{shown}: {error}"),
            both!("以节点的用户运行本命令", "run this as the node's user"),
        ),
    }
}
