use arc_swap::ArcSwap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The trunks that are known to be down. Written by whoever watches trunks (OPTIONS, registration),
/// read by the gate for every call.
#[derive(Debug, Default)]
pub struct TrunkHealth {
    down: ArcSwap<BTreeSet<String>>,
}

impl TrunkHealth {
    /// The names of the trunks that are down.
    pub fn down(&self) -> Arc<BTreeSet<String>> {
        self.down.load_full()
    }

    /// Notes that a trunk is down, or up again. Says whether that is news.
    pub fn set_down(&self, trunk: &str, is_down: bool) -> bool {
        let mut news = false;
        self.down.rcu(|known| {
            let mut next = BTreeSet::clone(known);
            news = if is_down { next.insert(trunk.to_owned()) } else { next.remove(trunk) };
            next
        });
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_news_once() {
        let health = TrunkHealth::default();
        assert!(health.set_down("a", true));
        assert!(!health.set_down("a", true));
        assert!(health.down().contains("a"));
        assert!(health.set_down("a", false));
        assert!(!health.set_down("a", false));
        assert!(health.down().is_empty());
    }
}
