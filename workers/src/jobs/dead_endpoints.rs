//! Disables endpoints that have been failing for days, with an alarm: an audit row, a warning and a
//! counter.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use yunling_domain::Micros;
use yunling_store::deliveries::platform_side::Waiting;
use yunling_store::deliveries::{self, Delivery, DeliveryFilter, DeliveryState};
use yunling_store::endpoints::{self, Endpoint};
use yunling_store::{Lane, PageRequest, StoreError, TimeRange};

use super::desk::Desk;
use super::schedule::Recurring;
use super::worker::Job;
use crate::delivery::{alarm, hold_back};

const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// So long nothing was acknowledged.
const DEAD_MS: i64 = 5 * DAY_MS;
/// Within this time something was tried and failed: an address that nothing goes to is not judged.
const LATELY_MS: i64 = 2 * DAY_MS;
/// Failures in a row that make an endpoint worth a look: one whole round of the schedule.
const SUSPICIOUS_FAILURES: u32 = 8;
const REASON: &str = "every attempt of the last 5 days failed";

/// Carries nothing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct DeadEndpoints {}

impl Recurring for DeadEndpoints {
    const EVERY_S: u32 = 3_600;
}

impl Job for DeadEndpoints {
    const QUEUE: &'static str = "dead_endpoints";
    const POLL: Duration = Duration::from_secs(1);

    async fn run(self, desk: Desk) -> Result<(), StoreError> {
        let now = desk.app().clock().now();
        for account in desk.app().directory().accounts() {
            for endpoint in endpoints::list(desk.app().store().reader(), &account.id).await? {
                if endpoint.disabled_at.is_none()
                    && endpoint.consecutive_failures >= SUSPICIOUS_FAILURES
                    && Health::of(&desk, &endpoint, now).await?.is_dead(now)
                {
                    disable(&desk, endpoint, now).await?;
                }
            }
        }
        Ok(())
    }
}

/// What is known of an endpoint that failed many times in a row.
#[derive(Debug, Default, Clone, Copy)]
struct Health {
    /// The last acknowledgement.
    delivered_at: Option<Micros>,
    /// When the oldest callback was caused that was given up since.
    given_up_since: Option<Micros>,
    /// When the newest callback was caused that failed.
    failed_at: Option<Micros>,
}

impl Health {
    /// Callbacks were given up at both ends of the time, and nothing was acknowledged between.
    fn is_dead(self, now: Micros) -> bool {
        let long_ago = now.plus_ms(-DEAD_MS);
        self.delivered_at.is_none_or(|at| at < long_ago)
            && self.given_up_since.is_some_and(|at| at <= long_ago)
            && self.failed_at.is_some_and(|at| at >= now.plus_ms(-LATELY_MS))
    }

    async fn of(desk: &Desk, endpoint: &Endpoint, now: Micros) -> Result<Self, StoreError> {
        let delivered =
            newest(desk, endpoint, DeliveryState::Delivered, TimeRange::default()).await?;
        let delivered_at = delivered.iter().filter_map(|one| one.delivered_at).max();
        let before = TimeRange { from: delivered_at, to: Some(now.plus_ms(-DEAD_MS + 1)) };
        let given_up = newest(desk, endpoint, DeliveryState::Failed, before).await?;
        let lately = TimeRange { from: Some(now.plus_ms(-LATELY_MS)), to: None };
        let mut failed = newest(desk, endpoint, DeliveryState::Failed, lately).await?;
        failed.extend(newest(desk, endpoint, DeliveryState::Pending, lately).await?);
        let caused_at = |one: &Delivery| one.caused.created_at;
        Ok(Self {
            delivered_at,
            given_up_since: given_up.iter().map(caused_at).min(),
            failed_at: failed.iter().filter(|one| one.tries > 0).map(caused_at).max(),
        })
    }
}

/// A few of an endpoint's deliveries, newest first.
async fn newest(
    desk: &Desk,
    endpoint: &Endpoint,
    state: DeliveryState,
    created: TimeRange,
) -> Result<Vec<Delivery>, StoreError> {
    let filter = DeliveryFilter {
        state: Some(state),
        endpoint_id: Some(endpoint.id),
        conversation_id: None,
        created,
    };
    let page = PageRequest { limit: 20, after: None };
    let reader = desk.app().store().reader();
    Ok(deliveries::list(reader, &endpoint.account, &filter, &page).await?.rows)
}

async fn disable(desk: &Desk, endpoint: Endpoint, now: Micros) -> Result<(), StoreError> {
    let disabled = endpoint.clone();
    desk.app()
        .store()
        .writer()
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move { alarm::disable_receiver(tx, &disabled, REASON, now).await })
        })
        .await?;
    alarm::tell(&endpoint.account, endpoint.id, "dead", REASON);
    hold_back::run(desk.app(), &Waiting { endpoint_id: endpoint.id, url: None }).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_failures_make_an_endpoint_dead() {
        let now = Micros(0).plus_ms(1_000 * DAY_MS);
        let ago = |hours: i64| Some(now.plus_ms(-hours * 3_600_000));
        let cases = [
            // last acknowledged, given up since, failed lately, dead
            (None, ago(121), ago(1), true),
            (ago(200), ago(130), ago(40), true),
            (ago(119), ago(121), ago(1), false),
            (None, ago(119), ago(1), false),
            (None, None, ago(1), false),
            (None, ago(300), None, false),
            (None, ago(300), ago(49), false),
        ];
        for (delivered_at, given_up_since, failed_at, dead) in cases {
            let health = Health { delivered_at, given_up_since, failed_at };
            assert_eq!(health.is_dead(now), dead, "{health:?}");
        }
    }
}
