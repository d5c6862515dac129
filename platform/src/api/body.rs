//! Reading a request's body within a limit of bytes and of time.

use std::time::Duration;

use poem::Body;
use poem::error::ReadBodyError;
use yunling_app::Refusal;
use yunling_domain::error_code::{BAD_PARAMETER, BODY_TOO_LARGE, MALFORMED_JSON};

/// The longest request of the interfaces but `apply`: fifty contents and 4 KiB of user data fit in
/// a fraction of it.
pub(super) const REQUEST_BYTES: usize = 64 * 1024;
/// How long a body may take to come.
const COMES_WITHIN: Duration = Duration::from_secs(30);
/// What larger limits are given more time by, bytes a second: a slow office line.
const SLOWEST_BYTES_PER_S: usize = 256 * 1024;

/// The whole body.
///
/// # Errors
/// `BODY_TOO_LARGE` beyond the limit, `MALFORMED_JSON` where the connection broke off in between or
/// the rest did not come in time.
pub(super) async fn read(body: Body, limit_bytes: usize) -> Result<Vec<u8>, Refusal> {
    read_within(body, limit_bytes, patience(limit_bytes)).await
}

/// The whole body of JSON. A NUL in a text is refused here, for every field alike: one of the
/// databases has no place for it.
///
/// # Errors
/// Those of [`read`], and `BAD_PARAMETER` for a NUL.
pub(super) async fn read_json(body: Body, limit_bytes: usize) -> Result<Vec<u8>, Refusal> {
    let bytes = read(body, limit_bytes).await?;
    if holds_nul(&bytes) {
        return Err(Refusal::new(BAD_PARAMETER)
            .with_detail("a text holds \\u0000: expected texts without that character"));
    }
    Ok(bytes)
}

/// Whether a JSON text has the escape of NUL; a backslash before it makes it plain text.
fn holds_nul(json: &[u8]) -> bool {
    let escape = b"\\u0000";
    // A run of backslashes is only looked back over where an escape ends it: once.
    json.windows(escape.len()).enumerate().any(|(at, part)| {
        let backslash = |byte: &&u8| **byte == b'\\';
        part == escape && json[..at].iter().rev().take_while(backslash).count() % 2 == 0
    })
}

async fn read_within(
    body: Body,
    limit_bytes: usize,
    patience: Duration,
) -> Result<Vec<u8>, Refusal> {
    let Ok(read) = tokio::time::timeout(patience, body.into_bytes_limit(limit_bytes)).await else {
        return Err(too_slow(patience));
    };
    match read {
        Ok(bytes) => Ok(bytes.into()),
        Err(ReadBodyError::PayloadTooLarge) => Err(too_large(limit_bytes)),
        Err(error) => Err(Refusal::new(MALFORMED_JSON)
            .with_detail(format!("the body could not be read to its end: {error}"))),
    }
}

fn too_large(limit_bytes: usize) -> Refusal {
    Refusal::new(BODY_TOO_LARGE).with_detail(format!("expected at most {limit_bytes} bytes"))
}

fn patience(limit_bytes: usize) -> Duration {
    let more_s = limit_bytes.saturating_sub(REQUEST_BYTES) / SLOWEST_BYTES_PER_S;
    COMES_WITHIN + Duration::from_secs(more_s as u64)
}

fn too_slow(patience: Duration) -> Refusal {
    Refusal::new(MALFORMED_JSON)
        .with_detail(format!("the body did not come to its end within {} s", patience.as_secs()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io;
    use tokio::io::{AsyncWriteExt as _, duplex};

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for_without_end() {
        let (mut sender, receiver) = duplex(64);
        sender.write_all(b"{").await.unwrap();
        let (body, patience) = (Body::from_async_read(receiver), Duration::from_millis(20));
        let refusal = read_within(body, REQUEST_BYTES, patience).await.unwrap_err();
        assert_eq!(refusal.code, MALFORMED_JSON);
        assert!(refusal.detail.contains("did not come to its end within"), "{refusal}");

        let (mut sender, receiver) = duplex(64);
        sender.write_all(b"{}").await.unwrap();
        drop(sender);
        assert_eq!(read(Body::from_async_read(receiver), REQUEST_BYTES).await.unwrap(), b"{}");
        let broken = Body::from_bytes_stream(futures_util::stream::iter([
            Ok(b"{".to_vec()),
            Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        ]));
        let refusal = read(broken, REQUEST_BYTES).await.unwrap_err();
        assert!(refusal.detail.contains("to its end"), "{refusal}");
    }

    #[test]
    fn a_nul_is_found_and_its_spelling_is_not() {
        for (json, found) in [
            (r#"{"a":"\u0000"}"#, true),
            (r#"{"a":"\\u0000"}"#, false),
            (r#"{"a":"\\\u0000"}"#, true),
            (r#"{"a":"u0000 \u0001"}"#, false),
            ("", false),
        ] {
            assert_eq!(holds_nul(json.as_bytes()), found, "{json}");
        }
    }

    #[test]
    fn large_limits_get_more_time() {
        assert_eq!(patience(REQUEST_BYTES).as_secs(), 30);
        assert_eq!(patience(REQUEST_BYTES + 128 * 1024 * 1024).as_secs(), 30 + 512);
    }
}
