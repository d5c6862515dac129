//! The page at `/`: where to go from here.

use poem::endpoint::make_sync;
use poem::web::Html;
use poem::{Endpoint, EndpointExt as _, Response};

const INBOX: &str = r#"<a href="/dev/inbox">回调收件箱 Webhook inbox <small>演示应用收到的回调 · the callbacks that the demo application received</small></a>"#;

/// `GET /`, with the way to the webhook inbox where there is one.
pub(super) fn page(has_inbox: bool) -> impl Endpoint<Output = Response> {
    let page = include_str!("home.html").replace("{inbox}", if has_inbox { INBOX } else { "" });
    make_sync(move |_| Html(page.clone())).map_to_response()
}
