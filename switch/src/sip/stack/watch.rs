//! Whoever wants to see each message that goes over the sockets.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use yunling_switch_contract::Transport;

use super::Message;

/// Between whom a message went, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    pub transport: Transport,
    /// Our end: what the socket is bound to, or the connection.
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

/// Sees every message; must not block.
pub(crate) trait Watch: Send + Sync {
    /// A message left, at that time.
    fn sent(&self, bytes: &[u8], path: Path, at: Instant);
    /// A message arrived.
    fn received(&self, message: &Message, path: Path);
}

/// The place of a watch, which is known only once the sockets are bound.
#[derive(Default)]
pub(super) struct Watched(OnceLock<Arc<dyn Watch>>);

impl Watched {
    /// Takes the first watch; a second one is nobody.
    pub(super) fn by(&self, watch: Arc<dyn Watch>) {
        let _first_only = self.0.set(watch);
    }

    pub(super) fn sent(&self, bytes: &[u8], path: Path, at: Instant) {
        if let Some(watch) = self.0.get() {
            watch.sent(bytes, path, at);
        }
    }

    pub(super) fn received(&self, message: &Message, path: Path) {
        if let Some(watch) = self.0.get() {
            watch.received(message, path);
        }
    }
}
