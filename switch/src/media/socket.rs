//! A leg's two sockets, and reading many datagrams by one system call.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, recvmsg,
    setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::SockRef;
use yunling_switch_contract::SAMPLE_RATE_HZ;

use super::ports::PortLease;
use super::wall_clock;

/// Expedited forwarding (RFC 3246) in the upper six bits of the traffic class: voice.
const TRAFFIC_CLASS: u32 = 46 << 2;

/// Datagrams that one call reads from one socket.
const BATCH: usize = 8;

/// Datagrams that [`LegSockets::drain`] throws away at once: more than the kernel's usual buffer
/// holds of RTP.
const DRAIN_LIMIT: usize = 1_024;

/// Longer than any packet that G.711 or RTCP makes over Ethernet; what is longer is thrown away.
pub(super) const DATAGRAM_LEN: usize = 1_600;

/// Which of a leg's two sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    Rtp,
    Rtcp,
}

/// RTP on an even port, RTCP on the odd one above it (RFC 3550 §11).
#[derive(Debug)]
pub(super) struct LegSockets {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    /// After the sockets, so that the ports are free when they go back.
    lease: PortLease,
}

impl LegSockets {
    /// Binds a leased pair.
    pub(super) fn bind(address: IpAddr, lease: PortLease) -> io::Result<Self> {
        let rtp = bind(SocketAddr::new(address, lease.rtp()))?;
        let rtcp = bind(SocketAddr::new(address, lease.rtcp()))?;
        Ok(Self { rtp, rtcp, lease })
    }

    /// Throws away what came to both before an instant (since Unix's epoch): a thread that wakes late
    /// must not take the first words after it for something older. Bounded, because a flood must not
    /// hold up the shard; what is left is judged like any other packet.
    pub(super) fn drain(&self, before: Duration) {
        for socket in [&self.rtp, &self.rtcp] {
            for _ in 0..DRAIN_LIMIT {
                match waiting_since(socket) {
                    Err(Errno::EAGAIN) => break,
                    Ok(Some(since)) if since >= before => break,
                    Ok(_) => {
                        // Whole or cut: it is not wanted.
                        let _ = socket.recv_from(&mut [0; 1]);
                    }
                    // What the network said of a datagram of ours; reading it has cleared it.
                    Err(_) => {}
                }
            }
        }
    }

    /// The RTP port.
    pub(super) fn port(&self) -> u16 {
        self.lease.rtp()
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    if address.is_ipv4() {
        // A wish to the network, not a need: some systems forbid it.
        let _ = SockRef::from(&socket).set_tos_v4(TRAFFIC_CLASS);
    }
    Ok(socket)
}

/// One datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Datagram<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) from: SocketAddr,
    /// When the kernel got it, in samples; only differences mean anything.
    pub(super) arrived: u32,
}

/// Buffers for reading, made once for a shard.
pub(super) struct Inbox {
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Box<[[u8; DATAGRAM_LEN]; BATCH]>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        let headers = MultiHeaders::preallocate(BATCH, Some(cmsg_space!(TimeSpec)));
        Self { headers, buffers: Box::new([[0; DATAGRAM_LEN]; BATCH]) }
    }

    /// Reads up to [`BATCH`] datagrams. An error (an ICMP message, or nothing to read) is the same
    /// as no datagram: media goes on.
    pub(super) fn receive(&mut self, socket: &UdpSocket, mut take: impl FnMut(Datagram<'_>)) {
        let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(messages) =
            recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None)
        else {
            return;
        };
        for message in messages {
            if message.flags.contains(MsgFlags::MSG_TRUNC) {
                continue;
            }
            if let Some(from) = message.address.as_ref().and_then(socket_addr) {
                let arrived = arrival(&message);
                let bytes = message.iovs().next().unwrap_or_default();
                take(Datagram { bytes, from, arrived });
            }
        }
    }
}

fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddrV4::from(*v4).into());
    }
    let v6 = SocketAddrV6::from(*address.as_sockaddr_in6()?);
    Some(SocketAddr::new(v6.ip().to_canonical(), v6.port()))
}

/// When the first datagram that waits came; it goes on waiting.
fn waiting_since(socket: &UdpSocket) -> nix::Result<Option<Duration>> {
    let (mut byte, mut control) = ([0], cmsg_space!(TimeSpec));
    let mut slices = [IoSliceMut::new(&mut byte)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_PEEK;
    let message = recvmsg(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
    Ok(stamp(&message))
}

/// The kernel's time stamp, so that the shard's own rhythm is not taken for jitter.
fn arrival(message: &RecvMsg<'_, '_, SockaddrStorage>) -> u32 {
    stamp(message).map_or_else(arriving_now, in_samples)
}

/// The same since Unix's epoch.
fn stamp(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Duration> {
    message.cmsgs().ok()?.find_map(|entry| match entry {
        ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
        _ => None,
    })
}

/// What [`Datagram::arrived`] of one that came this moment would be.
pub(super) fn arriving_now() -> u32 {
    in_samples(wall_clock::since_epoch())
}

fn in_samples(since_epoch: Duration) -> u32 {
    let samples = since_epoch.as_micros() * u128::from(SAMPLE_RATE_HZ) / 1_000_000;
    (samples & u128::from(u32::MAX)) as u32
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;
    use std::time::Instant;

    use parking_lot::Mutex;

    use super::super::ports::PortPool;
    use super::*;

    /// Reads until `count` datagrams have come.
    fn read(
        inbox: &mut Inbox,
        socket: &UdpSocket,
        count: usize,
    ) -> Vec<(Vec<u8>, SocketAddr, u32)> {
        let mut got = Vec::new();
        while got.len() < count {
            inbox.receive(socket, |d| got.push((d.bytes.to_vec(), d.from, d.arrived)));
            std::thread::yield_now();
        }
        got
    }

    #[test]
    fn datagrams_come_whole_in_order_and_stamped() {
        let here = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = here.local_addr().unwrap();
        let mut inbox = Inbox::new();
        // More than one batch, twice, so that the headers are used again.
        for _ in 0..2 {
            for length in 0..20 {
                peer.send_to(&vec![7; length], to).unwrap();
            }
            let got = read(&mut inbox, &here, 20);
            assert!(got.iter().map(|(bytes, ..)| bytes.len()).eq(0..20));
            assert!(got.iter().all(|(_, from, _)| *from == peer.local_addr().unwrap()));
            assert!(got.windows(2).all(|pair| pair[1].2.wrapping_sub(pair[0].2) < 8_000));
        }
    }

    #[test]
    fn what_came_before_an_instant_is_thrown_away_and_what_came_after_it_is_kept() {
        let pool = Arc::new(Mutex::new(PortPool::new(9_900..=9_999, Duration::ZERO)));
        let here = std::iter::from_fn(|| PortLease::take(&pool, Instant::now()))
            .find_map(|lease| LegSockets::bind(Ipv4Addr::LOCALHOST.into(), lease).ok())
            .unwrap();
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for socket in [&here.rtp, &here.rtcp] {
            let to = socket.local_addr().unwrap();
            let say = |what: u8| assert_eq!(peer.send_to(&[what; 40], to).unwrap(), 40);
            (0..20).for_each(say);
            let between = wall_clock::since_epoch();
            (20..23).for_each(say);
            here.drain(between);
            let got = read(&mut Inbox::new(), socket, 3);
            assert!(got.iter().map(|(bytes, ..)| bytes[0]).eq(20..23));
        }
    }

    #[test]
    fn what_is_too_long_is_thrown_away() {
        let here = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = here.local_addr().unwrap();
        peer.send_to(&[1; DATAGRAM_LEN + 1], to).unwrap();
        peer.send_to(&[2; DATAGRAM_LEN], to).unwrap();
        let got = read(&mut Inbox::new(), &here, 1);
        assert_eq!(got[0].0, [2; DATAGRAM_LEN]);
    }
}
