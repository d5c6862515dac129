//! One source floods while calls of another go on.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use yunling_switch::FloodLimits;
use yunling_switch_contract::LegId;

use crate::counters;
use crate::phone::Phone;
use crate::rig::{Rig, own_address, ping, socket};

/// Datagrams a second.
const RATE: u32 = 20_000;

/// Calls that are made meanwhile, one after the other.
const CALLS: usize = 25;

/// From the INVITE to the answer's report, while the flood goes on: below T1, so that nothing was
/// even sent twice.
const SET_UP: Duration = Duration::from_millis(450);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_dropped_and_calls_go_on_beside_it() {
    let limits = FloodLimits::default();
    let rig = Rig::start(limits).await;
    let before = counters::dropped_for("flood");
    let (stop, engine) = (Arc::new(AtomicBool::new(false)), rig.udp());
    let flood = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || flood(engine, &stop))
    };
    let mut slowest = Duration::ZERO;
    for number in 0..CALLS {
        let (leg, phone) = (LegId::new(format!("CA{number}")), Phone::new());
        let began = Instant::now();
        rig.dial(&leg, phone.port());
        let phone = tokio::task::spawn_blocking(|| phone.answer()).await.unwrap();
        rig.until_answered(&leg).await;
        slowest = slowest.max(began.elapsed());
        rig.hang_up(&leg);
        rig.until_ended(&leg).await;
        assert_eq!(phone.stop().repeated_invites, 0, "call {number}");
    }
    stop.store(true, Ordering::Release);
    let (sent, answered, took) = flood.join().unwrap();
    eprintln!("{sent} sent in {took:?}, {answered} answered; slowest set-up {slowest:?}");
    assert!(slowest < SET_UP, "{slowest:?}");
    assert!(f64::from(sent) > took.as_secs_f64() * f64::from(RATE) * 0.5, "no flood: {sent}");
    let allowed = f64::from(limits.burst)
        + took.as_secs_f64() * f64::from(limits.per_source_per_s) * 1.1
        + 10.0;
    assert!(f64::from(answered) <= allowed, "{answered} of {allowed} were answered");
    assert!(answered > 0, "a stranger is answered within its allowance");
    assert!(counters::dropped_for("flood") > before + u64::from(sent) / 4, "it was dropped here");
    rig.until_idle().await;
    counters::assert_nothing_panicked();
}

/// Sends at [`RATE`] until told to stop; gives how many, how many answers came, and how long it took.
fn flood(engine: SocketAddr, stop: &AtomicBool) -> (u32, u32, Duration) {
    let ip = own_address();
    let (from, mut buffer) = (socket(ip, 0), [0; 2_048]);
    from.set_nonblocking(true).unwrap();
    let request = ping("flood", from.local_addr().unwrap());
    let (began, mut sent, mut answered) = (Instant::now(), 0u32, 0u32);
    while !stop.load(Ordering::Acquire) {
        let due = (began.elapsed().as_secs_f64() * f64::from(RATE)) as u32;
        let left = (sent..due).filter(|_| from.send_to(request.as_bytes(), engine).is_ok());
        sent += u32::try_from(left.count()).unwrap();
        while from.recv(&mut buffer).is_ok() {
            answered += 1;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let took = began.elapsed();
    // What is on its way.
    from.set_nonblocking(false).unwrap();
    from.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    while from.recv(&mut buffer).is_ok() {
        answered += 1;
    }
    (sent, answered, took)
}

/// A stranger cannot have all connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_holds_few_connections() {
    let rig = Rig::start(FloodLimits { per_source_per_s: 10_000, burst: 10_000 }).await;
    let engine = rig.tcp();
    let open = tokio::task::spawn_blocking(move || {
        let streams: Vec<TcpStream> =
            (0..40).filter_map(|_| TcpStream::connect(engine).ok()).collect();
        let alive = |stream: &TcpStream| {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            is_served(stream)
        };
        streams.iter().filter(|stream| alive(stream)).count()
    });
    let open = open.await.unwrap();
    assert!((1..=8).contains(&open), "{open} connections were served");
    assert!(rig.switch.is_bound());
}

/// Whether the other side answers rather than closes.
fn is_served(stream: &TcpStream) -> bool {
    use std::io::{Read as _, Write as _};
    let mut stream = stream;
    let request = ping("tcp", stream.local_addr().unwrap()).replace("/UDP ", "/TCP ");
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read(&mut [0; 16]).is_ok_and(|length| length > 0)
}
