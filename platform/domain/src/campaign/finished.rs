//! What is told when a campaign is over.

use serde::Serialize;
use serde_json::Value;

use super::NumberResult;
use crate::Micros;

/// The facts of a campaign that is over.
#[derive(Debug, Clone)]
pub struct FinishedFacts<'a> {
    /// The campaign.
    pub id: &'a str,
    /// Of a run: the recurring campaign.
    pub run_of: Option<&'a str>,
    /// Its name.
    pub name: &'a str,
    /// The application.
    pub application: &'a str,
    /// `finished` or `cancelled`.
    pub state: &'a str,
    /// When it was started.
    pub started_at: Option<Micros>,
    /// When its last number was done.
    pub finished_at: Micros,
    /// Its numbers.
    pub total: u32,
    /// What they came to, in the order of [`NumberResult::ALL`].
    pub results: [u32; NumberResult::ALL.len()],
    /// Calls that were dialled.
    pub calls: u32,
    /// How long they talked, seconds.
    pub talk_s: u64,
    /// What the campaign's callbacks echo.
    pub userdata: Option<&'a str>,
}

/// The body, in the words of `GET /api/v1/campaigns/{campaignId}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FinishedCallback {
    campaign_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_of: Option<String>,
    name: String,
    appid: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    finished_at: String,
    total: u32,
    calls: u32,
    talk_s: u64,
    counts: Counts,
    userdata: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    confirmed: u32,
    answered: u32,
    busy: u32,
    no_answer: u32,
    declined: u32,
    no_such_number: u32,
    failed: u32,
    refused: u32,
    cancelled: u32,
}

impl FinishedCallback {
    /// The body for these facts.
    pub fn new(facts: &FinishedFacts<'_>) -> Self {
        let shown = |at: Micros| at.rfc3339(chrono_tz::UTC);
        let count = |result: NumberResult| facts.results[result as usize];
        Self {
            campaign_id: facts.id.to_owned(),
            run_of: facts.run_of.map(str::to_owned),
            name: facts.name.to_owned(),
            appid: facts.application.to_owned(),
            state: facts.state.to_owned(),
            started_at: facts.started_at.map(shown),
            finished_at: shown(facts.finished_at),
            total: facts.total,
            calls: facts.calls,
            talk_s: facts.talk_s,
            counts: Counts {
                confirmed: count(NumberResult::Confirmed),
                answered: count(NumberResult::Answered),
                busy: count(NumberResult::Busy),
                no_answer: count(NumberResult::NoAnswer),
                declined: count(NumberResult::Declined),
                no_such_number: count(NumberResult::NoSuchNumber),
                failed: count(NumberResult::Failed),
                refused: count(NumberResult::Refused),
                cancelled: count(NumberResult::Cancelled),
            },
            userdata: facts.userdata.unwrap_or_default().to_owned(),
        }
    }

    /// As it is sent.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers become JSON")
    }

    /// The same as a value.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("texts and numbers become JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_what_the_description_says() {
        let facts = FinishedFacts {
            id: "RQ1",
            run_of: None,
            name: "spring",
            application: "11",
            state: "finished",
            started_at: Some(Micros(1_795_500_000_000_000)),
            finished_at: Micros(1_795_503_600_000_000),
            total: 45,
            results: [1, 2, 3, 4, 5, 6, 7, 8, 9],
            calls: 50,
            talk_s: 600,
            userdata: None,
        };
        insta::assert_snapshot!(
            FinishedCallback::new(&facts).to_json(),
            @r#"{"campaignId":"RQ1","name":"spring","appid":"11","state":"finished","startedAt":"2026-11-24T06:00:00.000000Z","finishedAt":"2026-11-24T07:00:00.000000Z","total":45,"calls":50,"talkS":600,"counts":{"confirmed":1,"answered":2,"busy":3,"noAnswer":4,"declined":5,"noSuchNumber":6,"failed":7,"refused":8,"cancelled":9},"userdata":""}"#
        );
    }
}
