//! Puts many numbers on the account's do-not-call list: a CSV file whose first column holds the
//! numbers, and whose second, where there is one, notes. A line that is no number is passed over and
//! told, a head too.

use super::note;
use crate::principal::{Granted, SendNotices};
use crate::{App, Refusal};
use std::collections::HashSet;
use std::sync::Arc;
use yunling_domain::csv::Records;
use yunling_domain::error_code::{BAD_PARAMETER, INTERNAL};
use yunling_domain::{Micros, Number};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::do_not_call::{self, Listed};
use yunling_store::{BULK_ROWS, Lane, StoreError};

/// Lines that are told one by one.
const MOST_TOLD: usize = 100;

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uploaded {
    /// Numbers that are on the list now and were not before.
    pub added: u64,
    /// Numbers that were there.
    pub known: u64,
    /// Lines that are no numbers.
    pub rejected: u64,
    /// The first of them: line and reason.
    pub reasons: Vec<(u32, String)>,
}

/// Takes the file in. Numbers are on the list some hundreds at a time; a file that was not taken to
/// its end may be sent again.
///
/// # Errors
/// `BAD_PARAMETER` for a file that is not UTF-8; a fault of the database's.
pub async fn run(
    app: &App,
    caller: &Granted<SendNotices>,
    file: Arc<[u8]>,
) -> Result<Uploaded, Refusal> {
    let (now, who) = (app.clock().now(), caller.who().to_owned());
    let added_by = who.clone();
    let reading = tokio::task::spawn_blocking(move || read(&file, &added_by, now));
    let (listed, mut uploaded) = reading.await.unwrap_or_else(|error| {
        tracing::error!(%error, "reading a do-not-call list failed");
        Err(Refusal::new(INTERNAL))
    })?;
    let writer = app.store().writer();
    for turn in listed.chunks(BULK_ROWS) {
        let (account, turn) = (caller.account().clone(), turn.to_vec());
        let count = turn.len() as u64;
        let added = writer
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move { do_not_call::add(tx, &account, &turn, now).await })
            })
            .await?;
        uploaded.added += added;
        uploaded.known += count - added;
    }
    let entry = AuditEntry {
        at: now,
        account: caller.account().clone(),
        who,
        action: "do_not_call.upload".to_owned(),
        object: "do_not_call".to_owned(),
        detail: serde_json::json!({ "added": uploaded.added, "rejected": uploaded.rejected }),
    };
    writer
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move { audit::append(tx, &entry).await })
        })
        .await
        .map_err(|error: StoreError| Refusal::from(error))?;
    app.poke().dispatcher();
    Ok(uploaded)
}

fn read(file: &[u8], added_by: &str, now: Micros) -> Result<(Vec<Listed>, Uploaded), Refusal> {
    let text = std::str::from_utf8(file).map_err(|error| {
        let place = error.valid_up_to();
        let detail = format!("expected CSV in UTF-8, found another encoding at byte {place}");
        Refusal::field(BAD_PARAMETER, "body", detail)
    })?;
    let (mut listed, mut uploaded) = (Vec::new(), Uploaded::default());
    let mut seen = HashSet::new();
    for record in Records::of(text) {
        let (line, number, text) = match record {
            Ok(record) => {
                let field = |n: usize| record.fields.get(n).map_or("", String::as_str);
                let number = Number::parse_dialable(field(0)).map_err(|error| error.to_string());
                (record.line, number, note(field(1)))
            }
            Err(error) => (error.line, Err(error.problem.to_string()), String::new()),
        };
        match number.map(|number| number.stored()) {
            Ok(number) if seen.insert(number.clone()) => {
                let added_by = added_by.to_owned();
                listed.push(Listed { number, note: text, added_by, added_at: now });
            }
            Ok(_) => {}
            Err(reason) => {
                uploaded.rejected += 1;
                if uploaded.reasons.len() < MOST_TOLD {
                    uploaded.reasons.push((line, reason));
                }
            }
        }
    }
    Ok((listed, uploaded))
}
