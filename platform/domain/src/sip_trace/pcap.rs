//! A trace as a packet capture that Wireshark and tcpdump open. Every message is framed as one UDP
//! datagram over IPv4 or IPv6, those of streams too: what matters is the message.

use core::net::{IpAddr, SocketAddr};

use super::{Direction, SipTrace};

/// The format's version 2.4 with stamps in microseconds (tcpdump.org, pcap-savefile).
const MAGIC: u32 = 0xa1b2_c3d4;
/// Packets begin with their IP header (tcpdump.org, link-layer header types).
const LINKTYPE_RAW: u32 = 101;
/// The longest packet that is written, which is the longest IPv4 packet.
const SNAP_BYTES: u32 = 65_535;
/// What IPv6's longest header and UDP's leave of it.
const MOST_PAYLOAD: usize = 65_535 - 40 - 8;
/// UDP's number (RFC 768).
const UDP: u8 = 17;

/// Writes the file.
pub fn write(trace: &SipTrace) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(MAGIC.to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(4_u16.to_le_bytes());
    // Stamps are in UTC and exact.
    file.extend([0; 8]);
    file.extend(SNAP_BYTES.to_le_bytes());
    file.extend(LINKTYPE_RAW.to_le_bytes());
    for message in &trace.messages {
        let (from, to) = match message.direction {
            Direction::Sent => (message.local, message.remote),
            Direction::Received => (message.remote, message.local),
        };
        let payload = message.text.as_bytes();
        let packet = packet(from, to, &payload[..payload.len().min(MOST_PAYLOAD)]);
        let length = u32::try_from(packet.len()).expect("a packet has at most 65,535 bytes");
        // The format's seconds have 32 bits, until 2106.
        file.extend(u32::try_from(message.at.second()).unwrap_or(0).to_le_bytes());
        file.extend(message.at.micros_of_second().to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend(packet);
    }
    file
}

fn packet(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let (source, destination) = (source.octets(), destination.octets());
            let datagram =
                datagram(from.port(), to.port(), payload, &[source, destination].concat());
            let mut packet = vec![0x45, 0];
            packet.extend(two_bytes(20 + datagram.len()));
            // Neither identification nor fragments; it lives for 64 hops.
            packet.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
            packet.extend(source);
            packet.extend(destination);
            let sum = checksum(&packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend(datagram);
            packet
        }
        (source, destination) => {
            let (source, destination) = (wide(source), wide(destination));
            let datagram =
                datagram(from.port(), to.port(), payload, &[source, destination].concat());
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(two_bytes(datagram.len()));
            packet.extend([UDP, 64]);
            packet.extend(source);
            packet.extend(destination);
            packet.extend(datagram);
            packet
        }
    }
}

/// The UDP header and what it carries; `addresses` are those of the IP header, which the checksum
/// covers (RFC 768, RFC 8200 §8.1).
fn datagram(from_port: u16, to_port: u16, payload: &[u8], addresses: &[u8]) -> Vec<u8> {
    let length = two_bytes(8 + payload.len());
    let mut datagram = Vec::with_capacity(8 + payload.len());
    datagram.extend(from_port.to_be_bytes());
    datagram.extend(to_port.to_be_bytes());
    datagram.extend(length);
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let pseudo_header = [addresses, &[0, UDP], &length].concat();
    // An even number of bytes before the datagram keeps its words whole.
    let sum = match checksum(&[pseudo_header.as_slice(), datagram.as_slice()].concat()) {
        0 => 0xffff,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    datagram
}

fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn two_bytes(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("payloads are cut to what fits").to_be_bytes()
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        u64::from(u16::from_be_bytes([pair[0], low]))
    });
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}
