//! Recordings of calls.

use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use yunling_app::principal::ReadRecordings;
use yunling_app::{App, get_recording, list_recordings, recordings};
use yunling_domain::{ApplicationId, ConversationId, RecordingId};
use yunling_store::recordings::{Recording as Stored, RecordingFilter, RecordingState};

use super::Problem;
use super::caller::Caller;
use super::query::{page, range, shown};
use crate::api::sound::SoundAnswer;
use crate::api::tags::Tags;

/// A recording.
#[derive(Debug, Object)]
#[oai(rename = "Recording", rename_all = "camelCase")]
struct Recording {
    recording_id: String,
    conversation_id: String,
    /// The appid.
    application: String,
    /// `writing`, `ready`, `failed` (there is no file of it) or `deleted`.
    state: String,
    created_at: String,
    #[oai(skip_serializing_if_is_none)]
    ready_at: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    deleted_at: Option<String>,
    duration_ms: u64,
    /// The file's length.
    octets: u64,
    /// What could not be written in time, and is silent in it.
    lost_ms: u64,
    /// What went wrong.
    #[oai(skip_serializing_if_is_none)]
    failure: Option<String>,
    /// A fresh link for whoever has no credentials; it expires.
    #[oai(skip_serializing_if_is_none)]
    url: Option<String>,
}

impl Recording {
    fn of(app: &App, stored: Stored) -> Self {
        let is_ready = stored.state == RecordingState::Ready;
        Self {
            recording_id: stored.begun.id.to_string(),
            conversation_id: stored.begun.conversation.to_string(),
            application: stored.begun.application.to_string(),
            state: stored.state.as_str().to_owned(),
            created_at: shown(stored.begun.created_at),
            ready_at: stored.ready_at.map(shown),
            deleted_at: stored.deleted_at.map(shown),
            duration_ms: stored.duration_ms,
            octets: stored.octets,
            lost_ms: stored.lost_ms,
            url: is_ready.then(|| recordings::fresh_link(app, &stored)),
            failure: stored.failure,
        }
    }
}

/// A page of recordings.
#[derive(Debug, Object)]
#[oai(rename = "RecordingPage", rename_all = "camelCase")]
struct RecordingPage {
    /// Newest first.
    recordings: Vec<Recording>,
    /// Where the next page begins; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    next_cursor: Option<String>,
}

/// The operations.
pub(super) struct RecordingsApi;

#[OpenApi]
impl RecordingsApi {
    /// List recordings
    ///
    /// The account's recordings, newest first, page by page. Conditions are joined by "and". Needs
    /// the scope `recordings:read`.
    #[oai(
        path = "/api/v1/recordings",
        method = "get",
        operation_id = "listRecordings",
        tag = "Tags::Recordings"
    )]
    #[expect(clippy::too_many_arguments, reason = "one argument for each parameter of the query")]
    async fn list_recordings(
        &self,
        caller: Caller<ReadRecordings>,
        app: Data<&App>,
        /// Of this application.
        application: Query<Option<String>>,
        /// Of this conversation.
        #[oai(name = "conversationId")]
        conversation_id: Query<Option<String>>,
        /// Begun at this time or later (RFC 3339).
        since: Query<Option<String>>,
        /// Begun before this time (RFC 3339).
        until: Query<Option<String>>,
        /// The most rows to give, 1 to 500.
        limit: Query<Option<u32>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RecordingPage>, Problem> {
        let filter = RecordingFilter {
            application: application.0.map(ApplicationId::new),
            conversation: conversation_id.0.map(ConversationId::new),
            created: range(since.0.as_deref(), until.0.as_deref())?,
        };
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = list_recordings::run(&app, &caller.0, &filter, &page).await?;
        Ok(Json(RecordingPage {
            recordings: found.rows.into_iter().map(|one| Recording::of(&app, one)).collect(),
            next_cursor: found.next.map(|cursor| cursor.encode()),
        }))
    }

    /// Read what is known of a recording
    ///
    /// Needs the scope `recordings:read`.
    #[oai(
        path = "/api/v1/recordings/:recordingId",
        method = "get",
        operation_id = "getRecording",
        tag = "Tags::Recordings"
    )]
    async fn get_recording(
        &self,
        caller: Caller<ReadRecordings>,
        app: Data<&App>,
        /// The recording.
        #[oai(name = "recordingId")]
        recording_id: Path<String>,
    ) -> Result<Json<Recording>, Problem> {
        let id = RecordingId::new(recording_id.0);
        let found = get_recording::run(&app, &caller.0, &id).await?;
        Ok(Json(Recording::of(&app, found)))
    }

    /// Listen to a recording
    ///
    /// The file itself, or the part that `Range` asks for. Needs the scope `recordings:read`.
    #[oai(
        path = "/api/v1/recordings/:recordingId/audio",
        method = "get",
        operation_id = "getRecordingAudio",
        tag = "Tags::Recordings"
    )]
    async fn get_recording_audio(
        &self,
        caller: Caller<ReadRecordings>,
        app: Data<&App>,
        /// The recording.
        #[oai(name = "recordingId")]
        recording_id: Path<String>,
        /// The part that is asked for, `bytes=0-65535`; one range.
        #[oai(name = "Range")]
        range: Header<Option<String>>,
    ) -> Result<SoundAnswer, Problem> {
        let id = RecordingId::new(recording_id.0);
        let found = get_recording::run(&app, &caller.0, &id).await?;
        Ok(SoundAnswer(recordings::open(&app, &found, range.0.as_deref()).await?))
    }
}
