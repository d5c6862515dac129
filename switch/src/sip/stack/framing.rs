//! Cuts a stream into messages (RFC 3261 §18.3) and keep-alives (RFC 5626 §3.5.1). Pure: bytes in,
//! frames out.

use bytes::{Buf as _, BytesMut};

/// The longest message that is taken, as long as the longest datagram.
pub(super) const LONGEST: usize = 65_535;

/// One thing that a stream carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A message, head and body.
    Message(BytesMut),
    /// Two line ends: to be answered with one.
    Ping,
    /// One line end: the answer.
    Pong,
}

/// Why a stream cannot be read on: nobody can tell any more where a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Torn {
    #[error("a message is longer than {LONGEST} bytes")]
    TooLong,
    #[error("a message has no Content-Length, which a stream needs (RFC 3261 §20.14)")]
    NoLength,
    #[error("a message's Content-Length is no number, or there are two that differ")]
    BadLength,
}

/// Where a stream's reader stands.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// So much of the buffer holds no end of a head.
    searched: usize,
    /// A line end came alone: another one makes it a ping that was cut in two.
    half_ping: bool,
}

impl Framing {
    /// The line end that came alone was the answer to a ping of ours, and no half of the peer's.
    pub(super) fn pong_awaited(&mut self) {
        self.half_ping = false;
    }

    /// Takes the next frame off the buffer; nothing until more has come.
    ///
    /// # Errors
    /// [`Torn`]: the stream must be ended.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Torn> {
        if buffer.starts_with(b"\r\n\r\n") {
            buffer.advance(4);
            self.half_ping = false;
            return Ok(Some(Frame::Ping));
        }
        if buffer.starts_with(b"\r\n") {
            buffer.advance(2);
            self.half_ping = !self.half_ping;
            return Ok(Some(if self.half_ping { Frame::Pong } else { Frame::Ping }));
        }
        let end = buffer[self.searched..].windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end.map(|at| self.searched + at + 4) else {
            self.searched = buffer.len().saturating_sub(3);
            return if buffer.len() > LONGEST { Err(Torn::TooLong) } else { Ok(None) };
        };
        let length = body_length(&buffer[..end])?.saturating_add(end);
        if length > LONGEST {
            return Err(Torn::TooLong);
        }
        if buffer.len() < length {
            self.searched = end - 4;
            return Ok(None);
        }
        *self = Self::default();
        Ok(Some(Frame::Message(buffer.split_to(length))))
    }
}

/// What Content-Length says.
fn body_length(head: &[u8]) -> Result<usize, Torn> {
    let mut length = None;
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = line[..colon].trim_ascii();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).unwrap_or_default();
        // `parse` alone would take a sign.
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let value = value.parse().ok().filter(|_| digits).ok_or(Torn::BadLength)?;
        if length.is_some_and(|known| known != value) {
            return Err(Torn::BadLength);
        }
        length = Some(value);
    }
    length.ok_or(Torn::NoLength)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use proptest::prelude::*;

    use super::*;

    const BYE: &[u8] = b"BYE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";
    const INFO: &[u8] = b"INFO sip:a SIP/2.0\r\nX: y\r\nl : 6\r\n\r\n1\r\n\r\n2";

    /// All frames of a stream that comes in pieces of so many bytes.
    fn frames(stream: &[u8], piece: usize) -> Result<Vec<Frame>, Torn> {
        let (mut framing, mut buffer) = (Framing::default(), BytesMut::new());
        let mut frames = Vec::new();
        for bytes in stream.chunks(piece) {
            buffer.extend_from_slice(bytes);
            while let Some(frame) = framing.next(&mut buffer)? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    #[test]
    fn messages_and_keep_alives_are_told_apart_however_they_are_cut() {
        let stream = [BYE, b"\r\n\r\n", INFO, BYE, b"\r\n", INFO].concat();
        let message = |bytes| Frame::Message(BytesMut::from(bytes));
        let expected =
            [message(BYE), Frame::Ping, message(INFO), message(BYE), Frame::Pong, message(INFO)];
        for piece in [1, 2, 3, 7, 64, stream.len()] {
            let mut found = frames(&stream, piece).unwrap();
            // Cut in two, a ping looks like an answer first.
            if found[1..3] == [Frame::Pong, Frame::Ping] {
                found.remove(1);
            }
            assert_eq!(found, expected, "{piece}");
        }
    }

    /// Which frames three line ends make that come alone, without and with a ping of ours before.
    #[test]
    fn answers_to_our_pings_are_no_halves_of_the_peers() {
        for (pinged, second) in [(false, Frame::Ping), (true, Frame::Pong)] {
            let (mut framing, mut buffer) = (Framing::default(), BytesMut::new());
            let mut found = Vec::new();
            for _ in 0..3 {
                buffer.extend_from_slice(b"\r\n");
                found.extend(framing.next(&mut buffer).unwrap());
                if pinged {
                    framing.pong_awaited();
                }
            }
            assert_eq!(found, [Frame::Pong, second, Frame::Pong], "{pinged}");
        }
    }

    #[test]
    fn a_stream_whose_ends_cannot_be_known_is_torn() {
        let long = [b"BYE sip:a SIP/2.0\r\nX: ", &[b'x'; LONGEST][..]].concat();
        let rows: [(&[u8], Torn); 7] = [
            (b"BYE sip:a SIP/2.0\r\nX: y\r\n\r\n", Torn::NoLength),
            (b"BYE sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", Torn::BadLength),
            (b"BYE sip:a SIP/2.0\r\nContent-Length: +1\r\n\r\n", Torn::BadLength),
            (b"BYE sip:a SIP/2.0\r\nContent-Length: \r\n\r\n", Torn::BadLength),
            (b"BYE sip:a SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n", Torn::BadLength),
            (b"BYE sip:a SIP/2.0\r\nl: 65536\r\n\r\n", Torn::TooLong),
            (&long, Torn::TooLong),
        ];
        for (stream, torn) in rows {
            let name = String::from_utf8_lossy(&stream[..stream.len().min(60)]);
            assert_eq!(frames(stream, 1_000), Err(torn), "{name}");
        }
    }

    proptest! {
        /// Whatever comes, what is kept waiting is bounded and nothing is invented.
        #[test]
        fn what_waits_is_bounded(stream in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let (mut framing, mut buffer) = (Framing::default(), BytesMut::from(&stream[..]));
            let mut taken = 0;
            while let Ok(Some(frame)) = framing.next(&mut buffer) {
                taken += match frame {
                    Frame::Message(bytes) => bytes.len(),
                    Frame::Ping => 4,
                    Frame::Pong => 2,
                };
                prop_assert!(taken <= stream.len() + 2);
            }
            prop_assert!(buffer.len() <= stream.len());
        }
    }
}
