//! The database: reachable, of this release's schema, taking writes in time.

use std::time::{Duration, Instant};

use yunling_app::config::{Migration, Settings};
use yunling_store::{Migrate, OpenOptions, Store};

use super::report::{Report, both};

/// Writes that are timed.
const WRITES: usize = 20;
const SLOW: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(10);

/// Options that change nothing.
pub(super) fn options() -> OpenOptions {
    OpenOptions { migrate: Migrate::Manual, readers: 1, writers: 1, ..OpenOptions::default() }
}

pub(super) async fn look(settings: &Settings, report: &mut Report) {
    let url = &settings.database.url;
    let state = match tokio::time::timeout(PATIENCE, Store::schema(url)).await {
        Ok(Ok(state)) => state,
        Ok(Err(error)) => {
            report.fail(
                "database",
                both!("{error}", "{error}"),
                both!(
                    "检查 database.url、数据库服务和账号权限；备份恢复见 OPERATIONS",
                    "check database.url, the server, and the user's rights; for restoring see OPERATIONS"
                ),
            );
            return;
        }
        Err(_) => {
            report.fail(
                "database",
                both!("{PATIENCE:?} 内没有应答", "no answer within {PATIENCE:?}"),
                both!("检查数据库服务和网络", "check the server and the network to it"),
            );
            return;
        }
    };
    let (applied, pending) = (state.applied.len(), state.pending.len());
    if applied == 0 {
        let found = both!("尚未创建，启动时建表", "not made yet; a start makes it");
        judge_pending(settings, found, report);
        return;
    }
    if pending > 0 {
        let found = both!("结构落后 {pending} 个迁移", "the schema is {pending} migrations behind");
        judge_pending(settings, found, report);
        return;
    }
    report.ok(
        "database",
        both!(
            "可连接，结构为最新（{applied} 个迁移）",
            "reachable, schema up to date ({applied} migrations)"
        ),
    );
    match write_times(url).await {
        Ok([usual, slowest]) => {
            let found = both!(
                "提交一次：中位 {usual:.1?}，最慢 {slowest:.1?}",
                "a commit takes {usual:.1?} (p50), {slowest:.1?} at worst"
            );
            if usual > SLOW {
                let advice = both!(
                    "数据库或其磁盘过慢；见 disk_speed",
                    "the database or its disk is slow; see disk_speed"
                );
                report.warn("database_writes", found, advice);
            } else {
                report.ok("database_writes", found);
            }
        }
        Err(error) => report.fail(
            "database_writes",
            both!("不能写入：{error}", "it takes no writes: {error}"),
            both!(
                "检查磁盘空间、权限，以及是否为只读副本",
                "check room, rights, and that it is no read-only replica"
            ),
        ),
    }
}

fn judge_pending(settings: &Settings, found: super::Both, report: &mut Report) {
    match settings.database.migrate {
        Migration::Automatic => report.ok("database", found),
        Migration::Manual => report.fail(
            "database",
            found,
            both!(
                "执行 yunling migrate --config …（database.migrate 为 manual）",
                "run yunling migrate --config … (database.migrate is manual)"
            ),
        ),
    }
}

async fn write_times(url: &str) -> Result<[Duration; 2], yunling_store::StoreError> {
    let store = Store::open(url, options()).await?;
    let mut times = Vec::with_capacity(WRITES);
    let mut outcome = Ok(());
    for _ in 0..WRITES {
        let began = Instant::now();
        outcome = store.ping_writable().await;
        if outcome.is_err() {
            break;
        }
        times.push(began.elapsed());
    }
    store.close().await?;
    outcome?;
    times.sort_unstable();
    Ok([times[WRITES / 2], times[WRITES - 1]])
}
