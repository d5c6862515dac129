//! Whether the keys of `secret.key` are those under which the database's tokens are hashed and its
//! secrets sealed. With others a node would start and refuse every tenant: so the database remembers
//! a check number of every key that ever was used on it.

use crate::secrets::Keyring;
use std::collections::BTreeMap;
use yunling_store::{Lane, Store, StoreError, key_checks};

/// What the database says of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are its own; new ones are now remembered.
    Own,
    /// They are not.
    Foreign {
        /// The name of a key that it knows.
        expected: String,
    },
}

/// Compares, and remembers keys that are new.
///
/// # Errors
/// The database.
pub(crate) async fn run(store: &Store, keyring: &Keyring) -> Result<Verdict, StoreError> {
    let (known, held) = (key_checks::load(store.reader()).await?, keyring.checks());
    let verdict = judge(&known, &held);
    let fresh: Vec<_> = held.into_iter().filter(|(id, _)| !known.contains_key(id)).collect();
    if verdict == Verdict::Own && !fresh.is_empty() {
        store
            .writer()
            .write(Lane::Live, move |tx| {
                let fresh = fresh.clone();
                Box::pin(async move {
                    for (id, check) in &fresh {
                        key_checks::remember(tx, id, *check).await?;
                    }
                    Ok(())
                })
            })
            .await?;
    }
    Ok(verdict)
}

/// A fresh database knows none. Later one of its keys must be held, and none under another's name:
/// a rotation puts a new key beside the old one before the old one goes.
fn judge(known: &BTreeMap<String, i64>, held: &[(String, i64)]) -> Verdict {
    let of_known = |id: &String| known.get(id).copied();
    let other = held.iter().find(|(id, check)| of_known(id).is_some_and(|of| of != *check));
    let shared = held.iter().any(|(id, check)| of_known(id) == Some(*check));
    match (other, known.keys().next()) {
        (Some((id, _)), _) => Verdict::Foreign { expected: id.clone() },
        (None, Some(id)) if !shared => Verdict::Foreign { expected: id.clone() },
        (None, _) => Verdict::Own,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::World;

    #[tokio::test]
    async fn a_database_takes_its_own_keys_only_and_follows_their_rotation() {
        let world = World::open().await;
        let line = |name: &str, digits: &str| format!("{name} {}\n", digits.repeat(32));
        let own = line("test", "2a");
        // In this order: what was taken is remembered.
        let cases = [
            ("its own", own.clone(), None),
            ("another", line("k2", "01"), Some("test")),
            ("another under its name", line("test", "01"), Some("test")),
            ("a new one before it", line("k2", "02") + &own, None),
            ("the new one alone", line("k2", "02"), None),
            ("the new name, another key", line("k2", "03") + &own, Some("k2")),
        ];
        for (case, text, expected) in cases {
            let keyring = Keyring::parse("secret.key", &text).unwrap();
            let verdict = run(world.app.store(), &keyring).await.unwrap();
            let expected =
                expected.map_or(Verdict::Own, |id| Verdict::Foreign { expected: id.to_owned() });
            assert_eq!(verdict, expected, "{case}");
        }
    }

    #[tokio::test]
    async fn an_application_is_not_put_together_with_a_foreign_key() {
        let world = World::open().await;
        let keyring = Keyring::parse("secret.key", &format!("other {}\n", "01".repeat(32)));
        let error = world.reopened_with(keyring.unwrap()).await.unwrap_err().to_string();
        assert!(error.contains("data/secret.key: not the key file of this database"), "{error}");
        assert!(error.contains("under the key test"), "{error}");
        assert!(world.reopened_with(crate::fakes::keyring()).await.is_ok());
    }
}
