//! Cuts a TCP stream into messages by Content-Length (RFC 3261 §18.3).

use crate::message::{Malformed, split_head};

/// A longer message than any call needs: its sender has lost the thread.
const LONGEST: usize = 65_536;

/// What a stream holds next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// One whole message.
    Message(Vec<u8>),
    /// A double CRLF that wants a single one back (RFC 5626 §4.4.1).
    Ping,
}

/// Bytes of one connection that are not yet a message.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    pending: Vec<u8>,
}

impl Framing {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next frame, if it is whole.
    ///
    /// # Errors
    /// When the stream cannot be followed any further: close the connection.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        let blank = self.pending.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if self.pending.starts_with(b"\r\n\r\n") {
            self.pending.drain(..4);
            return Ok(Some(Frame::Ping));
        }
        if blank > 0 && blank < self.pending.len() {
            self.pending.drain(..blank);
        }
        let Some((head, rest)) = split_head(&self.pending) else {
            return if self.pending.len() > LONGEST {
                Err(Malformed::TooLong(LONGEST))
            } else {
                Ok(None)
            };
        };
        let length = declared_length(head).ok_or(Malformed::Missing("Content-Length"))?;
        if length > LONGEST {
            return Err(Malformed::TooLong(LONGEST));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let whole = self.pending.len() - rest.len() + length;
        Ok(Some(Frame::Message(self.pending.drain(..whole).collect())))
    }
}

fn declared_length(head: &[u8]) -> Option<usize> {
    String::from_utf8_lossy(head).lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let name = name.trim();
        let is_length =
            name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("l");
        is_length.then(|| value.trim().parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Vec<u8> {
        format!("OPTIONS sip:a SIP/2.0\r\nl: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[test]
    fn cuts_whatever_the_pieces_are() {
        let mut stream = message("first");
        stream.extend_from_slice(b"\r\n\r\n");
        stream.extend_from_slice(&message(""));
        for piece in 1..stream.len() {
            let (mut framing, mut frames) = (Framing::default(), Vec::new());
            for bytes in stream.chunks(piece) {
                framing.push(bytes);
                while let Ok(Some(frame)) = framing.next_frame() {
                    frames.push(frame);
                }
            }
            let messages: Vec<_> = frames.iter().filter(|frame| **frame != Frame::Ping).collect();
            assert_eq!(
                messages,
                [&Frame::Message(message("first")), &Frame::Message(message(""))],
                "pieces of {piece}"
            );
        }
    }

    #[test]
    fn gives_up_on_a_stream_without_lengths() {
        let mut framing = Framing::default();
        framing.push(b"OPTIONS sip:a SIP/2.0\r\nTo: b\r\n\r\n");
        assert_eq!(framing.next_frame(), Err(Malformed::Missing("Content-Length")));
        let mut framing = Framing::default();
        framing.push(&vec![b'a'; LONGEST + 1]);
        assert_eq!(framing.next_frame(), Err(Malformed::TooLong(LONGEST)));
    }
}
