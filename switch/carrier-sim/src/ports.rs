//! Ports for RTP.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::ops::RangeInclusive;

/// Hands out RTP ports in turn, so that a port rests as long as possible before its next call.
#[derive(Debug)]
pub(crate) struct Ports {
    range: RangeInclusive<u16>,
    next: u16,
}

impl Ports {
    pub(crate) fn new(range: RangeInclusive<u16>) -> Self {
        let next = range.start().next_multiple_of(2);
        Self { range, next }
    }

    /// Binds the next free even port.
    ///
    /// # Errors
    /// If every port of the range is taken, or sockets have run out.
    pub(crate) fn bind(&mut self, ip: IpAddr) -> io::Result<UdpSocket> {
        let mut last_error = io::Error::other("the range for RTP holds no even port");
        let even_ports = self.range.clone().filter(|port| port.is_multiple_of(2)).count();
        for _ in 0..even_ports {
            let port = self.next;
            self.next = match port.checked_add(2) {
                Some(next) if self.range.contains(&next) => next,
                _ => self.range.start().next_multiple_of(2),
            };
            match UdpSocket::bind((ip, port)) {
                Ok(socket) => return Ok(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last_error = error,
                Err(error) => return Err(error),
            }
        }
        Err(last_error)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed bind is a failed test")]
    use super::*;

    #[test]
    fn even_ports_in_turn_until_none_is_left() {
        // An address of this test's own: every port of it is free.
        let ip = IpAddr::from([127, 77, 1, 3]);
        let mut ports = Ports::new(30_001..=30_005);
        let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
        let first = ports.bind(ip).unwrap();
        let second = ports.bind(ip).unwrap();
        assert_eq!((port(&first), port(&second)), (30_002, 30_004));
        assert_eq!(ports.bind(ip).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(second);
        assert_eq!(port(&ports.bind(ip).unwrap()), 30_004);
        assert_eq!(Ports::new(7..=7).bind(ip).unwrap_err().kind(), io::ErrorKind::Other);
    }
}
