//! What a media thread sleeps on: orders, the time, and its legs' sockets.
//!
//! A thread whose legs only play is woken by its slots, and reads the sockets then: packets' kernel
//! time stamps say when they came. One that passes packets on is woken by the sockets too, but only
//! so often (see [`Pace`]), because a wake-up costs more than a packet.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::leg::Leg;
use super::socket::Port;

/// Sockets that one look tells of.
pub(super) const READY_AT_ONCE: usize = 256;

/// The time between two looks at the sockets while packets keep coming. A packet that comes back
/// through two bridges is still here within a millisecond.
const PACE: Duration = Duration::from_micros(400);

/// Looks that may follow at once after a pause: a burst of packets is passed on as it comes.
const LOOKS_AT_ONCE: u32 = 4;

/// The kernel lets a thread sleep this much longer than it asked for (`PR_SET_TIMERSLACK`).
const TIMER_SLACK: Duration = Duration::from_micros(50);

/// What woke the thread, where it was not a socket.
const WOKEN_BY_TIMER: u64 = u64::MAX;
const WOKEN_BY_COMMAND: u64 = u64::MAX - 1;

/// What the thread sleeps on.
pub(super) struct Poll {
    wake: Arc<EventFd>,
    timer: TimerFd,
    /// When `timer` goes off; none if it is not set.
    armed: Option<Instant>,
    pace: Pace,
    /// Of `wake` and `timer`.
    orders: Epoll,
    /// Of the legs' sockets besides.
    all: Epoll,
    ready: Box<[EpollEvent; READY_AT_ONCE]>,
}

impl Poll {
    pub(super) fn new(wake: Arc<EventFd>) -> io::Result<Self> {
        let timer = TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC,
        )?;
        let [orders, all] = [
            Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        ];
        for epoll in [&orders, &all] {
            epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, WOKEN_BY_TIMER))?;
            epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WOKEN_BY_COMMAND))?;
        }
        Ok(Self {
            wake,
            timer,
            armed: None,
            pace: Pace::new(Instant::now()),
            orders,
            all,
            ready: Box::new([EpollEvent::empty(); READY_AT_ONCE]),
        })
    }

    /// Sleeps until a command comes, or `until`.
    pub(super) fn sleep(&mut self, until: Option<Instant>) {
        let now = Instant::now();
        match until {
            Some(until) if until <= now => return,
            Some(until) => self.arm(until, now),
            None => self.disarm(),
        }
        let mut events = [EpollEvent::empty(); 2];
        let count = self.orders.wait(&mut events, EpollTimeout::NONE).unwrap_or(0);
        if events[..count].iter().any(|event| event.data() == WOKEN_BY_COMMAND) {
            self.clear_wake();
        }
    }

    /// The same until a socket can be read, too, but not sooner than the pace allows; gives what
    /// [`Self::look`] gives.
    pub(super) fn sleep_for_packets(&mut self, until: Instant) -> usize {
        let mut now = Instant::now();
        let pause = self.pace.pause(now).min(until.saturating_duration_since(now));
        if pause > TIMER_SLACK {
            std::thread::sleep(pause - TIMER_SLACK);
            now = Instant::now();
        }
        let longest = if until <= now {
            EpollTimeout::ZERO
        } else {
            self.arm(until, now);
            EpollTimeout::NONE
        };
        let count = self.all.wait(&mut *self.ready, longest).unwrap_or(0);
        self.pace.looked(Instant::now());
        self.take_note(count)
    }

    /// Looks which sockets can be read, and gives their number; [`Self::socket`] names them.
    pub(super) fn look(&mut self) -> usize {
        let count = self.all.wait(&mut *self.ready, EpollTimeout::ZERO).unwrap_or(0);
        self.take_note(count)
    }

    /// The same between two takings of commands: what a command woke stays awake.
    pub(super) fn look_again(&mut self) -> usize {
        self.all.wait(&mut *self.ready, EpollTimeout::ZERO).unwrap_or(0)
    }

    /// One of the last look; none if it was no socket.
    pub(super) fn socket(&self, index: usize) -> Option<(u32, Port)> {
        match self.ready[index].data() {
            WOKEN_BY_TIMER | WOKEN_BY_COMMAND => None,
            token => Some(from_token(token)),
        }
    }

    /// Watches a leg's sockets, until they are closed.
    pub(super) fn watch(&self, seat: u32, leg: &Leg) -> io::Result<()> {
        for port in [Port::Rtp, Port::Rtcp] {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, token(seat, port));
            self.all.add(leg.socket(port), event)?;
        }
        Ok(())
    }

    fn take_note(&self, count: usize) -> usize {
        if self.ready[..count].iter().any(|event| event.data() == WOKEN_BY_COMMAND) {
            self.clear_wake();
        }
        count
    }

    /// Makes the timer go off at an instant, or sooner: one that is still to go off is left, for a
    /// wake-up too many is cheaper. Setting it anew also clears what it reported before.
    fn arm(&mut self, until: Instant, now: Instant) {
        if self.armed.is_some_and(|armed| (now..=until).contains(&armed)) {
            return;
        }
        let after = TimeSpec::from_duration(until.saturating_duration_since(now));
        let set = self.timer.set(Expiration::OneShot(after), TimerSetTimeFlags::empty());
        debug_assert!(set.is_ok(), "a timer of ours takes any time");
        self.armed = Some(until);
    }

    fn disarm(&mut self) {
        let unset = self.timer.unset();
        debug_assert!(unset.is_ok(), "a timer of ours can be stopped");
        self.armed = None;
    }

    /// Only clears the counter; another wake-up may have been first to read nothing.
    fn clear_wake(&self) {
        let _ = self.wake.read();
    }
}

/// How often the sockets are looked at: one look each [`PACE`], and [`LOOKS_AT_ONCE`] after a pause.
/// The virtual scheduling of a leaky bucket (ITU-T I.371, appendix 1). Pure.
#[derive(Debug)]
struct Pace {
    /// When the next look would be due if they came evenly.
    even: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { even: now }
    }

    /// How long the next look has to wait.
    fn pause(&self, now: Instant) -> Duration {
        self.even.saturating_duration_since(now + PACE * (LOOKS_AT_ONCE - 1))
    }

    fn looked(&mut self, now: Instant) {
        self.even = self.even.max(now) + PACE;
    }
}

fn token(seat: u32, port: Port) -> u64 {
    u64::from(seat) << 1 | u64::from(port == Port::Rtcp)
}

fn from_token(token: u64) -> (u32, Port) {
    ((token >> 1) as u32, if token & 1 == 0 { Port::Rtp } else { Port::Rtcp })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use nix::sys::eventfd::EfdFlags;

    use super::*;

    #[test]
    fn a_burst_is_looked_at_as_it_comes_and_a_stream_at_a_pace() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..1_000 {
            let pause = pace.pause(now);
            pauses.push(pause);
            now += pause;
            pace.looked(now);
        }
        let (burst, stream) = pauses.split_at(LOOKS_AT_ONCE as usize);
        assert!(burst.iter().all(Duration::is_zero));
        assert!(stream.iter().all(|pause| *pause == PACE));
        // Looks that are further apart than that wait for nothing.
        let mut later = now + PACE * LOOKS_AT_ONCE;
        for _ in 0..100 {
            assert!(pace.pause(later).is_zero());
            pace.looked(later);
            later += PACE;
        }
    }

    #[test]
    fn every_socket_has_its_token() {
        for seat in [0, 1, u32::MAX] {
            for port in [Port::Rtp, Port::Rtcp] {
                let token = token(seat, port);
                assert_eq!(from_token(token), (seat, port));
                assert!(![WOKEN_BY_TIMER, WOKEN_BY_COMMAND].contains(&token));
            }
        }
    }

    fn poll() -> (Poll, Arc<EventFd>) {
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
        (Poll::new(Arc::clone(&wake)).unwrap(), wake)
    }

    /// Longer than any of these sleeps, on a busy machine too.
    const FAR: Duration = Duration::from_secs(3_600);

    #[test]
    fn it_sleeps_until_it_is_time() {
        let (mut poll, wake) = poll();
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // The second time is sooner than the first, the third is over.
            for ms in [30, 10, 0] {
                let until = Instant::now() + Duration::from_millis(ms);
                poll.sleep(Some(until));
                done.send(("any", ms, Instant::now() >= until, 1)).unwrap();
            }
            for ms in [30, 10, 0] {
                // A command ends a sleep whose time is far; the next one's is not.
                wake.write(1).unwrap();
                poll.sleep(Some(Instant::now() + FAR));
                let until = Instant::now() + Duration::from_millis(ms);
                let mut sleeps = 0;
                while sleeps == 0 || Instant::now() < until {
                    let count = poll.sleep_for_packets(until);
                    assert!((0..count).all(|index| poll.socket(index).is_none()));
                    sleeps += 1;
                }
                done.send(("for packets", ms, Instant::now() >= until, sleeps)).unwrap();
            }
        });
        for _ in 0..6 {
            // Who sleeps for ever is not waited for.
            let slept = is_done.recv_timeout(Duration::from_secs(30));
            let (how, ms, is_time, sleeps) = slept.expect("it wakes when it is time");
            assert!(is_time, "{how}, {ms} ms: too soon");
            assert!(sleeps <= 2, "{how}, {ms} ms: {sleeps} sleeps in place of one");
        }
    }

    #[test]
    fn a_command_wakes_it_once() {
        let (mut poll, wake) = poll();
        wake.write(1).unwrap();
        poll.sleep(None);
        wake.write(1).unwrap();
        let far = Instant::now() + FAR;
        let count = poll.sleep_for_packets(far);
        assert_eq!((count, poll.socket(0)), (1, None));
        assert_eq!(poll.look(), 0);
    }
}
