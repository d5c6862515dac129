//! The server of a customer that callbacks come to. It counts them, and answers 200 at once.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Requests longer than this are not callbacks of ours.
const LONGEST: usize = 64 * 1_024;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// What came.
#[derive(Default)]
pub(crate) struct Callbacks {
    calls: Mutex<HashSet<String>>,
    /// Repeats too.
    pub(crate) all: AtomicUsize,
    /// Those whose call was answered and spoken to.
    pub(crate) delivered: AtomicUsize,
}

impl Callbacks {
    /// How many calls have had theirs.
    pub(crate) fn calls(&self) -> usize {
        self.calls.lock().len()
    }

    fn take(&self, body: &[u8]) {
        self.all.fetch_add(1, Ordering::Relaxed);
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        if self.calls.lock().insert(text("callid")) && text("result") == "0" {
            self.delivered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Listens for as long as the runtime lives.
pub(crate) async fn listen(at: SocketAddr) -> Result<Arc<Callbacks>> {
    let listener = TcpListener::bind(at).await.with_context(|| format!("cannot listen on {at}"))?;
    let callbacks = Arc::new(Callbacks::default());
    let shared = Arc::clone(&callbacks);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&shared)));
        }
    });
    Ok(callbacks)
}

/// One connection, request by request. It ends with its client, or at what is no HTTP.
async fn serve(mut stream: TcpStream, callbacks: Arc<Callbacks>) {
    let mut buffer = Vec::new();
    loop {
        let Some((head, length)) = whole(&buffer) else {
            if buffer.len() > LONGEST || stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        callbacks.take(&buffer[head..head + length]);
        buffer.drain(..head + length);
        if stream.write_all(OK).await.is_err() {
            return;
        }
    }
}

/// The length of the head and of the body of a message that has come whole.
pub(crate) fn whole(buffer: &[u8]) -> Option<(usize, usize)> {
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?;
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Some(0), |(_, value)| value.trim().parse().ok())?;
    (buffer.len() >= head + length).then_some((head, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_whole_with_its_body() {
        for (text, expected) in [
            ("POST / HTTP/1.1\r\n", None),
            ("POST / HTTP/1.1\r\n\r\n", Some((19, 0))),
            ("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{", None),
            ("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}POST", Some((38, 2))),
        ] {
            assert_eq!(whole(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn repeats_count_once() {
        let callbacks = Callbacks::default();
        for body in [r#"{"callid":"CA1","result":"0"}"#, r#"{"callid":"CA2","result":"1"}"#] {
            callbacks.take(body.as_bytes());
            callbacks.take(body.as_bytes());
        }
        assert_eq!(callbacks.calls(), 2);
        assert_eq!(callbacks.all.load(Ordering::Relaxed), 4);
        assert_eq!(callbacks.delivered.load(Ordering::Relaxed), 1);
    }
}
