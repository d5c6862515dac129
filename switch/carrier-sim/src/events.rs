//! The event log: JSON Lines of everything that happens, for tests and for the curious.
//!
//! A thread of its own writes, so that a slow disk or a full pipe never delays a call. Its queue
//! holds [`QUEUE`] lines; when it is full, lines are dropped, and the next line that gets through
//! says how many (`lines_dropped`).

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use serde::Serialize;

use crate::clock::Clock;
use crate::media::Figures;
use crate::orders::Order;

/// Lines that may wait for the writer.
const QUEUE: usize = 20_000;

/// Whom an event is about.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Who {
    /// Call-ID.
    pub(crate) call: String,
    /// User part of the Request-URI: the number that was called.
    pub(crate) to: String,
    /// User part of From.
    pub(crate) from: String,
    /// User part of P-Asserted-Identity, else of Remote-Party-ID.
    pub(crate) identity: Option<String>,
}

/// What happened; the variant's name in snake case is the line's `kind`.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum What {
    /// The network is up.
    Ready { listen: SocketAddr },
    /// A first INVITE came.
    Invite { uri: String, transport: &'static str, source: SocketAddr },
    /// The same INVITE came again.
    InviteRepeated,
    /// An INVITE (or its CANCEL) that this number never replies to.
    Ignored { method: String },
    /// 180 or 183 was sent.
    Ringing { code: u16, early_media: bool },
    /// A final response other than 2xx was sent.
    Refused { code: u16, why: String },
    /// 200 was sent.
    Answered {
        codec: &'static str,
        telephone_event: bool,
        rtp: Option<SocketAddr>,
        peer_rtp: Option<SocketAddr>,
        after_ms: u64,
    },
    /// The final response was acknowledged.
    Acked { code: u16, after_ms: u64 },
    /// The handset pressed a key.
    Key { key: char, by: &'static str },
    /// The caller pressed a key.
    KeyHeard { key: String, by: &'static str },
    /// CANCEL came; late ones find an answered or ended call.
    Cancel { in_time: bool, reason: Option<String> },
    /// The caller's BYE came.
    ByeReceived { reason: Option<String> },
    /// The handset sent BYE.
    ByeSent { why: &'static str },
    /// Its BYE was answered.
    ByeAnswered { code: u16 },
    /// The handset's INFO (a key) was answered.
    InfoAnswered { code: u16 },
    /// Its BYE was never answered.
    ByeUnanswered,
    /// Somebody has told the handset what to do.
    Told { order: Order },
    /// The handset asked for a change of the session by re-INVITE.
    ChangeOffered { direction: &'static str },
    /// What became of it.
    ChangeAnswered { code: u16, direction: &'static str },
    /// The caller changed the session by re-INVITE or UPDATE.
    SessionChanged { method: String, direction: &'static str },
    /// A 200 was never acknowledged.
    NoAck,
    /// The call is over: the last event of its media (BYE and ACK may still be answered).
    Ended {
        by: &'static str,
        rang_ms: u64,
        talked_ms: u64,
        wav: Option<PathBuf>,
        rtp: Option<Figures>,
    },
    /// The recording could not be written.
    RecordingFailed { error: String },
    /// The network itself could not carry the call.
    Fault { error: String },
    /// A REGISTER was taken.
    Registered { user: String, contact: String, expires_s: u32, registrations: usize },
    /// A user's registrations were removed at its wish.
    Unregistered { user: String },
    /// A REGISTER was challenged or refused.
    RegisterRefused { user: String, code: u16 },
    /// An OPTIONS outside of any call came; without a code it got no reply.
    OptionsReceived { source: SocketAddr, code: Option<u16> },
    /// Bytes that are no SIP message, or a message that fits nowhere.
    Malformed { source: SocketAddr, error: String },
}

#[derive(Serialize)]
struct Line<'a> {
    at_us: i64,
    #[serde(flatten)]
    what: &'a What,
    #[serde(flatten)]
    who: Option<&'a Who>,
    #[serde(skip_serializing_if = "is_zero")]
    lines_dropped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Where events go.
pub(crate) struct Events {
    clock: Clock,
    lines: Option<SyncSender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
    dropped: u64,
}

impl Events {
    /// `target` is a file to append to, `-` for standard output, or nothing.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(crate) fn open(target: Option<&Path>, clock: Clock) -> io::Result<Self> {
        let Some(target) = target else {
            return Ok(Self { clock, lines: None, writer: None, dropped: 0 });
        };
        let mut out: Box<dyn Write + Send> = if target == Path::new("-") {
            Box::new(io::stdout())
        } else {
            Box::new(OpenOptions::new().create(true).append(true).open(target)?)
        };
        let (lines, waiting) = sync_channel::<Vec<u8>>(QUEUE);
        let writer = std::thread::Builder::new().name("events".into()).spawn(move || {
            for line in waiting {
                // Nobody may be reading any more: calls go on all the same.
                let _ = out.write_all(&line).and_then(|()| out.flush());
            }
        })?;
        Ok(Self { clock, lines: Some(lines), writer: Some(writer), dropped: 0 })
    }

    pub(crate) fn emit(&mut self, at: Instant, who: Option<&Who>, what: &What) {
        let Some(lines) = &self.lines else { return };
        let line = Line { at_us: self.clock.unix_us(at), what, who, lines_dropped: self.dropped };
        let Ok(mut bytes) = serde_json::to_vec(&line) else {
            self.dropped += 1;
            return;
        };
        bytes.push(b'\n');
        match lines.try_send(bytes) {
            Ok(()) => self.dropped = 0,
            Err(_) => self.dropped += 1,
        }
    }

    /// Waits until everything is written; blocks.
    pub(crate) fn close(mut self) {
        self.lines = None;
        if let Some(writer) = self.writer.take() {
            // The writer does not panic; if it did, there would be nothing to wait for.
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed file is a failed test")]
    use super::*;

    #[test]
    fn a_line_says_when_what_and_who() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let clock = Clock::start();
        let now = clock.now();
        let mut events = Events::open(Some(&path), clock).unwrap();
        let who = Who {
            call: "c@h".into(),
            to: "13800138001".into(),
            from: "010".into(),
            identity: None,
        };
        events.emit(now, Some(&who), &What::Key { key: '1', by: "rfc4733" });
        events.emit(now, None, &What::InviteRepeated);
        events.close();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let at_us = clock.unix_us(now);
        assert_eq!(
            lines,
            [
                serde_json::json!({"at_us": at_us, "kind": "key", "key": "1", "by": "rfc4733", "call": "c@h", "to": "13800138001", "from": "010", "identity": null}),
                serde_json::json!({"at_us": at_us, "kind": "invite_repeated"}),
            ]
        );
    }
}
