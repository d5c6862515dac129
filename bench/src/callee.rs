//! The callees' media, all calls on one socket: what comes is measured by the kernel's time stamps
//! and, as a telephone would, a packet goes back for each.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt,
    sockopt,
};
use nix::sys::time::TimeSpec;
use serde_json::json;
use socket2::SockRef;

use crate::spacing::Spacing;
use crate::told;

/// Datagrams read and sent by one system call.
pub(crate) const BATCH: usize = 64;
/// What the kernel may hold for us, bytes; it grants what its settings allow.
const BUFFER: usize = 32 << 20;
/// How long to wait for packets before looking for orders.
const LOOK: Duration = Duration::from_millis(50);

/// Arguments of `callee`. Standard input: `reset` begins a measurement, `forget` forgets all,
/// `report` prints the figures since then, `echo on`, `echo off`.
#[derive(clap::Args)]
pub(crate) struct Callee {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
}

impl Callee {
    pub(crate) fn run(self) -> Result<()> {
        let socket = UdpSocket::bind(self.listen)
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        widen(&socket)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        told::tell(&json!({ "at": "ready", "listen": socket.local_addr()?.to_string() }));
        listen(&socket)
    }
}

/// Makes room for what comes while nobody reads, and bounds how long a reader waits.
pub(crate) fn widen(socket: &UdpSocket) -> Result<()> {
    let options = SockRef::from(socket);
    // Wishes: the default is enough for a few hundred calls.
    if setsockopt(socket, sockopt::RcvBufForce, &BUFFER).is_err() {
        let _ = options.set_recv_buffer_size(BUFFER);
    }
    let _ = options.set_send_buffer_size(BUFFER);
    Ok(socket.set_read_timeout(Some(LOOK))?)
}

fn listen(socket: &UdpSocket) -> Result<()> {
    let orders = told::lines();
    let mut spacing = Spacing::new();
    let mut echo = true;
    let mut buffers = vec![[0; 2_048]; BATCH];
    let mut incoming = MultiHeaders::<SockaddrIn>::preallocate(BATCH, Some(cmsg_space!(TimeSpec)));
    let mut lengths = [0; BATCH];
    let mut sources = [None; BATCH];
    loop {
        match orders.try_recv() {
            Ok(order) => match order.as_str() {
                "reset" => spacing.reset(),
                "forget" => spacing.forget(),
                "report" => told::tell(&spacing.report()),
                "echo on" => echo = true,
                "echo off" => echo = false,
                other => anyhow::bail!("unknown order {other:?}"),
            },
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
        let count = receive(socket, &mut incoming, &mut buffers, |index, from, bytes, at_us| {
            spacing.take(std::net::SocketAddrV4::from(from).into(), bytes, at_us);
            lengths[index] = bytes.len();
            sources[index] = Some(from);
        });
        if echo && count > 0 {
            send_back(socket, &buffers, &lengths[..count], &sources[..count]);
        }
    }
}

/// Reads what is there, waiting for the first; gives the number of datagrams. An error is the
/// timeout, or an ICMP message for a call that is over.
pub(crate) fn receive(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<SockaddrIn>,
    buffers: &mut [[u8; 2_048]],
    mut take: impl FnMut(usize, SockaddrIn, &[u8], u64),
) -> usize {
    let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    let flags = MsgFlags::MSG_WAITFORONE;
    let Ok(messages) = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None) else {
        return 0;
    };
    let mut count = 0;
    for message in messages {
        let stamp = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|one| match one {
                ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
                _ => None,
            })
        });
        // Each has both: the stamp was asked for when the socket was made.
        if let (Some(from), Some(stamp)) = (message.address, stamp) {
            let at_us = stamp.as_micros() as u64;
            take(count, from, message.iovs().next().unwrap_or_default(), at_us);
            count += 1;
        }
    }
    count
}

/// What cannot be sent is a call that has ended meanwhile.
fn send_back(
    socket: &UdpSocket,
    buffers: &[[u8; 2_048]],
    lengths: &[usize],
    sources: &[Option<SockaddrIn>],
) {
    let slices: Vec<_> = buffers
        .iter()
        .zip(lengths)
        .map(|(buffer, length)| [IoSlice::new(&buffer[..*length])])
        .collect();
    let mut next = 0;
    while next < slices.len() {
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(slices.len() - next, None);
        let sent = sendmmsg(
            socket.as_raw_fd(),
            &mut headers,
            &slices[next..],
            &sources[next..],
            [],
            MsgFlags::empty(),
        );
        next += sent.map_or(1, |sent| sent.count().max(1));
    }
}
