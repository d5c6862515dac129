//! Whether the carriers answer: an OPTIONS to each, over its own transport, as the node would send
//! it, but from a port that takes no calls. Nothing is registered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use yunling_app::config::Settings;
use yunling_app::directory::Trunk;
use yunling_switch_contract::{Engine as _, TrunkEventKind};

use super::report::{Report, both};
use super::throwaway::Throwaway;
use crate::calls::trunk_plan;

/// Longer than any carrier takes that calls could be sent to.
const PATIENCE: Duration = Duration::from_secs(6);
/// Only the first question is waited for.
const PROBE_EVERY: Duration = Duration::from_secs(60);
/// Slower answers are felt in every call.
const SLOW_MS: f32 = 300.0;

pub(super) async fn look(settings: &Settings, trunks: &[Arc<Trunk>], report: &mut Report) {
    if trunks.is_empty() {
        return;
    }
    let mut engine = match Throwaway::start(settings, |_| {}).await {
        Ok(engine) => engine,
        Err(error) => {
            report.skip("trunks", both!("无法探测：{error:#}", "they cannot be asked: {error:#}"));
            return;
        }
    };
    let plans = trunks.iter().map(|trunk| {
        let mut plan = trunk_plan(trunk);
        plan.register = None;
        plan.probe_every = Some(PROBE_EVERY);
        plan
    });
    engine.switch.keep_trunks(plans.collect());
    let mut heard: BTreeMap<Arc<str>, TrunkEventKind> = BTreeMap::new();
    let until = Instant::now() + PATIENCE;
    while heard.len() < trunks.len() {
        match timeout_at(until, engine.trunks.recv()).await {
            Ok(Some(event)) => {
                heard.entry(event.trunk).or_insert(event.kind);
            }
            Ok(None) | Err(_) => break,
        }
    }
    engine.switch.close().await;
    for trunk in trunks {
        judge(trunk, heard.get(&trunk.name), report);
    }
}

fn judge(trunk: &Trunk, heard: Option<&TrunkEventKind>, report: &mut Report) {
    let name = format!("trunk {}", trunk.name);
    let (host, transport) = (&trunk.host, trunk.transport.as_str());
    let port = trunk.port.map_or_else(String::new, |port| format!(":{port}"));
    let advice = both!(
        "检查地址、防火墙和对端白名单；{transport} 须放行",
        "check the address, the firewalls, and whether the carrier admits this machine over {transport}"
    );
    match heard {
        Some(TrunkEventKind::Alive { sip_code, round_trip_ms }) => {
            let found = both!(
                "{host}{port} 经 {transport} 应答 {sip_code}，往返 {round_trip_ms:.1} ms",
                "{host}{port} answers {sip_code} over {transport} in {round_trip_ms:.1} ms"
            );
            if *round_trip_ms > SLOW_MS {
                report.warn(
                    name,
                    found,
                    both!("链路时延偏高，检查网络", "a slow path: check the network"),
                );
            } else {
                report.ok(name, found);
            }
        }
        Some(TrunkEventKind::Silent { sip_code: Some(code), text, .. }) => report.fail(
            name,
            both!("{host}{port} 应答 {code}：{text}", "{host}{port} answers {code}: {text}"),
            both!("对端在线但拒绝服务，联系运营商", "the carrier is there and refuses: ask it"),
        ),
        Some(TrunkEventKind::Silent { text, .. }) => {
            report.fail(name, both!("{host}{port}：{text}", "{host}{port}: {text}"), advice);
        }
        Some(TrunkEventKind::Registered { .. } | TrunkEventKind::NotRegistered { .. }) | None => {
            report.fail(
                name,
                both!(
                    "{host}{port} 在 {PATIENCE:?} 内没有应答",
                    "{host}{port} does not answer within {PATIENCE:?}"
                ),
                advice,
            );
        }
    }
}
