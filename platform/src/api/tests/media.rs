//! The media libraries of the admin API.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{ACCOUNT, APPID, Got, OTHER, OTHER_TOKEN, TOKEN, World, basic, with};

const MP3: &[u8] = include_bytes!("../../../assets/tests/fixtures/speech.mp3");
const OPUS: &[u8] = include_bytes!("../../../assets/tests/fixtures/speech.opus");

fn path(rest: &str) -> String {
    format!("/api/v1/applications/{APPID}/media{rest}")
}

async fn put(world: &World, rest: &str, headers: &[(&str, &str)], file: &[u8]) -> Got {
    let authorization = basic(ACCOUNT, TOKEN);
    let mut all = vec![("authorization", authorization.as_bytes())];
    all.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
    world.send(Method::PUT, &path(rest), &all, file.to_vec()).await
}

async fn delete(world: &World, name: &str) -> Got {
    world.ask(Method::DELETE, &path(name), &basic(ACCOUNT, TOKEN), Value::Null).await
}

#[tokio::test]
async fn a_recording_is_uploaded_read_heard_replaced_and_deleted() {
    let world = World::open().await;
    let created = put(&world, "/hello.mp3", &[("content-type", "video/strange")], MP3).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert_eq!(created.header("etag"), Some("\"1\""));
    for (name, value) in [
        ("name", json!("hello.mp3")),
        ("format", json!("MP3")),
        ("bytes", json!(MP3.len())),
        ("rateHz", json!(44_100)),
        ("channels", json!(2)),
        ("normalised", json!(true)),
        ("managedBy", json!("console")),
        ("version", json!(1)),
    ] {
        assert_eq!(created.body[name], value, "{name}");
    }
    let after = created.body["loudness"]["afterLufs"].as_f64().unwrap();
    assert!((after + 20.0).abs() < 0.6, "{after}");
    assert_eq!(created.body["warnings"][0]["code"], "mixed_to_mono");
    assert_eq!(world.read(&path("/hello.mp3")).await.body, created.body);

    // The same again is no change: an upload may be repeated after an answer that was lost.
    let again = put(&world, "/hello.mp3", &[], MP3).await;
    assert_eq!((again.status, &again.body), (StatusCode::OK, &created.body));

    let authorization = basic(ACCOUNT, TOKEN);
    let get = async |rest: &str| {
        let header = [("authorization", authorization.as_bytes())];
        world.bytes(&path(rest), &header).await
    };
    let (kind, sound) = get("/hello.mp3/preview.wav").await;
    assert_eq!(kind, "audio/wav");
    let reader = hound::WavReader::new(&sound[..]).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (8_000, 1));
    assert_eq!(reader.duration().div_ceil(8), created.body["lengthMs"].as_u64().unwrap() as u32);
    assert_eq!(get("/hello.mp3/original").await.1, MP3);

    // A version guards what is replaced; `normalise` makes another of the same file.
    let stale = put(&world, "/hello.mp3?normalise=false", &[("if-match", "\"9\"")], MP3).await;
    assert_eq!((stale.status, &stale.body["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    let kept = put(&world, "/hello.mp3?normalise=false", &[("if-match", "\"1\"")], MP3).await;
    assert_eq!((kept.status, kept.header("etag")), (StatusCode::OK, Some("\"2\"")));
    assert_eq!(kept.body["normalised"], false);
    assert_eq!(kept.body["loudness"]["beforeLufs"], kept.body["loudness"]["afterLufs"]);
    let taken = put(&world, "/hello.mp3", &[("if-none-match", "*")], MP3).await;
    assert_eq!((taken.status, &taken.body["code"]), (StatusCode::CONFLICT, &json!("media_exists")));

    assert_eq!(delete(&world, "/hello.mp3").await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete(&world, "/hello.mp3").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.read(&path("/hello.mp3")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_library_is_read_page_by_page() {
    let world = World::open().await;
    for name in ["提示音.mp3", "b.mp3"] {
        let name = url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>();
        let got = put(&world, &format!("/{name}"), &[], MP3).await;
        assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
    }
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let page = world.read(&path(&format!("?limit=2{next}"))).await;
        let rows = page.body["media"].as_array().unwrap();
        assert!(rows.len() <= 2, "{}", page.text);
        names.extend(rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        match page.body["nextCursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(names, ["b.mp3", "prompt1.wav", "prompt2.wav", "prompt3.wav", "提示音.mp3"]);
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_the_field_and_the_expectation() {
    let world = World::open().await;
    let large = vec![0_u8; 20 * 1024 * 1024 + 1];
    let cases: [(&str, &[(&str, &str)], &[u8], u16, &str, &str); 7] = [
        ("/x.opus", &[], OPUS, 422, "body", "the file is Opus in Ogg: expected WAV"),
        ("/x.wav", &[], b"", 422, "body", "0 bytes"),
        ("/x.mp3", &[], &MP3[..MP3.len() / 2], 422, "body", "cut short"),
        ("/x.wav", &[], &large, 413, "body", "at most 20971520 bytes"),
        ("/a%5Cb.wav", &[], MP3, 400, "mediaName", "without slashes"),
        ("/x.wav", &[("if-match", "yes")], MP3, 400, "If-Match", "ETag"),
        ("/x.wav", &[("if-match", "\"1\"")], MP3, 409, "If-Match", "found none"),
    ];
    for (rest, headers, file, status, field, words) in cases {
        let got = put(&world, rest, headers, file).await;
        assert_eq!(got.status.as_u16(), status, "{rest} {words}: {}", got.text);
        assert_eq!(got.body["field"], field, "{}", got.text);
        assert!(got.body["detail"].as_str().unwrap().contains(words), "{}", got.text);
    }
    let foreign = basic(OTHER, OTHER_TOKEN);
    let got = world.ask(Method::GET, &path("/prompt1.wav"), &foreign, Value::Null).await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn uploads_beyond_the_room_are_asked_to_come_again() {
    let world = World::open().await;
    let mut places = Vec::new();
    while let Ok(place) = world.app.import_room().enter() {
        places.push(place);
    }
    let refused = put(&world, "/x.mp3", &[], MP3).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), Some("5"));
    places.clear();
    assert_eq!(put(&world, "/x.mp3", &[], MP3).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_recording_that_a_call_will_play_stays() {
    let world = World::open().await;
    assert_eq!(put(&world, "/own.mp3", &[], MP3).await.status, StatusCode::CREATED);
    let contents = json!([{ "type": "voice", "content": "own.mp3" }]);
    let sent = world.notice(&with(&json!({ "contents": contents }))).await;
    let refused = delete(&world, "/own.mp3").await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::CONFLICT, &json!("media_in_use"))
    );
    let request = sent.body["requestid"].as_str().unwrap();
    assert!(refused.body["detail"].as_str().unwrap().contains(request), "{}", refused.text);

    // Over with its last call.
    let attempt = world.attempt(sent.body["callid"].as_str().unwrap()).await;
    world.finish(attempt).await;
    assert_eq!(world.waiting().await, 0);
    assert_eq!(delete(&world, "/own.mp3").await.status, StatusCode::NO_CONTENT);

    // What a file set manages would come back with its next apply.
    let managed = delete(&world, "/prompt2.wav").await;
    assert_eq!(managed.status, StatusCode::CONFLICT);
    assert!(managed.body["detail"].as_str().unwrap().contains("tenants.yaml"), "{}", managed.text);
}
