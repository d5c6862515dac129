#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::fakes::{ACCOUNT, APPID, TENANT, World};
use crate::finish_conversation::{self, ConversationFacts, LegRecord};
use crate::ports::{Bytes, Coming, ObjectError, Objects};
use crate::principal::Dial;
use crate::submit_click::{self, ClickRequest};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::AsyncReadExt as _;
use yunling_domain::call_cause::CallCause;
use yunling_domain::conversation::{ByeType, EndedBy, Ending, Party};
use yunling_domain::error_code::{
    LINK_EXPIRED, LINK_INVALID, RANGE_NOT_SATISFIABLE, RECORDING_DELETED, RECORDING_NOT_READY,
};
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId, Fault};
use yunling_store::PageRequest;
use yunling_store::deliveries::{self, DeliveryFilter};
use yunling_store::recordings::{self as rows, Recording, RecordingPlace, RecordingState};

const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// A bucket in memory.
#[derive(Default)]
struct Bucket {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    is_away: AtomicBool,
}

impl Bucket {
    fn reached(&self) -> Result<(), ObjectError> {
        match self.is_away.load(Ordering::Relaxed) {
            true => Err(ObjectError::Unavailable("away".to_owned())),
            false => Ok(()),
        }
    }
}

impl Objects for Bucket {
    fn put<'a>(&'a self, key: &'a str, file: &'a Path, octets: u64) -> Coming<'a, ()> {
        Box::pin(async move {
            self.reached()?;
            let bytes = std::fs::read(file).map_err(|_| ObjectError::NotFound)?;
            assert_eq!(bytes.len() as u64, octets);
            self.files.lock().insert(key.to_owned(), bytes);
            Ok(())
        })
    }

    fn get<'a>(&'a self, key: &'a str, part: Option<(u64, u64)>) -> Coming<'a, Bytes> {
        Box::pin(async move {
            self.reached()?;
            let bytes = self.files.lock().get(key).cloned().ok_or(ObjectError::NotFound)?;
            let part = part.map_or(0..bytes.len(), |(a, b)| a as usize..b as usize + 1);
            Ok(Box::pin(std::io::Cursor::new(bytes[part].to_vec())) as Bytes)
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Coming<'a, ()> {
        Box::pin(async move {
            self.reached()?;
            self.files.lock().remove(key).map(drop).ok_or(ObjectError::NotFound)
        })
    }
}

fn account() -> AccountId {
    AccountId::new(ACCOUNT)
}

async fn begun(world: &World, conversation: &str) -> Place {
    let (application, conversation) =
        (ApplicationId::new(APPID), ConversationId::new(conversation));
    begin(&world.app, &account(), &application, &conversation).await.unwrap()
}

/// A recording of 100 bytes and 14 s whose file is written.
async fn published(world: &World, conversation: &str) -> Recording {
    let place = begun(world, conversation).await;
    std::fs::write(&place.file, (0..100_u8).collect::<Vec<_>>()).unwrap();
    let end = End { duration_ms: 13_600, octets: 100, lost_ms: 20, failure: None };
    publish(&world.app, &account(), &place.recording, end).await.unwrap().unwrap();
    row(world, &place).await
}

async fn row(world: &World, place: &Place) -> Recording {
    rows::get(world.app.store().reader(), &account(), &place.recording).await.unwrap().unwrap()
}

async fn heard(world: &World, recording: &Recording, range: Option<&str>) -> Vec<u8> {
    let mut sound = open(&world.app, recording, range).await.unwrap();
    let mut bytes = Vec::new();
    sound.bytes.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes.len() as u64, sound.length());
    bytes
}

/// The path, `expires` and `signature` of a link.
fn parts(link: &str) -> (String, String, String) {
    let url = url::Url::parse(link).unwrap();
    let pair =
        |name: &str| url.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned();
    let path = url.path().strip_prefix("/record/").unwrap().to_owned();
    (path, pair("expires"), pair("signature"))
}

#[tokio::test]
async fn a_recording_is_named_as_the_sample_and_told_once() {
    let world = World::open().await;
    let told = TENANT.replace(
        "        name: demo\n",
        "        name: demo\n        recording_url: \"http://127.0.0.1:9/rec\"\n",
    );
    world.apply(&told).await.unwrap();
    let place = begun(&world, "CV1").await;
    let key = row(&world, &place).await.begun.key;
    let shape = "10000/20261124/RE";
    assert!(key.starts_with(shape) && key.ends_with("_D_2_20261124140000.wav"), "{key}");
    assert!(place.file.ends_with(&key) && place.file.parent().unwrap().is_dir());
    assert_eq!(row(&world, &place).await.state, RecordingState::Writing);
    let refusal = open(&world.app, &row(&world, &place).await, None).await.unwrap_err();
    assert_eq!(refusal.code, RECORDING_NOT_READY);

    std::fs::write(&place.file, [7; 100]).unwrap();
    let end = End { duration_ms: 13_600, octets: 100, lost_ms: 0, failure: None };
    for _ in 0..2 {
        let facts = publish(&world.app, &account(), &place.recording, end.clone()).await.unwrap();
        let facts = facts.unwrap();
        assert_eq!(facts.duration_s, Some(14), "rounded");
        let url = facts.url.unwrap();
        let base = format!("http://127.0.0.1:8080/record/{key}?expires=");
        assert!(url.starts_with(&base), "{url}");
    }
    let page = PageRequest { limit: 10, after: None };
    let reader = world.app.store().reader();
    let sent =
        deliveries::list(reader, &account(), &DeliveryFilter::default(), &page).await.unwrap().rows;
    assert_eq!(sent.len(), 1, "one event per recording");
    let body: serde_json::Value = serde_json::from_str(&sent[0].caused.body).unwrap();
    assert_eq!(sent[0].caused.kind, "recording.ready");
    assert_eq!(
        (&body["conversationSid"], &body["recordingDuration"]),
        (&"CV1".into(), &"14".into())
    );
    assert!(body.as_object().unwrap().values().all(serde_json::Value::is_string), "{body}");
    let conversation = ConversationId::new("CV1");
    let found = of_conversation(&world.app, &account(), &conversation).await.unwrap().unwrap();
    assert_eq!(found.id, place.recording);
    let other = AccountId::new("other");
    assert_eq!(of_conversation(&world.app, &other, &conversation).await.unwrap(), None);
}

#[tokio::test]
async fn links_hold_until_their_time_and_nothing_of_them_can_be_changed() {
    let world = World::open().await;
    let recording = published(&world, "CV1").await;
    let (path, expires, signature) = parts(&fresh_link(&world.app, &recording));
    let check = |path: &str, expires: &str, signature: &str| {
        check_link(&world.app, path, Some(expires), Some(signature))
    };
    assert_eq!(check(&path, &expires, &signature), Ok(recording.begun.id.clone()));
    let later = (expires.parse::<i64>().unwrap() + 1).to_string();
    let other_path = path.replace("_D_2_", "_D_1_");
    let swapped: String = signature.chars().rev().collect();
    for (path, expires, signature) in [
        (other_path.as_str(), expires.as_str(), signature.as_str()),
        (&path, &later, &signature),
        (&path, &expires, &swapped),
        (&path, &expires, ""),
        (&path, &expires, "%%"),
        (&path, "soon", &signature),
        (&path, "", &signature),
    ] {
        let refusal = check(path, expires, signature).unwrap_err();
        assert_eq!(refusal.code, LINK_INVALID, "{path} {expires} {signature}");
    }
    assert_eq!(check_link(&world.app, &path, None, None).unwrap_err().code, LINK_INVALID);
    world.clock.advance_ms(7 * DAY_MS - 1);
    assert!(check(&path, &expires, &signature).is_ok());
    world.clock.advance_ms(1);
    assert_eq!(check(&path, &expires, &signature).unwrap_err().code, LINK_EXPIRED);

    let short = TENANT
        .replace("        name: demo\n", "        name: demo\n        recording_link_s: 60\n");
    world.apply(&short).await.unwrap();
    let (path, expires, signature) = parts(&fresh_link(&world.app, &recording));
    world.clock.advance_ms(60_000);
    assert_eq!(check(&path, &expires, &signature).unwrap_err().code, LINK_EXPIRED);
}

#[tokio::test]
async fn a_recording_is_heard_from_the_disk_and_then_from_the_object_store() {
    let world = World::open().await;
    let bucket = Arc::new(Bucket::default());
    bucket.is_away.store(true, Ordering::Relaxed);
    world.app.keep_recordings_in(bucket.clone());
    let recording = published(&world, "CV1").await;
    let path = world.app.settings().recordings.folder().join(&recording.begun.key);
    assert_eq!(heard(&world, &recording, Some("bytes=10-19")).await, (10..20).collect::<Vec<u8>>());
    assert_eq!(move_leftovers(&world.app).await.unwrap(), 0, "the store is away");
    assert!(path.exists());

    bucket.is_away.store(false, Ordering::Relaxed);
    move_out(&world.app, &recording).await.unwrap();
    assert!(!path.exists());
    assert_eq!(move_leftovers(&world.app).await.unwrap(), 0, "nothing is left");
    // Whoever looked before the move finds it all the same.
    assert_eq!(recording.place, RecordingPlace::Disk);
    assert_eq!(heard(&world, &recording, None).await, (0..100).collect::<Vec<u8>>());
    let reader = world.app.store().reader();
    let moved = rows::get(reader, &account(), &recording.begun.id).await.unwrap().unwrap();
    assert_eq!(moved.place, RecordingPlace::Objects);
    assert_eq!(heard(&world, &moved, Some("bytes=-5")).await, (95..100).collect::<Vec<u8>>());
    let refusal = open(&world.app, &moved, Some("bytes=100-")).await.unwrap_err();
    assert_eq!(refusal.code, RANGE_NOT_SATISFIABLE);
}

/// More than are read at a time, of which some cannot be moved.
#[tokio::test]
async fn all_that_is_left_is_moved_and_a_file_that_was_removed_is_told_of_once() {
    let world = World::open().await;
    let mut left = Vec::new();
    for number in 0..203 {
        left.push(published(&world, &format!("CV{number}")).await);
    }
    let bucket = Arc::new(Bucket::default());
    world.app.keep_recordings_in(bucket.clone());
    let path =
        |recording: &Recording| world.app.settings().recordings.folder().join(&recording.begun.key);
    let removed = &left[7];
    std::fs::remove_file(path(removed)).unwrap();
    assert_eq!(move_leftovers(&world.app).await.unwrap(), 202);
    assert_eq!(bucket.files.lock().len(), 202);
    let reader = world.app.store().reader();
    let now = rows::get(reader, &account(), &removed.begun.id).await.unwrap().unwrap();
    assert_eq!(
        (now.state, now.failure.as_deref()),
        (RecordingState::Deleted, Some("its file was removed"))
    );
    assert_eq!(now.deleted_at, Some(world.app.clock().now()));
    assert_eq!(open(&world.app, &now, None).await.unwrap_err().code, RECORDING_DELETED);
    let node = world.app.settings().node.0.to_string();
    let on_disk = rows::platform_side::on_disk(reader, &node, None, 10);
    assert_eq!(on_disk.await.unwrap(), [], "nothing is tried again");
    // Whoever has looked before the move: it is there, and stays so.
    assert!(!move_out(&world.app, &left[0]).await.unwrap());
    let moved = rows::get(reader, &account(), &left[0].begun.id).await.unwrap().unwrap();
    assert_eq!((moved.state, moved.place), (RecordingState::Ready, RecordingPlace::Objects));
}

/// A disk that is not mounted comes back.
#[tokio::test]
async fn recordings_whose_folder_is_gone_are_not_given_up() {
    let world = World::open().await;
    let day = world.app.settings().recordings.folder().join("10000/20261124");
    let away = day.with_extension("away");
    for number in 0..5 {
        published(&world, &format!("CV{number}")).await;
    }
    std::fs::rename(&day, &away).unwrap();
    world.clock.advance_ms(DAY_MS);
    let of_today = published(&world, "CV5").await;
    world.app.keep_recordings_in(Arc::new(Bucket::default()));
    assert_eq!(move_leftovers(&world.app).await.unwrap(), 1, "those behind them are moved");
    assert_eq!(heard(&world, &of_today, None).await.len(), 100);
    std::fs::rename(&away, &day).unwrap();
    assert_eq!(move_leftovers(&world.app).await.unwrap(), 5);
}

#[tokio::test]
async fn what_a_crash_left_is_settled() {
    let world = World::open().await;
    let (mended, whole, lost) =
        (begun(&world, "CV1").await, begun(&world, "CV2").await, begun(&world, "CV3").await);
    std::fs::write(&mended.file, [0; 44 + 64_000]).unwrap();
    std::fs::write(&whole.file, [0; 44 + 32_000]).unwrap();
    let found = Found { path: mended.file.clone(), duration_ms: 2_000, octets: 64_044 };
    assert_eq!(settle(&world.app, &[found]).await.unwrap(), 3);
    let (mended, whole, lost) =
        (row(&world, &mended).await, row(&world, &whole).await, row(&world, &lost).await);
    assert_eq!((mended.state, mended.duration_ms), (RecordingState::Ready, 2_000));
    assert!(mended.failure.unwrap().contains("stopped while it recorded"));
    assert_eq!(
        (whole.state, whole.duration_ms, whole.failure),
        (RecordingState::Ready, 1_000, None)
    );
    assert_eq!((lost.state, lost.octets), (RecordingState::Failed, 0));
    assert_eq!(settle(&world.app, &[]).await.unwrap(), 0, "once");
}

/// A conversation that is taken, and what ends it.
async fn clicked(world: &World) -> ConversationFacts {
    let body = br#"{"action":"click2call","caller":"13800100001","callee":"13800100002"}"#;
    let request = ClickRequest::from_body(None, body).unwrap();
    let (caller, application) = (world.caller::<Dial>(), ApplicationId::new(APPID));
    let envelope = submit_click::Envelope::default();
    let taken = submit_click::run(&world.app, &caller, &application, &request, envelope);
    let submit_click::Accepted { conversation, request, .. } = taken.await.unwrap();
    let at = world.app.clock().now();
    let leg = LegRecord {
        party: Party::CALLER,
        call: CallId::new(format!("CA-{conversation}")),
        number: "+8613800100001".to_owned(),
        shown: "13800100001".to_owned(),
        line: "+861080001001".to_owned(),
        trunk: None,
        started_at: at,
        ring_at: None,
        answered_at: None,
        ended_at: at,
        cause: CallCause::Failed,
        fault: Fault::Callee,
        hangup_reason: "rejected",
        termination: None,
        figures: None,
        rule: None,
    };
    ConversationFacts {
        account: account(),
        application,
        conversation,
        request,
        ending: Ending { bye_type: ByeType::CallerNotAnswered, by: EndedBy::Caller },
        hangup_reason: "rejected",
        bridged_at: None,
        legs: vec![leg],
        recording: None,
        is_masked: false,
        seq: 0,
        traceparent: None,
    }
}

/// The note of a recording's end was lost while the database was away: it is made up for from what
/// is on the disk, once nobody writes there any more, and without a restart.
#[tokio::test]
async fn a_recording_whose_end_was_not_noted_is_settled() {
    let mut world = World::open().await;
    let mut begun_of = Vec::new();
    for _ in 0..4 {
        let facts = clicked(&world).await;
        begun_of.push((begun(&world, facts.conversation.as_str()).await, facts));
    }
    let [(whole, _), (unfinished, _), (missing, _), (talking, _)] = begun_of.as_slice() else {
        panic!("four were begun")
    };
    std::fs::write(&whole.file, [0; 44 + 32_000]).unwrap();
    let part = format!("{}.part", unfinished.file.display());
    std::fs::write(part, [0; 44 + 32_000]).unwrap();
    std::fs::write(&talking.file, [0; 44 + 32_000]).unwrap();
    for (_, facts) in &begun_of[..3] {
        assert!(finish_conversation::run(&world.app, facts, &[]).await.unwrap());
    }
    world.clock.advance_ms(59_000);
    let settings = world.app.settings().clone();
    let restarted = world.reopened_under(settings).await;
    let writing = std::mem::replace(&mut world.app, restarted);
    assert_eq!(settle_late(&world.app).await.unwrap(), 0, "its last words may still come");
    world.clock.advance_ms(2_000);
    assert_eq!(settle_late(&writing).await.unwrap(), 0, "its engine may write them");
    assert_eq!(settle_late(&world.app).await.unwrap(), 2);
    assert_eq!(settle_late(&world.app).await.unwrap(), 0, "once");
    let whole = row(&world, whole).await;
    assert_eq!((whole.state, whole.duration_ms), (RecordingState::Ready, 1_000));
    let missing = row(&world, missing).await;
    assert_eq!(missing.state, RecordingState::Failed);
    assert!(missing.failure.unwrap().contains("not there"));
    for place in [unfinished, talking] {
        assert_eq!(row(&world, place).await.state, RecordingState::Writing);
    }
}

/// Its time is over while it is on its way to the object store: nothing may be left there, where
/// nobody would delete it any more.
#[tokio::test]
async fn a_recording_that_expires_while_it_is_moved_is_nowhere() {
    let world = World::open().await;
    let bucket = Arc::new(Bucket::default());
    world.app.keep_recordings_in(bucket.clone());
    bucket.is_away.store(true, Ordering::Relaxed);
    let recording = published(&world, "CV1").await;
    let path = world.app.settings().recordings.folder().join(&recording.begun.key);
    world.clock.advance_ms(181 * DAY_MS);
    let kept = std::fs::read(&path).unwrap();
    assert_eq!(expire(&world.app).await.unwrap(), 1);
    // The mover had opened the file before it was deleted.
    std::fs::write(&path, kept).unwrap();
    bucket.is_away.store(false, Ordering::Relaxed);
    move_out(&world.app, &recording).await.unwrap();
    assert!(bucket.files.lock().is_empty() && !path.exists());
    let place = Place { recording: recording.begun.id.clone(), file: path };
    let row = row(&world, &place).await;
    assert_eq!((row.state, row.place), (RecordingState::Deleted, RecordingPlace::Disk));
}

#[tokio::test]
async fn files_are_deleted_when_their_application_says_and_rows_stay() {
    let world = World::open().await;
    let bucket = Arc::new(Bucket::default());
    let recording = published(&world, "CV1").await;
    let path = world.app.settings().recordings.folder().join(&recording.begun.key);
    world.clock.advance_ms(29 * DAY_MS);
    assert_eq!(expire(&world.app).await.unwrap(), 0, "180 days are usual");
    let month = TENANT
        .replace("        name: demo\n", "        name: demo\n        recording_keep_days: 30\n");
    world.apply(&month).await.unwrap();
    assert_eq!(expire(&world.app).await.unwrap(), 0);
    let fresh = published(&world, "CV2").await;
    world.clock.advance_ms(DAY_MS + 1);
    assert_eq!(expire(&world.app).await.unwrap(), 1);
    assert!(!path.exists());
    let reader = world.app.store().reader();
    let gone = rows::get(reader, &account(), &recording.begun.id).await.unwrap().unwrap();
    assert_eq!(open(&world.app, &gone, None).await.unwrap_err().code, RECORDING_DELETED);

    world.app.keep_recordings_in(bucket.clone());
    assert_eq!(move_leftovers(&world.app).await.unwrap(), 1);
    world.clock.advance_ms(30 * DAY_MS);
    bucket.is_away.store(true, Ordering::Relaxed);
    assert_eq!(expire(&world.app).await.unwrap(), 0, "the store is away: it is kept, and told so");
    bucket.is_away.store(false, Ordering::Relaxed);
    assert_eq!(expire(&world.app).await.unwrap(), 1);
    assert!(bucket.files.lock().is_empty());
    let page = PageRequest { limit: 10, after: None };
    let filter = rows::RecordingFilter::default();
    let all = rows::list(reader, &account(), &filter, &page).await.unwrap().rows;
    assert_eq!(all.len(), 2, "rows stay: {}", fresh.begun.id);
    assert!(all.iter().all(|row| row.state == RecordingState::Deleted));
}

#[tokio::test]
async fn nothing_is_begun_where_the_disk_is_nearly_full() {
    let mut world = World::open().await;
    let mut settings = world.app.settings().clone();
    settings.recordings.min_free_mib = u32::MAX;
    world.app = world.reopened_under(settings).await;
    let (application, conversation) = (ApplicationId::new(APPID), ConversationId::new("CV1"));
    let error = begin(&world.app, &account(), &application, &conversation).await.unwrap_err();
    assert!(matches!(error, NotBegun::NoRoom { .. }), "{error}");
    assert!(error.to_string().contains("recordings.min_free_mib"), "{error}");
    let found = of_conversation(&world.app, &account(), &conversation).await.unwrap();
    assert_eq!(found, None, "no row");
}
