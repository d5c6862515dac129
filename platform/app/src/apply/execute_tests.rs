#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::fakes::{ACCOUNT, APPID, TENANT, World};
use yunling_domain::{AccountId, ApplicationId};
use yunling_store::{PageRequest, TimeRange};

#[tokio::test]
async fn applying_fills_the_directory_and_the_audit_and_again_does_nothing() {
    let world = World::open().await;
    let directory = world.app.directory();
    let (account, appid) = (AccountId::new(ACCOUNT), ApplicationId::new(APPID));
    let application = directory.application(&account, &appid).unwrap();
    assert_eq!(application.notice_url.as_deref(), Some("http://127.0.0.1:9000/cdr"));
    assert_eq!(application.webhook_secrets[0].key(), b"0123456789abcdef01234567");
    assert_eq!(application.media.keys().collect::<Vec<_>>(), ["prompt1.wav", "prompt3.wav"]);
    let allowed: Vec<bool> =
        application.caller_ids.iter().map(|id| id.allowed_for_application).collect();
    assert_eq!(allowed, [true, false], "the second line is the other application's");
    assert_eq!(application.caller_ids[0].trunks, ["carrier-a", "carrier-b"]);
    let login = directory.trunk("carrier-b").unwrap().login.clone().unwrap();
    assert_eq!((login.username.as_str(), login.password.expose()), ("u", "trunk-pass"));
    let minted = directory.application(&account, &ApplicationId::new("22")).unwrap();
    assert_eq!(minted.webhook_secrets.len(), 1, "a secret was minted where none was given");

    let page = PageRequest { after: None, limit: 100 };
    let entries = audit::list(world.app.store().reader(), &account, TimeRange::default(), &page)
        .await
        .unwrap();
    assert_eq!(entries.rows.len(), 8, "account, user, two applications, two lines, two media");
    assert!(
        entries.rows.iter().all(|entry| entry.who == "test" && entry.action == "resource.create")
    );
    let told = format!("{entries:?}");
    assert!(
        !told.contains("change-me") && !told.contains("0123456789abcdef0123456789abcdef"),
        "no secret in audit rows"
    );

    let version = directory.version();
    let again = world.apply(TENANT).await.unwrap();
    assert!(again.plan.is_empty() && again.minted.is_empty(), "{again}");
    assert_eq!(world.app.directory().version(), version);
}

#[tokio::test]
async fn no_secret_lies_in_a_row_in_the_clear() {
    let world = World::open().await;
    let rows = resources::load_all(world.app.store().reader()).await.unwrap();
    let told: String = rows.iter().map(|row| format!("{} {:?}\n", row.doc, row.applied)).collect();
    for secret in
        ["trunk-pass", "change-me", crate::fakes::TOKEN, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"]
    {
        assert!(!told.contains(secret), "{secret} lies in the clear");
    }
    assert!(told.contains("$argon2id$"));
}

#[tokio::test]
async fn a_change_elsewhere_is_seen_by_its_version() {
    let world = World::open().await;
    assert!(!world.app.reload_if_moved().await.unwrap());
    world
        .app
        .store()
        .writer()
        .write(Lane::Live, |tx| {
            Box::pin(async move { resources::delete(tx, "trunk", "", "carrier-a").await })
        })
        .await
        .unwrap();
    assert!(world.app.reload_if_moved().await.unwrap());
    assert!(world.app.directory().trunk("carrier-a").is_none());
}

#[tokio::test]
async fn a_problem_holds_up_everything() {
    let world = World::empty().await;
    std::fs::write(world.folder.path().join("noise.wav"), "no audio").unwrap();
    let text = "trunks: [{ name: t, uri: \"sip:x\" }]\n\
                accounts: [{ sid: a, applications: [{ sid: x, media: [{ name: n, file: noise.wav }] }] }]\n";
    let error = world.apply(text).await.unwrap_err();
    assert!(matches!(&error, ApplyError::Problems(_)));
    let told = error.to_string();
    assert!(
        told.contains("tenant.yaml:2:55 accounts[0].applications[0].media[0].file: "),
        "{told}"
    );
    assert!(world.app.directory().trunk("t").is_none());
    assert_eq!(resources::load_all(world.app.store().reader()).await.unwrap(), []);
}

#[tokio::test]
async fn two_accounts_cannot_share_a_token() {
    let world = World::open().await;
    let text = format!("set: more\naccounts: [{{ sid: thief, token: {} }}]\n", crate::fakes::TOKEN);
    assert!(matches!(world.apply(&text).await, Err(ApplyError::TokenUsed)));
    assert!(world.app.directory().account(&AccountId::new("thief")).is_none());
}

#[tokio::test]
async fn pruning_an_account_revokes_what_authenticates_it() {
    let world = World::open().await;
    let operator = Operator::proven("test");
    let options = Options { prune: true, ..Options::default() };
    let file = world.document("set: tenant.yaml\naccounts: []\n");
    let report = apply(&world.app, &operator, &[file], options).await.unwrap();
    assert_eq!(report.plan.count(Action::Delete), 12, "all but the database itself: {report}");
    let header = "Basic YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU6MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let failure =
        crate::principal::authenticate_basic(&world.app, Some(header), ACCOUNT).unwrap_err();
    assert_eq!(failure, crate::principal::AuthFailure::Unknown);
}

#[tokio::test]
async fn minted_secrets_are_told_once_and_never_in_a_report() {
    let world = World::empty().await;
    let report = world.apply("accounts: [{ sid: a, applications: [{ sid: x }] }]\n").await.unwrap();
    let token = report
        .minted
        .iter()
        .find(|minted| minted.name == SecretName::Token)
        .unwrap()
        .secret
        .clone();
    assert_eq!(report.minted.len(), 2);
    assert!(report.minted_text().contains(token.expose()));
    assert!(!format!("{report} {report:?}").contains(token.expose()));
    let hash = world.app.keyring().hash_token(&token);
    assert_eq!(world.app.directory().credential(&hash).unwrap().account, AccountId::new("a"));

    let file = report.keep_minted(world.folder.path()).unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), report.minted_text());
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = world.apply("accounts: [{ sid: a, applications: [{ sid: x }] }]\n").await.unwrap();
    assert!(again.minted.is_empty());
}

#[tokio::test]
async fn every_format_of_recordings_comes_by_documents_and_keeps_what_the_api_changed() {
    use crate::upload_media::{self, Condition, Upload};
    let world = World::empty().await;
    let mp3: &[u8] = include_bytes!("../../../assets/tests/fixtures/speech.mp3");
    std::fs::write(world.folder.path().join("hello.mp3"), mp3).unwrap();
    let document = |file: &str| {
        format!(
            "set: tenant\naccounts: [{{ sid: a, applications: [{{ sid: b, media: [{{ name: x, {file} }}] }}] }}]\n"
        )
    };
    let sha256 = || {
        let directory = world.app.directory();
        let application = directory.application(&AccountId::new("a"), &ApplicationId::new("b"));
        application.unwrap().media["x"].sha256.to_string()
    };
    let report = world.apply(&document("file: hello.mp3")).await.unwrap();
    assert!(report.to_string().contains("2 channels were mixed"), "{report}");
    let normalised = sha256();
    assert_eq!(normalised, media_blobs::content_name(mp3));
    let said = world.apply(&document("file: hello.mp3, normalise: true")).await.unwrap();
    assert!(said.plan.is_empty(), "what is so anyway is no change: {said}");
    world.apply(&document("file: hello.mp3, normalise: false")).await.unwrap();
    assert_ne!(sha256(), normalised, "the same file at another level is other audio");

    // What is wrong with a file stands at its field.
    std::fs::write(world.folder.path().join("short.mp3"), &mp3[..5000]).unwrap();
    let error = world.apply(&document("file: short.mp3")).await.unwrap_err();
    let ApplyError::Problems(plan) = error else { panic!("the file is cut short") };
    assert!(plan.problems[0].at.ends_with("media[0].file"), "{plan}");
    assert!(plan.problems[0].problem.contains("cut short"), "{plan}");

    // Changed by the API, it stays so for as long as the file does not change.
    let caller = Operator::proven("test").in_account(AccountId::new("a"));
    let upload = Upload {
        application: ApplicationId::new("b"),
        name: "x".to_owned(),
        bytes: crate::fakes::tone_wav().into(),
        level: yunling_assets::Level::Normalised,
        condition: Condition::Whatever,
    };
    upload_media::run(&world.app, &caller, upload).await.unwrap();
    let uploaded = sha256();
    world.apply(&document("file: hello.mp3, normalise: false")).await.unwrap();
    assert_eq!(sha256(), uploaded);
}
