//! A recording on its way from a customer's computer to a callee's ear: uploaded over HTTP in a format
//! of the customer's choice, named in a notice, heard.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::carrier::Carrier;
use support::sound::{self, Law, Listener};
use support::tenant::{ACCOUNT, APPID, TOKEN};
use support::world::World;
use yunling_assets::{ImportOptions, import};

const MP3: &[u8] = include_bytes!("../assets/tests/fixtures/speech.mp3");
const OGG: &[u8] = include_bytes!("../assets/tests/fixtures/speech.ogg");
/// What both were made of.
const STUDIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/packs/zh/phrases/confirm.wav");
/// Two recordings of the same words are at least so alike; of other words, far less.
const ALIKE: f32 = 0.9;

async fn ask(
    world: &World,
    method: Method,
    rest: &str,
    file: &'static [u8],
) -> (StatusCode, Value) {
    let url = format!("{}/api/v1/applications/{APPID}/media/{rest}", world.node.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method, url).basic_auth(ACCOUNT, Some(TOKEN)).body(file);
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// What the callee of a notice with this recording hears.
async fn heard(world: &World, to: &str, recording: &str) -> Vec<i16> {
    let contents = json!([{ "type": "voice", "content": recording }]);
    world.api.notice(to, &json!({ "contents": contents, "times": 1 })).await;
    Carrier::recording(&world.carrier().wait_for(to, "ended").await)
}

fn rendered(file: &[u8]) -> Vec<i16> {
    Law::Pcma.decode(&import(file, ImportOptions::default()).unwrap().alaw)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_uploaded_is_what_callees_hear() {
    let world = World::usual().await;
    let studio = sound::studio_recording(STUDIO.as_ref());
    let (status, made) = ask(&world, Method::PUT, "own.mp3", MP3).await;
    assert_eq!((status, &made["format"]), (StatusCode::CREATED, &json!("MP3")), "{made}");

    for (to, file, what) in [("13800000100", MP3, "MP3"), ("13800000200", OGG, "Ogg in its place")]
    {
        if file == OGG {
            let (status, replaced) = ask(&world, Method::PUT, "own.mp3", OGG).await;
            assert_eq!((status, &replaced["version"]), (StatusCode::OK, &json!(2)), "{replaced}");
        }
        let heard = heard(&world, to, "own.mp3").await;
        let mut listener = Listener::new(&heard, Law::Pcma);
        listener.expect(what, &rendered(file));
        listener.expect_end();
        let found = sound::find(&studio, &sound::floats(&heard), 0..heard.len());
        assert!(found.likeness > ALIKE, "{what}: the words are heard with {:.3}", found.likeness);
    }

    // Nothing plays it any more.
    assert_eq!(ask(&world, Method::DELETE, "own.mp3", b"").await.0, StatusCode::NO_CONTENT);
}
