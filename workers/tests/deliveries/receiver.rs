//! A customer's callback receiver whose answers can be changed in mid-test.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// This status, further header lines and body.
    Status(u16, &'static str, &'static str),
    /// Reads and never answers.
    Hang,
    /// Closes the connection without an answer.
    Reset,
    /// 200, then a byte of body now and then, without end.
    SlowDrip,
    /// 200 and 8 MiB of body.
    Huge,
    /// Redirects there.
    RedirectTo(String),
}

pub(crate) const OK: Answer = Answer::Status(200, "", "thanks");
pub(crate) const BROKEN: Answer = Answer::Status(500, "", "we are broken");

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }
}

/// Listens until it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    received: Arc<Mutex<Vec<Received>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(answer));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (its_answer, its_received) = (Arc::clone(&answer), Arc::clone(&received));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, received) = (Arc::clone(&its_answer), Arc::clone(&its_received));
                tokio::spawn(async move {
                    // A client that has gone away ends the conversation, not the receiver.
                    let _ = serve(stream, &answer, &received).await;
                });
            }
        });
        Self { address, answer, received, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/cdr?key=1", self.address)
    }

    /// Answers so from now on.
    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &Mutex<Answer>,
    received: &Mutex<Vec<Received>>,
) -> io::Result<()> {
    let request = read_request(&mut stream).await?;
    received.lock().unwrap().push(request);
    let answer = answer.lock().unwrap().clone();
    match answer {
        Answer::Status(code, headers, body) => {
            let head = format!(
                "HTTP/1.1 {code} X\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
        }
        Answer::RedirectTo(location) => {
            let head = format!(
                "HTTP/1.1 302 X\r\nconnection: close\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
        }
        Answer::Hang => std::future::pending::<()>().await,
        Answer::Reset => stream.set_zero_linger()?,
        Answer::SlowDrip => {
            stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n").await?;
            loop {
                stream.write_all(b".").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Answer::Huge => {
            let head = "HTTP/1.1 200 X\r\ncontent-length: 8388608\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            for _ in 0..8_192 {
                stream.write_all(&[b'x'; 1_024]).await?;
            }
        }
    }
    Ok(())
}

async fn read_request(stream: &mut TcpStream) -> io::Result<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().unwrap();
    while bytes.len() < head_end + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Received { path, headers, body: bytes[head_end..].to_vec() })
}
