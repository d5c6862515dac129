//! Host names to addresses, remembered for a while: a trunk is asked for hundreds of times a
//! second.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use super::Unreachable;

/// How long a name's addresses are believed. The system's resolver does not say.
const LIFE: Duration = Duration::from_secs(30);

/// How long it is believed that a name has no address: peers that name themselves by what only
/// their own network knows must not cost a lookup for each message.
const FAILURE_LIFE: Duration = Duration::from_secs(5);

/// How long a lookup may take: a call's first words wait for some of them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lookups at once; each takes a thread of the runtime's until the system gives it back, also when
/// nobody waits for it any more. Beyond, they wait, and may run out of time.
const AT_ONCE: usize = 64;

/// Names that are remembered; beyond, all are forgotten and asked for again.
const LIMIT: usize = 1_024;

/// Asks the system for a host's addresses.
pub(crate) type Ask =
    Box<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

struct Name {
    /// None if it cannot be resolved.
    addresses: OnceCell<Option<Vec<IpAddr>>>,
    asked_at: Instant,
}

impl Name {
    fn is_believed(&self, now: Instant) -> bool {
        let life = if let Some(None) = self.addresses.get() { FAILURE_LIFE } else { LIFE };
        now.duration_since(self.asked_at) < life
    }
}

/// Resolves host names. A name is asked for once however many wait for it.
pub(super) struct Resolver {
    ask: Ask,
    asking: Arc<Semaphore>,
    names: Mutex<HashMap<String, Arc<Name>>>,
}

impl Resolver {
    /// Asks the system.
    pub(super) fn system() -> Self {
        Self::new(Box::new(|host| {
            let found = async move { tokio::net::lookup_host((host, 0)).await };
            found.map(|found| Ok(found?.map(|address| address.ip()).collect::<Vec<_>>())).boxed()
        }))
    }

    pub(super) fn new(ask: Ask) -> Self {
        Self { ask, asking: Arc::new(Semaphore::new(AT_ONCE)), names: Mutex::default() }
    }

    /// The addresses of a host, at least one; a literal address is itself.
    pub(super) async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, Unreachable> {
        if let Some(address) = literal(host) {
            return Ok(vec![address]);
        }
        let name = self.name(host, Instant::now());
        let addresses = name.addresses.get_or_init(|| self.ask(host)).await;
        addresses.clone().ok_or_else(|| Unreachable::Name(host.to_owned()))
    }

    /// What [`Resolver::lookup`] gives, if it would give it at once.
    pub(super) fn known(&self, host: &str) -> Option<Result<Vec<IpAddr>, Unreachable>> {
        if let Some(address) = literal(host) {
            return Some(Ok(vec![address]));
        }
        let names = self.names.lock();
        let name = names.get(host).filter(|name| name.is_believed(Instant::now()))?;
        let addresses = name.addresses.get()?;
        Some(addresses.clone().ok_or_else(|| Unreachable::Name(host.to_owned())))
    }

    async fn ask(&self, host: &str) -> Option<Vec<IpAddr>> {
        let (question, asking) = ((self.ask)(host.to_owned()), Arc::clone(&self.asking));
        let answer = timeout(PATIENCE, async {
            let turn = asking.acquire_owned().await.ok()?;
            // A task of its own: the turn lasts until the system has answered.
            let asked = tokio::spawn(async move {
                let _turn = turn;
                question.await
            });
            asked.await.ok()?.ok()
        });
        answer.await.ok().flatten().filter(|addresses| !addresses.is_empty())
    }

    fn name(&self, host: &str, now: Instant) -> Arc<Name> {
        let mut names = self.names.lock();
        if let Some(name) = names.get(host).filter(|name| name.is_believed(now)) {
            return Arc::clone(name);
        }
        if names.len() >= LIMIT {
            names.clear();
        }
        let name = Arc::new(Name { addresses: OnceCell::new(), asked_at: now });
        names.insert(host.to_owned(), Arc::clone(&name));
        name
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A resolver that knows one name, and the count of its questions.
    fn resolver() -> (Resolver, Arc<AtomicUsize>) {
        let questions = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&questions);
        let resolver = Resolver::new(Box::new(move |host| {
            counted.fetch_add(1, Ordering::Relaxed);
            let answer = match host.as_str() {
                "known" => Ok(vec!["10.0.0.1".parse().unwrap()]),
                "empty" => Ok(vec![]),
                _ => Err(io::ErrorKind::NotFound.into()),
            };
            if host == "slow" {
                return std::future::pending().boxed();
            }
            async { answer }.boxed()
        }));
        (resolver, questions)
    }

    #[tokio::test]
    async fn answers_and_failures_are_remembered() {
        for (host, found) in [("known", true), ("empty", false), ("unknown", false)] {
            let (resolver, questions) = resolver();
            assert!(resolver.known(host).is_none());
            for _ in 0..3 {
                assert_eq!(resolver.lookup(host).await.is_ok(), found, "{host}");
            }
            assert_eq!(questions.load(Ordering::Relaxed), 1, "{host}");
            assert_eq!(resolver.known(host).unwrap().is_ok(), found, "{host}");
        }
    }

    #[tokio::test]
    async fn a_failure_is_believed_for_a_shorter_time() {
        let (resolver, _) = resolver();
        for (host, life) in [("known", LIFE), ("unknown", FAILURE_LIFE)] {
            let _answer = resolver.lookup(host).await;
            let name = resolver.name(host, Instant::now());
            assert!(name.is_believed(name.asked_at + life - Duration::from_millis(1)), "{host}");
            assert!(!name.is_believed(name.asked_at + life), "{host}");
        }
    }

    #[tokio::test]
    async fn a_lookup_that_takes_too_long_has_failed() {
        let (resolver, questions) = resolver();
        let began = Instant::now();
        assert!(resolver.lookup("slow").await.is_err());
        assert!(began.elapsed() < PATIENCE * 5, "{:?}", began.elapsed());
        assert!(resolver.lookup("slow").await.is_err());
        assert_eq!(questions.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn an_address_is_itself() {
        let (resolver, questions) = resolver();
        for host in ["::1", "[::1]"] {
            assert_eq!(resolver.lookup(host).await.unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
            assert!(resolver.known(host).is_some());
        }
        assert_eq!(questions.load(Ordering::Relaxed), 0);
    }
}
