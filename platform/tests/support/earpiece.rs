//! The media of a telephone whose signalling sipp plays: a socket that says a tone, presses keys, and
//! notes what it hears.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::hearing::Heard;
use super::sound::{Law, RATE_HZ};

/// The payload type of keys in the descriptions of [`super::sipp`].
pub(crate) const KEYS_TYPE: u8 = 101;
/// PCMA (RFC 3551).
const PCMA_TYPE: u8 = 8;
const HEADER_BYTES: usize = 12;
const SAMPLES: usize = RATE_HZ / 50;
/// The events of RFC 4733, by code.
const KEYS: &str = "0123456789*#";
/// A key is held for so many packets, and its end is told three times.
const KEY_PACKETS: u16 = 6;

/// One socket; silent when dropped.
pub(crate) struct Earpiece {
    port: u16,
    shared: Arc<Mutex<Notes>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Notes {
    heard: Heard,
    /// Keys that came as RFC 4733 events, each once.
    keys: String,
    key_stamp: Option<u32>,
    presses: Option<u8>,
}

impl Earpiece {
    /// Listens on a port of the system's choice, and speaks to whoever sends to it first.
    pub(crate) async fn start(voice_hz: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Notes::default()));
        let task = tokio::spawn(converse(socket, voice_hz, Arc::clone(&shared)));
        Self { port, shared, task }
    }

    /// For the description of media.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What it has heard so far.
    pub(crate) fn heard(&self) -> Heard {
        self.shared.lock().heard.clone()
    }

    /// The keys that it has heard so far.
    pub(crate) fn keys(&self) -> String {
        self.shared.lock().keys.clone()
    }

    /// Presses a key (RFC 4733).
    pub(crate) fn press(&self, key: char) {
        let code = KEYS.find(key).expect("a key of a telephone");
        self.shared.lock().presses = Some(u8::try_from(code).unwrap());
    }
}

impl Drop for Earpiece {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(socket: UdpSocket, voice_hz: u16, shared: Arc<Mutex<Notes>>) {
    let tone = tone(voice_hz);
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut packet = [0; 2_048];
    let mut peer: Option<SocketAddr> = None;
    let (mut frame, mut press) = (0_u32, None::<(u8, u32, u16)>);
    loop {
        tokio::select! {
            came = socket.recv_from(&mut packet) => {
                // What a port that is closed already sends back is nothing to listen to.
                let Ok((length, from)) = came else { continue };
                peer.get_or_insert(from);
                shared.lock().packet(&packet[..length]);
            }
            _ = ticks.tick() => {
                let Some(peer) = peer else { continue };
                let stamp = frame.wrapping_mul(SAMPLES as u32);
                if press.is_none() {
                    press = shared.lock().presses.take().map(|code| (code, stamp, 0));
                }
                let datagram = match &mut press {
                    None => rtp(PCMA_TYPE, frame, stamp, &tone),
                    Some((code, began, sent)) => {
                        *sent += 1;
                        let ends = *sent > KEY_PACKETS;
                        let length = (*sent).min(KEY_PACKETS) * SAMPLES as u16;
                        let [high, low] = length.to_be_bytes();
                        let payload = [*code, if ends { 0x8A } else { 0x0A }, high, low];
                        rtp(KEYS_TYPE, frame, *began, &payload)
                    }
                };
                press = press.filter(|(.., sent)| *sent < KEY_PACKETS + 3);
                frame = frame.wrapping_add(1);
                let _ = socket.send_to(&datagram, peer).await;
            }
        }
    }
}

impl Notes {
    fn packet(&mut self, packet: &[u8]) {
        let Some((header, payload)) = packet.split_first_chunk::<HEADER_BYTES>() else { return };
        let stamp = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        match header[1] & 0x7F {
            PCMA_TYPE => {
                self.heard.packet(now_us(), Law::Pcma.decode(payload));
            }
            KEYS_TYPE if self.key_stamp != Some(stamp) => {
                self.key_stamp = Some(stamp);
                self.keys.extend(KEYS.chars().nth(payload[0].into()));
            }
            _ => {}
        }
    }
}

/// The clock by which packets are noted: microseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the telephone's clock is not the platform's")]
pub(crate) fn now_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_micros()).unwrap()
}

/// Every tone of the tests is a multiple of 50 Hz: one packet holds whole periods.
fn tone(hz: u16) -> Vec<u8> {
    let angle = |at: usize| std::f32::consts::TAU * f32::from(hz) * at as f32 / RATE_HZ as f32;
    (0..SAMPLES).map(|at| Law::Pcma.code((6_000.0 * angle(at).sin()) as i16)).collect()
}

fn rtp(payload_type: u8, sequence: u32, stamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend((sequence as u16).to_be_bytes());
    packet.extend(stamp.to_be_bytes());
    packet.extend(std::process::id().to_be_bytes());
    packet.extend(payload);
    packet
}
