//! Servers that failed a moment ago: left out for some seconds while there are others (RFC 3263
//! §4.3).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use yunling_switch_contract::Transport;

/// How long a server is left out.
const TERM: Duration = Duration::from_secs(20);

/// Servers that are remembered; beyond, all are forgotten and tried again.
const LIMIT: usize = 1_024;

/// Pure: time is an argument.
#[derive(Debug, Default)]
pub(super) struct Shunned {
    until: HashMap<(Transport, SocketAddr), Instant>,
}

impl Shunned {
    /// A server refused, did not answer, or said that it cannot serve.
    pub(super) fn shun(&mut self, transport: Transport, address: SocketAddr, now: Instant) {
        if self.until.len() >= LIMIT {
            self.until.retain(|_, until| *until > now);
            if self.until.len() >= LIMIT {
                self.until.clear();
            }
        }
        self.until.insert((transport, address), now + TERM);
    }

    /// Whether a server is to be left out.
    pub(super) fn is_shunned(
        &self,
        transport: Transport,
        address: SocketAddr,
        now: Instant,
    ) -> bool {
        self.until.get(&(transport, address)).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_left_out_for_a_while_and_the_memory_is_bounded() {
        let (mut shunned, now) = (Shunned::default(), Instant::now());
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        shunned.shun(Transport::Udp, address(1), now);
        assert!(shunned.is_shunned(Transport::Udp, address(1), now));
        assert!(!shunned.is_shunned(Transport::Tcp, address(1), now));
        assert!(!shunned.is_shunned(Transport::Udp, address(1), now + TERM));
        for port in 0..2_000 {
            shunned.shun(Transport::Udp, address(port), now);
            assert!(shunned.until.len() <= LIMIT);
        }
    }
}
