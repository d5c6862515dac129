//! The times of RFC 3261, and ours where it leaves us free.

use std::time::Duration;

/// Times of the signalling. Tests shorten them; carriers rarely want others than the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// T1, the round trip that RFC 3261 §17.1.1.1 assumes: 500 ms. All its timers are multiples.
    pub t1: Duration,
    /// T2, the longest interval between retransmissions: 4 s.
    pub t2: Duration,
    /// How long to wait for the peer's last word after our CANCEL or BYE before the leg is
    /// reported as ended: 4 s. Retransmissions go on behind the report until 64·T1.
    pub farewell: Duration,
    /// How long a TCP connection may take to be made: 4 s.
    pub connect: Duration,
    /// How long an answer's ACK may wait for the platform's word that the answer is stored; zero: it
    /// does not wait. Who is killed in between finds the peer repeating its 2xx after the restart,
    /// and can end the call. The platform's own choice is below T1, when a peer repeats it first.
    pub acknowledge: Duration,
    /// How long an orphan's peer may take to reply after a restart: 5 s.
    pub reap: Duration,
    /// What a second lasts where a header counts in seconds (Session-Expires, Retry-After), and in
    /// the waits between refreshes of a session: a second. Shorter only in tests, which so see the
    /// least interval that RFC 4028 allows, 90 s, pass in a moment.
    pub second: Duration,
}

impl Timers {
    /// 64·T1: timers B, D, F, H, L and M.
    pub(crate) fn t1x64(&self) -> Duration {
        self.t1 * 64
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            farewell: Duration::from_secs(4),
            connect: Duration::from_secs(4),
            acknowledge: Duration::ZERO,
            reap: Duration::from_secs(5),
            second: Duration::from_secs(1),
        }
    }
}
