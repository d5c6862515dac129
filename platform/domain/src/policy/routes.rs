use std::collections::BTreeMap;

use crate::Number;
use crate::numbers::Prefix;

/// Which trunks carry calls to which numbers. A number's longest prefix decides, and no other; a
/// number without any goes over its caller ID's trunks in their own order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteTable(BTreeMap<Prefix, Vec<String>>);

impl RouteTable {
    /// Of these routes; of two with the same prefix the later one counts.
    pub fn new(routes: impl IntoIterator<Item = (Prefix, Vec<String>)>) -> Self {
        Self(routes.into_iter().collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The route of a number: its prefix, and its trunks in order.
    pub fn find(&self, number: &Number) -> Option<(&Prefix, &[String])> {
        if self.0.is_empty() {
            return None;
        }
        Prefix::all_of(number)
            .find_map(|prefix| self.0.get_key_value(&prefix))
            .map(|(prefix, trunks)| (prefix, trunks.as_slice()))
    }
}
