//! The viewer of the description at `/docs`: Scalar, embedded, loading nothing from elsewhere.

use std::sync::LazyLock;

use poem::endpoint::make_sync;
use poem::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use poem::{Endpoint, Response};

/// Nothing from another host, and nobody may frame it.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
                      font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// `GET /docs`
pub(in crate::api) fn page() -> impl Endpoint<Output = Response> {
    make_sync(|_| {
        Response::builder()
            .content_type("text/html; charset=utf-8")
            .header(CONTENT_SECURITY_POLICY, POLICY)
            .body(include_str!("viewer.html"))
    })
}

/// `GET /docs/scalar.js`
pub(in crate::api) fn script() -> impl Endpoint<Output = Response> {
    static SCRIPT: LazyLock<String> = LazyLock::new(script_text);
    make_sync(|_| {
        Response::builder()
            .content_type("text/javascript; charset=utf-8")
            .header(CACHE_CONTROL, "public, max-age=3600")
            .body(SCRIPT.as_str())
    })
}

/// The script that poem-openapi carries; it gives it out only inside a page of its own, which would
/// hold the description without what we add to it.
fn script_text() -> String {
    let page = crate::api::service().scalar_html();
    let (_, from_script) = page.rsplit_once("<script charset=\"UTF-8\">").unwrap_or_default();
    let (script, _) = from_script.rsplit_once("</script>").unwrap_or_default();
    script.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_found_whole() {
        let script = script_text();
        assert!(script.len() > 1_000_000, "{} bytes", script.len());
        assert!(!script.contains("<!doctype html>\n<html>\n  <head>\n    <title>Scalar"));
    }
}
