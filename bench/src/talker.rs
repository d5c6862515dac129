//! One side's media, all calls on one socket: it speaks to whoever speaks to it, 20 ms every 20 ms,
//! each call at its own moment. A packet carries the time at which it left; where the far side sends
//! everything back, that tells how long a packet takes through the engine and again through it.

use std::collections::BTreeSet;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use nix::cmsg_space;
use nix::sys::socket::{MultiHeaders, SockaddrIn, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use parking_lot::Mutex;
use serde_json::json;

use crate::callee::{self, BATCH};
use crate::latency::Latencies;
use crate::told;

/// Moments of a frame.
const MOMENTS: usize = 20;
const MOMENT: Duration = Duration::from_millis(1);
/// A header and 20 ms of G.711.
const PACKET_LEN: usize = 172;
const HEADER_LEN: usize = 12;
/// Begins the payload of every packet of ours; the time follows.
const MARK: [u8; 8] = *b"talker01";

/// Arguments of `talker`. Standard input: `talk` begins, `hush` ends, `reset` begins a measurement,
/// `report` prints its figures, `forget` forgets whom it speaks to.
#[derive(clap::Args)]
pub(crate) struct Talker {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
}

/// What its threads share.
#[derive(Default)]
struct Shared {
    talks: AtomicBool,
    stop: AtomicBool,
    sources: Mutex<BTreeSet<SocketAddrV4>>,
    /// Microseconds.
    worst_late: AtomicU64,
    measured: Mutex<Measured>,
}

#[derive(Default)]
struct Measured {
    /// What left before is not counted, nanoseconds of the wall clock.
    since: u64,
    sent: u64,
    round_trips: Latencies,
    returned: u64,
    others: u64,
}

impl Talker {
    pub(crate) fn run(self) -> Result<()> {
        let socket = UdpSocket::bind(self.listen)
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        callee::widen(&socket)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        told::tell(&json!({ "at": "ready", "listen": socket.local_addr()?.to_string() }));
        let shared = Arc::new(Shared::default());
        let listener = {
            let (socket, shared) = (socket.try_clone()?, Arc::clone(&shared));
            std::thread::spawn(move || listen(&socket, &shared))
        };
        let speaker = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || speak(&socket, &shared))
        };
        let obeyed = obey(&shared);
        shared.stop.store(true, Ordering::Relaxed);
        let fine = listener.join().is_ok() && speaker.join().is_ok();
        obeyed.and_then(|()| if fine { Ok(()) } else { bail!("a thread panicked") })
    }
}

fn obey(shared: &Shared) -> Result<()> {
    for order in told::lines() {
        match order.as_str() {
            "talk" => shared.talks.store(true, Ordering::Relaxed),
            "hush" => shared.talks.store(false, Ordering::Relaxed),
            "forget" => shared.sources.lock().clear(),
            "reset" => {
                shared.worst_late.store(0, Ordering::Relaxed);
                let mut measured = shared.measured.lock();
                *measured = Measured { since: now_ns(), ..Measured::default() };
            }
            "report" => {
                let streams = shared.sources.lock().len();
                let measured = &mut *shared.measured.lock();
                told::tell(&json!({
                    "streams": streams,
                    "sent": measured.sent,
                    "returned": measured.returned,
                    "others": measured.others,
                    "round_trip_p50_ms": measured.round_trips.quantile_ms(0.5),
                    "round_trip_p90_ms": measured.round_trips.quantile_ms(0.9),
                    "round_trip_p99_ms": measured.round_trips.quantile_ms(0.99),
                    "round_trip_max_ms": measured.round_trips.quantile_ms(1.0),
                    "worst_late_ms": shared.worst_late.load(Ordering::Relaxed) as f64 / 1_000.0,
                }));
            }
            other => bail!("unknown order {other:?}"),
        }
    }
    Ok(())
}

/// Learns whom to speak to, and takes what comes back.
fn listen(socket: &UdpSocket, shared: &Shared) {
    let mut buffers = vec![[0; 2_048]; BATCH];
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, Some(cmsg_space!(TimeSpec)));
    let mut batch = Vec::with_capacity(BATCH);
    while !shared.stop.load(Ordering::Relaxed) {
        batch.clear();
        callee::receive(socket, &mut headers, &mut buffers, |_, from, bytes, at_us| {
            batch.push((SocketAddrV4::from(from), left_at(bytes), at_us));
        });
        let mut sources = shared.sources.lock();
        let mut measured = shared.measured.lock();
        for (from, left_ns, at_us) in batch.drain(..) {
            sources.insert(from);
            match left_ns {
                Some(left_ns) if left_ns >= measured.since => {
                    measured.returned += 1;
                    let took_ns = (at_us * 1_000).saturating_sub(left_ns);
                    measured.round_trips.add(Duration::from_nanos(took_ns));
                }
                Some(_) => {}
                None => measured.others += 1,
            }
        }
    }
}

/// Speaks, one twentieth of the calls each millisecond.
fn speak(socket: &UdpSocket, shared: &Shared) {
    let start = Instant::now();
    let mut sequences: Vec<u16> = Vec::new();
    for moment in 0_u32.. {
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        let due = start + MOMENT * moment;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if !shared.talks.load(Ordering::Relaxed) {
            continue;
        }
        let late_us = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        shared.worst_late.fetch_max(late_us, Ordering::Relaxed);
        let sources: Vec<_> = shared.sources.lock().iter().copied().collect();
        sequences.resize(sources.len(), 0);
        for at in (moment as usize % MOMENTS..sources.len()).step_by(MOMENTS) {
            let packet = packet(at, sequences[at]);
            sequences[at] = sequences[at].wrapping_add(1);
            if socket.send_to(&packet, sources[at]).is_ok() {
                let mut measured = shared.measured.lock();
                // By its own time, as when it comes back: else one that leaves while a measurement
                // begins would count as lost.
                measured.sent += u64::from(left_at(&packet) >= Some(measured.since));
            }
        }
    }
}

fn packet(stream: usize, sequence: u16) -> [u8; PACKET_LEN] {
    let mut packet = [0xD5; PACKET_LEN];
    packet[..2].copy_from_slice(&[0x80, 8]);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet[8..HEADER_LEN].copy_from_slice(&(stream as u32 + 1_000).to_be_bytes());
    packet[HEADER_LEN..HEADER_LEN + 8].copy_from_slice(&MARK);
    packet[HEADER_LEN + 8..HEADER_LEN + 16].copy_from_slice(&now_ns().to_be_bytes());
    packet
}

/// When a packet of ours left; none if it is not one of ours.
fn left_at(bytes: &[u8]) -> Option<u64> {
    let payload = bytes.get(HEADER_LEN..)?.strip_prefix(&MARK)?;
    payload.first_chunk().copied().map(u64::from_be_bytes)
}

/// By the clock that the kernel stamps arrivals with.
#[expect(clippy::disallowed_methods, reason = "arrivals are stamped by the wall clock")]
fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_says_when_it_left() {
        let before = now_ns();
        let packet = packet(3, 9);
        let left = left_at(&packet);
        assert!(left.is_some_and(|left| (before..=now_ns()).contains(&left)));
        assert_eq!(left_at(&packet[..20]), None);
        assert_eq!(left_at(&[0xD5; PACKET_LEN]), None);
    }
}
