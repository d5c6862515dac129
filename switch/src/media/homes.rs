//! On which shard an owner's legs sit: on one, so that they may hear one another.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use yunling_switch_contract::Owner;

/// The owners that have legs.
#[derive(Debug, Default)]
pub(super) struct Homes(Mutex<HashMap<Owner, Settled>>);

#[derive(Debug)]
struct Settled {
    shard: usize,
    legs: usize,
}

/// One leg's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Home {
    owner: Owner,
    shard: usize,
    homes: Arc<Homes>,
}

impl Homes {
    /// The shard of an owner's legs; `choose` gives one for its first. None if there is none.
    pub(super) fn settle(
        self: &Arc<Self>,
        owner: Owner,
        choose: impl FnOnce() -> Option<usize>,
    ) -> Option<Home> {
        let mut settled = self.0.lock();
        let shard = match settled.get_mut(&owner) {
            Some(home) => {
                home.legs += 1;
                home.shard
            }
            None => {
                let shard = choose()?;
                settled.insert(owner, Settled { shard, legs: 1 });
                shard
            }
        };
        Some(Home { owner, shard, homes: Arc::clone(self) })
    }

    /// Where an owner's legs sit, if it has any.
    pub(super) fn shard_of(&self, owner: Owner) -> Option<usize> {
        self.0.lock().get(&owner).map(|settled| settled.shard)
    }
}

impl Home {
    /// The shard's number.
    pub(super) fn shard(&self) -> usize {
        self.shard
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let mut settled = self.homes.0.lock();
        if let Some(home) = settled.get_mut(&self.owner) {
            home.legs -= 1;
            if home.legs == 0 {
                settled.remove(&self.owner);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_owners_legs_stay_together_until_the_last_has_gone() {
        let homes = Arc::<Homes>::default();
        let one = homes.settle(Owner(1), || Some(3)).unwrap();
        let two = homes.settle(Owner(1), || panic!("it is settled")).unwrap();
        assert_eq!((one.shard(), two.shard()), (3, 3));
        assert_eq!(homes.settle(Owner(2), || Some(5)).unwrap().shard(), 5);
        drop(one);
        assert_eq!(homes.settle(Owner(1), || panic!("one is left")).unwrap().shard(), 3);
        assert_eq!((homes.shard_of(Owner(1)), homes.shard_of(Owner(9))), (Some(3), None));
        drop(two);
        assert_eq!(homes.settle(Owner(1), || Some(7)).unwrap().shard(), 7);
        assert!(homes.0.lock().is_empty());
        assert!(homes.settle(Owner(1), || None).is_none());
    }
}
