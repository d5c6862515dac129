//! How long a captcha takes from its request to its INVITE: a customer and a carrier in one process,
//! so that one clock measures both ends.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::callbacks::whole;
use crate::latency::Latencies;
use crate::told;

/// What captchas' numbers begin with; a batch's begin with 138.
const CAPTCHAS: &str = "1390";
/// How long the phones ring.
const RINGS: Duration = Duration::from_millis(300);
/// How long an INVITE may take before it counts as missing.
const LATEST: Duration = Duration::from_secs(6);
/// The batch runs so long before the first captcha: its calls are in every state then.
const WARM_UP: Duration = Duration::from_secs(5);
/// The longest datagram.
const DATAGRAM_BYTES: usize = 65_535;

/// Arguments of `captcha`. It answers every call at `--carrier`, sends a batch of `--batch` numbers
/// where that is not 0, then captchas at an even pace, and prints what was seen.
#[derive(clap::Args)]
pub(crate) struct Captcha {
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
    /// The recording that the batch plays
    #[arg(long)]
    content: String,
    /// Where the carrier answers, over UDP
    #[arg(long)]
    carrier: SocketAddr,
    /// Numbers of the batch
    #[arg(long, default_value_t = 0)]
    batch: u32,
    /// Captchas
    #[arg(long, default_value_t = 200)]
    captchas: u32,
    /// Captchas a second
    #[arg(long, default_value_t = 5.0)]
    per_s: f64,
}

/// What the carrier has seen.
#[derive(Default)]
struct Seen {
    /// When each number was first invited.
    invited: HashMap<String, Instant>,
    batch_calls: usize,
}

impl Captcha {
    pub(crate) fn run(self) -> Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.measure())
    }

    async fn measure(self) -> Result<()> {
        let seen = Arc::<Mutex<Seen>>::default();
        let socket = UdpSocket::bind(self.carrier).await.context("cannot bind the carrier")?;
        tokio::spawn(carry(Arc::new(socket), Arc::clone(&seen)));
        told::tell(&json!({ "at": "ready" }));
        let mut accepted_in_ms = None;
        if self.batch > 0 {
            let began = Instant::now();
            let to: Vec<String> = (0..self.batch).map(|n| format!("138{n:08}")).collect();
            let body = json!({
                "appid": self.appid, "to": to.join(","), "times": 1,
                "contents": [{ "type": "voice", "content": self.content }],
            });
            let answer = self.ask("BatchVoiceNotices", &body).await?;
            ensure!(answer["statusCode"] == "0", "the batch was refused: {answer}");
            accepted_in_ms = Some(began.elapsed().as_millis() as u64);
            tokio::time::sleep(WARM_UP).await;
        }
        let (mut asked, mut answers) = (Vec::new(), Latencies::default());
        let (start, calls_before) = (Instant::now(), seen.lock().batch_calls);
        for n in 0..self.captchas {
            let due = start + Duration::from_secs_f64(f64::from(n) / self.per_s);
            tokio::time::sleep_until(due.into()).await;
            let to = format!("{CAPTCHAS}{n:07}");
            let body = json!({ "appid": self.appid, "to": to, "code": "1234" });
            let at = Instant::now();
            let answer = self.ask("VoiceCaptchas", &body).await?;
            ensure!(answer["statusCode"] == "0", "a captcha was refused: {answer}");
            answers.add(at.elapsed());
            asked.push((to, at));
        }
        let batch_per_s = {
            let calls = seen.lock().batch_calls - calls_before;
            calls as f64 / start.elapsed().as_secs_f64()
        };
        tokio::time::sleep(LATEST).await;
        let (mut invites, mut missing) = (Latencies::default(), 0);
        for (to, at) in asked {
            match seen.lock().invited.get(&to) {
                Some(invited) => invites.add(invited.duration_since(at)),
                None => missing += 1,
            }
        }
        told::tell(&json!({
            "at": "measured",
            "batch": self.batch,
            "batch_accepted_in_ms": accepted_in_ms,
            "batch_calls_per_s": batch_per_s,
            "captchas": self.captchas,
            "missing": missing,
            "answer_p99_ms": answers.quantile_ms(0.99),
            "p50_ms": invites.quantile_ms(0.5),
            "p99_ms": invites.quantile_ms(0.99),
            "max_ms": invites.quantile_ms(1.0),
        }));
        Ok(())
    }

    /// One request on a connection of its own, and its answer.
    async fn ask(&self, operation: &str, body: &Value) -> Result<Value> {
        let (body, secret) = (body.to_string(), format!("{}:{}", self.account, self.token));
        let head = format!(
            "POST /Accounts/{}/{operation} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.account,
            self.api,
            BASE64.encode(secret),
            body.len()
        );
        let mut stream = TcpStream::connect(self.api).await?;
        stream.set_nodelay(true)?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut buffer = Vec::new();
        loop {
            if let Some((head, length)) = whole(&buffer) {
                return Ok(serde_json::from_slice(&buffer[head..head + length])?);
            }
            ensure!(stream.read_buf(&mut buffer).await? > 0, "the connection was closed");
        }
    }
}

/// A carrier that answers every call after [`RINGS`] and lets the platform hang up.
async fn carry(socket: Arc<UdpSocket>, seen: Arc<Mutex<Seen>>) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let at = Instant::now();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let Some(request) = Request::read(&text) else { continue };
        match request.method {
            "INVITE" => {
                {
                    let mut seen = seen.lock();
                    if !request.user.starts_with(CAPTCHAS) {
                        seen.batch_calls += 1;
                    } else if !seen.invited.contains_key(request.user) {
                        seen.invited.insert(request.user.to_owned(), at);
                    }
                }
                let (ringing, answer) =
                    (request.answer(180, "Ringing", ""), request.answered(&socket));
                let socket = Arc::clone(&socket);
                tokio::spawn(async move {
                    // What is lost here is missed and told as such.
                    let _ = socket.send_to(ringing.as_bytes(), from).await;
                    tokio::time::sleep(RINGS).await;
                    let _ = socket.send_to(answer.as_bytes(), from).await;
                });
            }
            "ACK" => {}
            _ => {
                let _ = socket.send_to(request.answer(200, "OK", "").as_bytes(), from).await;
            }
        }
    }
}

/// As much of a SIP request as an answer needs (RFC 3261 §8.2.6).
struct Request<'t> {
    method: &'t str,
    /// The user part of the request's URI.
    user: &'t str,
    /// Via, From, To, Call-ID and CSeq as they came.
    copied: Vec<&'t str>,
}

impl<'t> Request<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let (method, rest) = lines.next()?.split_once(' ')?;
        let user = rest.strip_prefix("sip:")?.split(['@', ';', ' ']).next()?;
        let copied = ["via:", "from:", "to:", "call-id:", "cseq:"];
        let is_copied = |line: &&str| {
            let line = line.to_ascii_lowercase();
            copied.iter().any(|name| line.starts_with(name))
        };
        let copied = lines.take_while(|line| !line.is_empty()).filter(is_copied).collect();
        Some(Self { method, user, copied })
    }

    fn answer(&self, code: u16, reason: &str, rest: &str) -> String {
        let mut answer = format!("SIP/2.0 {code} {reason}\r\n");
        for line in &self.copied {
            answer.push_str(line);
            let is_to = line.to_ascii_lowercase().starts_with("to:");
            if is_to && !line.contains("tag=") {
                answer.push_str(";tag=carrier");
            }
            answer.push_str("\r\n");
        }
        if rest.is_empty() {
            answer.push_str("Content-Length: 0\r\n\r\n");
        } else {
            answer.push_str(rest);
        }
        answer
    }

    /// 200 with media that go nowhere: the discard port.
    fn answered(&self, socket: &UdpSocket) -> String {
        let address = socket.local_addr().ok();
        let (ip, port) =
            address.map_or(("127.0.0.1".to_owned(), 0), |at| (at.ip().to_string(), at.port()));
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio 9 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        );
        let rest = format!(
            "Contact: <sip:carrier@{ip}:{port}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        );
        self.answer(200, "OK", &rest)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic with its line is what a test is for")]

    use super::*;

    #[test]
    fn an_answer_has_what_the_request_had() {
        let invite = "INVITE sip:13900000001@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nTo: <sip:x>\r\n\
                      From: <sip:y>;tag=1\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\nv=0";
        let request = Request::read(invite).unwrap();
        assert_eq!((request.method, request.user), ("INVITE", "13900000001"));
        assert_eq!(
            request.answer(180, "Ringing", ""),
            "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP a\r\nTo: <sip:x>;tag=carrier\r\n\
             From: <sip:y>;tag=1\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        assert!(Request::read("SIP/2.0 200 OK\r\n\r\n").is_none());
    }
}
