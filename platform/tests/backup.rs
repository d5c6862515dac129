//! Backup of a node that runs, and what a restored one does: it has every request with all that
//! belongs to it, and rings nobody a second time.

#![expect(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

mod support;

use std::collections::HashSet;
use std::path::Path;

use futures_util::future::join_all;
use serde_json::json;

use support::command::{Said, run};
use support::disk::Disk;
use support::phones::{assert_nobody_was_called_twice, phones};
use support::postgres::Server;
use support::world::{Plan, World};
use support::{PATIENCE, results};
use yunling_store::test_database;

/// Notices that are under way when the backup is taken.
const RUNNING: usize = 200;
/// How the numbers behave: the last two digits choose.
const MANNERS: [&str; 5] = ["00", "01", "10", "18", "55"];

fn few_lines(document: &mut serde_json::Value) {
    document["trunks"][0]["max_calls"] = json!(40);
    document["trunks"][0]["max_cps"] = json!(1_000);
}

async fn backup(config: &Path, to: &Path, more: &[&str]) -> Said {
    let mut arguments = vec!["backup", "--config", config.to_str().unwrap()];
    arguments.extend(["--to", to.to_str().unwrap()]);
    arguments.extend(more);
    run(&arguments).await
}

async fn restore(config: &Path, from: &Path, more: &[&str]) -> Said {
    let mut arguments = vec!["restore", "--config", config.to_str().unwrap()];
    arguments.extend(["--from", from.to_str().unwrap()]);
    arguments.extend(more);
    run(&arguments).await
}

fn must(said: Said) -> Said {
    assert!(said.success, "{said:?}");
    said
}

/// The whole life: 200 notices are under way, a backup is taken, the node goes on, is lost, and is
/// put back elsewhere from the backup.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_node_has_every_request_and_rings_nobody_again() {
    live_and_restore(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_postgresql() {
    let server = Server::start().await;
    live_and_restore(Some(&server)).await;
}

async fn live_and_restore(server: Option<&Server>) {
    let folder = tempfile::tempdir().unwrap();
    let fresh = async |name: &str| match server {
        Some(server) => server.database().await,
        None => test_database::fresh(&folder.path().join(name)).await,
    };
    let settings = json!({
        "database": { "url": fresh("first").await },
        "calls": { "queue_max_wait": { "notices_s": 600 } },
    });
    let plan = Plan { settings, tenant: Some(&few_lines), ..Plan::default() };
    let mut world = World::start(plan).await;
    std::fs::create_dir(world.node.data_dir().join("recordings")).unwrap();
    std::fs::write(world.node.data_dir().join("recordings/a.wav"), b"RIFF").unwrap();
    let posts = (0..RUNNING).map(|n| {
        let (api, manner) = (world.api.clone(), MANNERS[n % MANNERS.len()]);
        async move { api.notice(&format!("138{n:06}{manner}"), &json!({ "times": 1 })).await }
    });
    let accepted = join_all(posts).await;
    world
        .carrier()
        .wait_until("some calls over", PATIENCE, |events| {
            let over = phones(events).iter().filter(|phone| phone.ended_by.is_some()).count();
            (over >= RUNNING / 10).then_some(())
        })
        .await;
    let archive = folder.path().join("yunling.tar");
    let taken = must(backup(&world.node.config(), &archive, &["--with-secrets"]).await);
    assert!(taken.stderr.contains("files"), "it tells what it does: {taken:?}");
    let told_before = results::events(&world.customer.callbacks());
    // It goes on: some who waited when the backup was taken are called now.
    let called = phones(&world.carrier().events()).len();
    world
        .carrier()
        .wait_until("more calls", PATIENCE, |events| {
            (phones(events).len() >= (called + 20).min(RUNNING)).then_some(())
        })
        .await;
    world.node.kill_9();

    let refused = restore(&world.node.config(), &archive, &[]).await;
    assert!(!refused.success && refused.stderr.contains("is there already"), "{refused:?}");

    let second = fresh("second").await;
    let data_dir = folder.path().join("second");
    world.node.change_settings(&json!({ "data_dir": data_dir, "database": { "url": second } }));
    let restored = must(restore(&world.node.config(), &archive, &[]).await);
    assert!(restored.text().contains("closed as interrupted"), "{restored:?}");
    assert_eq!(std::fs::read(data_dir.join("recordings/a.wav")).unwrap(), b"RIFF");
    assert!(data_dir.join("secret.key").exists());

    world.node.restart().await;
    for call in &accepted {
        support::states::wait_for_state(&world.api, call, "ended").await;
    }
    // What had been told before the backup is not told again; everything else is, at least once.
    let all: HashSet<&str> = accepted.iter().map(|call| call.request_id.as_str()).collect();
    let callbacks = world
        .customer
        .wait_until("result of every notice", PATIENCE, |callbacks| {
            let told: HashSet<String> =
                callbacks.iter().map(|callback| callback.field("requestid")).collect();
            (told.len() == RUNNING).then(|| callbacks.to_vec())
        })
        .await;
    assert!(callbacks.iter().all(|callback| all.contains(callback.field("requestid").as_str())));
    assert!(told_before < RUNNING, "the backup was taken too late: nothing is proven");
    assert_nobody_was_called_twice(&phones(&world.carrier().events()));
    let later = world.api.notice("13900000055", &json!({ "times": 1 })).await;
    let result = world.customer.wait_for_result(&later.request_id).await;
    assert_eq!(result.field("result"), "0", "the restored node makes calls: {}", result.json());
    assert!(world.node.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_goes_to_standard_output_without_secrets() {
    let mut world = World::usual().await;
    let config = world.node.config();
    let said = must(run(&["backup", "--config", config.to_str().unwrap(), "--to", "-"]).await);
    assert!(said.stderr.contains("not in it: secret.key, operator.token"), "{}", said.stderr);
    let archive = world.node.folder().join("piped.tar");
    std::fs::write(&archive, &said.stdout).unwrap();

    let refused = restore(&config, &archive, &["--force"]).await;
    assert!(!refused.success && refused.stderr.contains("a node runs on this data"), "{refused:?}");
    assert!(world.node.terminate().await.success());
    let restored = must(restore(&config, &archive, &["--force"]).await);
    assert!(restored.text().contains("what was there before"), "{restored:?}");
    assert!(!restored.text().contains("was not in the archive"), "the key is there: {restored:?}");
    world.node.restart().await;

    // Elsewhere the key is missed.
    let data_dir = world.node.folder().join("elsewhere");
    let url = test_database::fresh(&data_dir).await;
    world.node.change_settings(&json!({ "data_dir": data_dir, "database": { "url": url } }));
    let restored = must(restore(&config, &archive, &[]).await);
    assert!(restored.text().contains("secret.key was not in the archive"), "{restored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_leaves_no_half_archive() {
    let world = World::usual().await;
    let disk = Disk::mount(1);
    let full = disk.fill();
    let archive = disk.path().join("yunling.tar");
    let refused = backup(&world.node.config(), &archive, &[]).await;
    assert!(!refused.success, "{refused:?}");
    let left: Vec<_> = std::fs::read_dir(disk.path()).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(left, [disk.path().join("ballast")], "{refused:?}");
    drop(full);
    assert!(world.node.healthz().await.is_some_and(|(status, _)| status == 200));
}

/// Nothing is migrated behind the back of an operator who wants to do it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_behind_is_left_to_the_operator_who_wants_it() {
    let mut world = World::usual().await;
    assert!(world.node.terminate().await.success());
    let url = test_database::fresh(&world.node.folder().join("second")).await;
    world.node.change_settings(&json!({ "database": { "url": url, "migrate": "manual" } }));
    let config = world.node.config();
    let config = config.to_str().unwrap();
    let (status, said) = support::refused_start::refused_start(Path::new(config)).await;
    assert!(!status.success(), "{said}");
    assert!(said.contains("foundation") && said.contains("yunling migrate"), "{said}");

    let plan = must(run(&["migrate", "--config", config, "--plan"]).await);
    assert!(plan.text().contains("0 migrations applied"), "{plan:?}");
    let applied = must(run(&["migrate", "--config", config]).await);
    assert!(applied.text().contains("applied m20261124_000001_foundation"), "{applied:?}");
    let plan = must(run(&["migrate", "--config", config, "--plan"]).await);
    assert!(plan.text().contains(" 0 pending"), "{plan:?}");
    assert!(plan.text().contains("tables: 0 changes pending"), "{plan:?}");
    world.node.restart().await;
}
