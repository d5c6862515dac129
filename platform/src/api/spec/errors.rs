//! The page that explains every error code, made from the one table.

use std::fmt::Write as _;
use std::sync::LazyLock;

use poem::endpoint::make_sync;
use poem::web::Html;
use poem::{Endpoint, EndpointExt as _, Response};
use yunling_domain::error_code::ALL;

/// `GET /docs/errors`
pub(in crate::api) fn page() -> impl Endpoint<Output = Response> {
    static PAGE: LazyLock<String> = LazyLock::new(render);
    make_sync(|_| Html(PAGE.as_str())).map_to_response()
}

/// The table's texts are our own and hold no character that HTML would take for markup, but for `&`
/// and `<`, which are written as they must be.
fn render() -> String {
    let mut rows = String::new();
    for code in ALL {
        let [zh, en, do_zh, do_en] =
            [code.zh, code.en, code.what_to_do_zh, code.what_to_do_en].map(escaped);
        let (number, name, surface, status) =
            (code.number, code.name, code.surface, code.http_status);
        let written = write!(
            rows,
            "<tr id=\"{name}\"><td><b>{number:05}</b><br><code>{name}</code><td><code>{surface}</code><td>{status}\
             <td>{zh}<br><small>{en}</small><td>{do_zh}<br><small>{do_en}</small>"
        );
        written.expect("a String takes all that is written");
    }
    include_str!("errors.html").replace("{rows}", &rows)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_row_and_anchor() {
        let page = render();
        for code in ALL {
            assert!(page.contains(&format!("<tr id=\"{}\">", code.name)), "{}", code.name);
        }
        assert!(!page.contains("{rows}"));
    }
}
