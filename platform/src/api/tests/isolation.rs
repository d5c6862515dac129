//! Every operation of the description, tried with every credential that must not open it. The list
//! of operations comes from the description itself: a new one is tried without being named here.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use yunling_app::exports::{self, Pace};

use super::world::{
    ACCOUNT, APPID, OTHER, OTHER_TOKEN, SUSPENDED, SUSPENDED_TOKEN, TOKEN, World, basic, sample,
};
use super::{ctc, ctc_recordings};
use crate::api::spec;

/// Operations of the admin API that need the scope `notices:send`.
const SENDING: [&str; 12] = [
    "pauseBatch",
    "resumeBatch",
    "cancelBatch",
    "createCampaign",
    "uploadCampaignNumbers",
    "startCampaign",
    "pauseCampaign",
    "resumeCampaign",
    "cancelCampaign",
    "addDoNotCall",
    "uploadDoNotCall",
    "removeDoNotCall",
];

/// A list for whoever takes one.
const CSV: &[u8] = b"number,amount,due\n13800100001,12.50,2026-12-01\n";

struct Operation {
    id: String,
    method: Method,
    path: String,
    body: Value,
    security: Value,
    /// Whether its body is an audio file.
    takes_audio: bool,
    /// Whether its body is a CSV file.
    takes_csv: bool,
}

impl Operation {
    fn is_published(&self) -> bool {
        self.path.starts_with("/Accounts/")
    }

    fn is_the_operators(&self) -> bool {
        self.security.to_string().contains("operatorToken")
    }

    /// The path with these values of its parameters.
    fn path(&self, values: &[(&str, &str)]) -> String {
        let path = values.iter().fold(self.path.clone(), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), value)
        });
        assert!(!path.contains('{'), "{path}: the test has no value for a parameter");
        path
    }
}

fn operations() -> Vec<Operation> {
    let document = spec();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let content = &operation["requestBody"]["content"]["application/json"];
            let example =
                content["examples"].as_object().and_then(|examples| examples.values().next());
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                security: operation["security"].clone(),
                takes_audio: operation["requestBody"]["content"]["audio/*"].is_object(),
                takes_csv: operation["requestBody"]["content"]["text/csv"].is_object(),
                body: example.map_or(Value::Null, |example| example["value"].clone()),
            });
        }
    }
    // Last, for after them the account's token is another, the recording, the export's file and its
    // schedule are gone, and the batch cannot be paused. A campaign goes through its life.
    let order = [
        "uploadCampaignNumbers",
        "startCampaign",
        "pauseCampaign",
        "resumeCampaign",
        "cancelCampaign",
        "cancelBatch",
        "cancelCdrExport",
        "deleteCdrExportSchedule",
        "deleteMedia",
        "rotateAccountToken",
    ];
    operations.sort_by_key(|operation| order.iter().position(|id| *id == operation.id));
    assert!(operations.len() >= 21);
    let operators = operations.iter().filter(|operation| operation.is_the_operators());
    assert!(operators.count() >= 5, "apply, and those of the trunks");
    operations
}

/// What became of an exchange, alike for both surfaces.
async fn outcome(world: &World, operation: &Operation, path: &str, authorization: &str) -> String {
    let method = operation.method.clone();
    let got = if operation.takes_audio {
        world.upload(path, authorization).await
    } else if operation.takes_csv {
        let header = [("authorization", authorization.as_bytes())];
        let headers = if authorization.is_empty() { &[][..] } else { &header[..] };
        world.send(method, path, headers, CSV.to_vec()).await
    } else {
        world.ask(method, path, authorization, operation.body.clone()).await
    };
    if operation.is_published() {
        assert_eq!(got.status, StatusCode::OK, "{} {}", operation.id, got.text);
        // What is followed is told as events.
        let followed = got.header("content-type") == Some("text/event-stream");
        match got.body["statusCode"].as_str().unwrap_or(if followed { "0" } else { "none" }) {
            "0" | "00000" => "done".to_owned(),
            "10004" => "lower".to_owned(),
            "11005" | "12004" => "not found".to_owned(),
            code if code.len() == 5 && code.starts_with("10") => "refused".to_owned(),
            "-1" => match got.body["errorCode"].as_str().unwrap() {
                "10004" => "lower".to_owned(),
                _ => "refused".to_owned(),
            },
            _ => got.body["statusmsg"].as_str().unwrap().to_owned(),
        }
    } else {
        match got.status {
            status if status.is_success() => "done".to_owned(),
            StatusCode::UNAUTHORIZED => "refused".to_owned(),
            StatusCode::FORBIDDEN if got.body["code"] == "account_suspended" => {
                "refused".to_owned()
            }
            StatusCode::FORBIDDEN => "lower".to_owned(),
            StatusCode::NOT_FOUND => "not found".to_owned(),
            status => format!("{status} {}", got.text),
        }
    }
}

/// An export whose file can be had, and a schedule.
async fn exported(world: &World) -> (String, String) {
    let ordered = async |path: &str, body: Value| {
        let got = world.ask(Method::POST, path, &basic(ACCOUNT, TOKEN), body).await;
        got.body["id"].as_str().unwrap_or_else(|| panic!("{}", got.text)).to_owned()
    };
    let export = ordered("/api/v1/cdr-exports", json!({ "format": "csv" })).await;
    exports::write_due(&world.app, &Pace::default()).await.unwrap();
    let wanted = json!({ "format": "csv", "cron": "0 2 * * *" });
    (export, ordered("/api/v1/cdr-export-schedules", wanted).await)
}

#[tokio::test]
async fn no_operation_opens_to_a_credential_that_it_is_not_for() {
    let world = World::open().await;
    let attempt = world.finished_notice().await;
    let delivery = format!("msg_{}", attempt.queued.call_id);
    world.trace_sip(&attempt);
    let talk = ctc::clicked(&world, &json!({})).await;
    ctc::finished(&world, &talk).await;
    let recorded = ctc_recordings::recorded(&world).await.0;
    let (revoked_id, revoked) = world
        .key(&["notices:send", "calls:read", "deliveries:read", "deliveries:resend", "keys:manage"])
        .await;
    let path = format!("/api/v1/api-keys/{revoked_id}");
    world.ask(Method::DELETE, &path, &basic(ACCOUNT, TOKEN), Value::Null).await;
    let (key_id, _) = world.key(&["calls:read"]).await;
    let recording = format!("/api/v1/applications/{APPID}/media/own.wav");
    world.upload(&recording, &basic(ACCOUNT, TOKEN)).await;
    let path = format!("/Accounts/{ACCOUNT}/BatchVoiceNotices");
    let sent = world.ask(Method::POST, &path, &basic(ACCOUNT, TOKEN), sample()).await;
    let batch = sent.body["requestid"].as_str().unwrap().to_owned();
    let campaign = super::campaigns::made(&world).await;
    let (export, schedule) = exported(&world).await;
    let (_, lower_reader) = world.key(&["notices:send"]).await;
    let (_, lower_sender) = world.key(&["calls:read"]).await;

    for operation in operations() {
        let ids = [
            ("requestid", attempt.queued.request_id.as_str()),
            ("callid", attempt.queued.call_id.as_str()),
            ("callId", attempt.queued.call_id.as_str()),
            ("conversationId", attempt.queued.conversation_id.as_str()),
            ("deliveryId", delivery.as_str()),
            ("keyId", key_id.as_str()),
            ("appid", APPID),
            ("batchId", batch.as_str()),
            ("campaignId", campaign.as_str()),
            ("number", "13800100001"),
            ("cdrId", attempt.queued.call_id.as_str()),
            ("exportId", export.as_str()),
            ("scheduleId", schedule.as_str()),
            ("applicationSid", APPID),
            ("conversationSid", talk.as_str()),
            ("recordingId", recorded.as_str()),
            ("name", "carrier-a"),
            ("mediaName", "own.wav"),
        ];
        let path_in = |account: &'static str| {
            let mut values = vec![("accountSid", account)];
            values.extend(ids);
            operation.path(&values)
        };
        let own = path_in(ACCOUNT);
        for (credential, authorization) in [
            ("none", String::new()),
            ("unknown", basic(ACCOUNT, "not the token")),
            ("unknown bearer", "Bearer ylk_unknown".to_owned()),
            ("another account's token under our name", basic(ACCOUNT, OTHER_TOKEN)),
            ("revoked", basic(ACCOUNT, &revoked)),
            ("revoked bearer", format!("Bearer {revoked}")),
            ("the token as a bearer", format!("Bearer {TOKEN}")),
            ("suspended", basic(SUSPENDED, SUSPENDED_TOKEN)),
        ] {
            let found = outcome(&world, &operation, &own, &authorization).await;
            assert_eq!(found, "refused", "{} with {credential}", operation.id);
        }

        let sends = operation.id.starts_with("createVoice")
            || operation.id == "createBatchVoiceNotice"
            || SENDING.contains(&operation.id.as_str());
        let lower = if sends { &lower_sender } else { &lower_reader };
        let found = outcome(&world, &operation, &own, &basic(ACCOUNT, lower)).await;
        assert_eq!(found, "lower", "{} with a lower key", operation.id);

        // Another account, with its own sound credential.
        let foreign = basic(OTHER, OTHER_TOKEN);
        if operation.is_the_operators() {
            assert_eq!(outcome(&world, &operation, &own, &foreign).await, "lower");
            assert_eq!(outcome(&world, &operation, &own, &basic(ACCOUNT, TOKEN)).await, "lower");
            continue;
        }
        if operation.is_published() {
            assert_eq!(
                outcome(&world, &operation, &own, &foreign).await,
                "refused",
                "{}",
                operation.id
            );
        }
        let names_an_object = operation.path.replace("{accountSid}", "").contains('{');
        if names_an_object {
            let found = outcome(&world, &operation, &path_in(OTHER), &foreign).await;
            assert_eq!(found, "not found", "{} of another account", operation.id);
        } else if operation.method == Method::GET {
            let got = world.ask(Method::GET, &path_in(OTHER), &foreign, Value::Null).await;
            let rows = got.body.as_object().unwrap().values().find_map(Value::as_array).unwrap();
            assert!(rows.is_empty(), "{} shows another account's rows: {}", operation.id, got.text);
        }

        // And it does open to the right one, so that the refusals above mean something.
        let found = outcome(&world, &operation, &own, &basic(ACCOUNT, TOKEN)).await;
        assert_eq!(found, "done", "{} with the account's token", operation.id);
    }
}
