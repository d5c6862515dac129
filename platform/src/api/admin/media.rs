//! The applications' media libraries.

use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::{Binary, Json};
use poem_openapi::{ApiResponse, Object, OpenApi};
use yunling_app::get_media::{self, MediaView};
use yunling_app::import_media::MediaWarning;
use yunling_app::principal::{ReadMedia, WriteMedia};
use yunling_app::upload_media::{self, Condition, Upload, Uploaded};
use yunling_app::{App, Refusal, delete_media, list_media, preview_media};
use yunling_assets::Level;
use yunling_domain::ApplicationId;
use yunling_domain::error_code::BAD_PARAMETER;

use super::Problem;
use super::audio_body::AudioBody;
use super::caller::Caller;
use super::query::{page, shown};
use crate::api::tags::Tags;

/// A recording of a media library.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Media {
    appid: String,
    /// What `contents` and `finishvoice` call it.
    name: String,
    /// SHA-256 of the file, hexadecimal.
    sha256: String,
    /// How long it plays.
    length_ms: u32,
    /// What the file is: `WAV`, `MP3`, `Ogg Vorbis` or `FLAC`.
    #[oai(skip_serializing_if_is_none)]
    format: Option<String>,
    /// The file's size.
    #[oai(skip_serializing_if_is_none)]
    bytes: Option<u64>,
    /// The file's sample rate; it is played at 8 kHz.
    #[oai(skip_serializing_if_is_none)]
    rate_hz: Option<u32>,
    /// The file's channels; they are mixed to one.
    #[oai(skip_serializing_if_is_none)]
    channels: Option<u16>,
    /// Whether it was brought to the usual loudness, -20 LUFS.
    normalised: bool,
    #[oai(skip_serializing_if_is_none)]
    loudness: Option<MediaLoudness>,
    /// What its owner should know. Never a reason not to play it.
    warnings: Vec<Warning>,
    /// Who manages it: `console`, or `file:` and the set that `yunling apply` keeps.
    managed_by: String,
    /// One more with every change; the `ETag`.
    version: i64,
    updated_at: String,
}

/// How loud a recording is to the ear: integrated loudness by EBU R 128, of what the telephone carries.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct MediaLoudness {
    /// As it came.
    before_lufs: f64,
    /// As it is played.
    after_lufs: f64,
    /// The highest peak as it is played, dB below full scale.
    true_peak_dbtp: f64,
}

/// Something that the owner of a recording should know.
#[derive(Debug, Object)]
#[oai(rename = "MediaWarning")]
struct Warning {
    /// `clipped`, `silent`, `long_silence`, `mixed_to_mono`, `channels_cancel`, `too_quiet`,
    /// `peaks_limited` or `damaged_parts_left_out`.
    code: String,
    text: String,
}

/// A page of a media library.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct MediaPage {
    /// By name.
    media: Vec<Media>,
    /// Where the next page begins; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum MediaAnswer {
    /// The recording.
    #[oai(status = 200)]
    Found(
        Json<Media>,
        /// Its version, to be shown again in `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum UploadAnswer {
    /// The library has a recording more.
    #[oai(status = 201)]
    Created(
        Json<Media>,
        /// Its version, to be shown again in `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
    /// It has taken the place of the one before, or was there already.
    #[oai(status = 200)]
    Replaced(
        Json<Media>,
        /// Its version, to be shown again in `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

#[derive(ApiResponse)]
enum SoundAnswer {
    /// A WAV file: 8 kHz, 16 bits, mono.
    #[oai(status = 200, content_type = "audio/wav")]
    Sound(Binary<Vec<u8>>),
}

#[derive(ApiResponse)]
enum OriginalAnswer {
    /// The bytes that were uploaded.
    #[oai(status = 200)]
    File(
        Binary<Vec<u8>>,
        /// That it is to be saved, not shown.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

#[derive(ApiResponse)]
enum DeletedAnswer {
    /// The library has it no more.
    #[oai(status = 204)]
    Deleted,
}

impl From<MediaView> for Media {
    fn from(view: MediaView) -> Self {
        let report = view.report.as_ref();
        Self {
            appid: view.application.to_string(),
            length_ms: view.length_ms,
            format: report.map(|report| report.format.clone()),
            bytes: report.map(|report| report.bytes),
            rate_hz: report.map(|report| report.rate_hz),
            channels: report.map(|report| report.channels),
            loudness: report.map(|report| MediaLoudness {
                before_lufs: report.lufs_before,
                after_lufs: report.lufs_after,
                true_peak_dbtp: report.true_peak_dbtp,
            }),
            warnings: view
                .report
                .map(|report| report.warnings.into_iter().map(Warning::from).collect())
                .unwrap_or_default(),
            name: view.name,
            sha256: view.sha256,
            normalised: view.normalised,
            managed_by: view.managed_by,
            version: view.version,
            updated_at: shown(view.updated_at),
        }
    }
}

impl From<MediaWarning> for Warning {
    fn from(warning: MediaWarning) -> Self {
        Self { code: warning.code, text: warning.text }
    }
}

/// As RFC 9110, section 8.8.3, writes it.
fn etag(view: &MediaView) -> String {
    format!("\"{}\"", view.version)
}

/// What `If-Match` and `If-None-Match` ask for (RFC 9110, section 13.1).
fn condition(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Condition, Refusal> {
    let wrong = |field: &str, expected: &str, found: &str| {
        let found: String = found.chars().take(64).collect();
        Refusal::field(BAD_PARAMETER, field, format!("expected {expected}, found {found:?}"))
    };
    match (if_match.map(str::trim), if_none_match.map(str::trim)) {
        (None, None) => Ok(Condition::Whatever),
        (None, Some("*")) => Ok(Condition::Nothing),
        (None, Some(found)) => Err(wrong("If-None-Match", "*", found)),
        (Some(found), None) => {
            let version = found.trim_start_matches("W/").trim_matches('"').parse();
            let version = version.map_err(|_| {
                wrong("If-Match", "the ETag of the recording, such as \"3\"", found)
            })?;
            Ok(Condition::Version(version))
        }
        (Some(found), Some(_)) => Err(wrong("If-Match", "only one of both conditions", found)),
    }
}

/// The operations.
pub(super) struct MediaApi;

#[OpenApi]
impl MediaApi {
    /// Upload a recording
    ///
    /// The body is the file: WAV (PCM, float, A-law, µ-law), MP3, Ogg Vorbis or FLAC, told by its
    /// content. It is mixed to mono, resampled to 8 kHz and brought to one loudness. A recording that
    /// had the name is replaced; calls that have begun keep what they began with. The same file again
    /// changes nothing, so an upload may simply be repeated. Needs the scope `media:write`.
    #[oai(
        path = "/api/v1/applications/:appid/media/:mediaName",
        method = "put",
        operation_id = "uploadMedia",
        tag = "Tags::Media"
    )]
    #[expect(clippy::too_many_arguments, reason = "one argument for each parameter")]
    async fn upload_media(
        &self,
        caller: Caller<WriteMedia>,
        app: Data<&App>,
        /// The application.
        appid: Path<String>,
        /// What `contents` will call it: 1 to 128 characters, no slashes.
        #[oai(name = "mediaName")]
        media_name: Path<String>,
        /// Whether it is brought to the usual loudness; it is where nothing is said.
        normalise: Query<Option<bool>>,
        /// The `ETag` that is to be replaced: another version is refused with `conflict`.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// `*`: only where there is none of that name, else `media_exists`.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        body: AudioBody,
    ) -> Result<UploadAnswer, Problem> {
        let upload = Upload {
            application: ApplicationId::new(appid.0),
            name: media_name.0,
            bytes: body.bytes,
            level: if normalise.0 == Some(false) { Level::AsItIs } else { Level::Normalised },
            condition: condition(if_match.0.as_deref(), if_none_match.0.as_deref())?,
        };
        Ok(match upload_media::run(&app, &caller.0, upload).await? {
            Uploaded::Created(view) => {
                UploadAnswer::Created(Json(view.clone().into()), etag(&view))
            }
            Uploaded::Replaced(view) => {
                UploadAnswer::Replaced(Json(view.clone().into()), etag(&view))
            }
        })
    }

    /// List recordings
    ///
    /// An application's media library by name, page by page. Needs the scope `media:read`.
    #[oai(
        path = "/api/v1/applications/:appid/media",
        method = "get",
        operation_id = "listMedia",
        tag = "Tags::Media"
    )]
    async fn list_media(
        &self,
        caller: Caller<ReadMedia>,
        app: Data<&App>,
        /// The application.
        appid: Path<String>,
        /// The most rows to give, 1 to 500.
        limit: Query<Option<u32>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<MediaPage>, Problem> {
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = list_media::run(&app, &caller.0, &ApplicationId::new(appid.0), &page).await?;
        Ok(Json(MediaPage {
            media: found.rows.into_iter().map(Media::from).collect(),
            next_cursor: found.next.map(|cursor| cursor.encode()),
        }))
    }

    /// Read a recording's facts
    ///
    /// What was found in the file and how loud it is. Needs the scope `media:read`.
    #[oai(
        path = "/api/v1/applications/:appid/media/:mediaName",
        method = "get",
        operation_id = "getMedia",
        tag = "Tags::Media"
    )]
    async fn get_media(
        &self,
        caller: Caller<ReadMedia>,
        app: Data<&App>,
        /// The application.
        appid: Path<String>,
        /// What `contents` calls it.
        #[oai(name = "mediaName")]
        media_name: Path<String>,
    ) -> Result<MediaAnswer, Problem> {
        let application = ApplicationId::new(appid.0);
        let view = get_media::run(&app, &caller.0, &application, &media_name.0).await?;
        Ok(MediaAnswer::Found(Json(view.clone().into()), etag(&view)))
    }

    /// Listen to a recording
    ///
    /// As callees hear it: a WAV file of what is sent in G.711. Needs the scope `media:read`.
    #[oai(
        path = "/api/v1/applications/:appid/media/:mediaName/preview.wav",
        method = "get",
        operation_id = "previewMedia",
        tag = "Tags::Media"
    )]
    async fn preview_media(
        &self,
        caller: Caller<ReadMedia>,
        app: Data<&App>,
        /// The application.
        appid: Path<String>,
        /// What `contents` calls it.
        #[oai(name = "mediaName")]
        media_name: Path<String>,
    ) -> Result<SoundAnswer, Problem> {
        let application = ApplicationId::new(appid.0);
        let sound = preview_media::run(&app, &caller.0, &application, &media_name.0).await?;
        Ok(SoundAnswer::Sound(Binary(sound)))
    }

    /// Download a recording
    ///
    /// The file as it was uploaded, byte for byte. Needs the scope `media:read`.
    #[oai(
        path = "/api/v1/applications/:appid/media/:mediaName/original",
        method = "get",
        operation_id = "downloadMedia",
        tag = "Tags::Media"
    )]
    async fn download_media(
        &self,
        caller: Caller<ReadMedia>,
        app: Data<&App>,
        /// The application.
        appid: Path<String>,
        /// What `contents` calls it.
        #[oai(name = "mediaName")]
        media_name: Path<String>,
    ) -> Result<OriginalAnswer, Problem> {
        let application = ApplicationId::new(appid.0);
        let file = preview_media::original(&app, &caller.0, &application, &media_name.0).await?;
        Ok(OriginalAnswer::File(Binary(file), "attachment".to_owned()))
    }

    /// Delete a recording
    ///
    /// Refused with `media_in_use` while calls that wait or run play it, and with `conflict` where a
    /// file set of `yunling apply` manages it. Needs the scope `media:write`.
    #[oai(
        path = "/api/v1/applications/:appid/media/:mediaName",
        method = "delete",
        operation_id = "deleteMedia",
        tag = "Tags::Media"
    )]
    async fn delete_media(
        &self,
        caller: Caller<WriteMedia>,
        app: Data<&App>,
        /// The application.
        appid: Path<String>,
        /// What `contents` calls it.
        #[oai(name = "mediaName")]
        media_name: Path<String>,
    ) -> Result<DeletedAnswer, Problem> {
        let application = ApplicationId::new(appid.0);
        delete_media::run(&app, &caller.0, &application, &media_name.0).await?;
        Ok(DeletedAnswer::Deleted)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn conditions_are_read_as_http_writes_them() {
        let fine = [
            (None, None, Condition::Whatever),
            (None, Some("*"), Condition::Nothing),
            (Some("\"3\""), None, Condition::Version(3)),
            (Some(" W/\"3\""), None, Condition::Version(3)),
            (Some("3"), None, Condition::Version(3)),
        ];
        for (if_match, if_none_match, expected) in fine {
            assert_eq!(condition(if_match, if_none_match).unwrap(), expected, "{if_match:?}");
        }
        for (if_match, if_none_match, field) in [
            (Some("three"), None, "If-Match"),
            (Some("*"), None, "If-Match"),
            (None, Some("\"3\""), "If-None-Match"),
            (Some("\"3\""), Some("*"), "If-Match"),
        ] {
            let refusal = condition(if_match, if_none_match).unwrap_err();
            assert_eq!(refusal.field.as_deref(), Some(field), "{if_match:?}");
        }
    }
}
