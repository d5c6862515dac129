//! What a careful customer makes of its callbacks: it checks each signature, drops repeats by
//! `webhook-id`, and has one result for each request.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::customer::Callback;

/// One result for each request, by `requestid`. Fails where a signature is wrong, a repeat is not
/// the same to the byte, or a request has two events.
pub(crate) fn by_request(callbacks: &[Callback]) -> BTreeMap<String, Value> {
    let mut events: HashMap<&str, &Callback> = HashMap::new();
    let mut results = BTreeMap::new();
    for callback in callbacks {
        if let Err(error) = callback.verify() {
            panic!("the signature of {} is wrong: {error}", callback.id());
        }
        if let Some(first) = events.insert(callback.id(), callback) {
            assert_eq!(first.body, callback.body, "the repeat of {} differs", callback.id());
            continue;
        }
        let request = callback.field("requestid");
        if let Some(other) = results.insert(request.clone(), callback.json()) {
            panic!("{request} has two events: {other} and {}", callback.json());
        }
    }
    results
}

/// How many different events there are.
pub(crate) fn events(callbacks: &[Callback]) -> usize {
    callbacks.iter().map(Callback::id).collect::<HashSet<_>>().len()
}
