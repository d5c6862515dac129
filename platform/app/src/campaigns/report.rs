//! What came of a campaign.

use super::{get, not_found};
use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal};
use yunling_domain::campaign::CallResult;
use yunling_domain::{Micros, RequestId, csv};
use yunling_store::campaigns::{self, Hour, NumberRow, Outcomes, Progress};
use yunling_store::{MAX_PAGE, StoreError};

/// What came of a campaign so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The campaign and its numbers by what they came to.
    pub progress: Progress,
    /// Its calls by what they came to.
    pub outcomes: Outcomes,
    /// Its calls by the hour, oldest first.
    pub hours: Vec<Hour>,
}

impl Report {
    /// How many calls came to this.
    pub fn calls(&self, result: CallResult) -> u32 {
        self.outcomes[result as usize]
    }

    /// Calls that were answered.
    pub fn answered(&self) -> u32 {
        self.calls(CallResult::Answered) + self.calls(CallResult::Confirmed)
    }

    /// Calls that are over.
    pub fn all_calls(&self) -> u32 {
        self.outcomes.iter().sum()
    }

    /// How long answered calls took, seconds.
    pub fn talk_s(&self) -> u64 {
        self.hours.iter().map(|hour| hour.talk_s).sum()
    }

    /// The report as CSV: a row an hour, and one for all.
    pub fn to_csv(&self, zone: chrono_tz::Tz) -> String {
        let mut text = String::new();
        csv::push_record(&mut text, ["hour", "calls", "answered", "confirmed", "talkSeconds"]);
        let mut row = |name: &str, calls: u32, answered: u32, confirmed: u32, talk_s: u64| {
            let fields = [calls, answered, confirmed].map(|count| count.to_string());
            let talk_s = talk_s.to_string();
            csv::push_record(
                &mut text,
                [name, &fields[0], &fields[1], &fields[2], talk_s.as_str()],
            );
        };
        for hour in &self.hours {
            let name = hour.at.rfc3339(zone);
            row(&name, hour.calls, hour.answered, hour.confirmed, hour.talk_s);
        }
        let confirmed = self.calls(CallResult::Confirmed);
        row("all", self.all_calls(), self.answered(), confirmed, self.talk_s());
        text
    }
}

/// The report of a campaign.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    id: &RequestId,
) -> Result<Report, Refusal> {
    let (reader, account) = (app.store().reader(), caller.account());
    let progress = get::run(app, caller, id).await?.progress;
    let outcomes = campaigns::outcomes(reader, account, id).await?;
    let hours = campaigns::hours(reader, account, id).await?;
    Ok(Report { progress, outcomes, hours })
}

/// Numbers of a campaign in the order of its list, at most `limit`, behind the place `after`.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn numbers(
    app: &App,
    caller: &Granted<ReadCalls>,
    id: &RequestId,
    after: Option<u32>,
    limit: u32,
) -> Result<Vec<NumberRow>, Refusal> {
    let reader = app.store().reader();
    let rows = campaigns::numbers(reader, caller.account(), id, after, u64::from(limit)).await;
    rows.map_err(|error| named(error, id))
}

fn named(error: StoreError, id: &RequestId) -> Refusal {
    match error {
        StoreError::NotFound(_) => not_found(id),
        other => other.into(),
    }
}

/// One stretch of a CSV file, and behind which row the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Whole lines.
    pub text: String,
    /// Absent: the file is over.
    pub after: Option<u32>,
}

/// A stretch of the file of a campaign's numbers: the first one, with the head, where `after` is
/// absent.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn numbers_csv(
    app: &App,
    caller: &Granted<ReadCalls>,
    id: &RequestId,
    after: Option<u32>,
) -> Result<Stretch, Refusal> {
    let rows = numbers(app, caller, id, after, MAX_PAGE).await?;
    let mut text = String::new();
    if after.is_none() {
        let head = ["number", "userdata", "state", "result", "rule", "calls", "nextAt"];
        csv::push_record(&mut text, head);
    }
    let shown = |at: Micros| at.rfc3339(chrono_tz::UTC);
    for row in &rows {
        let (calls, next_at) = (row.calls.to_string(), row.due_at.map(shown).unwrap_or_default());
        csv::push_record(
            &mut text,
            [
                row.to_shown.as_str(),
                row.userdata.as_deref().unwrap_or_default(),
                state(row),
                row.result.map_or("", |result| result.name()),
                row.rule.as_deref().unwrap_or_default(),
                &calls,
                &next_at,
            ],
        );
    }
    Ok(Stretch { text, after: rows.last().map(|row| row.n) })
}

/// `waiting`, `out` or `done`.
pub fn state(row: &NumberRow) -> &'static str {
    match (row.is_out, row.result) {
        (true, _) => "out",
        (false, Some(_)) => "done",
        (false, None) => "waiting",
    }
}

/// A stretch of the file of the rows of a campaign's list that were not taken, as
/// [`numbers_csv`].
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn rejected_csv(
    app: &App,
    caller: &Granted<ReadCalls>,
    id: &RequestId,
    after: Option<u32>,
) -> Result<Stretch, Refusal> {
    let reader = app.store().reader();
    let (behind, limit) = (after.unwrap_or(0), u64::from(MAX_PAGE));
    let rows = campaigns::rejected(reader, caller.account(), id, behind, limit).await;
    let rows = rows.map_err(|error| named(error, id))?;
    let mut text = String::new();
    if after.is_none() {
        csv::push_record(&mut text, ["line", "reason", "row"]);
    }
    for (line, reason, row) in &rows {
        csv::push_record(&mut text, [line.to_string().as_str(), reason, row]);
    }
    Ok(Stretch { text, after: rows.last().map(|(line, ..)| *line) })
}
