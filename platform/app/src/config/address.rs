//! The small address grammars of `yunling.yaml`.

use crate::yaml::Parsed;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A range of addresses, `10.0.0.0/8` or `fd00::/8`; a bare address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Whether the address lies in the range. An IPv4 address that comes mapped into IPv6
    /// (`::ffff:a.b.c.d`) is looked at as the IPv4 address that it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(one)) => {
                let shift = 32 - u32::from(self.prefix);
                u64::from(range.to_bits()) >> shift == u64::from(one.to_bits()) >> shift
            }
            (IpAddr::V6(range), IpAddr::V6(one)) => {
                let shift = 128 - u32::from(self.prefix);
                range.to_bits().checked_shr(shift).unwrap_or(0)
                    == one.to_bits().checked_shr(shift).unwrap_or(0)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected a range of addresses such as 10.0.0.0/8, found {text:?}");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| expected())?;
        let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => {
                prefix.trim().parse().ok().filter(|length| *length <= bits).ok_or_else(expected)?
            }
            None => bits,
        };
        Ok(Self { address, prefix })
    }
}

/// Ports from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first; even.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl PortRange {
    /// How many legs it serves: a pair of ports each.
    pub const fn pairs(self) -> u32 {
        ((self.last - self.first) as u32).div_ceil(2)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected ports such as 20000-29999 (from 1024, the first even, at least one pair), found {text:?}"
            )
        };
        let (first, last) = text.split_once('-').ok_or_else(expected)?;
        let first: u16 = first.trim().parse().map_err(|_| expected())?;
        let last: u16 = last.trim().parse().map_err(|_| expected())?;
        if first < 1024 || !first.is_multiple_of(2) || last <= first {
            return Err(expected());
        }
        Ok(Self { first, last })
    }
}

/// A transport that SIP is listened for on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SipTransport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream inside TLS.
    Tls,
}

impl SipTransport {
    /// As it is written in a URI.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

impl FromStr for SipTransport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "udp" => Ok(Self::Udp),
            "tcp" => Ok(Self::Tcp),
            "tls" => Ok(Self::Tls),
            _ => Err(format!("expected udp, tcp or tls, found {text:?}")),
        }
    }
}

/// One SIP listener, `udp:127.0.0.1:5060`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SipListen {
    /// The transport.
    pub transport: SipTransport,
    /// The local address.
    pub address: SocketAddr,
}

impl fmt::Display for SipListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.as_str(), self.address)
    }
}

impl FromStr for SipListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected a listener such as udp:127.0.0.1:5060 or tcp:[::1]:5060, found {text:?}"
            )
        };
        let (transport, address) = text.split_once(':').ok_or_else(expected)?;
        Ok(Self {
            transport: transport.trim().parse().map_err(|_: String| expected())?,
            address: address.trim().parse().map_err(|_| expected())?,
        })
    }
}

/// Reads `127.0.0.1:8080` for a field.
pub(super) fn socket_address<'de, D: Deserializer<'de>>(reader: D) -> Result<SocketAddr, D::Error> {
    Parsed::<Address<SocketAddr>>::deserialize(reader).map(|parsed| parsed.0.0)
}

/// Reads a list of `127.0.0.1:8080` for a field that may be absent.
pub(super) fn some_socket_addresses<'de, D: Deserializer<'de>>(
    reader: D,
) -> Result<Option<Vec<SocketAddr>>, D::Error> {
    let parsed = Option::<Vec<Parsed<Address<SocketAddr>>>>::deserialize(reader)?;
    Ok(parsed.map(|list| list.into_iter().map(|parsed| parsed.0.0).collect()))
}

/// Reads `127.0.0.1` for a field.
pub(super) fn ip_address<'de, D: Deserializer<'de>>(reader: D) -> Result<IpAddr, D::Error> {
    Parsed::<Address<IpAddr>>::deserialize(reader).map(|parsed| parsed.0.0)
}

/// The same for a field that may be absent.
pub(super) fn some_ip_address<'de, D: Deserializer<'de>>(
    reader: D,
) -> Result<Option<IpAddr>, D::Error> {
    Option::<Parsed<Address<IpAddr>>>::deserialize(reader)
        .map(|parsed| parsed.map(|parsed| parsed.0.0))
}

/// An address whose refusal says what was expected, which the standard library's does not.
struct Address<T>(T);

impl FromStr for Address<SocketAddr> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            |_| format!("expected an address and a port such as 127.0.0.1:8080, found {text:?}");
        text.parse().map(Self).map_err(expected)
    }
}

impl FromStr for Address<IpAddr> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = |_| format!("expected an address such as 127.0.0.1, found {text:?}");
        text.parse().map(Self).map_err(expected)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ranges_contain_what_they_say() {
        let cases = [
            ("127.0.0.0/8", "127.255.0.1", true),
            ("127.0.0.0/8", "128.0.0.1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "fe80::1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
        ];
        for (range, address, inside) in cases {
            let range: Cidr = range.parse().unwrap();
            assert_eq!(range.contains(address.parse().unwrap()), inside, "{address} in {range}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "10.0.0.0/33", "fd00::/129", "ten/8", "10.0.0.0/-1"] {
            assert!(text.parse::<Cidr>().is_err(), "{text:?}");
        }
        for text in
            ["", "20000", "20001-20010", "20000-20000", "80-90", "30000-20000", "20000-70000"]
        {
            assert!(text.parse::<PortRange>().is_err(), "{text:?}");
        }
        for text in ["127.0.0.1:5060", "udp:localhost:5060", "sctp:127.0.0.1:5061", "udp:127.0.0.1"]
        {
            assert!(text.parse::<SipListen>().is_err(), "{text:?}");
        }
        assert_eq!("tcp:[::1]:5060".parse::<SipListen>().unwrap().to_string(), "tcp:[::1]:5060");
        assert_eq!("20000-20003".parse::<PortRange>().unwrap().pairs(), 2);
        assert_eq!("20000-20002".parse::<PortRange>().unwrap().pairs(), 1);
    }
}
