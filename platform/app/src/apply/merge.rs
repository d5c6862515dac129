//! The three-way merge of one document, as pure data: what the file set applied last (`base`), what
//! is stored now (`stored`) and what the file says today (`file`).

use serde_json::{Map, Value};

/// A document's fields.
pub type Fields = Map<String, Value>;

/// One field that a merge sets, changes or removes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FieldChange {
    /// `limits.max_calls`
    pub field: String,
    /// What is stored; absent: nothing.
    pub old: Option<Value>,
    /// What will be stored; absent: the field goes.
    pub new: Option<Value>,
}

/// One field that was changed on both sides since the file was last applied.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FieldConflict {
    /// `notice_url`
    pub field: String,
    /// What the file applied last.
    pub base: Option<Value>,
    /// What somebody stored since.
    pub stored: Option<Value>,
    /// What the file says now.
    pub file: Option<Value>,
    /// Whether the file's value is taken (`force`).
    pub taken: bool,
}

/// What comes of a merge.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Merged {
    /// The document to store.
    pub doc: Fields,
    /// The base of the next merge: the file's fields, except that an open conflict keeps its old
    /// base, so that it stays one until somebody settles it.
    pub base: Fields,
    /// What differs from the stored document.
    pub changes: Vec<FieldChange>,
    /// What was changed on both sides.
    pub conflicts: Vec<FieldConflict>,
}

/// Merges field by field, into objects; a list is one value.
///
/// A field that the file left alone keeps what is stored. One that only the file changed takes the
/// file's value. One that both changed, to different values, is a conflict: it keeps what is stored
/// unless `force`.
pub fn merge(base: &Fields, stored: &Fields, file: &Fields, force: bool) -> Merged {
    let mut merged = Merged::default();
    walk(&mut merged, "", Three { base, stored, file }, force);
    merged
}

#[derive(Clone, Copy)]
struct Three<'a> {
    base: &'a Fields,
    stored: &'a Fields,
    file: &'a Fields,
}

impl<'a> Three<'a> {
    fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = [self.stored, self.file, self.base]
            .iter()
            .flat_map(|fields| fields.keys())
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn walk(merged: &mut Merged, above: &str, three: Three<'_>, force: bool) {
    let (mut doc, mut next_base) = (Fields::new(), Fields::new());
    for name in three.names() {
        let field = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
        let (base, stored, file) =
            (three.base.get(name), three.stored.get(name), three.file.get(name));
        let (kept, kept_base) = match (as_object(base), stored, file) {
            (Some(base), Some(Value::Object(stored)), Some(Value::Object(file))) => {
                let mut inner = Merged::default();
                walk(&mut inner, &field, Three { base, stored, file }, force);
                merged.changes.append(&mut inner.changes);
                merged.conflicts.append(&mut inner.conflicts);
                (Some(Value::Object(inner.doc)), Some(Value::Object(inner.base)))
            }
            _ => one(merged, field, (base, stored, file), force),
        };
        doc.extend(kept.map(|value| (name.to_owned(), value)));
        next_base.extend(kept_base.map(|value| (name.to_owned(), value)));
    }
    merged.doc = doc;
    merged.base = next_base;
}

/// An absent base is an empty object to objects that both sides have.
fn as_object(base: Option<&Value>) -> Option<&Fields> {
    static EMPTY: std::sync::LazyLock<Fields> = std::sync::LazyLock::new(Fields::new);
    match base {
        None => Some(&EMPTY),
        Some(Value::Object(fields)) => Some(fields),
        Some(_) => None,
    }
}

/// The rule for one value. Gives back what to store and the next base.
fn one(
    merged: &mut Merged,
    field: String,
    (base, stored, file): (Option<&Value>, Option<&Value>, Option<&Value>),
    force: bool,
) -> (Option<Value>, Option<Value>) {
    if file == base {
        return (stored.cloned(), file.cloned());
    }
    let both_changed = stored != base && stored != file;
    if both_changed {
        merged.conflicts.push(FieldConflict {
            field: field.clone(),
            base: base.cloned(),
            stored: stored.cloned(),
            file: file.cloned(),
            taken: force,
        });
        if !force {
            return (stored.cloned(), base.cloned());
        }
    }
    if stored != file {
        merged.changes.push(FieldChange { field, old: stored.cloned(), new: file.cloned() });
    }
    (file.cloned(), file.cloned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn every_way_in_which_three_sides_can_differ() {
        // (what, base, stored, file) → (doc, next base, changed fields, conflicting fields)
        let cases = [
            (
                "new",
                json!({}),
                json!({}),
                json!({"a": 1}),
                json!({"a": 1}),
                json!({"a": 1}),
                "a",
                "",
            ),
            (
                "the same",
                json!({"a": 1}),
                json!({"a": 1}),
                json!({"a": 1}),
                json!({"a": 1}),
                json!({"a": 1}),
                "",
                "",
            ),
            (
                "file changed",
                json!({"a": 1}),
                json!({"a": 1}),
                json!({"a": 2}),
                json!({"a": 2}),
                json!({"a": 2}),
                "a",
                "",
            ),
            (
                "console changed",
                json!({"a": 1}),
                json!({"a": 9}),
                json!({"a": 1}),
                json!({"a": 9}),
                json!({"a": 1}),
                "",
                "",
            ),
            (
                "both, alike",
                json!({"a": 1}),
                json!({"a": 2}),
                json!({"a": 2}),
                json!({"a": 2}),
                json!({"a": 2}),
                "",
                "",
            ),
            (
                "both, differing",
                json!({"a": 1}),
                json!({"a": 9}),
                json!({"a": 2}),
                json!({"a": 9}),
                json!({"a": 1}),
                "",
                "a",
            ),
            (
                "console added",
                json!({}),
                json!({"a": 9}),
                json!({}),
                json!({"a": 9}),
                json!({}),
                "",
                "",
            ),
            (
                "both added, differing",
                json!({}),
                json!({"a": 9}),
                json!({"a": 2}),
                json!({"a": 9}),
                json!({}),
                "",
                "a",
            ),
            (
                "both added, alike",
                json!({}),
                json!({"a": 2}),
                json!({"a": 2}),
                json!({"a": 2}),
                json!({"a": 2}),
                "",
                "",
            ),
            (
                "file removed",
                json!({"a": 1}),
                json!({"a": 1}),
                json!({}),
                json!({}),
                json!({}),
                "a",
                "",
            ),
            (
                "console removed",
                json!({"a": 1}),
                json!({}),
                json!({"a": 1}),
                json!({}),
                json!({"a": 1}),
                "",
                "",
            ),
            (
                "removed and changed",
                json!({"a": 1}),
                json!({"a": 9}),
                json!({}),
                json!({"a": 9}),
                json!({"a": 1}),
                "",
                "a",
            ),
            (
                "changed and removed",
                json!({"a": 1}),
                json!({}),
                json!({"a": 2}),
                json!({}),
                json!({"a": 1}),
                "",
                "a",
            ),
            (
                "objects merge inside",
                json!({"l": {"x": 1, "y": 1}}),
                json!({"l": {"x": 9, "y": 1}}),
                json!({"l": {"x": 1, "y": 2}}),
                json!({"l": {"x": 9, "y": 2}}),
                json!({"l": {"x": 1, "y": 2}}),
                "l.y",
                "",
            ),
            (
                "lists do not",
                json!({"l": [1, 2]}),
                json!({"l": [1, 3]}),
                json!({"l": [2, 2]}),
                json!({"l": [1, 3]}),
                json!({"l": [1, 2]}),
                "",
                "l",
            ),
            (
                "an object takes a value's place",
                json!({"f": "national"}),
                json!({"f": "national"}),
                json!({"f": {"prefix": "9"}}),
                json!({"f": {"prefix": "9"}}),
                json!({"f": {"prefix": "9"}}),
                "f",
                "",
            ),
        ];
        for (what, base, stored, file, doc, next, changed, conflicting) in cases {
            let merged = merge(&fields(base), &fields(stored), &fields(file), false);
            assert_eq!(Value::Object(merged.doc), doc, "{what}: document");
            assert_eq!(Value::Object(merged.base), next, "{what}: next base");
            let names = |fields: Vec<String>| fields.join(",");
            assert_eq!(
                names(merged.changes.into_iter().map(|c| c.field).collect()),
                changed,
                "{what}: changes"
            );
            assert_eq!(
                names(merged.conflicts.into_iter().map(|c| c.field).collect()),
                conflicting,
                "{what}: conflicts"
            );
        }
    }

    #[test]
    fn force_takes_the_files_side_and_settles_the_conflict() {
        let (base, stored, file) =
            (json!({"a": 1, "b": 1}), json!({"a": 9, "b": 9}), json!({"a": 2, "b": 1}));
        let merged = merge(&fields(base), &fields(stored), &fields(file), true);
        assert_eq!(Value::Object(merged.doc.clone()), json!({"a": 2, "b": 9}));
        assert!(merged.conflicts[0].taken);
        assert_eq!(
            merged.changes,
            [FieldChange { field: "a".into(), old: Some(json!(9)), new: Some(json!(2)) }]
        );
        let again = merge(&merged.base, &merged.doc, &fields(json!({"a": 2, "b": 1})), false);
        assert_eq!((again.changes.len(), again.conflicts.len()), (0, 0));
    }

    #[test]
    fn an_open_conflict_stays_one_until_it_is_settled() {
        let file = fields(json!({"a": 2}));
        let first = merge(&fields(json!({"a": 1})), &fields(json!({"a": 9})), &file, false);
        let second = merge(&first.base, &first.doc, &file, false);
        assert_eq!(first.conflicts, second.conflicts);
        let settled = merge(&second.base, &fields(json!({"a": 2})), &file, false);
        assert!(settled.conflicts.is_empty());
    }
}
