//! A customer: asks for notices at an even pace, and waits for their callbacks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex as Turn;
use tokio::sync::mpsc;

use crate::callbacks::{self, Callbacks};
use crate::latency::Latencies;
use crate::told;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long no callback may come before the rest is given up.
const QUIET: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

/// Arguments of `customer`. It prints `ready`; each line `COUNT PER_S PREFIX WAIT` on standard
/// input makes so many requests, to numbers that begin with PREFIX, and prints `requested` with what
/// was answered; where WAIT is `callbacks` it waits for them and prints `done` with those that came.
/// It ends with its standard input.
#[derive(clap::Args)]
pub(crate) struct Customer {
    /// The platform's HTTP address
    #[arg(long)]
    api: SocketAddr,
    /// The account
    #[arg(long)]
    account: String,
    /// Its token
    #[arg(long)]
    token: String,
    /// The application
    #[arg(long)]
    appid: String,
    /// The recording to play
    #[arg(long)]
    content: String,
    /// Connections kept open; a request that finds none free waits, and that is part of its time
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Where callbacks are received
    #[arg(long)]
    receive: SocketAddr,
}

/// What was answered.
#[derive(Default)]
struct Answers {
    accepted: usize,
    refused: usize,
    failed: usize,
    latencies: Latencies,
    /// The first refusal's body.
    refusal: Option<String>,
}

/// One request to make.
struct Order {
    due: Instant,
    to: String,
}

impl Customer {
    pub(crate) fn run(self) -> Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.serve())
    }

    async fn serve(self) -> Result<()> {
        let callbacks = callbacks::listen(self.receive).await?;
        let (sender, mut orders) = mpsc::channel(1);
        std::thread::spawn(move || {
            let lines = told::lines();
            while let Ok(line) = lines.recv() {
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        });
        told::tell(&json!({ "at": "ready" }));
        let customer = Arc::new(self);
        while let Some(line) = orders.recv().await {
            let mut words = line.split_ascii_whitespace();
            let (Some(count), Some(per_s), Some(prefix), Some(wait)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                anyhow::bail!("expected COUNT PER_S PREFIX WAIT, found {line:?}");
            };
            let awaited = (wait == "callbacks").then_some(&*callbacks);
            customer.load(count.parse()?, per_s.parse()?, prefix, awaited).await?;
        }
        Ok(())
    }

    async fn load(
        self: &Arc<Self>,
        count: usize,
        per_s: f64,
        prefix: &str,
        callbacks: Option<&Callbacks>,
    ) -> Result<()> {
        let before = callbacks.map_or((0, 0, 0), figures);
        let (sender, orders) = mpsc::channel(count.max(1));
        let (orders, answers) = (Arc::new(Turn::new(orders)), Arc::new(Mutex::default()));
        let lanes: Vec<_> = (0..self.connections)
            .map(|_| {
                let (orders, answers) = (Arc::clone(&orders), Arc::clone(&answers));
                tokio::spawn(Arc::clone(self).lane(orders, answers))
            })
            .collect();
        let start = Instant::now();
        for number in 0..count {
            let due = start + Duration::from_secs_f64(number as f64 / per_s);
            if due > Instant::now() {
                tokio::time::sleep_until(due.into()).await;
            }
            sender.send(Order { due, to: format!("{prefix}{number:06}") }).await?;
        }
        drop(sender);
        for lane in lanes {
            lane.await?;
        }
        let took_s = start.elapsed().as_secs_f64();
        let mut answers: Answers = std::mem::take(&mut *answers.lock());
        told::tell(&json!({
            "at": "requested",
            "accepted": answers.accepted,
            "refused": answers.refused,
            "failed": answers.failed,
            "refusal": answers.refusal,
            "took_s": took_s,
            "p50_ms": answers.latencies.quantile_ms(0.5),
            "p99_ms": answers.latencies.quantile_ms(0.99),
            "max_ms": answers.latencies.quantile_ms(1.0),
        }));
        if let Some(callbacks) = callbacks {
            wait(callbacks, before.0 + answers.accepted).await;
            let after = figures(callbacks);
            told::tell(&json!({
                "at": "done",
                "calls": after.0 - before.0,
                "callbacks": after.1 - before.1,
                "delivered": after.2 - before.2,
                "took_s": start.elapsed().as_secs_f64(),
            }));
        }
        Ok(())
    }

    /// One connection. It is made anew where it broke.
    async fn lane(
        self: Arc<Self>,
        orders: Arc<Turn<mpsc::Receiver<Order>>>,
        answers: Arc<Mutex<Answers>>,
    ) {
        let mut connection = None;
        let mut buffer = Vec::new();
        loop {
            let Some(order) = orders.lock().await.recv().await else { return };
            let request = self.request(&order.to);
            let asking = ask(&mut connection, self.api, &request, &mut buffer);
            let answer = tokio::time::timeout(PATIENCE, asking).await;
            let took = order.due.elapsed();
            let mut answers = answers.lock();
            answers.latencies.add(took);
            match answer {
                Ok(Ok(body)) if body["statusCode"] == "0" => answers.accepted += 1,
                Ok(Ok(body)) => {
                    answers.refused += 1;
                    answers.refusal.get_or_insert_with(|| body.to_string());
                }
                _ => {
                    connection = None;
                    answers.failed += 1;
                }
            }
        }
    }

    fn request(&self, to: &str) -> Vec<u8> {
        let body = json!({
            "appid": self.appid,
            "to": to,
            "times": "1",
            "contents": [{ "type": "voice", "content": self.content }],
        })
        .to_string();
        let secret = BASE64.encode(format!("{}:{}", self.account, self.token));
        format!(
            "POST /Accounts/{}/VoiceNotices HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {secret}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.account,
            self.api,
            body.len()
        )
        .into_bytes()
    }
}

/// Calls, callbacks, and calls that were spoken to.
fn figures(callbacks: &Callbacks) -> (usize, usize, usize) {
    (
        callbacks.calls(),
        callbacks.all.load(Ordering::Relaxed),
        callbacks.delivered.load(Ordering::Relaxed),
    )
}

/// Until so many calls have had their callback, or none has come for long.
async fn wait(callbacks: &Callbacks, wanted: usize) {
    let (mut last, mut since) = (callbacks.calls(), Instant::now());
    while last < wanted && since.elapsed() < QUIET {
        tokio::time::sleep(LOOK).await;
        let now = callbacks.calls();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

/// One request and its answer.
async fn ask(
    connection: &mut Option<TcpStream>,
    api: SocketAddr,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<Value> {
    let stream = match connection {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(api).await?;
            stream.set_nodelay(true)?;
            buffer.clear();
            connection.insert(stream)
        }
    };
    stream.write_all(request).await?;
    loop {
        if let Some((head, length)) = callbacks::whole(buffer) {
            let body = serde_json::from_slice(&buffer[head..head + length]);
            buffer.drain(..head + length);
            return Ok(body?);
        }
        if stream.read_buf(buffer).await? == 0 {
            anyhow::bail!("the connection was closed");
        }
    }
}
