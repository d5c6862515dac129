//! The fields of VoiceNotices' request.

use crate::Refusal;
use crate::field_text::{FieldText, json_fields};
use serde_json::{Map, Value};

/// The request of VoiceNotices and BatchVoiceNotices, field by field as the document names them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NoticeRequest {
    /// `appid`
    pub appid: FieldText,
    /// `to`
    pub to: FieldText,
    /// `from`
    pub from: FieldText,
    /// `contents`: a list of objects; absent where `null` or `""`. A text that holds such a list is
    /// taken too.
    pub contents: Option<Value>,
    /// `userdata`
    pub userdata: FieldText,
    /// `times`
    pub times: FieldText,
    /// `finishkey`
    pub finishkey: FieldText,
    /// `repeatkey`
    pub repeatkey: FieldText,
    /// `finishvoice`
    pub finishvoice: FieldText,
    /// Additive: the language of contents that name none.
    pub lang: FieldText,
    /// Additive `cdrUrl`: where the result callback goes, instead of the application's URL.
    pub cdr_url: FieldText,
    /// Additive `statusUrl`.
    pub status_url: FieldText,
}

impl NoticeRequest {
    /// Reads a request's body, whatever its Content-Type said.
    ///
    /// # Errors
    /// `MALFORMED_JSON` (`-2`): it is not a JSON object in UTF-8; the detail says where.
    pub fn from_body(body: &[u8]) -> Result<Self, Refusal> {
        json_fields(body).map(|fields| Self::from_fields(&fields))
    }

    /// Reads the fields of a JSON object; unknown ones are passed over.
    pub fn from_fields(fields: &Map<String, Value>) -> Self {
        let field = |name: &str| FieldText::of(fields.get(name));
        Self {
            appid: field("appid"),
            to: field("to"),
            from: field("from"),
            contents: fields
                .get("contents")
                .filter(|value| !value.is_null() && value.as_str() != Some(""))
                .cloned(),
            userdata: field("userdata"),
            times: field("times"),
            finishkey: field("finishkey"),
            repeatkey: field("repeatkey"),
            finishvoice: field("finishvoice"),
            lang: field("lang"),
            cdr_url: field("cdrUrl"),
            status_url: field("statusUrl"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use yunling_domain::error_code::MALFORMED_JSON;

    #[test]
    fn scalars_are_their_texts_and_empty_ones_are_absent() {
        let body = r#"{"appid": 11, "to": "", "from": null, "times": "2", "userdata": true,
                       "finishkey": {}, "contents": "", "more": 1}"#;
        let request = NoticeRequest::from_body(body.as_bytes()).unwrap();
        assert_eq!(request.appid, FieldText::Text("11".into()));
        assert_eq!((request.to, request.from), (FieldText::Absent, FieldText::Absent));
        assert_eq!(request.times, FieldText::Text("2".into()));
        assert_eq!(request.userdata, FieldText::Text("true".into()));
        assert_eq!(request.finishkey, FieldText::NotText);
        assert_eq!(request.contents, None);
    }

    #[test]
    fn what_is_no_object_is_minus_two_with_its_place() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "EOF"),
            (b"[]", "expected a JSON object"),
            (b"{\"a\": }", "line 1 column 7"),
            (b"\xff\xfe", "line 1 column 1"),
            (b"{\"a\": \"\xff\"}", "line 1"),
        ];
        for (body, said) in cases {
            let refusal = NoticeRequest::from_body(body).unwrap_err();
            assert_eq!(refusal.code, MALFORMED_JSON);
            assert!(refusal.detail.contains(said), "{body:?} gave {}", refusal.detail);
        }
        assert!(
            NoticeRequest::from_body(b"\xEF\xBB\xBF{}").is_ok(),
            "a byte order mark is passed over"
        );
    }
}
