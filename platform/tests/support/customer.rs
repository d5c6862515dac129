//! A customer's HTTP server that collects callbacks, and whose answer can be changed in mid-test.
//! A little HTTP/1.1 by hand, because it has to misbehave in ways that a server's library forbids.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use yunling_domain::Micros;
use yunling_workers::signature;

use super::PATIENCE;
use super::tenant::SECRET;

/// What the server does with a callback that it has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Answers with this status.
    Status(u16),
    /// Answers with this status and `Retry-After`, seconds.
    RetryAfter(u16, u32),
    /// Says nothing until the other side gives up.
    Hang,
    /// Resets the connection.
    Reset,
    /// 302 to another address.
    Redirect(String),
    /// 200, after a while.
    Slow(Duration),
    /// 200, but a byte at a time with this pause after each.
    Drip(Duration),
}

/// One callback as it came.
#[derive(Debug, Clone)]
pub(crate) struct Callback {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
    /// By the wall clock, for the signature.
    received_at: Micros,
    /// What it was answered.
    pub(crate) answer: Answer,
}

impl Callback {
    /// A header's value, `""` where it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The event's identifier: the same in every repeat.
    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a callback's body is JSON")
    }

    /// A field of the body as text, `""` where it is not there.
    pub(crate) fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }

    /// Checks the signature as a customer has to, with the sample application's secret.
    pub(crate) fn verify(&self) -> Result<(), signature::SignatureError> {
        signature::verify(
            &SECRET.parse().unwrap(),
            self.id(),
            self.header("webhook-timestamp"),
            self.header("webhook-signature"),
            &self.body,
            self.received_at,
        )
    }
}

/// The server; stops when dropped.
pub(crate) struct Customer {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    answer: Mutex<Answer>,
    callbacks: Mutex<Vec<Callback>>,
    /// Their number.
    count: watch::Sender<usize>,
    /// Whether anybody listens.
    open: watch::Sender<bool>,
}

impl Customer {
    /// Starts one on a free port; it answers 200.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answer: Mutex::new(Answer::Status(200)),
            callbacks: Mutex::new(Vec::new()),
            count: watch::Sender::new(0),
            open: watch::Sender::new(true),
        });
        let server = tokio::spawn(serve(listener, address, Arc::clone(&shared)));
        Self { address, shared, server }
    }

    /// An address of its; `path` begins with `/`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers so from now on.
    pub(crate) fn answer(&self, answer: Answer) {
        *self.shared.answer.lock() = answer;
    }

    /// Closes the port and every connection: nobody is there.
    pub(crate) fn go_down(&self) {
        self.shared.open.send_replace(false);
    }

    /// Listens again on the same port.
    pub(crate) fn come_up(&self) {
        self.shared.open.send_replace(true);
    }

    /// Every callback so far, repeats too.
    pub(crate) fn callbacks(&self) -> Vec<Callback> {
        self.shared.callbacks.lock().clone()
    }

    /// Those whose body says so, such as `("callid", …)`.
    pub(crate) fn with(&self, field: &str, value: &str) -> Vec<Callback> {
        let mut callbacks = self.callbacks();
        callbacks.retain(|callback| callback.field(field) == value);
        callbacks
    }

    /// Waits for the first callback of a request.
    pub(crate) async fn wait_for_result(&self, request_id: &str) -> Callback {
        self.wait_until(&format!("callback of {request_id}"), PATIENCE, |callbacks| {
            callbacks.iter().find(|callback| callback.field("requestid") == request_id).cloned()
        })
        .await
    }

    /// Waits for so many callbacks, repeats too.
    pub(crate) async fn wait_for_count(&self, count: usize, patience: Duration) -> Vec<Callback> {
        self.wait_until(&format!("{count} callbacks"), patience, |callbacks| {
            (callbacks.len() >= count).then(|| callbacks.to_vec())
        })
        .await
    }

    /// Waits until `look` finds something in the callbacks so far.
    pub(crate) async fn wait_until<T>(
        &self,
        name: &str,
        patience: Duration,
        mut look: impl FnMut(&[Callback]) -> Option<T>,
    ) -> T {
        let mut count = self.shared.count.subscribe();
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            if let Some(found) = look(&self.shared.callbacks.lock()) {
                return found;
            }
            if tokio::time::timeout_at(deadline, count.changed()).await.is_err() {
                let callbacks = self.callbacks();
                let bodies = callbacks.iter().map(|one| String::from_utf8_lossy(&one.body));
                panic!("no {name} within {patience:?}; came: {:#?}", bodies.collect::<Vec<_>>());
            }
        }
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        self.server.abort();
        self.go_down();
    }
}

async fn serve(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut open = shared.open.subscribe();
    let mut listener = Some(listener);
    loop {
        if !*open.borrow_and_update() {
            listener = None;
            // The sender lives in `shared`, which this task holds.
            let _ = open.changed().await;
            continue;
        }
        if listener.is_none() {
            listener = Some(TcpListener::bind(address).await.expect("its port is still free"));
        }
        let Some(listening) = &listener else { continue };
        tokio::select! {
            _ = open.changed() => {}
            accepted = listening.accept() => {
                let (stream, _) = accepted.expect("a listener accepts");
                let (shared, mut open) = (Arc::clone(&shared), open.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = converse(stream, &shared) => {}
                        _ = open.wait_for(|open| !open) => {}
                    }
                });
            }
        }
    }
}

/// Reads requests from one connection, and answers them, until it is closed.
async fn converse(mut stream: TcpStream, shared: &Shared) {
    let mut buffer = Vec::new();
    while let Some(mut callback) = read_request(&mut stream, &mut buffer).await {
        let answer = shared.answer.lock().clone();
        callback.answer = answer.clone();
        let count = {
            let mut callbacks = shared.callbacks.lock();
            callbacks.push(callback);
            callbacks.len()
        };
        shared.count.send_replace(count);
        let sent = match answer {
            Answer::Status(status) => respond(&mut stream, status, "").await,
            Answer::RetryAfter(status, seconds) => {
                respond(&mut stream, status, &format!("Retry-After: {seconds}\r\n")).await
            }
            Answer::Redirect(to) => respond(&mut stream, 302, &format!("Location: {to}\r\n")).await,
            Answer::Slow(time) => {
                tokio::time::sleep(time).await;
                respond(&mut stream, 200, "").await
            }
            Answer::Drip(pause) => drip(&mut stream, pause).await,
            Answer::Hang => {
                // Nothing more comes from a client that waits: this ends when it gives up.
                let _ = stream.read(&mut [0; 64]).await;
                return;
            }
            Answer::Reset => {
                // Closing without lingering sends RST.
                let _ = stream.set_zero_linger();
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn respond(stream: &mut TcpStream, status: u16, headers: &str) -> std::io::Result<()> {
    let answer = format!("HTTP/1.1 {status} Test\r\n{headers}Content-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await
}

async fn drip(stream: &mut TcpStream, pause: Duration) -> std::io::Result<()> {
    for byte in b"HTTP/1.1 200 Test\r\nContent-Length: 0\r\n\r\n" {
        stream.write_all(std::slice::from_ref(byte)).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// The next request; none once the connection is closed.
#[expect(clippy::disallowed_methods, reason = "the customer's clock is not the platform's")]
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Callback> {
    const END: &[u8] = b"\r\n\r\n";
    let head_length = loop {
        if let Some(at) = buffer.windows(END.len()).position(|window| window == END) {
            break at + END.len();
        }
        read_more(stream, buffer).await?;
    };
    let head = String::from_utf8(buffer[..head_length].to_vec()).expect("a head is ASCII");
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    while buffer.len() < head_length + length {
        read_more(stream, buffer).await?;
    }
    let rest = buffer.split_off(head_length + length);
    let body = buffer.split_off(head_length);
    *buffer = rest;
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Some(Callback {
        method,
        path,
        headers,
        body,
        at: Instant::now(),
        received_at: Micros(i64::try_from(wall.as_micros()).unwrap()),
        answer: Answer::Status(200),
    })
}

async fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4_096];
    let count = stream.read(&mut chunk).await.ok()?;
    buffer.extend_from_slice(&chunk[..count]);
    (count > 0).then_some(())
}
