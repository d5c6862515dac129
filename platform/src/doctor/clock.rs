//! The machine's clock, against others: stamps of callbacks and their signatures are only as good.

use std::path::Path;

use yunling_app::config::Settings;
use yunling_app::ports::Clock as _;
use yunling_store::Store;

use super::database;
use super::report::{Report, both};
use crate::clock::SystemClock;

/// Somebody else's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) whose: String,
    /// How far it is before ours, seconds.
    pub(super) ahead_s: i64,
}

/// An HTTP date has whole seconds, and its way here takes time.
const TOLERANCE_S: i64 = 3;
/// Receivers of Standard Webhooks refuse a stamp that is further off.
const TOO_FAR_S: i64 = 300;
/// What systemd's time service leaves when it has set the clock.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

pub(super) async fn look(settings: &Settings, dates: &[Reading], report: &mut Report) {
    let mut readings = dates.to_vec();
    readings.extend(of_database(settings).await);
    if Path::new(SYNCHRONISED).exists() {
        report.ok(
            "clock_sync",
            both!("系统时间已由 systemd-timesyncd 同步", "set by systemd-timesyncd"),
        );
    } else {
        report.skip(
            "clock_sync",
            both!(
                "没有 systemd-timesyncd 的同步记录；用 chronyc tracking 或 timedatectl 查看",
                "systemd-timesyncd has left no word; ask chronyc tracking or timedatectl"
            ),
        );
    }
    judge(&readings, report);
}

/// Several against us are right; one alone may be wrong itself.
fn judge(readings: &[Reading], report: &mut Report) {
    if readings.is_empty() {
        report.skip("clock", both!("没有可比对的时钟", "there was no other clock to compare with"));
        return;
    }
    for Reading { whose, ahead_s } in readings {
        let found = both!(
            "{whose} 的时钟比本机快 {ahead_s} 秒",
            "{whose} is {ahead_s} s ahead of this machine"
        );
        let advice = both!(
            "启用 NTP（chrony 或 systemd-timesyncd）；若其他对象都一致，则是对方时钟有误",
            "run an NTP client (chrony or systemd-timesyncd); where all others agree with us, the fault is theirs"
        );
        match ahead_s.abs() {
            off if off <= TOLERANCE_S => report.ok("clock", found),
            off if off <= TOO_FAR_S => report.warn("clock", found, advice),
            _ => report.fail("clock", found, advice),
        }
    }
}

/// SQLite has our own clock.
async fn of_database(settings: &Settings) -> Option<Reading> {
    if settings.database.url.starts_with("sqlite:") {
        return None;
    }
    let store = Store::open(&settings.database.url, database::options()).await.ok()?;
    let theirs = store.clock().await.ok().flatten();
    let ours = SystemClock.now();
    store.close().await.ok()?;
    Some(Reading { whose: "PostgreSQL".to_owned(), ahead_s: (theirs?.0 - ours.0) / 1_000_000 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off() {
        for (ahead_s, verdict) in [
            (0, Verdict::Ok),
            (-3, Verdict::Ok),
            (4, Verdict::Warn),
            (-300, Verdict::Warn),
            (301, Verdict::Fail),
        ] {
            let mut report = Report::default();
            judge(&[Reading { whose: "x".to_owned(), ahead_s }], &mut report);
            assert_eq!(report.checks[0].verdict, verdict, "{ahead_s}");
        }
        let mut report = Report::default();
        judge(&[], &mut report);
        assert_eq!(report.checks[0].verdict, Verdict::Skip);
    }
}
