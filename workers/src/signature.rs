//! Signatures of callbacks, as Standard Webhooks has them: HMAC-SHA-256 over `id.timestamp.body`,
//! sent as `v1,` and base64; several, parted by spaces, while a secret rotates.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use yunling_app::secrets::WebhookSecret;
use yunling_domain::Micros;

/// How far a receiver's clock may be from ours, seconds.
pub const TOLERANCE_S: i64 = 300;

/// The value of `webhook-signature`: one signature a secret, the newest first.
pub fn sign(secrets: &[WebhookSecret], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let signatures = secrets.iter().map(|secret| {
        let tag = hmac::sign(&key(secret), &signed(id, &timestamp_s.to_string(), body));
        format!("v1,{}", BASE64.encode(tag))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

/// Why a callback is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// `webhook-timestamp` is no number of seconds.
    #[error("webhook-timestamp is not a number of seconds")]
    BadTimestamp,
    /// It was signed too long ago, or in the future.
    #[error("webhook-timestamp is more than {TOLERANCE_S} s away")]
    OutsideTolerance,
    /// No signature fits.
    #[error("no signature in webhook-signature fits")]
    NoMatch,
}

/// Checks a callback as its receiver does.
///
/// # Errors
/// Why it is not to be trusted.
pub fn verify(
    secret: &WebhookSecret,
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: Micros,
) -> Result<(), SignatureError> {
    let stamped: i64 = timestamp.parse().map_err(|_| SignatureError::BadTimestamp)?;
    if stamped.abs_diff(now.second()) > TOLERANCE_S.unsigned_abs() {
        return Err(SignatureError::OutsideTolerance);
    }
    let (key, signed) = (key(secret), signed(id, timestamp, body));
    let fits = signatures
        .split(' ')
        .filter_map(|signature| BASE64.decode(signature.strip_prefix("v1,")?).ok())
        .any(|tag| hmac::verify(&key, &signed, &tag).is_ok());
    if fits { Ok(()) } else { Err(SignatureError::NoMatch) }
}

fn key(secret: &WebhookSecret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.key())
}

fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_specifications_example() {
        let secret: WebhookSecret = SECRET.parse().unwrap();
        assert_eq!(sign(std::slice::from_ref(&secret), ID, TIMESTAMP, BODY), SIGNATURE);
    }

    #[test]
    fn what_a_receiver_accepts() {
        let secret: WebhookSecret = SECRET.parse().unwrap();
        let other: WebhookSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3".parse().unwrap();
        let both = sign(&[other.clone(), secret.clone()], ID, TIMESTAMP, BODY);
        let now = Micros(TIMESTAMP * 1_000_000);
        let at = TIMESTAMP.to_string();
        type Case<'a> = (&'a WebhookSecret, &'a str, &'a str, &'a [u8], i64, Verdict);
        type Verdict = Result<(), SignatureError>;
        let cases: [Case<'_>; 7] = [
            (&secret, &at, SIGNATURE, BODY, 0, Ok(())),
            (&secret, &at, &both, BODY, 299_000, Ok(())),
            (&other, &at, SIGNATURE, BODY, 0, Err(SignatureError::NoMatch)),
            (&secret, &at, SIGNATURE, b"{}", 0, Err(SignatureError::NoMatch)),
            (&secret, &at, "v2,xyz v1,%%%", BODY, 0, Err(SignatureError::NoMatch)),
            (&secret, &at, SIGNATURE, BODY, 301_000, Err(SignatureError::OutsideTolerance)),
            (&secret, "soon", SIGNATURE, BODY, 0, Err(SignatureError::BadTimestamp)),
        ];
        for (secret, at, signatures, body, later_ms, expected) in cases {
            let verdict = verify(secret, ID, at, signatures, body, now.plus_ms(later_ms));
            assert_eq!(verdict, expected, "{at} {signatures}");
        }
    }
}
