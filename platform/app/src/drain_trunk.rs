//! Draining a trunk: from now on it gets no new call, while those on it go on to their end. It stays
//! so, over restarts and on every node, until it is resumed.

use crate::list_trunks::{self, TrunkView};
use crate::{App, Operator, Refusal};
use yunling_domain::AccountId;
use yunling_store::Lane;
use yunling_store::audit::{self, AuditEntry};
use yunling_store::trunk_states::{self, Draining};

/// What is to become of the trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It gets no new calls.
    Drain,
    /// It gets calls again.
    Resume,
}

/// Drains or resumes a trunk. A second time changes nothing and is not audited. Gives the trunk as it
/// is then.
///
/// # Errors
/// `NOT_FOUND` where no such trunk is configured; those of the database.
pub async fn run(
    app: &App,
    operator: &Operator,
    trunk: &str,
    change: Change,
) -> Result<TrunkView, Refusal> {
    list_trunks::get(app, operator, trunk)?;
    let now = app.clock().now();
    let draining = Draining { trunk: trunk.to_owned(), since: now, who: operator.who().to_owned() };
    let entry = AuditEntry {
        at: now,
        account: AccountId::new(""),
        who: operator.who().to_owned(),
        action: change.action().to_owned(),
        object: format!("trunk/{trunk}"),
        detail: serde_json::json!({}),
    };
    app.store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                let changed = match change {
                    Change::Drain => trunk_states::drain(tx, &draining).await?,
                    Change::Resume => trunk_states::resume(tx, &draining.trunk).await?,
                };
                if changed { audit::append(tx, &entry).await } else { Ok(()) }
            })
        })
        .await?;
    app.follow().await;
    // Calls that wait for a trunk may go on.
    app.poke().dispatcher();
    list_trunks::get(app, operator, trunk)
}

impl Change {
    const fn action(self) -> &'static str {
        match self {
            Self::Drain => "trunk.drain",
            Self::Resume => "trunk.resume",
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::{TENANT, World};
    use yunling_store::{PageRequest, TimeRange};

    #[tokio::test]
    async fn a_trunk_is_drained_once_audited_and_resumed() {
        let world = World::open().await;
        let operator = Operator::proven("test operator");
        let drain = async |change| run(&world.app, &operator, "carrier-a", change).await.unwrap();
        let first = drain(Change::Drain).await.draining.unwrap();
        assert_eq!(first.who, "test operator");
        world.clock.advance_ms(1_000);
        assert_eq!(drain(Change::Drain).await.draining.unwrap().since, first.since);
        assert!(world.app.trunks().known_down().contains("carrier-a"));
        assert!(world.app.trunks().closed().contains("carrier-a"));
        assert!(drain(Change::Resume).await.draining.is_none());
        drain(Change::Resume).await;
        assert!(world.app.trunks().known_down().is_empty());

        let page = PageRequest { after: None, limit: 100 };
        let all = TimeRange { from: None, to: None };
        let entries =
            audit::list(world.app.store().reader(), &AccountId::new(""), all, &page).await.unwrap();
        let actions: Vec<_> = entries
            .rows
            .iter()
            .filter(|entry| entry.object == "trunk/carrier-a" && entry.who == "test operator")
            .map(|entry| entry.action.as_str())
            .collect();
        assert_eq!(actions, ["trunk.resume", "trunk.drain"]);
        let refusal = run(&world.app, &operator, "carrier-x", Change::Drain).await.unwrap_err();
        assert_eq!(refusal.code.name, "not_found");
    }

    #[tokio::test]
    async fn a_trunk_that_is_deleted_is_forgotten() {
        let world = World::open().await;
        let operator = Operator::proven("test");
        let spare = format!("{TENANT}\n")
            .replace("accounts:", "  - { name: spare, uri: \"sip:127.0.0.1:5079\" }\naccounts:");
        world.apply(&format!("set: tenant\n{spare}")).await.unwrap();
        run(&world.app, &operator, "spare", Change::Drain).await.unwrap();
        world.prune(&format!("set: tenant\n{TENANT}")).await.unwrap();
        assert!(world.app.directory().trunk("spare").is_none());
        let left = trunk_states::draining(world.app.store().reader()).await.unwrap();
        assert_eq!(left, []);
    }
}
