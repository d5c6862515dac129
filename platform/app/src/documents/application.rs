use super::initial::Initial;
use super::{CallbackUrl, MediaName, Positive, Sid, WebOrigin};
use crate::import_media;
use crate::secrets::Plain;
use crate::yaml::{Parsed, Text};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use yunling_assets::Level;
use yunling_domain::NumberClass;

/// One application of an account. Only `sid` must be given; a webhook secret is minted where none is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationDoc {
    /// Its appid.
    pub sid: Parsed<Sid>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Parsed<Text<128>>>,
    /// What its callbacks are first signed with (Standard Webhooks); stored sealed. A later change
    /// here does nothing: secrets are rotated, with two active meanwhile.
    #[serde(skip_serializing)]
    pub webhook_secret: Option<Plain>,
    /// A file that holds the secret.
    #[serde(skip_serializing)]
    pub webhook_secret_file: Option<PathBuf>,
    /// The environment variable that holds the secret.
    #[serde(skip_serializing)]
    pub webhook_secret_env: Option<String>,
    /// Where result callbacks of notices and captchas go; absent: there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice_url: Option<Parsed<CallbackUrl>>,
    /// Where status callbacks of click-to-call go by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_url: Option<Parsed<CallbackUrl>>,
    /// Where call records of click-to-call go by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdr_url: Option<Parsed<CallbackUrl>>,
    /// Whether failures get their own HTTP status instead of 200; absent: 200 always, as published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub semantic_status: Option<bool>,
    /// Whether result callbacks carry the sample's misprinted `answerime` too; absent: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answerime: Option<bool>,
    /// Classes of numbers that it may call; absent: mobiles and landlines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destinations: Option<Vec<Parsed<DestinationClass>>>,
    /// Origins of the web pages that may dial with browser tokens; absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origins: Option<Vec<Parsed<WebOrigin>>>,
    /// Where it is told that a recording can be had; absent: there are no such callbacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_url: Option<Parsed<CallbackUrl>>,
    /// How long recordings are kept, days; absent: as the node says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_keep_days: Option<Positive>,
    /// How long a recording's link holds, seconds; absent: as the node says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_link_s: Option<Positive>,
    /// Its media library.
    #[serde(default, skip_serializing)]
    pub media: Vec<MediaFile>,
}

impl ApplicationDoc {
    pub(super) fn webhook_secret(&self) -> Initial<'_> {
        Initial {
            field: "webhook_secret",
            in_place: self.webhook_secret.as_ref(),
            in_file: self.webhook_secret_file.as_ref(),
            in_env: self.webhook_secret_env.as_ref(),
        }
    }
}

/// A file of the media library, as a document names it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaFile {
    /// What `contents` calls it.
    pub name: Parsed<MediaName>,
    /// An audio file: WAV, MP3, Ogg Vorbis or FLAC.
    pub file: PathBuf,
    /// Whether it is brought to the usual loudness; absent: it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalise: Option<bool>,
}

/// A file of the media library, as it is stored: the bytes lie apart, under their hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaDoc {
    /// What `contents` calls it.
    pub name: Parsed<MediaName>,
    /// SHA-256 of the file, 64 hex digits.
    pub sha256: String,
    /// Whether it was brought to the usual loudness; absent: it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalise: Option<bool>,
}

impl MediaDoc {
    /// How it is taken in.
    pub(crate) fn level(&self) -> Level {
        match self.normalise {
            Some(false) => Level::AsItIs,
            Some(true) | None => Level::Normalised,
        }
    }

    /// Under which name its audio is stored.
    pub(crate) fn stored_name(&self) -> String {
        import_media::stored_name(&self.sha256, self.level())
    }
}

/// A class of numbers that can be opened; emergency numbers never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestinationClass(pub NumberClass);

const OPENABLE: [NumberClass; 6] = [
    NumberClass::Mobile,
    NumberClass::Landline,
    NumberClass::TollFree400,
    NumberClass::TollFree800,
    NumberClass::Short,
    NumberClass::Foreign,
];

impl std::str::FromStr for DestinationClass {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        OPENABLE.into_iter().find(|class| class.name() == text).map(Self).ok_or_else(|| {
            let names = OPENABLE.map(NumberClass::name).join(", ");
            format!("expected one of {names}, found {text:?}")
        })
    }
}

impl std::fmt::Display for DestinationClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}
