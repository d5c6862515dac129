//! One attempt at a callback: one signed POST and what came of it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use tokio::time::Instant;
use url::{Host, Url};
use yunling_app::secrets::WebhookSecret;
use yunling_app::trace_context;
use yunling_domain::Micros;
use yunling_store::deliveries::Delivery;
use yunling_store::deliveries::platform_side::DeliveryAttempt;

use super::guard::{Forbidden, Guard};
use super::resolver::GuardedResolver;
use super::retry_after;
use super::schedule::Outcome;
use crate::signature;

/// Bytes of an answer that are kept with the attempt.
const KEPT_BYTES: usize = 512;
/// Bytes of an answer that are read, so that the connection of a common short answer can be used
/// again; of a longer one it is dropped.
const READ_BYTES: usize = 4_096;
/// How long the answer's body is read: the status has decided already.
const BODY_LIMIT: Duration = Duration::from_secs(2);
/// Idle connections kept to one receiver.
const IDLE_CONNECTIONS: usize = 4;
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// How errors of attempts without a connection begin: the attempt log is where the schedule learns
/// how a round began.
const NO_CONNECTION: &str = "no connection";
const BROKEN: &str = "the connection broke";
/// Characters of an error that are kept.
const ERROR_CHARS: usize = 300;

/// What came of an attempt.
#[derive(Debug)]
pub(crate) struct Report {
    /// For the attempt log.
    pub(crate) attempt: DeliveryAttempt,
    /// For the schedule.
    pub(crate) outcome: Outcome,
    /// Milliseconds that the receiver asks to be left alone.
    pub(crate) retry_after_ms: Option<i64>,
    /// Whether the receiver answered at all.
    pub(crate) answered: bool,
}

/// Sends callbacks. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    client: Client,
    guard: Arc<Guard>,
    timeout_ms: u32,
}

impl Sender {
    /// A client that follows no redirect, knows no proxy and connects only where `guard` allows.
    ///
    /// # Errors
    /// The TLS library cannot be started.
    pub(crate) fn new(guard: Guard, timeout_ms: u32) -> Result<Self, reqwest::Error> {
        let guard = Arc::new(guard);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
        let client = Client::builder()
            .user_agent(concat!("Yunling/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&guard))))
            .timeout(Duration::from_millis(timeout_ms.into()))
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_LIMIT)
            .build()?;
        Ok(Self { client, guard, timeout_ms })
    }

    /// One attempt, begun at `now`, signed with `secrets`; none where the application is no longer
    /// there. Repeats send the same id and the same bytes; only the stamp and
    /// with it the signature are new.
    pub(crate) async fn send(
        &self,
        delivery: &Delivery,
        secrets: Option<&[WebhookSecret]>,
        now: Micros,
    ) -> Report {
        let began = Instant::now();
        let sent = match self.target(&delivery.caused.url, secrets) {
            Ok(url) => self.post(url, delivery, secrets.unwrap_or_default(), now).await,
            Err(refusal) => Err(refusal),
        };
        let latency_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        let attempt =
            DeliveryAttempt { at: now, status: None, latency_ms, error: None, answer_head: None };
        match sent {
            Ok(response) => read_answer(response, attempt).await,
            Err((outcome, error)) => Report {
                attempt: DeliveryAttempt { error: Some(error), ..attempt },
                outcome,
                retry_after_ms: None,
                answered: false,
            },
        }
    }

    /// Where it goes, if it may go there at all.
    fn target(
        &self,
        url: &str,
        secrets: Option<&[WebhookSecret]>,
    ) -> Result<Url, (Outcome, String)> {
        match secrets {
            None => Err((Outcome::Failed, "not sent: the application is gone".to_owned())),
            Some([]) => Err((
                Outcome::Unsigned,
                "not sent: the application has no webhook secret that can be used".to_owned(),
            )),
            Some(_) => self.allowed(url).map_err(|refusal| (Outcome::Failed, refusal)),
        }
    }

    fn allowed(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| format!("not sent: url: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("not sent: url: expected http or https, found {}", url.scheme()));
        }
        // The client asks its resolver for names only.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => self.guard.check(address.into()),
            Some(Host::Ipv6(address)) => self.guard.check(address.into()),
            Some(Host::Domain(_)) => Ok(()),
            None => return Err("not sent: url: it names no host".to_owned()),
        };
        literal.map(|()| url).map_err(|forbidden| format!("not sent: {forbidden}"))
    }

    async fn post(
        &self,
        url: Url,
        delivery: &Delivery,
        secrets: &[WebhookSecret],
        now: Micros,
    ) -> Result<Response, (Outcome, String)> {
        let (id, body) = (&delivery.caused.id, &delivery.caused.body);
        let request = self
            .client
            .post(url)
            .header("webhook-id", id)
            .header("webhook-timestamp", now.second())
            .header(
                "webhook-signature",
                signature::sign(secrets, id, now.second(), body.as_bytes()),
            )
            .body(body.clone());
        let request = match trace_context::current() {
            Some(traceparent) => request.header(trace_context::HEADER, traceparent),
            None => request,
        };
        request.send().await.map_err(|error| self.judge(&error))
    }

    /// Why there was no answer.
    fn judge(&self, error: &reqwest::Error) -> (Outcome, String) {
        if error.is_timeout() {
            return (Outcome::Failed, format!("no answer within {} ms", self.timeout_ms));
        }
        let mut deepest: &dyn std::error::Error = error;
        while let Some(source) = deepest.source() {
            if let Some(forbidden) = source.downcast_ref::<Forbidden>() {
                return (Outcome::Failed, format!("not sent: {forbidden}"));
            }
            deepest = source;
        }
        let what = if error.is_connect() { NO_CONNECTION } else { BROKEN };
        let words: String = deepest.to_string().chars().take(ERROR_CHARS).collect();
        (Outcome::NoConnection, format!("{what}: {words}"))
    }
}

/// Whether a recorded attempt had [`Outcome::NoConnection`].
pub(crate) fn had_no_connection(attempt: &DeliveryAttempt) -> bool {
    let begins = |with| attempt.error.as_deref().is_some_and(|error| error.starts_with(with));
    attempt.status.is_none() && (begins(NO_CONNECTION) || begins(BROKEN))
}

async fn read_answer(mut response: Response, attempt: DeliveryAttempt) -> Report {
    let status = response.status();
    let (outcome, error) = match status.as_u16() {
        200..=299 => (Outcome::Acknowledged, None),
        410 => (Outcome::Gone, Some("answered 410: wanted no more".to_owned())),
        code @ 300..=399 => {
            (Outcome::Failed, Some(format!("answered {code}: redirects are not followed")))
        }
        code => (Outcome::Failed, Some(format!("answered {code}"))),
    };
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_ms = retry_after.and_then(|value| retry_after::parse(value, attempt.at));
    let head = read_head(&mut response).await;
    Report {
        attempt: DeliveryAttempt {
            status: Some(status.as_u16()),
            error,
            answer_head: head,
            ..attempt
        },
        outcome,
        retry_after_ms,
        answered: true,
    }
}

/// The first bytes of the answer, as text. Whatever goes wrong with the rest does not matter.
async fn read_head(response: &mut Response) -> Option<String> {
    let mut head = Vec::new();
    let reading = async {
        let mut read = 0;
        while read < READ_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            read += chunk.len();
            let wanted = KEPT_BYTES - head.len();
            head.extend_from_slice(&chunk[..chunk.len().min(wanted)]);
        }
    };
    // Out of time: what has come is kept.
    let _ = tokio::time::timeout(BODY_LIMIT, reading).await;
    // PostgreSQL's text holds no NUL.
    (!head.is_empty()).then(|| String::from_utf8_lossy(&head).replace('\0', "\u{fffd}"))
}
