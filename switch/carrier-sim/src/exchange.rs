//! The telephone exchange: gives each message to its call, answers what belongs to none, and
//! moves all calls on every few milliseconds from one timer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::address;
use crate::call::Call;
use crate::events::What;
use crate::message::{Message, Start};
use crate::network::{ALLOW, Network};
use crate::options::Mood;
use crate::orders::Order;
use crate::transaction::{Answered, TransactionKey};
use crate::wire::{Inbound, Route};

/// Call-ID and the caller's tag.
type CallKey = (String, String);

/// All calls.
pub(crate) struct Exchange {
    network: Network,
    calls: HashMap<CallKey, Call>,
    /// Which call an INVITE's transaction began.
    invites: HashMap<TransactionKey, CallKey>,
    answered: Answered,
}

impl Exchange {
    pub(crate) fn new(network: Network) -> Self {
        Self {
            network,
            calls: HashMap::new(),
            invites: HashMap::new(),
            answered: Answered::default(),
        }
    }

    pub(crate) fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// Takes what came from the wire.
    pub(crate) fn take(&mut self, now: Instant, inbound: Inbound) {
        let (bytes, source, connection) = match inbound {
            Inbound::Message { bytes, source, connection } => (bytes, source, connection),
            Inbound::Broken { source, error } => {
                return self.malformed(now, source, &error.to_string());
            }
        };
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return; // a keep-alive
        }
        let mut message = match Message::parse(&bytes) {
            Ok(message) => message,
            Err(error) => return self.malformed(now, source, &error.to_string()),
        };
        match message.start.clone() {
            Start::Response { .. } => {
                let key = key_by(&message, "To");
                if let Some(call) = self.calls.get_mut(&key) {
                    call.answered_by_caller(&mut self.network, now, &message);
                }
            }
            Start::Request { method, uri } => {
                let route = Route::back(&mut message, source, connection);
                match method.as_str() {
                    "INVITE" => self.invite(now, message, &uri, route, source),
                    "ACK" => {
                        if let Some(call) = self.calls.get_mut(&key_by(&message, "From")) {
                            call.acked(&mut self.network, now, &message);
                        }
                    }
                    _ => self.other(now, &message, &route, source),
                }
            }
        }
    }

    /// Moves every call on.
    pub(crate) fn tick(&mut self, now: Instant) {
        let (calls, network) = (&mut self.calls, &mut self.network);
        let before = calls.len();
        calls.retain(|_, call| {
            call.tick(network, now);
            !call.is_gone(now)
        });
        if calls.len() < before {
            self.invites.retain(|_, key| calls.contains_key(key));
        }
    }

    /// Ends all recordings and closes the event log; blocks until it is written. Callers are told
    /// nothing: a network that is switched off says nothing.
    pub(crate) fn close(mut self, now: Instant) {
        for call in self.calls.values_mut() {
            call.end(&mut self.network, now, "shutdown");
        }
        self.network.events.close();
    }

    fn invite(
        &mut self,
        now: Instant,
        invite: Message,
        uri: &str,
        route: Route,
        source: SocketAddr,
    ) {
        let transaction = TransactionKey::of(&invite, "INVITE");
        let key = key_by(&invite, "From");
        let in_dialog = invite.header("To").and_then(address::tag).is_some();
        if let Some(call) = self.invites.get(&transaction).and_then(|key| self.calls.get_mut(key)) {
            call.invited_again(&mut self.network, now);
            return;
        }
        match self.calls.get_mut(&key) {
            Some(call) if in_dialog && !call.has_ended() => {
                call.invited_to_change(&mut self.network, now, &invite, route);
            }
            _ if in_dialog => self.reply(&invite, &route, 481, "Call/Transaction Does Not Exist"),
            // The same call over another path (RFC 3261 §8.2.2.2).
            Some(call) if !call.has_ended() => self.reply(&invite, &route, 482, "Loop Detected"),
            _ => {
                let what =
                    What::Invite { uri: uri.to_owned(), transport: route.transport(), source };
                let call = Call::start(&mut self.network, now, invite, uri, route, &what);
                self.invites.insert(transaction, key.clone());
                self.calls.insert(key, call);
            }
        }
    }

    /// Requests that are answered at once; a copy gets the same answer again.
    fn other(&mut self, now: Instant, request: &Message, route: &Route, source: SocketAddr) {
        let transaction = TransactionKey::of(request, request.method());
        if let Some(answer) = self.answered.get(&transaction) {
            self.network.wire.send(route, answer);
            return;
        }
        if request.method() == "CANCEL" {
            return self.cancel(now, request, route, transaction);
        }
        let answer = match request.method() {
            "MESSAGE" => Some(self.told(now, request)),
            _ => self.answer_to(now, request, source),
        };
        let Some(answer) = answer else { return };
        let answer = answer.to_bytes();
        self.network.wire.send(route, &answer);
        self.answered.remember(now, transaction, answer);
    }

    /// The CANCEL's own answer goes before the INVITE's 487, as callers expect.
    fn cancel(
        &mut self,
        now: Instant,
        cancel: &Message,
        route: &Route,
        transaction: TransactionKey,
    ) {
        let key = self.invites.get(&TransactionKey::of(cancel, "INVITE"));
        let call = key.and_then(|key| self.calls.get_mut(key));
        let (code, reason) =
            if call.is_some() { (200, "OK") } else { (481, "Call/Transaction Does Not Exist") };
        if !call.as_ref().is_some_and(|call| call.is_dead_number()) {
            let answer = Message::reply(cancel, code, reason, Some("none")).to_bytes();
            self.network.wire.send(route, &answer);
            self.answered.remember(now, transaction, answer);
        }
        if let Some(call) = call {
            call.cancelled(&mut self.network, now, cancel);
        }
    }

    /// An order to a number, or to whoever holds its telephone: the latest of its calls.
    fn told(&mut self, now: Instant, request: &Message) -> Message {
        let (network, calls) = (&mut self.network, &mut self.calls);
        let reply = |code, phrase: &str| Message::reply(request, code, phrase, Some("none"));
        let order = match serde_json::from_slice::<Order>(&request.body) {
            Ok(order) => order,
            Err(error) => {
                let mut reply = reply(400, "Bad Request");
                reply.push("Warning", &format!("399 carrier-sim \"{error}\""));
                return reply;
            }
        };
        let number = request.uri().map(address::user).unwrap_or_default();
        if let Order::Behave(behaviour) = order {
            network.behaviours.insert(number.to_owned(), behaviour);
            return reply(200, "OK");
        }
        let live = calls.values_mut().filter(|call| call.number() == number && !call.has_ended());
        match live.max_by_key(|call| call.arrived()) {
            None => reply(404, "Not Found"),
            Some(call) => match call.told(network, now, &order) {
                Ok(()) => reply(200, "OK"),
                Err(why) => reply(480, why),
            },
        }
    }

    /// Nothing where the network is in the mood to stay silent.
    fn answer_to(
        &mut self,
        now: Instant,
        request: &Message,
        source: SocketAddr,
    ) -> Option<Message> {
        let network = &mut self.network;
        let unknown =
            || Message::reply(request, 481, "Call/Transaction Does Not Exist", Some("none"));
        let ok = || Message::reply(request, 200, "OK", Some("none"));
        let in_dialog = request.header("To").and_then(address::tag).is_some();
        let call = self
            .calls
            .get_mut(&key_by(request, "From"))
            .filter(|call| in_dialog && !call.has_ended());
        Some(match (request.method(), call) {
            ("BYE", Some(call)) => {
                call.bye(network, now, request);
                ok()
            }
            ("INFO", Some(call)) => {
                call.informed(network, now, request);
                ok()
            }
            ("UPDATE", Some(call)) => call.change(network, now, request),
            ("BYE" | "INFO" | "UPDATE", None) => unknown(),
            ("OPTIONS", None) if in_dialog => unknown(),
            ("OPTIONS", in_call) => {
                let mood =
                    if in_call.is_some() { Mood::Answer } else { network.options.to_options };
                let code = match mood {
                    Mood::Answer => Some(200),
                    Mood::Silent => None,
                    Mood::Refuse => Some(503),
                };
                network.events.emit(now, None, &What::OptionsReceived { source, code });
                if code? == 503 {
                    Message::reply(request, 503, "Service Unavailable", Some("none"))
                } else {
                    let mut reply = ok();
                    reply.push("Allow", ALLOW);
                    reply.push("Accept", "application/sdp, application/dtmf-relay");
                    reply
                }
            }
            ("REGISTER", _) => {
                let Network { registrar, options, seed, events, .. } = network;
                let (reply, what) = registrar.answer(options, *seed, now, request);
                events.emit(now, None, &what);
                reply
            }
            _ => {
                let mut reply = Message::reply(request, 405, "Method Not Allowed", Some("none"));
                reply.push("Allow", ALLOW);
                reply
            }
        })
    }

    /// A final response to an INVITE that begins no call; it is not repeated, the caller's copies
    /// of the INVITE get it again.
    fn reply(&mut self, invite: &Message, route: &Route, code: u16, reason: &str) {
        let reply = Message::reply(invite, code, reason, Some("none"));
        self.network.wire.send(route, &reply.to_bytes());
    }

    fn malformed(&mut self, now: Instant, source: SocketAddr, error: &str) {
        self.network.events.emit(now, None, &What::Malformed { source, error: error.to_owned() });
    }
}

/// The call of a message: the caller's tag stands in From of its requests, in To of ours.
fn key_by(message: &Message, header: &str) -> CallKey {
    let tag = message.header(header).and_then(address::tag).unwrap_or_default();
    (message.call_id().to_owned(), tag.to_owned())
}
