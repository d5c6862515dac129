use yunling_domain::{AccountId, ApplicationId, Micros};
use yunling_store::deliveries::{DeliveryState, NewDelivery};

use super::*;

fn delivery(id: &str, endpoint: i64, conversation: &str, tries: u32) -> Delivery {
    Delivery {
        caused: NewDelivery {
            id: id.to_owned(),
            application: ApplicationId::new("app"),
            conversation_id: (!conversation.is_empty()).then(|| ConversationId::new(conversation)),
            seq: 0,
            kind: "call.status".to_owned(),
            url: "http://receiver.example/".to_owned(),
            body: "{}".to_owned(),
            created_at: Micros(0),
        },
        account: AccountId::new(format!("account{endpoint}")),
        endpoint_id: endpoint,
        state: DeliveryState::Pending,
        next_at: Micros(0),
        tries,
        version: 0,
        delivered_at: None,
    }
}

fn plain(ids: &[(&str, i64)]) -> Vec<Delivery> {
    ids.iter().map(|(id, endpoint)| delivery(id, *endpoint, "", 0)).collect()
}

fn ids(picked: &Picked) -> Vec<&str> {
    picked.now.iter().map(|delivery| delivery.caused.id.as_str()).collect()
}

fn lanes(total: usize, per_endpoint: usize) -> Lanes {
    Lanes::new(Limits { total, per_endpoint })
}

#[test]
fn endpoints_take_turns_up_to_their_width() {
    let mut lanes = lanes(5, 2);
    let picked =
        lanes.pick(plain(&[("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("c1", 3), ("c2", 3)]));
    assert_eq!(ids(&picked), ["a1", "b1", "c1", "a2", "c2"]);
    assert!(picked.others_wait, "a3 waits");
    assert!(!lanes.has_room());
    assert_eq!((lanes.in_flight(), lanes.busy()), (5, 3));
    lanes.leave("a1", Some(true));
    assert_eq!(ids(&lanes.pick(plain(&[("a2", 1), ("a3", 1)]))), ["a3"]);
}

#[test]
fn what_is_in_flight_is_not_sent_again() {
    let mut lanes = lanes(8, 8);
    assert_eq!(ids(&lanes.pick(plain(&[("a1", 1)]))), ["a1"]);
    let again = lanes.pick(plain(&[("a1", 1)]));
    assert!(again.now.is_empty() && !again.others_wait);
}

#[test]
fn first_attempts_of_a_conversation_go_one_after_the_other() {
    let mut lanes = lanes(8, 8);
    let due = || {
        vec![
            delivery("x0", 1, "x", 0),
            delivery("x1", 1, "x", 0),
            delivery("y0", 1, "y", 0),
            delivery("x-other", 2, "x", 0),
            delivery("x-retry", 1, "x", 1),
        ]
    };
    let picked = lanes.pick(due());
    assert_eq!(ids(&picked), ["x0", "x-other", "y0", "x-retry"]);
    assert!(picked.others_wait, "x1 waits for x0");
    // Whatever became of the head, the next one goes on.
    lanes.leave("x0", Some(false));
    lanes.leave("y0", Some(true));
    lanes.leave("x-retry", Some(true));
    assert_eq!(ids(&lanes.pick(vec![delivery("x1", 1, "x", 0)])), ["x1"]);
}

#[test]
fn silent_receivers_get_one_at_a_time_and_half_of_the_whole() {
    let mut lanes = lanes(4, 4);
    for (id, endpoint) in [("a", 1), ("b", 2), ("c", 3)] {
        assert_eq!(ids(&lanes.pick(plain(&[(id, endpoint)]))), [id]);
        lanes.leave(id, Some(false));
    }
    let picked = lanes.pick(plain(&[("a1", 1), ("a2", 1), ("b1", 2), ("c1", 3), ("d1", 4)]));
    assert_eq!(ids(&picked), ["a1", "b1", "d1"], "one each, two together; d is healthy");
    assert!(picked.others_wait);
    let mut full = lanes.full();
    full.sort_unstable();
    assert_eq!(full, [1, 2, 3]);
    // The first answer opens the lane again.
    lanes.leave("a1", Some(true));
    assert_eq!(ids(&lanes.pick(plain(&[("a2", 1), ("a3", 1)]))), ["a2", "a3"]);
}

#[test]
fn an_account_with_many_receivers_gets_half_of_the_whole() {
    let mut lanes = lanes(4, 4);
    let of = |account: &str, ids: &[(&str, i64)]| {
        let account = AccountId::new(account);
        let due = plain(ids).into_iter();
        due.map(|one| Delivery { account: account.clone(), ..one }).collect::<Vec<_>>()
    };
    let hostile = of("hostile", &[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
    let picked = lanes.pick([hostile, of("other", &[("x", 9), ("y", 9)])].concat());
    assert_eq!(ids(&picked), ["a", "b", "x", "y"]);
    assert!(picked.others_wait);
    let mut full: Vec<String> =
        lanes.full_accounts().iter().map(|account| account.to_string()).collect();
    full.sort_unstable();
    assert_eq!(full, ["hostile", "other"]);
    for id in ["a", "x", "y"] {
        lanes.leave(id, Some(true));
    }
    assert!(lanes.full_accounts().is_empty());
    assert_eq!(ids(&lanes.pick(of("hostile", &[("c", 3), ("d", 4)]))), ["c"]);
}

#[test]
fn an_accounts_dead_receivers_leave_half_of_its_share_to_its_others() {
    let mut lanes = lanes(8, 4);
    let of_one = |ids: &[(&str, i64)]| {
        let account = AccountId::new("one");
        let due = plain(ids).into_iter();
        due.map(|one| Delivery { account: account.clone(), ..one }).collect::<Vec<_>>()
    };
    for (id, endpoint) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        lanes.pick(of_one(&[(id, endpoint)]));
        lanes.leave(id, Some(false));
    }
    let picked = lanes.pick(of_one(&[("a1", 1), ("b1", 2), ("c1", 3), ("d1", 4), ("x", 9)]));
    assert_eq!(ids(&picked), ["a1", "b1", "x"]);
}

#[test]
fn nothing_is_remembered_of_healthy_idle_lanes() {
    let mut lanes = lanes(4, 4);
    lanes.pick(plain(&[("a", 1), ("b", 2), ("c", 3)]));
    lanes.leave("a", Some(true));
    lanes.leave("b", Some(false));
    lanes.leave("c", None);
    lanes.leave("unknown", Some(true));
    assert_eq!(lanes.in_flight(), 0);
    assert!(lanes.accounts.is_empty());
    assert_eq!(lanes.lanes.keys().copied().collect::<Vec<_>>(), [2]);
}
