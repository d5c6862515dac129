//! What peers are told in Via, Contact and SDP, against where they are.

use std::net::IpAddr;
use std::sync::Arc;

use yunling_app::config::Settings;
use yunling_app::directory::Trunk;

use super::callbacks::resolved;
use super::report::{Report, both};

/// How far away an address can be reached from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// This machine.
    Loopback,
    /// A network of one's own.
    Private,
    /// From anywhere.
    Public,
}

impl Reach {
    fn of(ip: IpAddr) -> Self {
        let private = match ip.to_canonical() {
            IpAddr::V4(v4) => {
                let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xC0 == 64;
                v4.is_private() || v4.is_link_local() || shared
            }
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
        };
        if ip.to_canonical().is_loopback() {
            Self::Loopback
        } else if private {
            Self::Private
        } else {
            Self::Public
        }
    }
}

pub(super) async fn look(settings: &Settings, trunks: &[Arc<Trunk>], report: &mut Report) {
    let farthest = farthest(trunks).await;
    let mut told = Vec::new();
    for listen in &settings.sip.listen {
        let ip = settings.sip.public_address.unwrap_or(listen.0.address.ip());
        told.push(("sip", "sip.public_address", ip));
    }
    let ip = settings.rtp.public_address.unwrap_or(settings.rtp.address);
    told.push(("rtp", "rtp.public_address", ip));
    told.dedup();
    for &(what, key, ip) in &told {
        let name = format!("address {what}");
        if ip.is_unspecified() {
            report.fail(
                name,
                both!(
                    "对端会被告知 {ip}，无法应答",
                    "peers would be told {ip}, where nobody can answer"
                ),
                both!("在 {key} 写明对端可达的地址", "say in {key} where peers reach this machine"),
            );
            continue;
        }
        let reach = Reach::of(ip);
        match &farthest {
            Some((trunk, far)) if reach < *far => {
                let found = both!(
                    "对端被告知 {ip}，但线路 {trunk} 在其网络之外",
                    "peers are told {ip}, and the trunk {trunk} lies beyond its network"
                );
                let advice = both!(
                    "经 NAT 时在 {key} 写公网地址；若有 SIP/RTP 网关或 VPN 可忽略",
                    "behind a NAT, say the public address in {key}; with a gateway or a VPN in between this is fine"
                );
                if reach == Reach::Loopback {
                    report.fail(name, found, advice);
                } else {
                    report.warn(name, found, advice);
                }
            }
            _ => report.ok(name, both!("对端被告知 {ip}", "peers are told {ip}")),
        }
    }
    let sip = told.first().map(|(_, _, ip)| *ip);
    let rtp = told.last().map(|(_, _, ip)| *ip);
    if let (Some(sip), Some(rtp)) = (sip, rtp)
        && !sip.is_unspecified()
        && !rtp.is_unspecified()
        && Reach::of(sip) != Reach::of(rtp)
    {
        report.warn(
            "address match",
            both!(
                "信令地址 {sip} 与媒体地址 {rtp} 不在同类网络",
                "signalling is told as {sip}, media as {rtp}: networks of different reach"
            ),
            both!(
                "通常两者相同；检查 sip.public_address 与 rtp.public_address",
                "usually both are the same; check sip.public_address and rtp.public_address"
            ),
        );
    }
}

/// The trunk that lies farthest away, as far as its name can be resolved.
async fn farthest(trunks: &[Arc<Trunk>]) -> Option<(Arc<str>, Reach)> {
    let mut farthest: Option<(Arc<str>, Reach)> = None;
    for trunk in trunks {
        let port = trunk.port.unwrap_or(5060);
        let Ok(mut found) = resolved(&trunk.host, port).await else {
            continue;
        };
        let reach = found.next().map(|address| Reach::of(address.ip()));
        if let Some(reach) =
            reach.filter(|reach| farthest.as_ref().is_none_or(|(_, far)| far < reach))
        {
            farthest = Some((Arc::clone(&trunk.name), reach));
        }
    }
    farthest
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_are_known_by_their_reach() {
        for (ip, reach) in [
            ("127.0.0.1", Reach::Loopback),
            ("::1", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("10.1.2.3", Reach::Private),
            ("192.168.0.9", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("100.128.0.1", Reach::Public),
            ("fd00::1", Reach::Private),
            ("203.0.113.7", Reach::Public),
            ("2400:3200::1", Reach::Public),
        ] {
            assert_eq!(Reach::of(ip.parse().unwrap()), reach, "{ip}");
        }
    }
}
