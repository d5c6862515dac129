//! Says in a reader's words how two JSON documents differ.

use serde_json::Value;
use std::fmt;

/// One place where the committed document and the code disagree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Drift {
    /// The keys that lead there, joined by ` › `.
    place: String,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    OnlyInCode,
    OnlyCommitted,
    Changed { committed: String, code: String },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::OnlyInCode => write!(f, "{}: new in the code, not committed", self.place),
            What::OnlyCommitted => write!(f, "{}: committed, gone from the code", self.place),
            What::Changed { committed, code } => {
                write!(f, "{}: committed {committed}, the code says {code}", self.place)
            }
        }
    }
}

/// Every difference, in the order of the documents.
pub(crate) fn between(committed: &Value, code: &Value) -> Vec<Drift> {
    let mut drifts = Vec::new();
    compare("", committed, code, &mut drifts);
    drifts
}

fn compare(place: &str, committed: &Value, code: &Value, drifts: &mut Vec<Drift>) {
    match (committed, code) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                let place = within(place, key);
                match new.get(key) {
                    Some(now) => compare(&place, value, now, drifts),
                    None => drifts.push(Drift { place, what: What::OnlyCommitted }),
                }
            }
            for key in new.keys().filter(|key| !old.contains_key(*key)) {
                drifts.push(Drift { place: within(place, key), what: What::OnlyInCode });
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let place = within(place, &index.to_string());
                match (old.get(index), new.get(index)) {
                    (Some(was), Some(now)) => compare(&place, was, now, drifts),
                    (Some(_), None) => drifts.push(Drift { place, what: What::OnlyCommitted }),
                    (None, _) => drifts.push(Drift { place, what: What::OnlyInCode }),
                }
            }
        }
        (old, new) if old == new => {}
        (old, new) => drifts.push(Drift {
            place: place.to_owned(),
            what: What::Changed { committed: shortened(old), code: shortened(new) },
        }),
    }
}

fn within(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place} › {key}") }
}

/// A value on one line, cut where it would fill the terminal.
fn shortened(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_of_drift_is_told_with_its_place() {
        let committed =
            json!({ "paths": { "/a": { "post": 1 }, "/b": {} }, "tags": ["x", "y"], "v": "1" });
        let code = json!({ "paths": { "/a": { "post": 2 }, "/c": {} }, "tags": ["x"], "v": "1" });
        let told: Vec<String> = between(&committed, &code).iter().map(Drift::to_string).collect();
        assert_eq!(
            told,
            [
                "paths › /a › post: committed 1, the code says 2",
                "paths › /b: committed, gone from the code",
                "paths › /c: new in the code, not committed",
                "tags › 1: committed, gone from the code",
            ]
        );
    }

    #[test]
    fn equal_documents_have_no_drift_and_long_values_are_cut() {
        let document = json!({ "a": [1, { "b": null }] });
        assert_eq!(between(&document, &document), []);
        let long = json!("号".repeat(200));
        assert_eq!(shortened(&long).chars().count(), 81);
    }
}
