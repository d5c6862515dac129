use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::spoken::StoredItem;
use super::{Content, KeyRule};
use crate::Lang;

/// The most items of `contents` (RESOLUTIONS, contents).
pub const MAX_CONTENTS: usize = 50;

/// What one notice or captcha says, as stored with its request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeSpec {
    /// What is said, in order, each in its language; 1 to [`MAX_CONTENTS`].
    #[serde(serialize_with = "write_items", deserialize_with = "read_items")]
    pub contents: Vec<(Content, Lang)>,
    /// How often, 1 to 3, replays that the listener asks for not counted.
    pub times: u8,
    /// The key that confirms; wins where both match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_key: Option<KeyRule>,
    /// The key that asks for a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_key: Option<KeyRule>,
    /// The voice file that is played after the confirming key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_voice: Option<String>,
}

impl NoticeSpec {
    /// A captcha: the code, spelled so often, no keys (RESOLUTIONS, captcha). The code has been
    /// checked by [`crate::parameter::captcha_code`].
    pub fn captcha(code: &str, lang: Lang, times: u8) -> Self {
        Self {
            contents: vec![(Content::Digits(code.to_owned()), lang)],
            times,
            finish_key: None,
            repeat_key: None,
            finish_voice: None,
        }
    }
}

fn write_items<S: Serializer>(items: &[(Content, Lang)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(items.iter().map(|(content, lang)| StoredItem::of(content, *lang)))
}

fn read_items<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(Content, Lang)>, D::Error> {
    Vec::<StoredItem>::deserialize(deserializer)?
        .iter()
        .map(|item| item.read().map_err(serde::de::Error::custom))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_spec_survives_storage() {
        let spec = NoticeSpec {
            contents: vec![
                (Content::Voice { name: "prompt1.wav".into() }, Lang::Zh),
                (Content::Money("2.14".into()), Lang::En),
            ],
            times: 2,
            finish_key: Some(KeyRule::One('1')),
            repeat_key: Some(KeyRule::Any),
            finish_voice: Some("prompt3.wav".into()),
        };
        let stored = serde_json::to_value(&spec).unwrap();
        insta::assert_snapshot!(stored["contents"], @r#"[{"content":"prompt1.wav","lang":"zh","type":"voice"},{"content":"2.14","lang":"en","type":"money"}]"#);
        assert_eq!(serde_json::from_value::<NoticeSpec>(stored).unwrap(), spec);
    }

    #[test]
    fn a_stored_spec_is_checked_again() {
        let broken = r#"{"contents":[{"type":"money","content":"2.145"}],"times":1}"#;
        let error = serde_json::from_str::<NoticeSpec>(broken).unwrap_err();
        assert!(error.to_string().contains("2 decimals"));
    }

    #[test]
    fn a_captcha_has_no_keys() {
        let spec = NoticeSpec::captcha("12aB", Lang::En, 2);
        assert_eq!(spec.contents, [(Content::Digits("12aB".into()), Lang::En)]);
        assert_eq!((spec.times, spec.finish_key, spec.repeat_key), (2, None, None));
    }
}
