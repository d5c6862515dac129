//! What a process has used, from `/proc` (proc_pid_stat(5)).

use std::ops::Sub;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Clock ticks a second: the same on every Linux of today.
const TICKS_PER_S: f64 = 100.0;

/// A process at an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    at: Instant,
    /// Of all threads, those that have ended too.
    cpu_s: f64,
    /// Resident memory.
    pub(super) rss_kb: u64,
}

/// Between two instants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    wall: Duration,
    cpu_s: f64,
}

impl Usage {
    /// Reads it.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{file}"))
                .with_context(|| format!("process {pid} has ended"))
        };
        let cpu_s = cpu_s(&read("stat")?).context("/proc/PID/stat is not as known")?;
        let rss_kb = resident_kb(&read("status")?).context("/proc/PID/status names no VmRSS")?;
        Ok(Self { at: Instant::now(), cpu_s, rss_kb })
    }
}

impl Sub for Usage {
    type Output = Spent;

    fn sub(self, before: Self) -> Spent {
        Spent { wall: self.at.duration_since(before.at), cpu_s: self.cpu_s - before.cpu_s }
    }
}

impl Spent {
    /// Seconds of CPU, the program's own and the kernel's.
    pub(super) fn cpu_s(self) -> f64 {
        self.cpu_s
    }

    /// The share of one core.
    pub(super) fn share(self) -> f64 {
        self.cpu_s / self.wall.as_secs_f64()
    }
}

/// User and kernel seconds together. The name may itself hold spaces and parentheses.
fn cpu_s(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_S);
    Some(seconds()? + seconds()?)
}

fn resident_kb(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The load average of the last minute: how busy others made the machine.
pub(super) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 9";
        assert_eq!(cpu_s(stat), Some(3.0));
        assert_eq!(cpu_s("7 (cut"), None);
        assert_eq!(resident_kb("Name:\tx\nVmRSS:\t  1234 kB\n"), Some(1_234));
    }

    #[test]
    fn this_process_uses_something() {
        assert!(Usage::of(std::process::id()).is_ok_and(|usage| usage.rss_kb > 0));
        assert!(load_average() >= 0.0);
    }
}
