//! The sockets of SIP and of media.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use yunling_app::config::Settings;
use yunling_app::directory::Trunk;

use super::report::{Report, both};

/// Ports of the range that are tried.
const SAMPLE: u32 = 16;
const HEALTH_WITHIN: Duration = Duration::from_secs(3);
/// From where the system takes ports for whoever asks for any.
const LOCAL_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Whether the node of these settings runs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Running {
    Yes,
    No,
}

pub(super) async fn look_sip(settings: &Settings, report: &mut Report) -> Running {
    let health = health(settings.http.listen).await;
    let running = if health.is_some() { Running::Yes } else { Running::No };
    match health {
        Some(200) => report
            .ok("node", both!("正在运行，/healthz 正常", "runs, and /healthz says it is well")),
        Some(status) => report.fail(
            "node",
            both!("正在运行，但 /healthz 返回 {status}", "runs, but /healthz answers {status}"),
            both!("查看 /healthz 的内容和节点日志", "read what /healthz says, and the node's log"),
        ),
        None => report.ok("node", both!("未在运行", "does not run")),
    }
    for listen in &settings.sip.listen {
        let listen = listen.0;
        let name = format!("sip {listen}");
        let bound = match listen.transport.as_str() {
            "udp" => UdpSocket::bind(listen.address).map(drop),
            _ => TcpListener::bind(listen.address).map(drop),
        };
        match (bound, running) {
            (Ok(()), Running::No) => report.ok(name, both!("空闲，可绑定", "free, can be bound")),
            (Ok(()), Running::Yes) => report.fail(
                name,
                both!("运行中的节点没有占用它", "the node that runs does not hold it"),
                both!(
                    "节点可能使用另一份设置启动；重启节点",
                    "the node may have been started with other settings; restart it"
                ),
            ),
            (Err(error), Running::Yes) if error.kind() == io::ErrorKind::AddrInUse => {
                report.ok(name, both!("由运行中的节点占用", "held by the node that runs"));
            }
            (Err(error), Running::No) if error.kind() == io::ErrorKind::AddrInUse => report.fail(
                name,
                both!("被其他程序占用", "another program holds it"),
                both!(
                    "用 ss -lunpt 找出并停止该程序，或修改 sip.listen",
                    "find it with ss -lunpt and stop it, or change sip.listen"
                ),
            ),
            (Err(error), _) => report.fail(
                name,
                both!("无法绑定：{error}", "cannot be bound: {error}"),
                both!(
                    "sip.listen 须是本机地址，1024 以下端口需要权限",
                    "sip.listen must be an address of this machine; ports below 1024 need rights"
                ),
            ),
        }
    }
    running
}

/// What the node's own health says; none where nobody answers there.
async fn health(listen: SocketAddr) -> Option<u16> {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    };
    let client = reqwest::Client::builder().no_proxy().timeout(HEALTH_WITHIN).build().ok()?;
    let url = format!("http://{}/healthz", SocketAddr::new(ip, listen.port()));
    Some(client.get(url).send().await.ok()?.status().as_u16())
}

pub(super) fn look_rtp(settings: &Settings, trunks: &[Arc<Trunk>], report: &mut Report) {
    let range = settings.rtp.ports.0;
    let pairs = range.pairs();
    let wanted: u32 = trunks.iter().filter_map(|trunk| trunk.limits.max_calls).sum();
    let found = both!(
        "{range}：可容纳 {pairs} 路，线路并发合计 {wanted}",
        "{range}: {pairs} calls fit, the trunks take {wanted}"
    );
    if wanted > pairs {
        let advice = both!(
            "扩大 rtp.ports 到至少 {wanted} 对端口",
            "widen rtp.ports to at least {wanted} pairs of ports"
        );
        report.fail("rtp_ports", found, advice);
    } else {
        report.ok("rtp_ports", found);
    }

    let step = (u32::from(range.last - range.first) / SAMPLE).max(2) & !1;
    let ports = (u32::from(range.first)..=u32::from(range.last)).step_by(step as usize);
    let ports: Vec<u16> = ports.filter_map(|port| u16::try_from(port).ok()).collect();
    let tried = ports.len();
    let bind = |port: u16| UdpSocket::bind((settings.rtp.address, port));
    let failed: Vec<io::Error> = ports.into_iter().filter_map(|port| bind(port).err()).collect();
    let taken = failed.len();
    if let Some(error) = failed.iter().find(|error| error.kind() != io::ErrorKind::AddrInUse) {
        let address = settings.rtp.address;
        report.fail(
            "rtp_address",
            both!("{address} 无法绑定：{error}", "{address} cannot be bound: {error}"),
            both!("rtp.address 须是本机地址；经 NAT 时对外地址写在 rtp.public_address", "rtp.address must be an address of this machine; behind a NAT the outer one goes into rtp.public_address"),
        );
    } else if taken * 2 > tried {
        report.warn(
            "rtp_address",
            both!(
                "抽查 {tried} 个端口，{taken} 个已被占用",
                "of {tried} ports tried, {taken} are in use"
            ),
            both!(
                "改用空闲的端口段，或确认占用者就是运行中的通话",
                "take a range that is free, or make sure that it is running calls that hold them"
            ),
        );
    } else {
        report.ok(
            "rtp_address",
            both!(
                "抽查 {tried} 个端口，{taken} 个使用中",
                "of {tried} ports tried, {taken} in use"
            ),
        );
    }
    look_overlap(settings, report);
}

fn look_overlap(settings: &Settings, report: &mut Report) {
    let range = settings.rtp.ports.0;
    let Some((first, last)) = local_range() else {
        report.skip("rtp_overlap", both!("{LOCAL_RANGE} 无法读取", "{LOCAL_RANGE} cannot be read"));
        return;
    };
    if range.first <= last && first <= range.last {
        let reserved = format!("net.ipv4.ip_local_reserved_ports={range}");
        report.warn(
            "rtp_overlap",
            both!(
                "与系统临时端口 {first}-{last} 重叠",
                "overlaps the ports {first}-{last} that the system gives out"
            ),
            both!(
                "执行 sysctl -w {reserved} 并写入 /etc/sysctl.d",
                "sysctl -w {reserved}, and keep it in /etc/sysctl.d"
            ),
        );
    } else {
        report.ok(
            "rtp_overlap",
            both!(
                "不与系统临时端口 {first}-{last} 重叠",
                "apart from the ports {first}-{last} that the system gives out"
            ),
        );
    }
}

fn local_range() -> Option<(u16, u16)> {
    let text = std::fs::read_to_string(LOCAL_RANGE).ok()?;
    let mut ports = text.split_whitespace().map(str::parse);
    Some((ports.next()?.ok()?, ports.next()?.ok()?))
}
