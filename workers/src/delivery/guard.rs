//! Which addresses callbacks may reach: a tenant names the URL, so that without this check anyone
//! with an account could make the platform call into the operator's own network. Pure.

use std::net::IpAddr;

use yunling_app::config::Cidr;

/// What is closed unless the operator opens it, by the IANA registries of special-purpose
/// addresses. Of IPv6 only 2000::/3 is open at all.
const CLOSED: &[(&str, &str)] = &[
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("2001::/23", "protocol assignments and Teredo"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("3fff::/20", "documentation"),
];

/// The operator's rule.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    closed: Vec<(Cidr, &'static str)>,
    allowed: Vec<Cidr>,
}

/// An address that callbacks may not reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} ({what}) may not be called; the operator opens ranges in callbacks.allow")]
pub(crate) struct Forbidden {
    address: IpAddr,
    what: &'static str,
}

impl Guard {
    /// Closed but for `allowed`.
    pub(crate) fn new(allowed: Vec<Cidr>) -> Self {
        let closed = CLOSED.iter().map(|(range, what)| {
            (range.parse().expect("the table holds well-formed ranges"), *what)
        });
        Self { closed: closed.collect(), allowed }
    }

    /// Whether this address may be connected to.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        if self.allowed.iter().any(|range| range.contains(address)) {
            return Ok(());
        }
        let forbidden = |what| Err(Forbidden { address, what });
        if let IpAddr::V6(v6) = address {
            // A name server that answers so means to get around this table.
            if v6.to_ipv4_mapped().is_some() {
                return forbidden("IPv4 mapped into IPv6");
            }
            // Loopback, unique local, link-local, multicast, NAT64 and IPv4-compatible addresses.
            if v6.segments()[0] & 0xe000 != 0x2000 {
                return forbidden("not global unicast");
            }
        }
        match self.closed.iter().find(|(range, _)| range.contains(address)) {
            Some((_, what)) => forbidden(what),
            None => Ok(()),
        }
    }
}

/// Why callbacks may not reach this address while the operator has opened these ranges; none where
/// they may.
pub fn callback_refusal(allowed: &[Cidr], address: IpAddr) -> Option<String> {
    Guard::new(allowed.to_vec()).check(address).err().map(|forbidden| forbidden.to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn may(guard: &Guard, address: &str) -> bool {
        guard.check(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn only_the_public_internet_is_open() {
        let guard = Guard::new(Vec::new());
        let open = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.1.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2400:3200::1",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::1",
        ];
        for address in open {
            assert!(may(&guard, address), "{address} is public");
        }
        let closed = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in closed {
            assert!(!may(&guard, address), "{address} is not public");
        }
    }

    #[test]
    fn the_operator_opens_ranges_and_no_more() {
        let allow = ["127.0.0.0/8", "10.1.0.0/16", "fd00::/8", "64:ff9b::/96"];
        let guard = Guard::new(allow.iter().map(|range| range.parse().unwrap()).collect());
        let open =
            ["127.0.0.1", "::ffff:127.0.0.1", "10.1.2.3", "fd00::1", "64:ff9b::808:808", "1.1.1.1"];
        for address in open {
            assert!(may(&guard, address), "{address} was opened");
        }
        for address in ["10.2.0.1", "::1", "fc00::1", "169.254.169.254", "::ffff:10.2.0.1"] {
            assert!(!may(&guard, address), "{address} was not opened");
        }
    }

    #[test]
    fn a_refusal_says_why_and_who_can_open_it() {
        let refused = Guard::new(Vec::new()).check("169.254.169.254".parse().unwrap()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "169.254.169.254 (link-local) may not be called; the operator opens ranges in callbacks.allow"
        );
    }
}
