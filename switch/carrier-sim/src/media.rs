//! One call's RTP: its socket, sent frames, received packets and their figures.
//!
//! The kernel stamps each packet as it arrives, so spacing is measured exactly although the socket
//! is only read every 20 ms: no wake-up per packet, hundreds of calls on a small share of a core.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use serde::Serialize;

use crate::clock::Clock;
use crate::dice::Dice;
use crate::ear::Ear;
use crate::g711::FRAME;
use crate::mouth::{self, Mouth, Utterance};
use crate::rtp::{self, HEADER, Header};
use crate::sdp::Agreed;
use crate::spacing::{Evenness, Spacing};

const FRAME_TIME: Duration = Duration::from_millis(20);
/// Frames that may be sent at once to catch up; after a longer stall they are left out.
const CATCH_UP: u32 = 5;

/// Buffers that all calls share.
pub(crate) struct Scratch {
    packet: [u8; 2_048],
    control: Vec<u8>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { packet: [0; 2_048], control: nix::cmsg_space!(TimeSpec) }
    }
}

/// Something in the media that is worth telling.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The caller pressed a key (telephone-event).
    Key(char),
    /// The recording stopped; the call goes on.
    RecordingFailed(String),
}

/// What one call's media came to.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// Packets received, copies not counted.
    packets: u64,
    /// Packets that never came, by sequence numbers, those that our own bad line dropped included.
    lost: u64,
    /// Received packets that our bad line dropped.
    dropped: u64,
    late: u64,
    duplicates: u64,
    timestamp_faults: u64,
    restarts: u64,
    /// Packets from another host than the offer named, and of unknown payload types.
    foreign: u64,
    /// RTCP packets that came to the RTP port.
    rtcp: u64,
    sent: u64,
    /// Packets of ours that the bad line lost.
    sent_dropped: u64,
    /// The latest that a packet of ours was sent after its time: how busy the machine was.
    sent_late_max_ms: u64,
    #[serde(flatten)]
    evenness: Option<Evenness>,
}

/// One call's media.
pub(crate) struct Media {
    socket: UdpSocket,
    agreed: Agreed,
    ear: Ear,
    mouth: Mouth,
    dice: Dice,
    clock: Clock,
    loss_percent: f32,
    next_header: Header,
    sending: bool,
    muted: bool,
    next_due: Instant,
    last_heard: Instant,
    spacing: Spacing,
    last_arrival: Option<(u16, i64)>,
    last_key: Option<u32>,
    /// Media time since the first packet of the key that is being sent.
    key_elapsed: u32,
    counts: SideCounts,
}

#[derive(Debug, Default)]
struct SideCounts {
    dropped: u64,
    foreign: u64,
    rtcp: u64,
    sent: u64,
    sent_dropped: u64,
    sent_late_max: Duration,
}

impl Media {
    /// Listens from now on; speaks after [`Media::start_sending`].
    ///
    /// # Errors
    /// If the socket cannot be made non-blocking.
    pub(crate) fn new(
        socket: UdpSocket,
        agreed: Agreed,
        ear: Ear,
        mouth: Mouth,
        mut dice: Dice,
        loss_percent: f32,
        (clock, now): (Clock, Instant),
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // Where the kernel cannot stamp packets, they count as having come when they were read.
        let _ = setsockopt(&socket, sockopt::ReceiveTimestampns, &true);
        let next_header = Header {
            marker: true,
            payload_type: 0,
            sequence: dice.next_u16(),
            timestamp: dice.next_u32(),
            ssrc: dice.next_u32(),
        };
        Ok(Self {
            socket,
            agreed,
            ear,
            mouth,
            dice,
            clock,
            loss_percent,
            next_header,
            sending: false,
            muted: false,
            next_due: now,
            last_heard: now,
            spacing: Spacing::default(),
            last_arrival: None,
            last_key: None,
            key_elapsed: 0,
            counts: SideCounts::default(),
        })
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(crate) fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// A re-INVITE or UPDATE agreed on something else. The law stays: a handset that is recording
    /// offers it again, and both laws would not fit one recording's story.
    pub(crate) fn renew(&mut self, agreed: Agreed, now: Instant) {
        self.agreed = agreed;
        self.last_heard = now;
    }

    pub(crate) fn ear(&mut self) -> &mut Ear {
        &mut self.ear
    }

    pub(crate) fn mouth(&mut self) -> &mut Mouth {
        &mut self.mouth
    }

    pub(crate) fn start_sending(&mut self, now: Instant) {
        if !self.sending {
            self.sending = true;
            self.next_due = now;
        }
        self.last_heard = now;
    }

    /// Sends nothing from now on, or again.
    pub(crate) fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// How long nothing has come although something should; `None` while the call is on hold.
    pub(crate) fn deaf_for(&self, now: Instant) -> Option<Duration> {
        let expects = self.agreed.direction.receives();
        expects.then(|| now.saturating_duration_since(self.last_heard))
    }

    /// Reads what came and sends what is due, at most every 20 ms.
    pub(crate) fn tick(&mut self, now: Instant, scratch: &mut Scratch, news: &mut Vec<News>) {
        if now < self.next_due {
            return;
        }
        self.receive(now, scratch, news);
        if self.sending {
            let late = now.saturating_duration_since(self.next_due);
            self.counts.sent_late_max = self.counts.sent_late_max.max(late);
        }
        for _ in 0..CATCH_UP {
            if now < self.next_due {
                return;
            }
            self.send();
            self.next_due += FRAME_TIME;
        }
        while self.next_due <= now {
            self.next_header.timestamp = self.next_header.timestamp.wrapping_add(FRAME as u32);
            self.next_due += FRAME_TIME;
        }
    }

    fn send(&mut self) {
        if !self.sending {
            return;
        }
        if self.muted || !self.agreed.direction.sends() {
            // Time goes on; what comes after is a new spurt (RFC 3551 §4.1).
            self.next_header.timestamp = self.next_header.timestamp.wrapping_add(FRAME as u32);
            self.next_header.marker = true;
            return;
        }
        let mut packet = [0; HEADER + FRAME];
        let mut frame = [0; FRAME];
        let header = self.next_header;
        let (header, payload_length) =
            match self.mouth.next_packet(&mut frame, self.clock.samples(self.next_due)) {
                Utterance::Audio => {
                    packet[HEADER..].copy_from_slice(&frame);
                    self.next_header.timestamp = header.timestamp.wrapping_add(FRAME as u32);
                    self.next_header.marker = false;
                    (Header { payload_type: self.agreed.payload_type(), ..header }, FRAME)
                }
                Utterance::Key { payload, first } => {
                    packet[HEADER..HEADER + 4].copy_from_slice(&payload);
                    // All packets of a key carry its first timestamp; the stream's own clock goes on.
                    let elapsed = if first { 0 } else { self.key_elapsed };
                    self.key_elapsed = elapsed + FRAME as u32;
                    self.next_header.timestamp = header.timestamp.wrapping_add(FRAME as u32);
                    let header = Header {
                        payload_type: self.agreed.key_payload_type.unwrap_or(101),
                        timestamp: header.timestamp.wrapping_sub(elapsed),
                        marker: first,
                        ..header
                    };
                    (header, 4)
                }
            };
        self.next_header.sequence = header.sequence.wrapping_add(1);
        let mut written = [0; HEADER];
        header.write(&mut written);
        packet[..HEADER].copy_from_slice(&written);
        if self.dice.falls_within(self.loss_percent) {
            self.counts.sent_dropped += 1;
        } else if let Some(remote) = self.agreed.remote {
            // A full socket buffer, or a caller that is gone, loses the packet as a network would.
            if self.socket.send_to(&packet[..HEADER + payload_length], remote).is_ok() {
                self.counts.sent += 1;
            }
        }
    }

    fn receive(&mut self, now: Instant, scratch: &mut Scratch, news: &mut Vec<News>) {
        // No call needs more at once; what is left comes with the next tick.
        for _ in 0..64 {
            let mut parts = [IoSliceMut::new(&mut scratch.packet)];
            let received = recvmsg::<SockaddrStorage>(
                self.socket.as_raw_fd(),
                &mut parts,
                Some(&mut scratch.control),
                MsgFlags::MSG_DONTWAIT,
            );
            let Ok(received) = received else { return };
            let stamp = received.cmsgs().ok().and_then(|mut messages| {
                messages.find_map(|message| match message {
                    ControlMessageOwned::ScmTimestampns(stamp) => Some(microseconds(&stamp)),
                    _ => None,
                })
            });
            let (length, source) = (received.bytes, received.address.and_then(ip_of));
            self.take(now, &scratch.packet[..length], source, stamp, news);
        }
    }

    fn take(
        &mut self,
        now: Instant,
        packet: &[u8],
        source: Option<IpAddr>,
        stamp_us: Option<i64>,
        news: &mut Vec<News>,
    ) {
        if rtp::is_rtcp(packet) {
            self.counts.rtcp += 1;
            return;
        }
        let expected = self.agreed.remote.map(|remote| remote.ip());
        let known = |payload_type| {
            payload_type == self.agreed.payload_type()
                || Some(payload_type) == self.agreed.key_payload_type
        };
        let (header, payload) = match rtp::read(packet) {
            Some((header, payload))
                if known(header.payload_type) && (expected.is_none() || source == expected) =>
            {
                (header, payload)
            }
            _ => {
                self.counts.foreign += 1;
                return;
            }
        };
        self.last_heard = now;
        if let Some(stamp_us) = stamp_us {
            if let Some((sequence, before_us)) = self.last_arrival
                && sequence.wrapping_add(1) == header.sequence
            {
                self.spacing.add(u64::try_from(stamp_us - before_us).unwrap_or(0));
            }
            self.last_arrival = Some((header.sequence, stamp_us));
        }
        if self.dice.falls_within(self.loss_percent) {
            self.counts.dropped += 1;
            return;
        }
        let result = if header.payload_type == self.agreed.payload_type() {
            let at_us = stamp_us.unwrap_or_else(|| self.clock.unix_us(now));
            self.ear.hear(now, at_us, &header, payload)
        } else {
            news.extend(self.take_key(&header, payload));
            self.ear.pass(&header)
        };
        if let Err(error) = result {
            news.push(News::RecordingFailed(error.to_string()));
        }
    }

    /// A key counts once, at the first packet that says it has ended.
    fn take_key(&mut self, header: &Header, payload: &[u8]) -> Option<News> {
        let &[event, flags, ..] = payload else {
            return None;
        };
        if flags & 0x80 == 0 || self.last_key == Some(header.timestamp) {
            return None;
        }
        self.last_key = Some(header.timestamp);
        mouth::key_of(event).map(News::Key)
    }

    /// Hears what has come so far, ends the recording and sums up.
    pub(crate) fn finish(
        mut self,
        now: Instant,
        scratch: &mut Scratch,
    ) -> (Figures, Result<Option<PathBuf>, hound::Error>) {
        // A key or a failed recording that shows only now has nobody left to act on it.
        self.receive(now, scratch, &mut Vec::new());
        let recorded = self.ear.finish();
        let heard = self.ear.track().counts();
        let figures = Figures {
            packets: heard.packets,
            lost: self.ear.track().lost(),
            dropped: self.counts.dropped,
            late: heard.late,
            duplicates: heard.duplicates,
            timestamp_faults: heard.timestamp_faults,
            restarts: heard.restarts,
            foreign: self.counts.foreign,
            rtcp: self.counts.rtcp,
            sent: self.counts.sent,
            sent_dropped: self.counts.sent_dropped,
            sent_late_max_ms: u64::try_from(self.counts.sent_late_max.as_millis())
                .unwrap_or(u64::MAX),
            evenness: self.spacing.evenness(),
        };
        (figures, recorded)
    }
}

fn microseconds(stamp: &TimeSpec) -> i64 {
    stamp.tv_sec() * 1_000_000 + stamp.tv_nsec() / 1_000
}

fn ip_of(address: SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
}
