//! SRV records (RFC 2782) in the order in which they are to be tried. Pure: chance is an argument.

use yunling_switch_contract::Transport;

use crate::random::Spread;

/// Records of one service that are looked at; a name with more is a mistake or an attack.
pub(super) const MOST: usize = 16;

/// One server of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    /// The lowest is tried first.
    pub priority: u16,
    /// Its share among those of the same priority.
    pub weight: u16,
    pub port: u16,
    /// A host name; empty if the service is said not to exist here.
    pub host: String,
}

/// The name under which a host's SIP service is found (RFC 3263 §4.1, §4.2).
pub(super) fn service_name(host: &str, transport: Transport) -> String {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    format!("{prefix}.{}", host.trim_end_matches('.'))
}

/// The order for one caller. `lot` decides between those of the same priority, by their weights:
/// the same lot gives the same order, so that a restarted engine finds the server that it had
/// called.
pub(super) fn order(services: &[Service], lot: u64) -> Vec<&Service> {
    let mut rest: Vec<&Service> = services.iter().take(MOST).collect();
    // Records come in any order, and the lot must not hang on it. Within a priority those without
    // weight come first, as the drawing of RFC 2782 wants.
    rest.sort_by_key(|service| (service.priority, service.weight, &service.host, service.port));
    let mut lots = Spread::new(lot);
    let mut ordered = Vec::with_capacity(rest.len());
    while let Some(first) = rest.first() {
        let alike = rest.iter().take_while(|service| service.priority == first.priority).count();
        let total: u64 = rest[..alike].iter().map(|service| u64::from(service.weight)).sum();
        let drawn = lots.below(total + 1);
        let mut sum = 0;
        let chosen = rest[..alike].iter().position(|service| {
            sum += u64::from(service.weight);
            sum >= drawn
        });
        ordered.push(rest.remove(chosen.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(priority: u16, weight: u16, host: &str) -> Service {
        Service { priority, weight, port: 5060, host: host.into() }
    }

    fn hosts(services: &[Service], lot: u64) -> Vec<&str> {
        order(services, lot).into_iter().map(|service| service.host.as_str()).collect()
    }

    #[test]
    fn names_follow_the_transport() {
        let rows = [
            (Transport::Udp, "_sip._udp.carrier.example"),
            (Transport::Tcp, "_sip._tcp.carrier.example"),
            (Transport::Tls, "_sips._tcp.carrier.example"),
        ];
        for (transport, name) in rows {
            assert_eq!(service_name("carrier.example.", transport), name);
        }
    }

    #[test]
    fn priorities_come_first_and_a_lot_always_gives_the_same() {
        let services = [service(20, 0, "c"), service(10, 60, "a"), service(10, 40, "b")];
        let turned = [services[2].clone(), services[0].clone(), services[1].clone()];
        for lot in 0..200 {
            let found = hosts(&services, lot);
            assert_eq!(found[2], "c", "{lot}");
            assert_eq!(found, hosts(&turned, lot), "{lot}");
        }
    }

    #[test]
    fn weights_are_shares() {
        let services = [service(1, 60, "a"), service(1, 30, "b"), service(1, 10, "c")];
        let mut firsts = [0; 3];
        for lot in 0..10_000 {
            let first = hosts(&services, lot)[0];
            firsts[usize::from(first.as_bytes()[0] - b'a')] += 1;
        }
        for (found, expected) in firsts.into_iter().zip([6_000, 3_000, 1_000]) {
            assert!((expected - 300..expected + 300).contains(&found), "{firsts:?}");
        }
    }

    #[test]
    fn without_weights_all_are_tried_and_too_many_are_not() {
        let all: Vec<Service> = (0..40).map(|n| service(1, 0, &n.to_string())).collect();
        assert_eq!(order(&all, 7).len(), MOST);
        assert_eq!(hosts(&all[..2], 7).len(), 2);
        assert!(order(&[], 7).is_empty());
    }
}
