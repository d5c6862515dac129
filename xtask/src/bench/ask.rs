//! The bench's own requests to a node: one a connection, answered in JSON.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The bench's account and its token (node.rs), as RFC 7617 writes them.
const AUTHORIZATION: &str = "Basic YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU6\
                             MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const PATIENCE: Duration = Duration::from_secs(60);

/// GET; gives the answer, and how long it took from the connection to its last byte.
pub(super) fn get(http: SocketAddr, path: &str) -> Result<(Value, Duration)> {
    ask(http, "GET", path, "")
}

/// POST of a JSON document.
pub(super) fn post(http: SocketAddr, path: &str, body: &Value) -> Result<Value> {
    Ok(ask(http, "POST", path, &body.to_string())?.0)
}

fn ask(http: SocketAddr, method: &str, path: &str, body: &str) -> Result<(Value, Duration)> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(http)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the answer ends with the connection.
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {http}\r\nAuthorization: {AUTHORIZATION}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("no answer to {path}"))?;
    let took = began.elapsed();
    let status = answer.split_ascii_whitespace().nth(1).unwrap_or_default();
    ensure!(status.starts_with('2'), "{method} {path} was answered {answer}");
    let (_, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
    Ok((serde_json::from_str(body)?, took))
}
