//! The tenant's document: the published document's own sample account, application and numbers.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::media;

/// The sample account of the published document.
pub(crate) const ACCOUNT: &str = "abcdefghijklmnopqrstuvwxyz012345";
/// Its token; the document names none.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// The sample application of the published document.
pub(crate) const APPID: &str = "11111111111111111111111111111111";
/// The sample line number of the published document.
pub(crate) const CALLER_ID: &str = "01080001001";
/// What the application's callbacks are signed with.
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

/// The line number that goes over this carrier alone.
pub(crate) fn line(carrier: usize) -> String {
    format!("010800011{carrier:02}")
}

/// The document for these carriers, tried in this order (`carrier-a`, `carrier-b`, …), with result
/// callbacks to `notice_url`. Tests change what they are about, by index: `["trunks"][0]`.
/// The sample's line goes over all of them; each has a [`line`] of its own besides.
pub(crate) fn document(carriers: &[SocketAddr], notice_url: &str) -> Value {
    let name =
        |index: usize| format!("carrier-{}", char::from(b'a' + u8::try_from(index).unwrap()));
    let trunks: Vec<Value> = carriers
        .iter()
        .enumerate()
        .map(|(index, address)| {
            json!({
                "name": name(index),
                "uri": format!("sip:{address};transport=udp"),
                "max_calls": 500,
                "max_cps": 100,
                "number_format": "national",
            })
        })
        .collect();
    let names: Vec<String> = (0..carriers.len()).map(name).collect();
    let mut lines = vec![json!({ "number": CALLER_ID, "trunks": names })];
    lines.extend(
        (0..carriers.len()).map(|index| json!({ "number": line(index), "trunks": [name(index)] })),
    );
    let library: Vec<Value> =
        media::ALL.iter().map(|name| json!({ "name": name, "file": media::path(name) })).collect();
    json!({
        "trunks": trunks,
        "accounts": [{
            "sid": ACCOUNT,
            "token": TOKEN,
            "name": "Demo",
            "caller_ids": lines,
            "applications": [{
                "sid": APPID,
                "name": "demo",
                "webhook_secret": SECRET,
                "notice_url": notice_url,
                "media": library,
            }],
        }],
    })
}
