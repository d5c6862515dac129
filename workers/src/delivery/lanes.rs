//! Who may be sent to now: every receiver (a scheme, host and port of an account: one endpoint row)
//! has a lane of its own, so that a dead one slows nobody, however many addresses it has; an account
//! with many dead receivers has at most half of the whole; first attempts of one conversation go one
//! after the other. Pure.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use yunling_domain::{AccountId, ConversationId};
use yunling_store::deliveries::Delivery;

/// Idle lanes that are remembered only because their receivers did not answer.
const SUSPECTS_KEPT: usize = 10_000;

/// How many deliveries may be in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// All together.
    pub(crate) total: usize,
    /// To one endpoint.
    pub(crate) per_endpoint: usize,
}

/// The lanes, and who is in them.
#[derive(Debug)]
pub(crate) struct Lanes {
    limits: Limits,
    lanes: HashMap<i64, Lane>,
    /// Seats taken, of accounts that have any.
    accounts: HashMap<AccountId, usize>,
    /// By delivery id.
    in_flight: HashMap<String, Seat>,
    /// Conversations with a first attempt in flight, by endpoint: a dead receiver of call records
    /// does not hold up another's status events.
    heads: HashSet<(i64, ConversationId)>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Lane {
    in_flight: usize,
    /// The receiver did not answer the last time. It gets one delivery at a time, and all such
    /// receivers together at most half of the whole, until it answers.
    suspect: bool,
}

#[derive(Debug)]
struct Seat {
    endpoint: i64,
    account: AccountId,
    head_of: Option<ConversationId>,
}

/// What was picked of the due ones.
#[derive(Debug)]
pub(crate) struct Picked {
    /// To be sent now; they have their seats.
    pub(crate) now: Vec<Delivery>,
    /// Whether others must wait for a seat.
    pub(crate) others_wait: bool,
}

impl Lanes {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            lanes: HashMap::new(),
            accounts: HashMap::new(),
            in_flight: HashMap::new(),
            heads: HashSet::new(),
        }
    }

    /// Deliveries in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Endpoints with deliveries in flight.
    pub(crate) fn busy(&self) -> usize {
        self.lanes.values().filter(|lane| lane.in_flight > 0).count()
    }

    /// Whether one more may be sent.
    pub(crate) fn has_room(&self) -> bool {
        self.in_flight.len() < self.limits.total
    }

    /// Endpoints that can take nothing now.
    pub(crate) fn full(&self) -> Vec<i64> {
        let suspects_full = self.suspects_in_flight() >= self.suspects_limit();
        let full = self.lanes.iter().filter(|(_, lane)| {
            lane.in_flight >= self.width(**lane) || (lane.suspect && suspects_full)
        });
        full.map(|(endpoint, _)| *endpoint).collect()
    }

    /// Accounts that can take nothing now.
    pub(crate) fn full_accounts(&self) -> Vec<AccountId> {
        let full = self.accounts.iter().filter(|(_, seats)| **seats >= self.account_limit());
        full.map(|(account, _)| account.clone()).collect()
    }

    /// Takes seats for as many of `due` as there are, in turn over the endpoints, each endpoint's
    /// in the given order.
    pub(crate) fn pick(&mut self, due: Vec<Delivery>) -> Picked {
        let mut waiting: Vec<(i64, VecDeque<Delivery>)> = Vec::new();
        let mut places = HashMap::new();
        for delivery in due {
            let endpoint = delivery.endpoint_id;
            let place = *places.entry(endpoint).or_insert_with(|| {
                waiting.push((endpoint, VecDeque::new()));
                waiting.len() - 1
            });
            waiting[place].1.push_back(delivery);
        }
        let mut picked = Picked { now: Vec::new(), others_wait: false };
        while !waiting.is_empty() && self.has_room() {
            waiting.retain_mut(|(endpoint, queue)| {
                let taken = self.pick_one(*endpoint, queue, &mut picked.others_wait);
                taken.map(|delivery| picked.now.push(delivery)).is_some()
            });
        }
        picked.others_wait |= waiting.iter().any(|(_, queue)| !queue.is_empty());
        picked
    }

    /// The first of an endpoint's queue that can go.
    fn pick_one(
        &mut self,
        endpoint: i64,
        queue: &mut VecDeque<Delivery>,
        others_wait: &mut bool,
    ) -> Option<Delivery> {
        while let Some(delivery) = queue.front() {
            if self.in_flight.contains_key(&delivery.caused.id) {
                // Its claim has run out under a stalled attempt; that one still ends by itself.
                queue.pop_front();
                continue;
            }
            let head_of = delivery.caused.conversation_id.clone().filter(|_| delivery.tries == 0);
            if let Some(conversation) = &head_of
                && self.heads.contains(&(endpoint, conversation.clone()))
            {
                *others_wait = true;
                queue.pop_front();
                continue;
            }
            let lane = self.lanes.get(&endpoint).copied().unwrap_or_default();
            let suspects_full = lane.suspect
                && (self.suspects_in_flight() >= self.suspects_limit()
                    || self.suspects_of(&delivery.account) >= self.account_suspects_limit());
            let account_full = self.seats_of(&delivery.account) >= self.account_limit();
            let lane_full = lane.in_flight >= self.width(lane) || suspects_full;
            if !self.has_room() || account_full || lane_full {
                *others_wait = true;
                return None;
            }
            let delivery = queue.pop_front()?;
            self.take_seat(&delivery, head_of);
            return Some(delivery);
        }
        None
    }

    fn take_seat(&mut self, delivery: &Delivery, head_of: Option<ConversationId>) {
        let endpoint = delivery.endpoint_id;
        self.lanes.entry(endpoint).or_default().in_flight += 1;
        if let Some(conversation) = &head_of {
            self.heads.insert((endpoint, conversation.clone()));
        }
        let account = delivery.account.clone();
        *self.accounts.entry(account.clone()).or_default() += 1;
        self.in_flight.insert(delivery.caused.id.clone(), Seat { endpoint, account, head_of });
    }

    /// Gives a seat back. `answered` tells whether the receiver answered; none where it was not
    /// asked.
    pub(crate) fn leave(&mut self, id: &str, answered: Option<bool>) {
        let Some(seat) = self.in_flight.remove(id) else { return };
        if let Some(conversation) = seat.head_of {
            self.heads.remove(&(seat.endpoint, conversation));
        }
        if let Entry::Occupied(mut seats) = self.accounts.entry(seat.account) {
            *seats.get_mut() -= 1;
            if *seats.get() == 0 {
                seats.remove();
            }
        }
        let Some(lane) = self.lanes.get_mut(&seat.endpoint) else { return };
        lane.in_flight -= 1;
        lane.suspect = answered.map_or(lane.suspect, |answered| !answered);
        let idle = lane.in_flight == 0;
        if idle && (!lane.suspect || self.lanes.len() > SUSPECTS_KEPT) {
            self.lanes.remove(&seat.endpoint);
        }
    }

    fn width(&self, lane: Lane) -> usize {
        if lane.suspect { 1 } else { self.limits.per_endpoint }
    }

    fn seats_of(&self, account: &AccountId) -> usize {
        self.accounts.get(account).copied().unwrap_or(0)
    }

    fn suspects_of(&self, account: &AccountId) -> usize {
        let suspect = |seat: &Seat| self.lanes.get(&seat.endpoint).is_some_and(|lane| lane.suspect);
        self.in_flight.values().filter(|seat| seat.account == *account && suspect(seat)).count()
    }

    /// An account's dead receivers leave half of its share to its other ones.
    fn account_suspects_limit(&self) -> usize {
        (self.account_limit() / 2).max(1)
    }

    /// However many receivers it has.
    fn account_limit(&self) -> usize {
        self.limits.total.div_ceil(2)
    }

    fn suspects_limit(&self) -> usize {
        (self.limits.total / 2).max(1)
    }

    fn suspects_in_flight(&self) -> usize {
        self.lanes.values().filter(|lane| lane.suspect).map(|lane| lane.in_flight).sum()
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
