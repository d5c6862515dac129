//! Whether media flows: a call of a second, from an engine of our own to a handset of our own, over
//! the address that the node's media has. What a call needs of the machine is all in it: sockets,
//! threads on time, a firewall that lets datagrams pass.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args as _, FromArgMatches as _};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use yunling_app::config::Settings;
use yunling_carrier_sim::{Carrier, Options};
use yunling_switch::SipListen;
use yunling_switch_contract::{
    Codec, Command, Dial, Engine as _, EventKind, HangUpWhy, LegId, MediaFigures, Owner, Peer,
    Play, PlayId, PlayItem, PlayMode, Transport,
};

use super::ports::Running;
use super::report::{Report, both};
use super::throwaway::{Throwaway, free_ports};
use crate::dev::network::free_port_at;

/// How long we speak.
const SPEECH_MS: u32 = 1_000;
const PATIENCE: Duration = Duration::from_secs(10);
/// Of the packets of a second, so few may be missing at the ends.
const FEWEST_PACKETS: u64 = 40;
/// What a callee hears of later packets is gaps.
const LATE_MS: f32 = 20.0;
/// A number that answers and listens to the end.
const LISTENER: &str = "13800000000";

pub(super) async fn look(settings: &Settings, running: Running, report: &mut Report) {
    let address = match settings.rtp.address {
        any if any.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        address => address,
    };
    let figures = match call(settings, address).await {
        Ok(figures) => figures,
        Err(error) => {
            report.fail(
                "media",
                both!(
                    "{address}：试呼失败：{error:#}",
                    "{address}: the trial call failed: {error:#}"
                ),
                both!(
                    "检查 rtp.address、本机防火墙（UDP）和 open_files",
                    "check rtp.address, this machine's firewall (UDP), and open_files"
                ),
            );
            return;
        }
    };
    let MediaFigures {
        sent_packets,
        received_packets,
        lost_packets,
        jitter_ms,
        worst_lateness_ms,
        ..
    } = figures;
    let found = both!(
        "{address}：发 {sent_packets} 包，收 {received_packets} 包，丢 {lost_packets} 包，抖动 {jitter_ms:.1} ms，发送最晚 {worst_lateness_ms:.1} ms",
        "{address}: {sent_packets} packets out, {received_packets} back, {lost_packets} lost, jitter {jitter_ms:.1} ms, sent {worst_lateness_ms:.1} ms late at worst"
    );
    if sent_packets < FEWEST_PACKETS || received_packets < FEWEST_PACKETS {
        let advice = both!(
            "本机防火墙拦截了 UDP，或 rtp.address 不通",
            "a firewall of this machine stops UDP, or rtp.address leads nowhere"
        );
        report.fail("media", found, advice);
    } else if worst_lateness_ms > LATE_MS || jitter_ms > LATE_MS {
        let advice = match running {
            Running::Yes => both!(
                "机器繁忙；查看节点的 yunling_rtp 指标",
                "the machine is busy; see the node's figures of media"
            ),
            Running::No => both!(
                "机器繁忙或被限速（虚拟机 steal、cgroup 配额）",
                "the machine is busy or throttled (steal time, a cgroup's quota)"
            ),
        };
        report.warn("media", found, advice);
    } else {
        report.ok("media", found);
    }
}

async fn call(settings: &Settings, address: IpAddr) -> anyhow::Result<MediaFigures> {
    let handset = Handset::start(address).await.context("the handset")?;
    let engine = Throwaway::start(settings, |config| {
        let address = SocketAddr::new(address, 0);
        config.sip_listen =
            vec![SipListen { transport: Transport::Udp, address, advertised: None }];
        config.rtp.address = address.ip();
        config.rtp.advertised = address.ip();
    });
    let mut engine = engine.await.context("the engine")?;
    let figures = speak(&mut engine, handset.address).await;
    engine.switch.close().await;
    figures
}

/// Dials, speaks, hangs up.
async fn speak(engine: &mut Throwaway, to: SocketAddr) -> anyhow::Result<MediaFigures> {
    let (leg, play) = (LegId::new("CAdoctor"), PlayId(1));
    let mut peer = Peer::new("doctor", to.ip().to_string(), Transport::Udp);
    peer.port = Some(to.port());
    let dial = Dial {
        leg: leg.clone(),
        owner: Owner(0),
        attempt: 0,
        peer,
        to: LISTENER.to_owned(),
        from: "10000".to_owned(),
        codecs: vec![Codec::Pcma],
    };
    engine.switch.send(Command::Dial(Box::new(dial)))?;
    let until = Instant::now() + PATIENCE;
    loop {
        let event = timeout_at(until, engine.calls.recv()).await;
        let event = event.context("the call came to nothing in time")?;
        let event = event.context("the engine has ended")?;
        match event.kind {
            EventKind::Answered { .. } => {
                let items = vec![PlayItem::Silence { ms: SPEECH_MS }];
                let mode = PlayMode::Once;
                let play = Play { leg: leg.clone(), play, items, mode };
                engine.switch.send(Command::Play(Box::new(play)))?;
            }
            EventKind::PlayFinished { .. } => {
                let why = HangUpWhy::Normal;
                engine.switch.send(Command::HangUp { leg: leg.clone(), why })?;
            }
            EventKind::Ended { termination, figures } => {
                anyhow::ensure!(figures.sent_packets > 0, "it was not answered: {termination:?}");
                return Ok(figures);
            }
            EventKind::Trying
            | EventKind::Ringing { .. }
            | EventKind::Key { .. }
            | EventKind::PlayMark { .. }
            | EventKind::EarlyAudio
            | EventKind::MediaLost { .. }
            | EventKind::Recorded { .. }
            | EventKind::Reaped { .. } => {}
        }
    }
}

/// A fake network of our own, gone when it is dropped.
struct Handset {
    address: SocketAddr,
    stop: CancellationToken,
}

impl Handset {
    async fn start(address: IpAddr) -> anyhow::Result<Self> {
        let listen = free_port_at(address, 0)?;
        let ports = free_ports(address, 4);
        let rtp = format!("{}-{}", ports.start(), ports.end());
        let listen = listen.to_string();
        let arguments = ["handset", "--listen", &listen, "--rtp", &rtp, "--answer-after-ms", "0"];
        let command = Options::augment_args(clap::Command::new("handset"));
        let matches = command.try_get_matches_from(arguments)?;
        let carrier = Carrier::bind(Options::from_arg_matches(&matches)?).await?;
        let (address, stop) = (carrier.address(), CancellationToken::new());
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(carrier.serve(stopped));
        Ok(Self { address, stop })
    }
}

impl Drop for Handset {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
