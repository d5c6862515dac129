//! Ports that nobody else on this machine takes: for what must be known before a process starts,
//! and must be free again when it is restarted.
//!
//! They lie below the range from which the system hands out ports (32768 on Linux), in blocks. Each
//! block is guarded by a socket on its last port: whoever binds it owns the block, among all tests
//! of all processes.

use std::net::{Ipv4Addr, UdpSocket};

const FIRST: u16 = 10_000;
const BLOCK: u16 = 1_000;
const BLOCKS: u16 = 22;
/// The named ports at a block's beginning.
const NAMED: u16 = 10;

/// A thousand ports of one's own, until it is dropped.
pub(crate) struct Ports {
    first: u16,
    _guard: UdpSocket,
}

impl Ports {
    /// Takes a free block.
    pub(crate) fn claim() -> Self {
        // Another process begins elsewhere, so that blocks rest between uses.
        let begin = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap();
        for n in 0..BLOCKS {
            let first = FIRST + (begin + n) % BLOCKS * BLOCK;
            if let Ok(guard) = UdpSocket::bind((Ipv4Addr::LOCALHOST, first + BLOCK - 1)) {
                return Self { first, _guard: guard };
            }
        }
        panic!("all {BLOCKS} blocks of ports are in use: too many tests run at once");
    }

    /// One of ten ports for listeners.
    pub(crate) fn named(&self, index: u16) -> u16 {
        assert!(index < NAMED, "a block has {NAMED} named ports");
        self.first + index
    }

    /// One of the ports for media, for a listener in a test that has no node on this block.
    pub(crate) fn other(&self, index: u16) -> u16 {
        assert!(index < BLOCK - NAMED - 1, "a block has {BLOCK} ports");
        self.first + NAMED + index
    }

    /// The ports for media, `FIRST-LAST`: pairs for 494 calls.
    pub(crate) fn rtp(&self) -> String {
        format!("{}-{}", self.first + NAMED, self.first + BLOCK - 3)
    }
}
