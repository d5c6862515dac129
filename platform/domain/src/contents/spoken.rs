use serde::{Deserialize, Serialize};

use crate::Lang;
use crate::speech::{self, Kind, SpeechError};

/// The longest name of a voice file, in characters.
const MAX_NAME_CHARS: usize = 255;

/// One item of `contents`; what it holds has been checked and can be spoken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// A file of the application's media library.
    Voice {
        /// Its name there.
        name: String,
    },
    /// A date, a date with a time of day, or a time of day.
    Time(String),
    /// An amount of CNY.
    Money(String),
    /// A cardinal number.
    Number(String),
    /// Digits and letters, one by one.
    Digits(String),
}

impl Content {
    /// Checks one item of a request: `type` and `content` as given. Whether a voice file exists is
    /// the media library's to say.
    ///
    /// # Errors
    /// [`ContentError`]: fault of the client.
    pub fn parse(kind: &str, content: &str, lang: Lang) -> Result<Self, ContentError> {
        match kind {
            "voice" => voice_name(content).map(|name| Self::Voice { name }),
            "time" => speakable(Kind::Time, content, lang).map(Self::Time),
            "money" => speakable(Kind::Money, content, lang).map(Self::Money),
            "number" => speakable(Kind::Number, content, lang).map(Self::Number),
            "digits" => speakable(Kind::Digits, content, lang).map(Self::Digits),
            other => Err(ContentError::UnknownType(other.chars().take(32).collect())),
        }
    }

    /// Its `type` on the published surface.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Voice { .. } => "voice",
            Self::Time(_) => "time",
            Self::Money(_) => "money",
            Self::Number(_) => "number",
            Self::Digits(_) => "digits",
        }
    }

    /// Its `content` on the published surface.
    pub fn text(&self) -> &str {
        match self {
            Self::Voice { name } => name,
            Self::Time(text) | Self::Money(text) | Self::Number(text) | Self::Digits(text) => text,
        }
    }

    /// What the speech grammar is to read out; none for a voice file.
    pub fn spoken(&self) -> Option<(Kind, &str)> {
        match self {
            Self::Voice { .. } => None,
            Self::Time(text) => Some((Kind::Time, text)),
            Self::Money(text) => Some((Kind::Money, text)),
            Self::Number(text) => Some((Kind::Number, text)),
            Self::Digits(text) => Some((Kind::Digits, text)),
        }
    }
}

fn voice_name(content: &str) -> Result<String, ContentError> {
    let name = content.trim();
    let separator = |c: char| c.is_control() || matches!(c, '/' | '\\');
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(separator) {
        return Err(ContentError::BadVoiceName);
    }
    Ok(name.to_owned())
}

fn speakable(kind: Kind, content: &str, lang: Lang) -> Result<String, ContentError> {
    speech::say(kind, content, lang, &speech::Settings::default())?;
    Ok(content.trim().to_owned())
}

/// Why an item of `contents` is not taken: fault of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Not a type of the interface.
    #[error("unknown type {0:?}: expected voice, time, money, number or digits")]
    UnknownType(String),
    /// Not the name of a file.
    #[error("expected the name of a voice file: 1 to {MAX_NAME_CHARS} characters without / or \\")]
    BadVoiceName,
    /// It does not fit its type.
    #[error(transparent)]
    Unspeakable(#[from] SpeechError),
}

/// How an item is stored with its language; read again, it is checked again.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredItem {
    #[serde(rename = "type")]
    kind: String,
    content: String,
    #[serde(default)]
    lang: Lang,
}

impl StoredItem {
    pub(super) fn of(content: &Content, lang: Lang) -> Self {
        Self { kind: content.kind().to_owned(), content: content.text().to_owned(), lang }
    }

    pub(super) fn read(&self) -> Result<(Content, Lang), ContentError> {
        Content::parse(&self.kind, &self.content, self.lang).map(|content| (content, self.lang))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_a_request() {
        // RESOLUTIONS, contents: (type, content, taken as)
        let taken = [
            ("voice", "prompt1.wav", "prompt1.wav"),
            ("voice", " 欢迎.wav ", "欢迎.wav"),
            ("time", "2013-07-30", "2013-07-30"),
            ("time", "2013-07-30 08:05", "2013-07-30 08:05"),
            ("time", "08:05", "08:05"),
            ("money", "2.14", "2.14"),
            ("number", "112", "112"),
            ("number", "10000000000000000", "10000000000000000"),
            ("digits", "112aZ", "112aZ"),
        ];
        for (kind, content, as_text) in taken {
            for lang in Lang::ALL {
                let parsed = Content::parse(kind, content, lang).expect("it is taken");
                assert_eq!((parsed.kind(), parsed.text()), (kind, as_text));
                assert_eq!(parsed.spoken().is_none(), kind == "voice");
            }
        }
        let refused = [
            ("", "x", "unknown type"),
            ("Voice", "x.wav", "unknown type"),
            ("text", "hello", "unknown type"),
            ("voice", "", "voice file"),
            ("voice", "../secret.wav", "voice file"),
            ("voice", "a\\b.wav", "voice file"),
            ("time", "2013-02-30", "date that exists"),
            ("time", "24:00", "time of day"),
            ("time", "30.07.2013", "YYYY-MM-DD"),
            ("money", "2.145", "2 decimals"),
            ("number", "10000000000000001", "between"),
            ("number", "1e3", "decimal number"),
            ("digits", "1-2", "digits and letters"),
            ("digits", "", "digits and letters"),
        ];
        for (kind, content, because) in refused {
            let error = Content::parse(kind, content, Lang::Zh).expect_err("it is refused");
            assert!(error.to_string().contains(because), "{kind} {content:?}: {error}");
        }
    }
}
