//! Room in an account's queues: how many of its calls wait in a lane is counted in the database from time to
//! time and not for each request, which would cost more the longer the queue is.

use std::collections::HashMap;

use parking_lot::Mutex;
use yunling_domain::error_code::QUEUE_FULL;
use yunling_domain::{AccountId, Micros};
use yunling_store::attempts::{self, AttemptLane};

use crate::directory::Account;
use crate::{App, Refusal};

/// A count is believed for so long. Calls that leave the queue meanwhile make it too high, never too
/// low, so it is only doubted where it refuses.
const BELIEVED_MS: i64 = 1_000;
/// A count that refuses is believed for so long: a customer who tries again and again must not make
/// us count again and again.
const BELIEVED_FULL_MS: i64 = 50;

/// An account's calls of one lane: each lane has room of its own, so that neither a flood of notices
/// nor a batch keeps a captcha out.
type Queue = (AccountId, AttemptLane);

/// What was counted, of each queue.
#[derive(Debug, Default)]
pub(crate) struct QueueRoom(Mutex<HashMap<Queue, Counted>>);

#[derive(Debug, Clone, Copy)]
struct Counted {
    at: Micros,
    waiting: u64,
}

/// When room is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taking {
    /// Now: no burst gets more than there is.
    AtOnce,
    /// When it is used: of requests that may be repetitions of one another, one alone needs it.
    WhenUsed,
}

/// Room that was found; what was taken at once is given back where it is dropped unused.
pub(crate) struct Room<'a> {
    room: &'a QueueRoom,
    queue: Queue,
    more: u64,
    counted_at: Micros,
    holds: bool,
}

impl Room<'_> {
    /// The calls are in the queue.
    pub(crate) fn used(mut self) {
        if !std::mem::take(&mut self.holds) {
            self.room.change(&self.queue, self.counted_at, |waiting| waiting + self.more);
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if self.holds {
            self.room
                .change(&self.queue, self.counted_at, |waiting| waiting.saturating_sub(self.more));
        }
    }
}

/// What is known without counting.
#[derive(Debug, PartialEq, Eq)]
enum Known {
    /// There is room by the count of that moment.
    Room(Micros),
    /// This many wait: too many.
    Full(u64),
    /// Nobody has counted lately.
    Stale,
}

impl QueueRoom {
    /// Looks for room for more calls, and takes it where that is wished.
    fn take(&self, queue: &Queue, (more, taken): (u64, bool), limit: u64, now: Micros) -> Known {
        let mut counts = self.0.lock();
        let Some(counted) = counts.get_mut(queue) else { return Known::Stale };
        let age_ms = now.ms_since(counted.at);
        if counted.waiting.saturating_add(more) <= limit {
            if age_ms >= BELIEVED_MS {
                return Known::Stale;
            }
            if taken {
                counted.waiting += more;
            }
            return Known::Room(counted.at);
        }
        if age_ms >= BELIEVED_FULL_MS {
            return Known::Stale;
        }
        Known::Full(counted.waiting)
    }

    /// Changes the count of that moment; a later one knows better.
    fn change(&self, queue: &Queue, counted_at: Micros, to: impl FnOnce(u64) -> u64) {
        let mut counts = self.0.lock();
        let counted = counts.get_mut(queue).filter(|counted| counted.at == counted_at);
        if let Some(counted) = counted {
            counted.waiting = to(counted.waiting);
        }
    }

    fn learn(&self, queue: &Queue, waiting: u64, at: Micros) {
        self.0.lock().insert(queue.clone(), Counted { at, waiting });
    }
}

/// Takes room for so many calls in the account's queue of a lane.
///
/// # Errors
/// `QUEUE_FULL` with the time to wait, or the database cannot be read.
pub(crate) async fn take<'a>(
    app: &'a App,
    (account, lane): (&Account, AttemptLane),
    (more, taking): (u64, Taking),
    now: Micros,
    retry_after_s: u32,
) -> Result<Room<'a>, Refusal> {
    let limit = u64::from(account.queue_max_len);
    let (room, queue) = (app.queue_room(), (account.id.clone(), lane));
    let holds = taking == Taking::AtOnce;
    let mut known = room.take(&queue, (more, holds), limit, now);
    if known == Known::Stale {
        let waiting = attempts::queue_len(app.store().reader(), &account.id, lane).await?;
        room.learn(&queue, waiting, now);
        known = room.take(&queue, (more, holds), limit, now);
    }
    match known {
        Known::Room(counted_at) => Ok(Room { room, queue, more, counted_at, holds }),
        Known::Full(waiting) => Err(full(waiting, limit, retry_after_s)),
        // A count of this moment is never stale; if clocks say so, it is still the best there is.
        Known::Stale => Err(full(limit, limit, retry_after_s)),
    }
}

fn full(waiting: u64, limit: u64, retry_after_s: u32) -> Refusal {
    let detail =
        format!("{waiting} calls of the account wait already in this queue: at most {limit} may");
    Refusal::new(QUEUE_FULL).with_detail(detail).retry_after(retry_after_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notices_of(account: &str) -> Queue {
        (AccountId::new(account), AttemptLane::Notice)
    }

    #[test]
    fn room_is_taken_until_there_is_none_and_counts_grow_old() {
        let (room, queue) = (QueueRoom::default(), notices_of("a"));
        let at = |ms: i64| Micros(0).plus_ms(ms);
        let take = |more, ms| room.take(&queue, (more, true), 3, at(ms));
        assert_eq!(take(1, 0), Known::Stale);
        room.learn(&queue, 1, at(0));
        // (at, calls, what is known)
        let rows = [
            (0, 1, Known::Room(at(0))),
            (1, 2, Known::Full(2)),
            (2, 1, Known::Room(at(0))),
            (3, 1, Known::Full(3)),
            (BELIEVED_FULL_MS, 1, Known::Stale),
        ];
        for (ms, more, known) in rows {
            assert_eq!(take(more, ms), known, "{ms}");
        }
        room.learn(&queue, 0, at(100));
        assert_eq!(take(1, 99 + BELIEVED_MS), Known::Room(at(100)));
        assert_eq!(take(1, 100 + BELIEVED_MS), Known::Stale);
        for other in [notices_of("b"), (queue.0, AttemptLane::Captcha)] {
            assert_eq!(room.take(&other, (1, true), 3, at(100)), Known::Stale, "{other:?}");
        }
    }

    #[test]
    fn only_room_that_is_used_stays_taken() {
        let (room, queue) = (QueueRoom::default(), notices_of("a"));
        let now = Micros(7);
        room.learn(&queue, 0, now);
        let waiting = || room.0.lock().get(&queue).map(|counted| counted.waiting);
        // (taken at once, used, a new count in between, what is counted then)
        let rows = [
            (true, true, false, 1),
            (true, false, false, 0),
            (false, true, false, 1),
            (false, false, false, 0),
            (true, false, true, 5),
            (false, true, true, 5),
        ];
        for (holds, used, counted, left) in rows {
            room.learn(&queue, 0, now);
            let known = room.take(&queue, (1, holds), 3, now);
            assert_eq!(known, Known::Room(now));
            let found = Room { room: &room, queue: queue.clone(), more: 1, counted_at: now, holds };
            if counted {
                room.learn(&queue, 5, Micros(8));
            }
            if used {
                found.used();
            } else {
                drop(found);
            }
            assert_eq!(waiting(), Some(left), "{holds} {used} {counted}");
        }
    }
}
