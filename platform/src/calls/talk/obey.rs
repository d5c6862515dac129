//! Ends what runs here and was cancelled by way of another node, which marks its rows.

use std::time::Duration;

use yunling_app::ports::Talks;
use yunling_store::attempts::platform_side::to_end;

use super::super::shell::Shell;

/// How often the rows are looked at, while any conversation runs.
const LOOK: Duration = Duration::from_secs(1);

/// Looks until it is dropped. Not one of the dispatcher's chores: a node that drains has
/// conversations to the end.
pub(in super::super) async fn obey(shell: &Shell) {
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if !shell.talks.is_any_live() {
            continue;
        }
        match to_end(shell.app.store().reader(), shell.node).await {
            Ok(marked) => {
                for (account, conversation) in marked {
                    shell.talks.cancel(&account, &conversation);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "conversations that were cancelled elsewhere cannot be looked for");
            }
        }
    }
}
