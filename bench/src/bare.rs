//! The machine's own limit: a loop that sends one packet for each call every 20 ms and reads one,
//! and does nothing else. No media plane with a socket for each call can cost less than this.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::told;

/// Slots of a frame, as the media plane has them.
const SLOTS: usize = 10;
const SLOT: Duration = Duration::from_millis(2);
/// A header and 20 ms of G.711.
const PACKET_LEN: usize = 172;

/// Arguments of `bare`. It prints `ready` and runs until its standard input ends.
#[derive(clap::Args)]
pub(crate) struct Bare {
    /// Where its sockets are bound
    #[arg(long)]
    address: IpAddr,
    /// Where the packets go
    #[arg(long)]
    callee: SocketAddr,
    /// How many calls it stands for
    #[arg(long)]
    calls: u32,
}

impl Bare {
    pub(crate) fn run(self) -> Result<()> {
        let mut sockets = Vec::new();
        for _ in 0..self.calls {
            let socket = UdpSocket::bind((self.address, 0)).context("cannot bind a socket")?;
            socket.set_nonblocking(true)?;
            sockets.push(socket);
        }
        let orders = told::lines();
        told::tell(&json!({ "at": "ready" }));
        let mut packet = [0x55; PACKET_LEN];
        packet[..2].copy_from_slice(&[0x80, 8]);
        let start = Instant::now();
        let mut heard = [0; 2_048];
        for slot in 0_u32.. {
            if orders.try_recv() == Err(std::sync::mpsc::TryRecvError::Disconnected) {
                break;
            }
            let due = start + SLOT * slot;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let [.., s0, s1] = (slot / SLOTS as u32).to_be_bytes();
            packet[2..4].copy_from_slice(&[s0, s1]);
            for socket in sockets.iter().skip(slot as usize % SLOTS).step_by(SLOTS) {
                // Whatever is lost shows in the callee's figures.
                let _ = socket.send_to(&packet, self.callee);
                let _ = socket.recv(&mut heard);
            }
        }
        Ok(())
    }
}
