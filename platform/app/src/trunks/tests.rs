#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::fakes::World;

#[tokio::test]
async fn what_is_learned_reaches_the_gate_and_survives_other_changes() {
    let world = World::open().await;
    let (trunks, now) = (world.app.trunks(), world.app.clock().now());
    assert!(trunks.known_down().is_empty() && trunks.closed().is_empty());
    for _ in 0..4 {
        assert_eq!(trunks.learn("carrier-a", TrunkFact::CallSilent, now), None);
    }
    let news = trunks.learn("carrier-a", TrunkFact::CallSilent, now).unwrap();
    assert_eq!((&*news.trunk, news.standing.state), ("carrier-a", TrunkState::Down));
    trunks.dialled("carrier-a", now);
    trunks.failed("carrier-a", "no_reply");
    assert_eq!(trunks.learn("no such trunk", TrunkFact::CallSilent, now), None);
    assert!(trunks.observe("no such trunk", now).is_none());

    // Another account's change rebuilds the directory.
    world.app.reload().await.unwrap();
    assert_eq!(Vec::from_iter(trunks.known_down().iter().map(String::as_str)), ["carrier-a"]);
    let observed = trunks.observe("carrier-a", now).unwrap();
    assert_eq!((observed.cps, observed.counts.failed["no_reply"]), (1, 1));

    // A trunk that has moved is another one.
    let moved = crate::fakes::TENANT.replace("127.0.0.1:5070", "127.0.0.1:5072");
    world.apply(&moved).await.unwrap();
    assert!(trunks.known_down().is_empty());
    assert_eq!(trunks.observe("carrier-a", now).unwrap().counts.dialled, 1, "its counts go on");

    let registers = moved.replace("username: u", "register: true, username: u");
    world.apply(&registers).await.unwrap();
    assert!(trunks.known_down().is_empty(), "it is not known yet");
    assert_eq!(Vec::from_iter(trunks.closed().iter().map(String::as_str)), ["carrier-b"]);
    trunks.learn("carrier-b", TrunkFact::Registered { expires_s: 60 }, now).unwrap();
    assert!(trunks.closed().is_empty());
    let later = now.plus_ms(60_000);
    let news = trunks.tick(later);
    assert_eq!((news.len(), &*news[0].trunk), (1, "carrier-b"));
    assert!(trunks.known_down().contains("carrier-b") && trunks.tick(later).is_empty());
}
