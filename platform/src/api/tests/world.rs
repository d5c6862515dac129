//! An application with two tenants, and a client of its HTTP interfaces.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderMap, Method, StatusCode};
use poem::test::TestClient;
use poem::{Response, Route, get, handler};
use serde_json::{Value, json};
use tempfile::TempDir;
use yunling_app::apply::{Options, apply};
use yunling_app::config::Settings;
use yunling_app::finish_call::{self, AttemptFacts};
use yunling_app::ports::Clock as _;
use yunling_app::principal::Operator;
use yunling_app::secrets::Keyring;
use yunling_app::sip_trace::Opening;
use yunling_app::{App, Parts, documents};
use yunling_assets::Packs;
use yunling_domain::call_cause::CallCause;
use yunling_domain::event::{ConversationEvent, EventBody};
use yunling_domain::notice::Outcome;
use yunling_domain::sip_trace::{Direction, SipMessage, Transport};
use yunling_domain::trunk_health::TrunkFact;
use yunling_domain::{AccountId, CallId, Fault};
use yunling_store::attempts::{self, Attempt, AttemptLane};
use yunling_store::ids::IdMint;
use yunling_store::{OpenOptions, Store, test_database};

use crate::api::OperatorToken;
use crate::clock::{SystemClock, SystemRandom};
use crate::http;
use crate::ports::{Minting, Pokes, Watchers};

/// The published document's sample account, its token and its application.
pub(crate) const ACCOUNT: &str = "abcdefghijklmnopqrstuvwxyz012345";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const APPID: &str = "11111111111111111111111111111111";
/// An application with semantic statuses.
pub(crate) const SEMANTIC_APPID: &str = "22222222222222222222222222222222";
/// Another account and its token.
pub(crate) const OTHER: &str = "other";
pub(crate) const OTHER_TOKEN: &str = "ffffffffffffffffffffffffffffffff";
/// A suspended account and its token.
pub(crate) const SUSPENDED: &str = "suspended";
pub(crate) const SUSPENDED_TOKEN: &str = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";

pub(crate) const TENANTS: &str = r#"
trunks:
  - { name: carrier-a, uri: "sip:127.0.0.1:5070;transport=udp" }
accounts:
  - sid: abcdefghijklmnopqrstuvwxyz012345
    token: "0123456789abcdef0123456789abcdef"
    limits: { queue_max_len: 3 }
    caller_ids: [{ number: "01080001001", trunks: [carrier-a] }]
    applications:
      - sid: "11111111111111111111111111111111"
        webhook_secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
        notice_url: "http://127.0.0.1:9000/cdr"
        media:
          - { name: prompt1.wav, file: ./prompt.wav }
          - { name: prompt2.wav, file: ./prompt.wav }
          - { name: prompt3.wav, file: ./prompt.wav }
      - { sid: "22222222222222222222222222222222", semantic_status: true }
  - { sid: other, token: "ffffffffffffffffffffffffffffffff", applications: [{ sid: "33" }] }
  - { sid: suspended, token: "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", status: suspended }
"#;

/// A node's database and interfaces.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) folder: TempDir,
    client: TestClient<BoxEndpoint<'static, Response>>,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// `null` where the answer is no JSON.
    pub(crate) body: Value,
}

impl Got {
    /// Of the published surface: `statusCode`, `statusmsg`, `errorCode`, `errorDetail`.
    pub(crate) fn envelope(&self) -> [&str; 4] {
        ["statusCode", "statusmsg", "errorCode", "errorDetail"]
            .map(|name| self.body[name].as_str().unwrap_or(""))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

#[handler]
fn panicking() -> String {
    panic!("this test's handler panics")
}

#[handler]
fn home() -> &'static str {
    "home"
}

impl World {
    /// With [`TENANTS`] applied.
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_prompt(&folder);
        let url = test_database::fresh(folder.path()).await;
        let settings = format!(
            "node: \"10000\"\ndata_dir: ./data\ndatabase: {{ url: \"{url}\" }}\n\
             http: {{ listen: \"127.0.0.1:8080\" }}\nsip: {{ listen: [\"udp:127.0.0.1:5060\"] }}\n\
             rtp: {{ address: 127.0.0.1, ports: 20000-20999 }}\n"
        );
        let settings = Settings::from_text("yunling.yaml", &settings, folder.path()).unwrap();
        let keyring = Keyring::open(&settings.data_dir, &SystemRandom).unwrap();
        let operator = OperatorToken::open(&settings.data_dir, &SystemRandom).unwrap();
        let store = Store::open(&settings.database.url, OpenOptions::default()).await.unwrap();
        let mint = IdMint::open(&store, settings.node.0, settings.zone.0, SystemClock.now())
            .await
            .unwrap();
        let parts = Parts {
            store,
            packs: Packs::load(None).unwrap(),
            settings,
            keyring,
            clock: Arc::new(SystemClock),
            ids: Arc::new(Minting(Arc::new(mint))),
            random: Arc::new(SystemRandom),
            poke: Arc::new(Pokes::default()),
            events: Arc::new(Watchers::default()),
        };
        let app = App::assemble(parts).await.unwrap();
        let documents =
            [documents::read("tenants.yaml", TENANTS, folder.path(), &|_| None).unwrap()];
        apply(&app, &Operator::proven("test"), &documents, Options::default()).await.unwrap();
        let routes = Route::new()
            .at("/", get(home))
            .at("/panics", get(panicking))
            .at("/Accounts/panics/now", get(panicking));
        let client = TestClient::new(http::endpoint(routes, app.clone(), operator));
        Self { app, folder, client }
    }

    /// A trunk's calls have been silent for too long.
    pub(crate) fn trunk_down(&self, trunk: &str) {
        while !self.app.trunks().known_down().contains(trunk) {
            self.app.trunks().learn(trunk, TrunkFact::CallSilent, SystemClock.now());
        }
    }

    /// A trunk gives a sign of life.
    pub(crate) fn trunk_up(&self, trunk: &str) {
        self.app.trunks().learn(trunk, TrunkFact::CallHeard, SystemClock.now());
    }

    /// The operator's token.
    pub(crate) fn operator_token(&self) -> String {
        let file = self.app.settings().data_dir.join("operator.token");
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// One exchange.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &[u8])],
        body: Vec<u8>,
    ) -> Got {
        let mut request = self.client.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, poem::http::HeaderValue::from_bytes(value).unwrap());
        }
        let response = request.body(body).send().await.0;
        let (status, headers) = (response.status(), response.headers().clone());
        // A recording is no text.
        let text = response.into_body().into_vec().await.unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Got { status, headers, text, body }
    }

    /// A GET of what is no text: its media type and its bytes.
    pub(crate) async fn bytes(&self, path: &str, headers: &[(&str, &[u8])]) -> (String, Vec<u8>) {
        let mut request = self.client.request(Method::GET, path);
        for (name, value) in headers {
            request = request.header(*name, poem::http::HeaderValue::from_bytes(value).unwrap());
        }
        let response = request.send().await.0;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let kind = response.content_type().unwrap_or("").to_owned();
        (kind, response.into_body().into_vec().await.unwrap())
    }

    /// One exchange with this `Authorization` header.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        authorization: &str,
        body: Value,
    ) -> Got {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let header = [("authorization", authorization.as_bytes())];
        self.send(method, path, if authorization.is_empty() { &[] } else { &header }, body).await
    }

    /// Uploads the sample prompt there.
    pub(crate) async fn upload(&self, path: &str, authorization: &str) -> Got {
        let file = std::fs::read(self.folder.path().join("prompt.wav")).unwrap();
        let header = [("authorization", authorization.as_bytes())];
        self.send(Method::PUT, path, if authorization.is_empty() { &[] } else { &header }, file)
            .await
    }

    /// A GET as the sample account.
    pub(crate) async fn read(&self, path: &str) -> Got {
        self.ask(Method::GET, path, &basic(ACCOUNT, TOKEN), Value::Null).await
    }

    /// A notice as the sample account.
    pub(crate) async fn notice(&self, body: &Value) -> Got {
        self.ask(Method::POST, &notices(), &basic(ACCOUNT, TOKEN), body.clone()).await
    }

    /// The row of a call.
    pub(crate) async fn attempt(&self, call_id: &str) -> Attempt {
        let account = AccountId::new(ACCOUNT);
        attempts::of_call(self.app.store().reader(), &account, &CallId::new(call_id))
            .await
            .unwrap()
            .unwrap()
    }

    /// How many calls of the sample account wait, in whichever lane.
    pub(crate) async fn waiting(&self) -> u64 {
        let (reader, account) = (self.app.store().reader(), AccountId::new(ACCOUNT));
        let mut waiting = 0;
        for lane in AttemptLane::ALL {
            waiting += attempts::queue_len(reader, &account, lane).await.unwrap();
        }
        waiting
    }

    /// Sends a notice and lets its call be answered and confirmed. Gives its row.
    pub(crate) async fn finished_notice(&self) -> Attempt {
        let got = self.notice(&sample()).await;
        let attempt = self.attempt(got.body["callid"].as_str().unwrap()).await;
        self.finish(attempt.clone()).await;
        attempt
    }

    /// Gives a call's conversation a SIP message, as if it were still live.
    pub(crate) fn trace_sip(&self, attempt: &Attempt) {
        let (at, now) = (attempt.queued.created_at, Instant::now());
        let traces = self.app.sip_traces();
        traces.open(Opening {
            owner: 1,
            conversation: attempt.queued.conversation_id.clone(),
            account: attempt.queued.account.clone(),
            clocks: (at, now),
        });
        let message = SipMessage {
            at,
            leg: attempt.queued.call_id.clone(),
            attempt: 0,
            direction: Direction::Received,
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "192.0.2.2:5060".parse().unwrap(),
            text: "SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n".into(),
        };
        traces.add(1, now, message);
    }

    /// Lets a call be answered and confirmed.
    pub(crate) async fn finish(&self, attempt: Attempt) {
        let start = attempt.queued.created_at;
        let facts = AttemptFacts {
            attempt,
            started_at: start,
            ring_at: Some(start.plus_ms(1_000)),
            answered_at: Some(start.plus_ms(5_000)),
            ended_at: start.plus_ms(20_000),
            trunk: Some("carrier-a".into()),
            from_number: Some("+861080001001".to_owned()),
            rule: None,
            figures: Some(json!({ "jitter_ms": 1 })),
            traceparent: None,
        };
        let outcome = Outcome {
            answered: true,
            crossed_answer: false,
            result: 0,
            reason: None,
            input_key: Some('1'),
            cause: CallCause::Completed,
            fault: Fault::Nobody,
            termination: None,
            attempts: 1,
            plays: 1,
        };
        let story = [
            ConversationEvent { seq: 0, at: start, party: None, body: EventBody::Trying },
            ConversationEvent {
                seq: 1,
                at: start,
                party: None,
                body: EventBody::Ringing { code: 180, early_media: false },
            },
        ];
        assert!(finish_call::run(&self.app, facts, &outcome, &story).await.unwrap());
    }

    /// Mints an API key with these scopes. Gives its id and the key.
    pub(crate) async fn key(&self, scopes: &[&str]) -> (String, String) {
        let body = json!({ "label": "test", "scopes": scopes });
        let got = self.ask(Method::POST, "/api/v1/api-keys", &basic(ACCOUNT, TOKEN), body).await;
        assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
        let text = |name: &str| got.body[name].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    }
}

/// The path of the sample account's notices.
pub(crate) fn notices() -> String {
    format!("/Accounts/{ACCOUNT}/VoiceNotices")
}

pub(crate) fn basic(user: &str, token: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{token}")))
}

/// The published document's sample.
pub(crate) fn sample() -> Value {
    json!({
        "appid": APPID, "from": "01080001001", "to": "13800100001",
        "contents": [
            { "type": "voice", "content": "prompt1.wav" },
            { "type": "digits", "content": "123" },
            { "type": "voice", "content": "prompt2.wav" },
        ],
        "finishkey": "1", "repeatkey": "2", "finishvoice": "prompt3.wav",
    })
}

/// The sample with other fields.
pub(crate) fn with(changes: &Value) -> Value {
    let mut body = sample();
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

fn write_prompt(folder: &TempDir) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(folder.path().join("prompt.wav"), spec).unwrap();
    for n in 0..4_000_u16 {
        wav.write_sample(((f64::from(n) * 0.345).sin() * 6_000.0) as i16).unwrap();
    }
    wav.finalize().unwrap();
}
