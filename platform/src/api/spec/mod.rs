//! The description of the interfaces: what poem-openapi generates from the operations, and what it
//! cannot say: examples, callbacks, the table of errors.

mod errors;
mod viewer;

use std::sync::LazyLock;

use poem::endpoint::make_sync;
use poem::{Endpoint, Response};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService, ServerObject};
use serde_json::{Map, Value};
use yunling_domain::error_code;

pub(super) use self::errors::page as errors_page;
pub(super) use self::viewer::{page as viewer_page, script as viewer_script};

/// Named examples by operation: `request`, and `responses` by HTTP status. They are tried in tests.
const EXAMPLES: &str = include_str!("examples.json");
/// What we send to a customer's addresses. OpenAPI 3.0 has no place for it but `x-webhooks`.
const WEBHOOKS: &str = include_str!("webhooks.json");

const ABOUT: &str = "Voice notices and click-to-call over real calls, for many tenants.

**Two surfaces.** Below `/Accounts` stands the published surface: its paths, field names, value types \
and codes never change. It answers HTTP 200 and tells success and failure by `statusCode` (voice: `0` to \
`-6`; click-to-call: `00000`, or the five digits of the error table). \
What we have added to it is marked *Addition*. Below `/api/v1` stands the admin API: it answers failures \
as RFC 9457 `application/problem+json`.

**Authorization.** Basic `AccountSid:AccountToken` on both; an API key may stand in the token's place, or \
be shown as a bearer to the admin API. Web pages dial with browser tokens, which a back end mints.

**Errors.** Every failure carries one five-digit `errorCode` of one table: [/docs/errors](/docs/errors), \
and as data under `x-error-codes` here.

**Callbacks** stand under Webhooks here, under `x-webhooks` in the document. They are signed as Standard Webhooks, delivered at least \
once, and any 2xx acknowledges.

The document that SDKs are made from: [/openapi.json](/openapi.json).";

/// The chapters, those that a newcomer needs first.
const CHAPTERS: [&str; 15] = [
    "Voice notices",
    "Voice captchas",
    "Click to call",
    "Calls",
    "Batches",
    "Campaigns",
    "Call records",
    "Callback deliveries",
    "Media library",
    "Recordings",
    "API keys",
    "Browser tokens",
    "Secrets",
    "Configuration",
    "Trunks",
];

/// Adds what concerns the description as a whole.
pub(super) fn described<T: OpenApi>(service: OpenApiService<T, ()>) -> OpenApiService<T, ()> {
    service
        .description(ABOUT)
        .license(
            LicenseObject::new("Apache-2.0").url("https://www.apache.org/licenses/LICENSE-2.0"),
        )
        .server(ServerObject::new("/").description("This server"))
}

/// The OpenAPI document.
pub(crate) fn spec() -> Value {
    let mut document = parsed(&super::service().spec());
    order_chapters(&mut document);
    plain_media_types(&mut document);
    add_examples(&mut document, &parsed(EXAMPLES));
    document["x-webhooks"] = parsed(WEBHOOKS);
    document["x-error-codes"] = error_code::as_json();
    document
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json)
        .expect("the description is made of our own texts, and a test reads them all")
}

/// poem-openapi gives them by name.
fn order_chapters(document: &mut Value) {
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.sort_by_key(|tag| CHAPTERS.iter().position(|chapter| tag["name"] == *chapter));
    }
}

/// Takes `; charset=utf-8` off: JSON has no such parameter, and makers of SDKs stumble over it.
fn plain_media_types(document: &mut Value) {
    for operation in operations_mut(document) {
        for answer in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
            let Some(content) = answer.get_mut("content").and_then(Value::as_object_mut) else {
                continue;
            };
            *content = std::mem::take(content)
                .into_iter()
                .map(|(name, media_type)| {
                    (name.trim_end_matches("; charset=utf-8").to_owned(), media_type)
                })
                .collect();
        }
    }
}

/// Puts the examples of an operation beside the schemas that they are of.
fn add_examples(document: &mut Value, examples: &Value) {
    for operation in operations_mut(document) {
        let Some(of_operation) = operation["operationId"].as_str().and_then(|id| examples.get(id))
        else {
            continue;
        };
        if let Some(request) = of_operation.get("request") {
            put(&mut operation["requestBody"]["content"], request);
        }
        for (status, named) in of_operation["responses"].as_object().into_iter().flatten() {
            put(&mut operation["responses"][status]["content"], named);
        }
    }
}

fn put(content: &mut Value, examples: &Value) {
    for media_type in content.as_object_mut().into_iter().flat_map(Map::values_mut) {
        media_type["examples"] = examples.clone();
    }
}

fn operations_mut(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    paths
        .into_iter()
        .flat_map(Map::values_mut)
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut)
}

/// `GET /docs/openapi.json`: the same for the viewer, which looks for callbacks where OpenAPI 3.1 has
/// them.
pub(super) fn viewer_document() -> impl Endpoint<Output = Response> {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut document = spec();
        document["webhooks"] = document["x-webhooks"].take();
        document.to_string()
    });
    make_sync(|_| {
        Response::builder().content_type("application/json; charset=utf-8").body(TEXT.as_str())
    })
}

/// `GET /openapi.json`
pub(super) fn document() -> impl Endpoint<Output = Response> {
    static TEXT: LazyLock<String> = LazyLock::new(|| spec().to_string());
    make_sync(|_| {
        Response::builder().content_type("application/json; charset=utf-8").body(TEXT.as_str())
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use chrono_tz::Asia::Shanghai;
    use serde_json::json;
    use std::collections::BTreeSet;
    use yunling_domain::Micros;
    use yunling_domain::callback::{ResultFacts, ResultKind, result_callback};
    use yunling_domain::campaign::{FinishedCallback, FinishedFacts};

    #[test]
    fn the_committed_description_is_the_codes() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/openapi.json");
        let committed: Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert!(
            committed == spec(),
            "openapi/openapi.json has drifted: run `cargo xtask openapi` if the change is meant"
        );
    }

    #[test]
    fn the_committed_error_codes_are_the_codes() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/error-codes.json");
        let committed: Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert!(
            committed == error_code::as_json(),
            "openapi/error-codes.json has drifted: run `cargo xtask openapi`"
        );
    }

    #[test]
    fn every_operation_is_described_whole() {
        let mut document = spec();
        let tags: Vec<&str> = document["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| tag["name"].as_str().unwrap())
            .collect();
        assert_eq!(tags, CHAPTERS);
        let known: BTreeSet<String> =
            parsed(EXAMPLES).as_object().unwrap().keys().cloned().collect();
        let mut found = BTreeSet::new();
        for operation in operations_mut(&mut document) {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            assert!(
                operation["summary"].is_string() && operation["description"].is_string(),
                "{id}"
            );
            assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{id}");
            assert!(!operation["security"].as_array().unwrap().is_empty(), "{id}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{id} {}", parameter["name"]);
            }
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let exempt = status == "204" || status == "default" || status.starts_with('4');
                let examples =
                    answer["content"].as_object().into_iter().flat_map(Map::values).next();
                assert!(
                    exempt || examples.unwrap()["examples"].is_object(),
                    "{id} {status} has no example"
                );
            }
            found.insert(id);
        }
        assert_eq!(found, known, "examples.json names the operations that there are");
    }

    #[test]
    fn the_described_end_of_a_campaign_has_the_fields_that_are_sent() {
        let facts = FinishedFacts {
            id: "RQ",
            run_of: Some("RQ"),
            name: "n",
            application: "1",
            state: "finished",
            started_at: Some(Micros(0)),
            finished_at: Micros(0),
            total: 1,
            results: [0; 9],
            calls: 1,
            talk_s: 1,
            userdata: None,
        };
        let sent = FinishedCallback::new(&facts).to_value();
        let names =
            |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let content = &parsed(WEBHOOKS)["campaignFinished"]["post"]["requestBody"]["content"]["application/json"];
        let properties = &content["schema"]["properties"];
        assert_eq!(names(properties), names(&sent));
        assert_eq!(names(&properties["counts"]["properties"]), names(&sent["counts"]));
        let example = &content["examples"]["one"]["value"];
        assert!(names(example).is_subset(&names(&sent)));
        let sum: u64 =
            example["counts"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert_eq!(example["total"], sum, "its counts add up");
    }

    #[test]
    fn the_described_callback_has_the_fields_that_are_sent() {
        let facts = ResultFacts {
            kind: ResultKind::Notice,
            request_id: "RQ",
            call_id: None,
            app_id: "1",
            to: "13800100001",
            started_at: Micros(0),
            ring_at: None,
            answered_at: None,
            ended_at: Micros(0),
            reason: Some(2),
            userdata: None,
            input_key: None,
            zone: Shanghai,
            answerime: true,
        };
        let names =
            |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let content =
            &parsed(WEBHOOKS)["noticeResult"]["post"]["requestBody"]["content"]["application/json"];
        assert_eq!(names(&content["schema"]["properties"]), names(&result_callback(&facts)));
        for example in content["examples"].as_object().unwrap().values() {
            let with_slip = names(&json!({ "answerime": "" }));
            let shown: BTreeSet<_> = names(&example["value"]).union(&with_slip).cloned().collect();
            assert_eq!(shown, names(&result_callback(&facts)));
        }
        let captcha = ResultFacts { kind: ResultKind::Captcha, ..facts };
        let content = &parsed(WEBHOOKS)["captchaResult"]["post"]["requestBody"]["content"]["application/json"];
        assert_eq!(names(&content["schema"]["properties"]), names(&result_callback(&captcha)));
    }
}
