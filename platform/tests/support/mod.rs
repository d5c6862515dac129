//! What the end-to-end tests stand on: a node, a fake telephone network and a customer's receiver,
//! each a real process or a real socket on loopback.
//!
//! A [`world::World`] starts all three and wires them; a test that needs another arrangement
//! (several carriers, a second receiver, a node that is killed and started again) builds it of the
//! parts. Everything is waited for by state, and everything that was started ends with the test.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]
#![expect(dead_code, reason = "each test program uses its part of this")]

pub(crate) mod api;
pub(crate) mod batch;
pub(crate) mod campaign;
pub(crate) mod carrier;
pub(crate) mod command;
pub(crate) mod customer;
pub(crate) mod deliveries;
pub(crate) mod dice;
pub(crate) mod disk;
pub(crate) mod earpiece;
pub(crate) mod handsets;
pub(crate) mod hearing;
pub(crate) mod lock;
pub(crate) mod media;
pub(crate) mod node;
pub(crate) mod phones;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod records;
pub(crate) mod refused_start;
pub(crate) mod results;
pub(crate) mod sipp;
pub(crate) mod sound;
pub(crate) mod states;
pub(crate) mod steps;
pub(crate) mod stereo;
pub(crate) mod talks;
pub(crate) mod tenant;
pub(crate) mod voices;
pub(crate) mod world;

use std::time::Duration;

/// Longest wait for anything that takes no time by itself; reached only by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so that nothing tells of; `name` is for the one who reads the failure.
pub(crate) async fn until(name: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "not within {PATIENCE:?}: {name}");
        tokio::time::sleep(LOOK * 5).await;
    }
}

/// How often a state is looked at that cannot be waited for otherwise.
pub(crate) const LOOK: Duration = Duration::from_millis(10);
