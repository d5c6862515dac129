//! What the carrier saw, one record for each call that reached it.

use std::collections::HashMap;

use serde_json::Value;

/// One call at the carrier: one Call-ID.
#[derive(Debug, Clone, Default)]
pub(crate) struct Phone {
    /// The Call-ID.
    pub(crate) call: String,
    /// The number.
    pub(crate) to: String,
    /// By the carrier's clock, microseconds.
    pub(crate) invited_us: i64,
    /// When it was picked up.
    pub(crate) answered_us: Option<i64>,
    /// Who ended it: `caller`, `cancel`, `refused`, `handset`, or a time-out of the carrier's own.
    pub(crate) ended_by: Option<String>,
}

/// Every call in these events, in the order of their INVITEs.
pub(crate) fn phones(events: &[Value]) -> Vec<Phone> {
    let mut phones: Vec<Phone> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for event in events {
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let at_us = event["at_us"].as_i64().unwrap_or_default();
        let call = text("call");
        if event["kind"] == "invite" {
            places.insert(call.clone(), phones.len());
            phones.push(Phone { call, to: text("to"), invited_us: at_us, ..Phone::default() });
            continue;
        }
        let Some(phone) = places.get(&call).map(|place| &mut phones[*place]) else { continue };
        match text("kind").as_str() {
            "answered" => phone.answered_us = Some(at_us),
            "ended" => phone.ended_by = Some(text("by")),
            _ => {}
        }
    }
    phones
}

/// Fails where a number was called after it had been picked up, or twice at all: with one trunk
/// there is no reason to.
pub(crate) fn assert_nobody_was_called_twice(phones: &[Phone]) {
    let mut first: HashMap<&str, &Phone> = HashMap::new();
    for phone in phones {
        if let Some(earlier) = first.insert(&phone.to, phone) {
            let after_answer =
                earlier.answered_us.is_some_and(|answered_us| answered_us < phone.invited_us);
            panic!(
                "{} was called twice{}: {earlier:?}, then {phone:?}",
                phone.to,
                if after_answer { ", after it had answered" } else { "" }
            );
        }
    }
}

/// Fails where a handset was not hung up by the platform (or by itself): a time-out of the carrier's
/// means that somebody held a dead line.
pub(crate) fn assert_no_handset_was_left(phones: &[Phone]) {
    for phone in phones {
        let by = phone.ended_by.as_deref();
        assert!(
            matches!(by, Some("caller" | "cancel" | "refused" | "handset")),
            "a handset was left up: {phone:?}"
        );
    }
}
