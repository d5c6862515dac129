use super::{link, move_out};
use crate::App;
use crate::finish_conversation::RecordingFacts;
use serde_json::json;
use yunling_domain::{AccountId, ConversationId, RecordingId};
use yunling_store::deliveries::{self, NewDelivery};
use yunling_store::recordings::{self, Recording, RecordingEnd, RecordingState};
use yunling_store::{Lane, StoreError};

/// What the engine says of a recording that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Its length.
    pub duration_ms: u64,
    /// The file's length; 0 where there is none.
    pub octets: u64,
    /// What could not be written in time.
    pub lost_ms: u64,
    /// What went wrong.
    pub failure: Option<String>,
}

/// Notes what became of a recording, tells the application's `recording_url`, and moves the file to
/// the object store afterwards. Gives what the call record says of it; nothing where there is no
/// such recording. It may be called again after any failure.
///
/// # Errors
/// The database did not take it.
pub async fn publish(
    app: &App,
    account: &AccountId,
    id: &RecordingId,
    end: End,
) -> Result<Option<RecordingFacts>, StoreError> {
    app.recording_desk().ended(id);
    let Some(recording) = recordings::get(app.store().reader(), account, id).await? else {
        return Ok(None);
    };
    if recording.state != RecordingState::Writing {
        return Ok(Some(facts(app, &recording)));
    }
    if let Some(failure) = &end.failure {
        tracing::error!(recording = %id, failure, "a recording has failed, or is incomplete");
        metrics::counter!("yunling_recordings_failed_total").increment(1);
    }
    let end = RecordingEnd {
        at: app.clock().now(),
        duration_ms: end.duration_ms,
        octets: end.octets,
        lost_ms: end.lost_ms,
        failure: end.failure,
    };
    let ended = Recording {
        state: if end.octets > 0 { RecordingState::Ready } else { RecordingState::Failed },
        duration_ms: end.duration_ms,
        octets: end.octets,
        lost_ms: end.lost_ms,
        failure: end.failure.clone(),
        ready_at: Some(end.at),
        ..recording
    };
    let told = ready_callback(app, &ended);
    let is_told = told.is_some();
    let (tenant, noted) = (account.clone(), id.clone());
    let first = app
        .store()
        .writer()
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move {
                let first = recordings::end(tx, &tenant, &noted, &end).await?;
                if let Some(told) = told.filter(|_| first) {
                    deliveries::insert(tx, &tenant, &told).await?;
                }
                Ok::<_, StoreError>(first)
            })
        })
        .await?;
    if first && is_told {
        app.poke().deliveries();
    }
    if first && ended.state == RecordingState::Ready {
        metrics::counter!("yunling_recordings_total").increment(1);
        move_out::in_background(app, ended.clone());
    }
    Ok(Some(facts(app, &ended)))
}

/// The recording of the account's conversation, as its call record says it; nothing where none was
/// begun.
///
/// # Errors
/// Those of a read.
pub async fn of_conversation(
    app: &App,
    account: &AccountId,
    conversation: &ConversationId,
) -> Result<Option<RecordingFacts>, StoreError> {
    let found = recordings::of_conversation(app.store().reader(), account, conversation).await?;
    Ok(found.map(|recording| facts(app, &recording)))
}

/// What a call record says of a recording: its link and length only where it can be had.
pub fn facts(app: &App, recording: &Recording) -> RecordingFacts {
    let is_ready = recording.state == RecordingState::Ready;
    RecordingFacts {
        id: recording.begun.id.clone(),
        url: is_ready.then(|| link::fresh(app, recording)),
        duration_s: is_ready.then(|| duration_s(recording)),
    }
}

/// Rounded, as people do.
fn duration_s(recording: &Recording) -> u64 {
    recording.duration_ms.saturating_add(500) / 1_000
}

/// The addition `recording.ready`: every value a string, as in the other callbacks.
fn ready_callback(app: &App, recording: &Recording) -> Option<NewDelivery> {
    let begun = &recording.begun;
    let directory = app.directory();
    let application = directory.application(&begun.account, &begun.application)?;
    let url = application.recording_url.as_deref()?;
    let zone =
        directory.account(&begun.account).map_or(app.settings().zone.0, |account| account.zone);
    let facts = self::facts(app, recording);
    let body = json!({
        "type": "recording.ready",
        "recordingSid": begun.id.as_str(),
        "conversationSid": begun.conversation.as_str(),
        "accountSid": begun.account.as_str(),
        "appSid": begun.application.as_str(),
        "recordingUrl": facts.url?,
        "recordingDuration": facts.duration_s?.to_string(),
        "startTime": begun.created_at.stamp14(zone),
        "octets": recording.octets.to_string(),
        "lostMs": recording.lost_ms.to_string(),
    });
    Some(NewDelivery {
        // One event per recording.
        id: format!("msg_{}", begun.id),
        application: begun.application.clone(),
        // Not among the conversation's: it is a fact of its own, and nothing waits for its turn.
        conversation_id: None,
        seq: 0,
        kind: "recording.ready".to_owned(),
        url: url.to_owned(),
        body: body.to_string(),
        created_at: recording.ready_at.unwrap_or(begun.created_at),
    })
}
