//! Client transactions (RFC 3261 §17.1, RFC 6026): when to send again and when to give up.

use std::time::Instant;

use bytes::Bytes;

use super::timers::Timers;

/// What a timer of a transaction asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// Send the request again.
    Resend,
    /// No final response came in 64·T1 (timers B and F).
    GaveUp,
}

/// A request under way. The owner sends [`ClientTransaction::request`] once at the start and again
/// whenever [`ClientTransaction::on_time`] says so.
#[derive(Debug)]
pub(crate) struct ClientTransaction {
    request: Bytes,
    invite: bool,
    resend: Option<Resend>,
    gives_up_at: Option<Instant>,
}

#[derive(Debug)]
struct Resend {
    at: Instant,
    interval: std::time::Duration,
}

impl ClientTransaction {
    /// Begins an INVITE transaction, its request just sent.
    pub(crate) fn invite(request: Bytes, reliable: bool, timers: &Timers, now: Instant) -> Self {
        Self::new(request, true, reliable, timers, now)
    }

    /// Begins another transaction, its request just sent.
    pub(crate) fn other(request: Bytes, reliable: bool, timers: &Timers, now: Instant) -> Self {
        Self::new(request, false, reliable, timers, now)
    }

    fn new(request: Bytes, invite: bool, reliable: bool, timers: &Timers, now: Instant) -> Self {
        // A stream delivers or breaks: nothing is ever sent twice on it (§17.1.1.2).
        let resend = (!reliable).then(|| Resend { at: now + timers.t1, interval: timers.t1 });
        Self { request, invite, resend, gives_up_at: Some(now + timers.t1x64()) }
    }

    /// The request as it went out.
    pub(crate) fn request(&self) -> &Bytes {
        &self.request
    }

    /// A 1xx came. An INVITE is repeated no more and may ring as long as its owner lets it; another
    /// request is repeated at T2 (§17.1.1.2, §17.1.2.2).
    pub(crate) fn provisional(&mut self, timers: &Timers) {
        if self.invite {
            self.resend = None;
            self.gives_up_at = None;
        } else if let Some(resend) = &mut self.resend {
            resend.interval = timers.t2;
        }
    }

    /// Nothing is sent any more, but the time-out stays.
    pub(crate) fn stop_resending(&mut self) {
        self.resend = None;
    }

    /// When [`ClientTransaction::on_time`] wants to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.resend.as_ref().map(|resend| resend.at), self.gives_up_at].into_iter().flatten().min()
    }

    /// Runs the timers.
    pub(crate) fn on_time(&mut self, timers: &Timers, now: Instant) -> Due {
        if self.gives_up_at.is_some_and(|at| at <= now) {
            self.gives_up_at = None;
            self.resend = None;
            return Due::GaveUp;
        }
        match &mut self.resend {
            Some(resend) if resend.at <= now => {
                // Timer A doubles without a cap, timer E up to T2.
                let doubled = resend.interval * 2;
                resend.interval = if self.invite { doubled } else { doubled.min(timers.t2) };
                resend.at = now + resend.interval;
                Due::Resend
            }
            _ => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use std::time::Duration;

    use super::*;

    /// Milliseconds at which the transaction asks for something, until it gives up.
    fn ladder(mut transaction: ClientTransaction, timers: &Timers, start: Instant) -> Vec<u64> {
        let mut times = Vec::new();
        while let Some(at) = transaction.deadline() {
            let due = transaction.on_time(timers, at);
            assert_ne!(due, Due::Nothing);
            times.push(u64::try_from((at - start).as_millis()).unwrap());
        }
        times
    }

    #[test]
    fn retransmissions_follow_the_rfc() {
        let (timers, now) = (Timers::default(), Instant::now());
        let request = Bytes::from_static(b"x");
        let invite = ClientTransaction::invite(request.clone(), false, &timers, now);
        assert_eq!(ladder(invite, &timers, now), [500, 1500, 3500, 7500, 15_500, 31_500, 32_000]);
        let bye = ClientTransaction::other(request.clone(), false, &timers, now);
        assert_eq!(
            ladder(bye, &timers, now),
            [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000]
        );
        let stream = ClientTransaction::invite(request, true, &timers, now);
        assert_eq!(ladder(stream, &timers, now), [32_000]);
    }

    #[test]
    fn a_provisional_response_ends_an_invites_timers() {
        let (timers, now) = (Timers::default(), Instant::now());
        let mut invite = ClientTransaction::invite(Bytes::new(), false, &timers, now);
        invite.provisional(&timers);
        assert_eq!(invite.deadline(), None);
        assert_eq!(invite.on_time(&timers, now + Duration::from_secs(99)), Due::Nothing);
    }
}
