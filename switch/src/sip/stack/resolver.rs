//! Names to where they lead, remembered for a while: a trunk is asked for hundreds of times a
//! second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;
use yunling_switch_contract::Transport;

use super::Unreachable;
use super::names::{Ask, Questions};
use super::services::{self, Service};

/// How long it is believed that a name has no address, or that nobody answers for it: peers that
/// name themselves by what only their own network knows must not cost a lookup for each message.
const FAILURE_LIFE: Duration = Duration::from_secs(5);

/// How long all lookups for one message may take: a call's first words wait for some of them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Questions at once; the system's resolver takes a thread of the runtime's for each until it has
/// answered, also when nobody waits for it any more. Beyond, they wait, and may run out of time.
const AT_ONCE: usize = 64;

/// Names that are remembered; beyond, all are forgotten and asked for again.
const LIMIT: usize = 1_024;

/// Addresses that one name may lead to; beyond, they are not tried.
const MOST_ADDRESSES: usize = 16;

/// How long what was last known of a name stands in for an answer that does not come: name servers
/// that are down must not take the trunks with them (RFC 8767).
const STALE: Duration = Duration::from_secs(3_600);

/// How long nobody asks again then.
const STALE_LIFE: Duration = Duration::from_secs(30);

/// What was found for a name, and when.
#[derive(Clone)]
struct Known<T> {
    records: Vec<T>,
    found_at: Instant,
    until: Instant,
}

/// What is remembered of one name.
struct Entry<T> {
    /// None if nobody knew.
    answer: OnceCell<Option<Known<T>>>,
    asked_at: Instant,
    /// What the entry before this one knew.
    before: Option<Known<T>>,
}

impl<T> Entry<T> {
    fn is_believed(&self, now: Instant) -> bool {
        match self.answer.get() {
            Some(Some(known)) if !known.records.is_empty() => now < known.until,
            Some(_) => now.duration_since(self.asked_at) < FAILURE_LIFE,
            None => now.duration_since(self.asked_at) < PATIENCE * 2,
        }
    }
}

impl<T: Clone> Entry<T> {
    /// What the next entry may fall back on.
    fn knowledge(&self, now: Instant) -> Option<Known<T>> {
        let known = match self.answer.get() {
            Some(Some(known)) => known,
            Some(None) | None => self.before.as_ref()?,
        };
        let is_of_use = !known.records.is_empty() && now.duration_since(known.found_at) < STALE;
        is_of_use.then(|| known.clone())
    }
}

/// Answers to one kind of question. A name is asked for once however many wait for it.
struct Memory<T> {
    ask: Ask<T>,
    asking: Arc<Semaphore>,
    names: Mutex<HashMap<String, Arc<Entry<T>>>>,
}

impl<T: Clone + Send + 'static> Memory<T> {
    fn new(ask: Ask<T>) -> Self {
        Self { ask, asking: Arc::new(Semaphore::new(AT_ONCE)), names: Mutex::default() }
    }

    /// The records of a name; none if it has none, or if that cannot be told in time.
    async fn records(&self, name: &str, patience: Duration) -> Vec<T> {
        let entry = self.entry(name, Instant::now());
        let answer = entry.answer.get_or_init(|| self.ask(name, patience, entry.before.as_ref()));
        answer.await.as_ref().map(|known| known.records.clone()).unwrap_or_default()
    }

    /// What [`Memory::records`] gives, if it would give it at once.
    fn known(&self, name: &str) -> Option<Vec<T>> {
        let names = self.names.lock();
        let entry = names.get(name).filter(|entry| entry.is_believed(Instant::now()))?;
        let answer = entry.answer.get()?;
        Some(answer.as_ref().map(|known| known.records.clone()).unwrap_or_default())
    }

    async fn ask(
        &self,
        name: &str,
        patience: Duration,
        before: Option<&Known<T>>,
    ) -> Option<Known<T>> {
        let (question, asking) = ((self.ask)(name.to_owned()), Arc::clone(&self.asking));
        let answer = timeout(patience, async {
            let turn = asking.acquire_owned().await.ok()?;
            // A task of its own: the turn lasts until the answer has come.
            let asked = tokio::spawn(async move {
                let _turn = turn;
                question.await
            });
            asked.await.ok()?.ok()
        });
        let (found, now) = (answer.await.ok().flatten(), Instant::now());
        match (found, before) {
            (Some(found), _) => {
                Some(Known { records: found.records, found_at: now, until: now + found.life })
            }
            (None, Some(before)) => {
                tracing::warn!(name, "no name server answers: what was last known is used");
                Some(Known { until: now + STALE_LIFE, ..before.clone() })
            }
            (None, None) => None,
        }
    }

    fn entry(&self, name: &str, now: Instant) -> Arc<Entry<T>> {
        let mut names = self.names.lock();
        let before = match names.get(name) {
            Some(entry) if entry.is_believed(now) => return Arc::clone(entry),
            Some(entry) => entry.knowledge(now),
            None => None,
        };
        if names.len() >= LIMIT {
            names.clear();
        }
        let entry = Arc::new(Entry { answer: OnceCell::new(), asked_at: now, before });
        names.insert(name.to_owned(), Arc::clone(&entry));
        entry
    }
}

/// Resolves names.
pub(super) struct Resolver {
    addresses: Memory<IpAddr>,
    services: Memory<Service>,
}

impl Resolver {
    pub(super) fn new(questions: Questions) -> Self {
        Self {
            addresses: Memory::new(questions.addresses),
            services: Memory::new(questions.services),
        }
    }

    /// Where a host is reached, in the order in which to try it, at least one: at that port, or
    /// without one where its SRV records say, or at the transport's usual port (RFC 3263 §4.2).
    /// `lot` decides between records of the same priority. A literal address is itself.
    pub(super) async fn locate(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Transport,
        lot: u64,
    ) -> Result<Vec<(IpAddr, u16)>, Unreachable> {
        let unknown = || Unreachable::Name(host.to_owned());
        let usual = transport.usual_port();
        if let Some(address) = literal(host) {
            return Ok(vec![(address, port.unwrap_or(usual))]);
        }
        let (port, patience) = match port {
            Some(port) => (port, PATIENCE),
            None => {
                // Two questions in a row share the time.
                let patience = PATIENCE / 2;
                let name = services::service_name(host, transport);
                let services = self.services.records(&name, patience).await;
                if !services.is_empty() {
                    let services = services::order(&services, lot);
                    let asked = services.iter().map(|service| self.host(&service.host, patience));
                    let found = join_all(asked).await;
                    return merge(&services, found.into_iter().map(Some), host)
                        .unwrap_or_else(|| Err(unknown()));
                }
                (usual, patience)
            }
        };
        let addresses = self.host(host, patience).await;
        if addresses.is_empty() { Err(unknown()) } else { Ok(at(addresses, port)) }
    }

    /// What [`Resolver::locate`] gives, if it would give it at once.
    pub(super) fn located(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Transport,
        lot: u64,
    ) -> Option<Result<Vec<(IpAddr, u16)>, Unreachable>> {
        let usual = transport.usual_port();
        if let Some(address) = literal(host) {
            return Some(Ok(vec![(address, port.unwrap_or(usual))]));
        }
        if port.is_none() {
            let services = self.services.known(&services::service_name(host, transport))?;
            if !services.is_empty() {
                let services = services::order(&services, lot);
                let found = services.iter().map(|service| self.host_known(&service.host));
                return merge(&services, found, host);
            }
        }
        let addresses = self.addresses.known(host)?;
        if addresses.is_empty() {
            return Some(Err(Unreachable::Name(host.to_owned())));
        }
        Some(Ok(at(addresses, port.unwrap_or(usual))))
    }

    async fn host(&self, host: &str, patience: Duration) -> Vec<IpAddr> {
        match literal(host) {
            Some(address) => vec![address],
            None => self.addresses.records(host, patience).await,
        }
    }

    fn host_known(&self, host: &str) -> Option<Vec<IpAddr>> {
        literal(host).map(|address| vec![address]).or_else(|| self.addresses.known(host))
    }
}

/// The servers' addresses in the servers' order; nothing if one of them is not known.
fn merge(
    services: &[&Service],
    found: impl Iterator<Item = Option<Vec<IpAddr>>>,
    host: &str,
) -> Option<Result<Vec<(IpAddr, u16)>, Unreachable>> {
    if services.iter().all(|service| service.host.is_empty()) {
        return Some(Err(Unreachable::NoService(host.to_owned())));
    }
    let mut located = Vec::new();
    for (service, addresses) in services.iter().zip(found) {
        located.extend(at(addresses?, service.port));
    }
    located.truncate(MOST_ADDRESSES);
    Some(if located.is_empty() { Err(Unreachable::Name(host.to_owned())) } else { Ok(located) })
}

fn at(addresses: Vec<IpAddr>, port: u16) -> Vec<(IpAddr, u16)> {
    addresses.into_iter().take(MOST_ADDRESSES).map(|address| (address, port)).collect()
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::sip::stack::names::Found;

    const LIFE: Duration = Duration::from_secs(60);

    fn found<T>(records: Vec<T>) -> io::Result<Found<T>> {
        Ok(Found { records, life: LIFE })
    }

    /// A resolver that knows some names, and the count of its questions.
    fn resolver() -> (Resolver, Arc<AtomicUsize>) {
        let questions = Arc::new(AtomicUsize::new(0));
        let counts = [Arc::clone(&questions), Arc::clone(&questions)];
        let [of_addresses, of_services] = counts;
        let addresses: Ask<IpAddr> = Box::new(move |host| {
            of_addresses.fetch_add(1, Ordering::Relaxed);
            let answer = match host.as_str() {
                "known" => found(vec!["10.0.0.1".parse().unwrap()]),
                "first" => found(vec!["10.0.1.1".parse().unwrap(), "10.0.1.2".parse().unwrap()]),
                "second" => found(vec!["10.0.2.1".parse().unwrap()]),
                "empty" => found(vec![]),
                _ => Err(io::ErrorKind::NotFound.into()),
            };
            if host == "slow" {
                return std::future::pending().boxed();
            }
            async { answer }.boxed()
        });
        let services: Ask<Service> = Box::new(move |name| {
            of_services.fetch_add(1, Ordering::Relaxed);
            let server = |priority, port, host: &str| Service {
                priority,
                weight: 0,
                port,
                host: host.to_owned(),
            };
            let answer = match name.as_str() {
                "_sip._udp.cluster" => found(vec![server(2, 7, "second"), server(1, 6, "first")]),
                "_sip._udp.half" => found(vec![server(1, 6, "unknown"), server(2, 7, "second")]),
                "_sip._udp.denied" => found(vec![server(0, 0, "")]),
                _ => found(vec![]),
            };
            if name == "_sip._udp.slow" {
                return std::future::pending().boxed();
            }
            async { answer }.boxed()
        });
        (Resolver::new(Questions { addresses, services }), questions)
    }

    async fn located(resolver: &Resolver, host: &str, port: Option<u16>) -> Option<Vec<String>> {
        let found = resolver.locate(host, port, Transport::Udp, 1).await.ok()?;
        Some(found.into_iter().map(|(ip, port)| format!("{ip}:{port}")).collect())
    }

    /// Host, port, and where they lead.
    type Row = (&'static str, Option<u16>, Option<&'static [&'static str]>);

    #[tokio::test]
    async fn names_lead_where_their_records_say() {
        let rows: [Row; 8] = [
            ("known", Some(9), Some(&["10.0.0.1:9"])),
            ("known", None, Some(&["10.0.0.1:5060"])),
            ("cluster", None, Some(&["10.0.1.1:6", "10.0.1.2:6", "10.0.2.1:7"])),
            // A port says that the records are not asked for.
            ("cluster", Some(9), None),
            ("half", None, Some(&["10.0.2.1:7"])),
            ("denied", None, None),
            ("empty", None, None),
            ("unknown", Some(9), None),
        ];
        for (host, port, expected) in rows {
            let (resolver, questions) = resolver();
            assert!(resolver.located(host, port, Transport::Udp, 1).is_none(), "{host}");
            let found = located(&resolver, host, port).await;
            let expected = expected.map(|e| e.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
            assert_eq!(found, expected, "{host} {port:?}");
            let asked = questions.load(Ordering::Relaxed);
            assert_eq!(located(&resolver, host, port).await, found, "{host}");
            let known = resolver.located(host, port, Transport::Udp, 1).unwrap();
            assert_eq!(known.is_ok(), found.is_some(), "{host}");
            assert_eq!(questions.load(Ordering::Relaxed), asked, "{host} is remembered");
        }
    }

    #[tokio::test]
    async fn an_answer_is_believed_as_long_as_it_says_and_a_failure_for_a_shorter_time() {
        let (resolver, _) = resolver();
        for (host, life) in [("known", LIFE), ("unknown", FAILURE_LIFE), ("empty", FAILURE_LIFE)] {
            let _answer = resolver.addresses.records(host, PATIENCE).await;
            let entry = resolver.addresses.entry(host, Instant::now());
            let slack = Duration::from_secs(1);
            assert!(entry.is_believed(entry.asked_at + life - slack), "{host}");
            assert!(!entry.is_believed(entry.asked_at + life + slack), "{host}");
        }
    }

    /// A name server that dies: its last word holds for a while, and is not asked for each time.
    #[tokio::test]
    async fn what_was_last_known_stands_in_while_no_name_server_answers() {
        let questions = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&questions);
        let memory = Memory::<u8>::new(Box::new(move |_| {
            let first = counted.fetch_add(1, Ordering::Relaxed) == 0;
            let answer = if first {
                Ok(Found { records: vec![7], life: Duration::ZERO })
            } else {
                Err(io::ErrorKind::TimedOut.into())
            };
            async { answer }.boxed()
        }));
        assert_eq!(memory.records("carrier", PATIENCE).await, [7]);
        for _ in 0..3 {
            assert_eq!(memory.records("carrier", PATIENCE).await, [7]);
        }
        assert_eq!(questions.load(Ordering::Relaxed), 2);
        let entry = memory.entry("carrier", Instant::now());
        assert!(entry.knowledge(Instant::now()).is_some());
        assert!(entry.knowledge(Instant::now() + STALE).is_none(), "it is too old by then");
    }

    #[tokio::test]
    async fn a_lookup_that_takes_too_long_has_failed() {
        let (resolver, questions) = resolver();
        let began = Instant::now();
        assert!(located(&resolver, "slow", None).await.is_none());
        assert!(began.elapsed() < PATIENCE * 5, "{:?}", began.elapsed());
        assert_eq!(questions.load(Ordering::Relaxed), 2, "the service and the host itself");
        assert!(located(&resolver, "slow", None).await.is_none());
        assert_eq!(questions.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn an_address_is_itself() {
        let (resolver, questions) = resolver();
        for host in ["::1", "[::1]"] {
            assert_eq!(located(&resolver, host, None).await.unwrap(), ["::1:5060"]);
            assert!(resolver.located(host, Some(7), Transport::Udp, 1).is_some());
        }
        assert_eq!(questions.load(Ordering::Relaxed), 0);
    }
}
