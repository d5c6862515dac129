//! The system's wall clock, for what other machines and the kernel say in its terms.

use std::time::{Duration, SystemTime};

/// The time since Unix's epoch: for NTP time stamps in reports, and in place of the kernel's time
/// stamp on a datagram. Nothing is due by it.
#[expect(
    clippy::disallowed_methods,
    reason = "RTCP carries wall-clock time, and the Clock port is the platform's"
)]
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
