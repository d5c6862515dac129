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
pub(crate) mod carrier;
pub(crate) mod command;
pub(crate) mod customer;
pub(crate) mod deliveries;
pub(crate) mod dice;
pub(crate) mod disk;
pub(crate) mod lock;
pub(crate) mod media;
pub(crate) mod node;
pub(crate) mod phones;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod refused_start;
pub(crate) mod results;
pub(crate) mod sound;
pub(crate) mod states;
pub(crate) mod tenant;
pub(crate) mod world;

use std::time::Duration;

/// Longest wait for anything that takes no time by itself; reached only by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a state is looked at that cannot be waited for otherwise.
pub(crate) const LOOK: Duration = Duration::from_millis(10);
