//! How much a source may ask of us before anything of it is parsed, and who is exempt.
//!
//! Strangers share nothing with calls but the sockets, so what they send beyond an allowance is
//! dropped, counted, and told once a minute. Two kinds of sources are *known*, and exempt: those
//! that we send requests to of our own accord (trunks, and where their dialogs lead), and those from
//! where a message of a live call came, whose Call-ID nobody can guess. A limit for them would be a
//! weapon: whoever forges a trunk's address could use up its allowance. What all of them together
//! may have waiting is bounded elsewhere ([`super::datagrams`]).
//!
//! The allowance is the generic cell rate algorithm (ITU-T I.371, annex A): one instant per source
//! says until when it has been served.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::config::FloodLimits;

/// Sources that share a set of the table; the longest idle of them gives way to a new one.
const WAYS: usize = 8;

/// Sets: 16,384 sources in all, 1 MiB. More at a time is a flood with forged addresses, against
/// which a table by address is no help whatever its size.
const SETS: usize = 2_048;

/// How long a source stays known without a message to it or of a call of its.
const KNOWN_FOR: Duration = Duration::from_secs(3_600);

/// Known sources; beyond, new ones are strangers until others are forgotten.
const KNOWN_LIMIT: usize = 16_384;

/// How often one source is told of in the log, and the whole flood is measured.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Log lines in [`TELL_EVERY`], of all sources: a flood must not become one of the log.
const MOST_LINES: u32 = 20;

/// A connection costs a stranger as much as so many datagrams: it holds buffers and a task.
const CONNECTION_COST: u32 = 10;

/// Whom an allowance belongs to: an IPv4 address, or an IPv6 network of 64 bits, which one customer
/// has to himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    V4(u32),
    V6(u64),
}

impl From<IpAddr> for Source {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            IpAddr::V6(ip) => {
                Self::V6(u64::try_from(ip.to_bits() >> 64).expect("64 bits are left"))
            }
        }
    }
}

/// One source's account.
#[derive(Debug, Clone, Copy)]
struct Account {
    source: Source,
    /// It has been served up to here; beyond now, that much of its burst is used up.
    served_until: Instant,
    told_at: Option<Instant>,
    /// Since it was told of.
    dropped: u32,
}

/// What becomes of one thing that a source asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Admit,
    Drop,
    /// Drop, and log it: so many have been dropped since the last line about this source.
    DropAndTell(u32),
}

/// The allowances of all sources: pure, time is an argument.
struct Allowances {
    sets: Vec<[Option<Account>; WAYS]>,
    hasher: RandomState,
    /// What one datagram costs.
    interval: Duration,
    /// How far a source may run ahead.
    tolerance: Duration,
    known: HashMap<Source, Instant>,
    lines_since: Option<Instant>,
    lines: u32,
}

impl Allowances {
    fn new(limits: FloodLimits) -> Self {
        let interval = Duration::from_secs(1) / limits.per_source_per_s.max(1);
        Self {
            sets: vec![[None; WAYS]; SETS],
            hasher: RandomState::new(),
            interval,
            tolerance: interval * limits.burst.max(1),
            known: HashMap::new(),
            lines_since: None,
            lines: 0,
        }
    }

    fn admit(&mut self, ip: IpAddr, cost: u32, now: Instant) -> Verdict {
        let source = Source::from(ip);
        if self.is_known(source, now) {
            return Verdict::Admit;
        }
        let interval = self.interval;
        let tolerance = self.tolerance.max(interval * cost);
        let account = self.account(source, now);
        let until = account.served_until.max(now) + interval * cost;
        if until <= now + tolerance {
            account.served_until = until;
            return Verdict::Admit;
        }
        account.dropped = account.dropped.saturating_add(1);
        if account.told_at.is_some_and(|told| now.saturating_duration_since(told) < TELL_EVERY) {
            return Verdict::Drop;
        }
        account.told_at = Some(now);
        let dropped = std::mem::take(&mut account.dropped);
        if self.may_tell(now) { Verdict::DropAndTell(dropped) } else { Verdict::Drop }
    }

    fn account(&mut self, source: Source, now: Instant) -> &mut Account {
        let hash = self.hasher.hash_one(source);
        let index = usize::try_from(hash % SETS as u64).expect("a set's number fits");
        let set = &mut self.sets[index];
        let way = set
            .iter()
            .position(|account| account.is_some_and(|account| account.source == source))
            .or_else(|| set.iter().position(Option::is_none))
            .unwrap_or_else(|| longest_idle(set));
        let slot = &mut set[way];
        if slot.is_none_or(|account| account.source != source) {
            *slot = None;
        }
        slot.get_or_insert(Account { source, served_until: now, told_at: None, dropped: 0 })
    }

    fn may_tell(&mut self, now: Instant) -> bool {
        if self.lines_since.is_none_or(|since| now.saturating_duration_since(since) >= TELL_EVERY) {
            (self.lines_since, self.lines) = (Some(now), 0);
        }
        self.lines += 1;
        self.lines <= MOST_LINES
    }

    fn is_known(&self, source: Source, now: Instant) -> bool {
        self.known
            .get(&source)
            .is_some_and(|since| now.saturating_duration_since(*since) < KNOWN_FOR)
    }

    fn vouch(&mut self, ip: IpAddr, now: Instant) {
        let source = Source::from(ip);
        if self.known.len() >= KNOWN_LIMIT && !self.known.contains_key(&source) {
            self.known.retain(|_, since| now.saturating_duration_since(*since) < KNOWN_FOR);
            if self.known.len() >= KNOWN_LIMIT {
                return;
            }
        }
        self.known.insert(source, now);
    }
}

/// The account that has been idle longest: one that floods runs ahead of all others, so it is the
/// last to be forgotten.
fn longest_idle(set: &[Option<Account>; WAYS]) -> usize {
    let idle = set.iter().enumerate().min_by_key(|(_, account)| account.map(|a| a.served_until));
    idle.map_or(0, |(way, _)| way)
}

/// The guard of all sockets of one engine.
pub(super) struct Flood {
    allowances: Mutex<Allowances>,
}

impl Flood {
    pub(super) fn new(limits: FloodLimits) -> Self {
        Self { allowances: Mutex::new(Allowances::new(limits)) }
    }

    /// Whether a message from there is looked at.
    pub(super) fn allow_message(&self, from: IpAddr) -> bool {
        self.allow(from, 1)
    }

    /// Whether a connection from there is served.
    pub(super) fn allow_connection(&self, from: IpAddr) -> bool {
        self.allow(from, CONNECTION_COST)
    }

    fn allow(&self, from: IpAddr, cost: u32) -> bool {
        let verdict = self.allowances.lock().admit(from, cost, Instant::now());
        match verdict {
            Verdict::Admit => return true,
            Verdict::Drop => {}
            Verdict::DropAndTell(dropped) => tracing::warn!(
                %from,
                dropped,
                "a stranger sends more SIP than sip.flood allows: the rest is dropped unread"
            ),
        }
        metrics::counter!("switch_sip_dropped_total", "why" => "flood").increment(1);
        false
    }

    /// Makes a source known: we talk to it of our own accord, or it spoke within a call.
    pub(super) fn vouch(&self, ip: IpAddr) {
        self.allowances.lock().vouch(ip, Instant::now());
    }

    /// Whether a source is known.
    pub(super) fn is_known(&self, ip: IpAddr) -> bool {
        self.allowances.lock().is_known(Source::from(ip), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn allowances(per_source_per_s: u32, burst: u32) -> Allowances {
        Allowances::new(FloodLimits { per_source_per_s, burst })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many of so many at once are admitted.
    fn admitted(allowances: &mut Allowances, from: IpAddr, count: usize, now: Instant) -> usize {
        (0..count).filter(|_| allowances.admit(from, 1, now) == Verdict::Admit).count()
    }

    #[test]
    fn a_burst_is_taken_and_then_the_rate() {
        let (mut allowances, start) = (allowances(100, 20), Instant::now());
        let source = ip("192.0.2.1");
        assert_eq!(admitted(&mut allowances, source, 1_000, start), 20);
        let later = |ms| start + Duration::from_millis(ms);
        assert_eq!(admitted(&mut allowances, source, 1_000, later(100)), 10);
        assert_eq!(admitted(&mut allowances, source, 1_000, later(105)), 0);
        assert_eq!(admitted(&mut allowances, source, 1_000, later(60_000)), 20);
        assert_eq!(
            admitted(&mut allowances, ip("192.0.2.2"), 1, start),
            1,
            "others have their own"
        );
    }

    #[test]
    fn a_connection_costs_more_than_a_datagram_but_never_more_than_a_burst() {
        let (mut roomy, now) = (allowances(100, 20), Instant::now());
        let source = ip("192.0.2.1");
        let taken = (0..9).filter(|_| roomy.admit(source, CONNECTION_COST, now) == Verdict::Admit);
        assert_eq!(taken.count(), 2);
        let mut tight = allowances(1, 1);
        assert_eq!(tight.admit(source, CONNECTION_COST, now), Verdict::Admit);
    }

    #[test]
    fn ipv6_counts_by_network_and_mapped_addresses_as_ipv4() {
        let (mut allowances, now) = (allowances(1, 1), Instant::now());
        for (first, second) in
            [("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), ("192.0.2.7", "::ffff:192.0.2.7")]
        {
            assert_eq!(allowances.admit(ip(first), 1, now), Verdict::Admit, "{first}");
            assert_ne!(allowances.admit(ip(second), 1, now), Verdict::Admit, "{second}");
        }
        assert_eq!(allowances.admit(ip("2001:db8:1:3::1"), 1, now), Verdict::Admit);
    }

    #[test]
    fn a_source_is_told_of_once_a_minute_with_what_it_lost() {
        let (mut allowances, start) = (allowances(1, 1), Instant::now());
        let source = ip("192.0.2.1");
        let mut at = |ms| allowances.admit(source, 1, start + Duration::from_millis(ms));
        assert_eq!(at(0), Verdict::Admit);
        assert_eq!(at(1), Verdict::DropAndTell(1));
        assert_eq!([at(2), at(3)], [Verdict::Drop; 2]);
        assert_eq!(at(60_000), Verdict::Admit);
        assert_eq!(at(60_001), Verdict::DropAndTell(3));
    }

    #[test]
    fn many_sources_do_not_flood_the_log() {
        let (mut allowances, now) = (allowances(1, 1), Instant::now());
        let lines = (0..5_000u32)
            .flat_map(|n| [n, n])
            .filter(|n| {
                let from = Ipv4Addr::from_bits(*n).into();
                matches!(allowances.admit(from, 1, now), Verdict::DropAndTell(_))
            })
            .count();
        assert_eq!(lines, usize::try_from(MOST_LINES).unwrap());
    }

    #[test]
    fn the_known_are_exempt_until_nothing_is_heard_of_them() {
        let (mut allowances, start) = (allowances(1, 1), Instant::now());
        let trunk = ip("192.0.2.1");
        allowances.vouch(trunk, start);
        assert_eq!(admitted(&mut allowances, trunk, 10_000, start), 10_000);
        let last = start + KNOWN_FOR;
        assert_eq!(admitted(&mut allowances, trunk, 10_000, last), 1);
        allowances.vouch(trunk, last);
        assert_eq!(admitted(&mut allowances, trunk, 10_000, last), 10_000);
    }

    #[test]
    fn the_known_are_bounded_and_the_forgotten_make_room() {
        let (mut allowances, start) = (allowances(1, 1), Instant::now());
        let number = |n: usize| IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(n).unwrap()));
        for n in 0..=KNOWN_LIMIT {
            allowances.vouch(number(n), start);
        }
        assert_eq!(allowances.known.len(), KNOWN_LIMIT);
        assert!(!allowances.is_known(number(KNOWN_LIMIT).into(), start));
        let later = start + KNOWN_FOR;
        allowances.vouch(number(KNOWN_LIMIT), later);
        assert!(allowances.is_known(number(KNOWN_LIMIT).into(), later));
        assert_eq!(allowances.known.len(), 1);
    }

    /// However many forged sources there are, whoever floods stays in the table.
    #[test]
    fn a_flooder_is_not_forgotten_for_the_sake_of_others() {
        let (mut allowances, start) = (allowances(10, 10), Instant::now());
        let flooder = ip("192.0.2.1");
        let mut now = start;
        let mut taken = admitted(&mut allowances, flooder, 100, now);
        for n in 0..200_000u32 {
            now += Duration::from_micros(10);
            let forged = Ipv6Addr::from_bits(u128::from(n) << 64 | 1 << 127).into();
            allowances.admit(forged, 1, now);
            taken += admitted(&mut allowances, flooder, 1, now);
        }
        // Two seconds: the burst and the rate.
        assert!((29..=31).contains(&taken), "{taken}");
    }

    proptest! {
        /// In no interval does a stranger get more than its burst and the rate allow.
        #[test]
        fn nobody_gets_more_than_allowed(
            rate in 1u32..1_000,
            burst in 1u32..100,
            gaps_us in prop::collection::vec(0u64..20_000, 1..400),
        ) {
            let (mut allowances, start) = (allowances(rate, burst), Instant::now());
            let mut at = Duration::ZERO;
            let mut taken = 0.0;
            for gap in gaps_us {
                at += Duration::from_micros(gap);
                if allowances.admit(ip("192.0.2.1"), 1, start + at) == Verdict::Admit {
                    taken += 1.0;
                }
                prop_assert!(taken <= f64::from(burst) + at.as_secs_f64() * f64::from(rate) + 1.0);
            }
        }
    }
}
