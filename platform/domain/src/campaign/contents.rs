//! What a campaign says: contents with places for each number's own words.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Lang;
use crate::contents::{Content, ContentError, KeyRule, NoticeSpec};

/// What a row of the list gives for the places, by name.
pub type Variables = BTreeMap<String, String>;

/// One item of a campaign's contents, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentTemplate {
    /// `type` of the published surface.
    #[serde(rename = "type")]
    pub kind: String,
    /// `content` of the published surface, with `{name}` where a row's own text belongs.
    pub content: String,
    /// Its language.
    #[serde(default)]
    pub lang: Lang,
}

/// What a campaign says, as stored with its request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignContents {
    /// What is said, in order; 1 to [`MAX_CONTENTS`](crate::contents::MAX_CONTENTS).
    pub contents: Vec<ContentTemplate>,
    /// As of a notice.
    pub times: u8,
    /// As of a notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_key: Option<KeyRule>,
    /// As of a notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_key: Option<KeyRule>,
    /// As of a notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_voice: Option<String>,
}

/// Contents that cannot be made for a row, or at all: fault of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// A brace without its partner, or nothing between two.
    #[error("contents[{index}].content: expected {{name}} with a name between the braces")]
    BadPlace {
        /// Which item, from 0.
        index: usize,
    },
    /// The row has no text for a place.
    #[error("contents[{index}].content: the row has no {name}")]
    Missing {
        /// Which item, from 0.
        index: usize,
        /// The place's name.
        name: String,
    },
    /// With the row's texts the item cannot be spoken.
    #[error("contents[{index}]: {error}")]
    Content {
        /// Which item, from 0.
        index: usize,
        /// Why.
        error: ContentError,
    },
}

/// A stretch of a template.
enum Part<'a> {
    Text(&'a str),
    Place(&'a str),
}

/// A template's stretches, or nothing where its braces do not match.
fn parts(template: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(open);
        let inner = from.strip_prefix('{')?;
        let close = inner.find(['{', '}'])?;
        let (name, after) = inner.split_at(close);
        rest = after.strip_prefix('}')?;
        let name = name.trim();
        if name.is_empty() {
            return None;
        }
        parts.extend([Part::Text(before), Part::Place(name)]);
    }
    parts.push(Part::Text(rest));
    Some(parts)
}

impl ContentTemplate {
    /// The names of its places; nothing where its braces do not match.
    fn places(&self) -> Option<BTreeSet<&str>> {
        let names = parts(&self.content)?.into_iter().filter_map(|part| match part {
            Part::Place(name) => Some(name),
            Part::Text(_) => None,
        });
        Some(names.collect())
    }

    fn fill(&self, index: usize, variables: &Variables) -> Result<(Content, Lang), FillError> {
        let mut text = String::with_capacity(self.content.len());
        for part in parts(&self.content).ok_or(FillError::BadPlace { index })? {
            match part {
                Part::Text(fixed) => text.push_str(fixed),
                Part::Place(name) => {
                    let missing = || FillError::Missing { index, name: name.to_owned() };
                    text.push_str(variables.get(name).ok_or_else(missing)?);
                }
            }
        }
        Content::parse(&self.kind, &text, self.lang)
            .map(|content| (content, self.lang))
            .map_err(|error| FillError::Content { index, error })
    }
}

impl CampaignContents {
    /// The names of all places.
    ///
    /// # Errors
    /// [`FillError`] for braces that do not match, and for an item without places that cannot be
    /// spoken.
    pub fn places(&self) -> Result<BTreeSet<&str>, FillError> {
        let mut all = BTreeSet::new();
        for (index, item) in self.contents.iter().enumerate() {
            let places = item.places().ok_or(FillError::BadPlace { index })?;
            if places.is_empty() {
                item.fill(index, &Variables::new())?;
            }
            all.extend(places);
        }
        Ok(all)
    }

    /// What is said to one number.
    ///
    /// # Errors
    /// [`FillError`].
    pub fn fill(&self, variables: &Variables) -> Result<NoticeSpec, FillError> {
        let items = self.contents.iter().enumerate();
        let contents = items.map(|(index, item)| item.fill(index, variables));
        Ok(NoticeSpec {
            contents: contents.collect::<Result<_, _>>()?,
            times: self.times,
            finish_key: self.finish_key,
            repeat_key: self.repeat_key,
            finish_voice: self.finish_voice.clone(),
        })
    }

    /// Whether some number may be played the voice file of this name.
    pub fn may_play(&self, name: &str) -> bool {
        let mut voices = self.contents.iter().filter(|item| item.kind == "voice");
        let in_contents = voices.any(|item| {
            item.content.trim() == name || item.places().is_none_or(|places| !places.is_empty())
        });
        in_contents || self.finish_voice.as_deref() == Some(name)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn template(items: &[(&str, &str)]) -> CampaignContents {
        let contents = items.iter().map(|(kind, content)| ContentTemplate {
            kind: (*kind).to_owned(),
            content: (*content).to_owned(),
            lang: Lang::Zh,
        });
        CampaignContents {
            contents: contents.collect(),
            times: 1,
            finish_key: None,
            repeat_key: None,
            finish_voice: Some("bye.wav".to_owned()),
        }
    }

    fn variables(of: &[(&str, &str)]) -> Variables {
        of.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn each_row_has_its_own_words() {
        let contents = template(&[
            ("voice", "hello-{city}.wav"),
            ("money", "{ 金额 }"),
            ("time", "{day} {hour}:00"),
            ("voice", "end.wav"),
        ]);
        let names: Vec<&str> = contents.places().unwrap().into_iter().collect();
        assert_eq!(names, ["city", "day", "hour", "金额"]);
        let row = variables(&[
            ("city", "bj"),
            ("金额", "12.50"),
            ("day", "2026-11-24"),
            ("hour", "09"),
            ("unused", "x"),
        ]);
        let spec = contents.fill(&row).unwrap();
        let texts: Vec<&str> = spec.contents.iter().map(|(content, _)| content.text()).collect();
        assert_eq!(texts, ["hello-bj.wav", "12.50", "2026-11-24 09:00", "end.wav"]);
    }

    #[test]
    fn what_cannot_be_said_is_told_with_its_place() {
        let contents = template(&[("voice", "a.wav"), ("money", "{amount}")]);
        let cases = [
            (variables(&[]), "contents[1].content: the row has no amount"),
            (variables(&[("amount", "a lot")]), "contents[1]: "),
            (variables(&[("amount", "")]), "contents[1]: "),
        ];
        for (row, said) in cases {
            let error = contents.fill(&row).unwrap_err().to_string();
            assert!(error.starts_with(said), "{row:?}: {error}");
        }
        for bad in ["{", "}", "{}", "{a", "a}", "{a{b}}", "{ }"] {
            let error = template(&[("voice", bad)]).places().unwrap_err();
            assert_eq!(error, FillError::BadPlace { index: 0 }, "{bad}");
        }
        assert!(template(&[("money", "x")]).places().is_err(), "it is the same for every row");
        assert!(template(&[("song", "x")]).places().is_err());
    }

    #[test]
    fn a_text_of_a_row_is_never_read_as_a_place() {
        let contents = template(&[("voice", "{a}.wav")]);
        let spec = contents.fill(&variables(&[("a", "{b}"), ("b", "x")])).unwrap();
        assert_eq!(spec.contents[0].0.text(), "{b}.wav");
    }

    #[test]
    fn recordings_that_may_be_played_are_known() {
        let contents = template(&[("voice", "a.wav"), ("digits", "{code}")]);
        assert!(contents.may_play("a.wav") && contents.may_play("bye.wav"));
        assert!(!contents.may_play("b.wav"));
        assert!(template(&[("voice", "{x}.wav")]).may_play("b.wav"));
    }
}
