//! `GET /dial.js`: makes telephone numbers of a web page dial (docs/CLICK-TO-DIAL.md).

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use poem::endpoint::make_sync;
use poem::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, VARY,
};
use poem::{Endpoint, Request, Response};

const SCRIPT: &str = include_str!("dial.js");

/// The script as it travels; nothing where it could not be packed.
static PACKED: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(SCRIPT.as_bytes()).ok()?;
    packed.finish().ok()
});

pub(super) fn script() -> impl Endpoint<Output = Response> {
    make_sync(|request: Request| {
        let packed = PACKED.as_ref().filter(|_| takes_gzip(request.header(ACCEPT_ENCODING)));
        let response = Response::builder()
            .content_type("text/javascript; charset=utf-8")
            .header(CACHE_CONTROL, "public, max-age=3600")
            .header(VARY, ACCEPT_ENCODING)
            // With it a page may pin the script's hash (Subresource Integrity).
            .header(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        match packed {
            Some(packed) => response.header(CONTENT_ENCODING, "gzip").body(packed.clone()),
            None => response.body(SCRIPT),
        }
    })
}

/// Whether an `Accept-Encoding` header allows gzip (RFC 9110 §12.5.3).
fn takes_gzip(accepted: Option<&str>) -> bool {
    let weight = |name: &str| {
        accepted.unwrap_or_default().split(',').find_map(|one| {
            let (coding, parameters) = one.split_once(';').unwrap_or((one, ""));
            coding.trim().eq_ignore_ascii_case(name).then(|| {
                let weight = parameters.trim().strip_prefix("q=").unwrap_or("1");
                weight.trim().parse::<f32>().unwrap_or(0.0)
            })
        })
    };
    weight("gzip").or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use std::io::Read as _;

    use poem::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
    use poem::{Endpoint as _, Request};

    use super::{PACKED, SCRIPT, script, takes_gzip};

    #[tokio::test]
    async fn what_travels_packed_says_so() {
        for (accepted, encoding) in [("gzip", Some("gzip")), ("identity", None)] {
            let request = Request::builder().header(ACCEPT_ENCODING, accepted).finish();
            let got = script().get_response(request).await;
            assert_eq!(got.header(CONTENT_ENCODING), encoding, "{accepted}");
            assert_eq!(got.header(VARY), Some("accept-encoding"), "{accepted}");
            let body = got.into_body().into_vec().await.expect("a body");
            let is_packed = body == *PACKED.as_ref().expect("it is packed");
            assert_eq!(is_packed, encoding.is_some(), "{accepted}");
        }
    }

    #[test]
    fn it_is_packed_for_who_takes_it_packed() {
        for (accepted, expected) in [
            (None, false),
            (Some(""), false),
            (Some("gzip, deflate, br, zstd"), true),
            (Some("br;q=1.0, GZIP;q=0.5"), true),
            (Some("deflate, gzip;q=0"), false),
            (Some("*"), true),
            (Some("gzip;q=0, *"), false),
            (Some("identity"), false),
        ] {
            assert_eq!(takes_gzip(accepted), expected, "{accepted:?}");
        }
    }

    /// What the script has between two marks.
    fn between(from: &str, to: &str) -> &'static str {
        let (_, rest) = SCRIPT.split_once(from).expect("the script has the mark");
        rest.split_once(to).expect("and the one behind it").0
    }

    /// Each reason that the script may give has a text in both languages and is in the guide.
    #[test]
    fn every_reason_has_its_texts_and_is_documented() {
        let texts = between("texts = {\n", "},\n");
        let mut named = BTreeSet::new();
        for line in texts.lines() {
            let (word, both) = line.trim().split_once(": ").expect("a word and its texts");
            let both = both.trim_end_matches(',').replace('\'', "\"");
            let [en, zh]: [String; 2] = serde_json::from_str(&both).expect("English and Chinese");
            assert!(!en.is_empty() && en.is_ascii(), "{word}: {en}");
            let is_chinese = |letter| ('\u{4e00}'..='\u{9fff}').contains(&letter);
            assert!(!zh.is_empty() && zh.chars().all(is_chinese), "{word}: {zh}");
            let guide = include_str!("../../../docs/CLICK-TO-DIAL.md");
            assert!(guide.contains(&format!("| `{word}` | {en} | {zh} |")), "{word} in the guide");
            assert!(named.insert(word), "{word} twice");
        }
        let given = between("reason = ", ";\n");
        let given = given.split(['?', ':']).filter_map(|part| {
            let word = part.trim();
            word.strip_prefix('\'')?.strip_suffix('\'')
        });
        assert_eq!(given.collect::<BTreeSet<_>>(), named, "what is given, what has texts");
    }

    #[test]
    fn the_script_is_small_and_loads_nothing() {
        let travels = PACKED.as_ref().expect("it is packed");
        assert!(travels.len() <= 2_048, "{} bytes", travels.len());
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&**travels).read_to_string(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, SCRIPT);
        assert!(SCRIPT.is_ascii());
        for word in ["import(", "eval(", "innerHTML", "document.write", "http://", "https://"] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }
}
