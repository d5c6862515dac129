//! A trace drawn as a ladder: time runs down, messages are arrows between us and the peers.
//!
//! ```text
//! time       127.0.0.1:5060                      192.0.2.7:5060
//!               |                                      |
//! +0.000 s      |---------- INVITE (1 INVITE) -------->|
//! +0.012 s      |<------- 100 Trying (1 INVITE) -------|
//! ```

use core::net::SocketAddr;

use super::{Direction, SipMessage, SipTrace, Start};

/// Characters between two lifelines: room for most labels, and two peers fit on a terminal.
const LANE: usize = 46;
/// Characters of the column of times.
const MARGIN: usize = 14;
/// The longest label; a longer reason phrase is cut.
const LABEL_CHARS: usize = LANE - 8;

/// Draws a trace.
pub fn draw(trace: &SipTrace) -> String {
    let peers = trace.peers();
    let mut drawing = format!(
        "conversation {}, {} messages",
        trace.conversation,
        trace.messages.len() + usize::try_from(trace.dropped).unwrap_or(0)
    );
    if trace.dropped > 0 {
        drawing.push_str(&format!(", {} of them not kept", trace.dropped));
    }
    drawing.push('\n');
    let Some(first) = trace.messages.first() else { return drawing };
    drawing.push_str(&format!("began {}\n\n", first.at.rfc3339(chrono_tz::UTC)));
    drawing.push_str(&heads(first.local, &peers));
    let mut part = None;
    for (message, is_repetition) in trace.messages.iter().zip(trace.repetitions()) {
        if part != Some((&message.leg, message.attempt)) {
            part = Some((&message.leg, message.attempt));
            let title =
                format!("{:MARGIN$}-- {} try {}", "", message.leg, u32::from(message.attempt) + 1);
            drawing.push_str(&format!("{}\n{title}\n", lifelines(peers.len()).trim_end()));
        }
        let after_ms = message.at.ms_since(first.at);
        let sign = if after_ms < 0 { '-' } else { '+' };
        let after_ms = after_ms.unsigned_abs();
        let time = format!("{sign}{}.{:03} s", after_ms / 1_000, after_ms % 1_000);
        let lane = peers.iter().position(|peer| *peer == message.remote).unwrap_or(0);
        let mut row = lifelines(peers.len());
        row.replace_range(..time.len().min(MARGIN), &time[..time.len().min(MARGIN)]);
        row.replace_range(column(0) + 1..column(lane + 1), &arrow(message, lane));
        let again = if is_repetition { "  again" } else { "" };
        drawing.push_str(&format!("{}{again}\n", row.trim_end()));
    }
    drawing
}

/// Where a lifeline stands: ours is 0.
fn column(lane: usize) -> usize {
    MARGIN + lane * LANE
}

fn lifelines(peers: usize) -> String {
    let mut row = " ".repeat(column(peers) + 1);
    for lane in 0..=peers {
        row.replace_range(column(lane)..=column(lane), "|");
    }
    row
}

fn heads(local: SocketAddr, peers: &[SocketAddr]) -> String {
    let mut row = format!("{:MARGIN$}", "time");
    row.push_str(&format!("{:LANE$}", local.to_string()));
    for peer in peers {
        row.push_str(&format!("{:LANE$}", peer.to_string()));
    }
    format!("{}\n", row.trim_end())
}

/// An arrow with its label, as long as the way from us to the lane is. ASCII only, so that bytes
/// are columns.
fn arrow(message: &SipMessage, lane: usize) -> String {
    let length = column(lane + 1) - column(0) - 1;
    let what = match message.start() {
        Start::Request { method } => method.to_owned(),
        Start::Response { status, phrase } => format!("{status} {phrase}"),
    };
    let with_body = if has_sdp(message) { " SDP" } else { "" };
    let label = format!("{}{with_body} ({})", what.trim_end(), message.cseq());
    let label: String = label
        .chars()
        .take(LABEL_CHARS)
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect();
    let dashes = length.saturating_sub(label.len() + 3);
    let (before, after) = ("-".repeat(dashes / 2), "-".repeat(dashes - dashes / 2));
    match message.direction {
        Direction::Sent => format!("{before} {label} {after}>"),
        Direction::Received => format!("<{before} {label} {after}"),
    }
}

fn has_sdp(message: &SipMessage) -> bool {
    message.text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.starts_with("v=0"))
}
