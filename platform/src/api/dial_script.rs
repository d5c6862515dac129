//! `GET /dial.js`: makes telephone numbers of a web page dial (docs/CLICK-TO-DIAL.md).

use poem::endpoint::make_sync;
use poem::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL};
use poem::{Endpoint, Response};

const SCRIPT: &str = include_str!("dial.js");

pub(super) fn script() -> impl Endpoint<Output = Response> {
    make_sync(|_| {
        Response::builder()
            .content_type("text/javascript; charset=utf-8")
            .header(CACHE_CONTROL, "public, max-age=3600")
            // With it a page may pin the script's hash (Subresource Integrity).
            .header(ACCESS_CONTROL_ALLOW_ORIGIN, "*")
            .body(SCRIPT)
    })
}

#[cfg(test)]
mod tests {
    use super::SCRIPT;

    #[test]
    fn the_script_is_small_and_loads_nothing() {
        assert!(SCRIPT.len() <= 2_048, "{} bytes", SCRIPT.len());
        assert!(SCRIPT.is_ascii());
        for word in ["import(", "eval(", "innerHTML", "document.write", "http://", "https://"] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }
}
