//! Names are resolved here and nowhere else, so that the address that was checked is the address
//! that is connected to.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::{Forbidden, Guard};

/// The system's resolver behind the guard.
#[derive(Debug)]
pub(crate) struct GuardedResolver(pub(crate) Arc<Guard>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            // The port is a placeholder: the client puts in the URL's own.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let open = keep_open(&guard, found)?;
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be connected to. A name that has only others is refused.
fn keep_open(
    guard: &Guard,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, Forbidden> {
    let mut refused = None;
    let mut open = Vec::new();
    for address in found {
        match guard.check(address.ip()) {
            Ok(()) => open.push(address),
            Err(forbidden) => refused = Some(forbidden),
        }
    }
    match refused {
        Some(forbidden) if open.is_empty() => Err(forbidden),
        _ => Ok(open),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn only_open_addresses_of_a_name_are_kept() {
        let guard = Guard::new(Vec::new());
        let addresses = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect()
        };
        let cases: [(&[&str], Option<&[&str]>); 4] = [
            (&["1.1.1.1"], Some(&["1.1.1.1"])),
            (&["127.0.0.1", "1.1.1.1", "::1"], Some(&["1.1.1.1"])),
            (&["127.0.0.1"], None),
            (&[], Some(&[])),
        ];
        for (found, expected) in cases {
            let kept = keep_open(&guard, addresses(found).into_iter()).ok();
            assert_eq!(kept, expected.map(addresses), "{found:?}");
        }
    }
}
