//! The limit of open files: a call has two sockets, and everything else some hundred.

use std::sync::Arc;

use yunling_app::config::Settings;
use yunling_app::directory::Trunk;

use super::report::{Report, both};

/// RTP and RTCP.
const A_CALL: u64 = 2;
/// Database, HTTP connections, SIP over TCP, the log.
const BESIDES: u64 = 2_000;

pub(super) fn look(settings: &Settings, trunks: &[Arc<Trunk>], report: &mut Report) {
    let Some(limit) = limit() else {
        report.skip(
            "open_files",
            both!("/proc/self/limits 无法读取", "/proc/self/limits cannot be read"),
        );
        return;
    };
    let of_trunks: u64 =
        trunks.iter().filter_map(|trunk| trunk.limits.max_calls).map(u64::from).sum();
    let calls = if of_trunks == 0 { settings.rtp.ports.0.pairs().into() } else { of_trunks };
    let needed = calls * A_CALL + BESIDES;
    let found = both!(
        "本会话上限 {limit}，{calls} 路呼叫需 {needed}",
        "the limit of this session is {limit}, {calls} calls need {needed}"
    );
    if limit < needed {
        let advice = both!(
            "systemd 单元设置 LimitNOFILE={needed}（deploy/yunling.service 已设置）；本检查看到的是当前会话的上限",
            "set LimitNOFILE={needed} in the systemd unit (deploy/yunling.service does); what is seen here is this session's limit"
        );
        report.warn("open_files", found, advice);
    } else {
        report.ok("open_files", found);
    }
}

/// The hard limit, to which a process may raise itself.
fn limit() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

fn parse(limits: &str) -> Option<u64> {
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    match line.split_whitespace().nth(4)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_limit_is_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(parse(text), Some(524_288));
        assert_eq!(parse("Max open files unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(parse("nothing"), None);
    }
}
