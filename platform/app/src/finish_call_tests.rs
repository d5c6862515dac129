#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::fakes::{ACCOUNT, APPID, TENANT, World};
use crate::get_call::CallView;
use crate::principal::{ReadCalls, ReadDeliveries, ResendDeliveries};
use crate::submit_notice::{Accepted, Envelope, NoticeRequest};
use crate::{
    get_call, get_delivery, get_request, list_calls, list_deliveries, list_request_calls,
    resend_delivery,
};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use yunling_domain::call_cause::CallCause;
use yunling_domain::event::EventBody;
use yunling_domain::{AccountId, Fault, Termination};
use yunling_store::calls::CallFilter;
use yunling_store::deliveries::{DeliveryFilter, DeliveryState, Resend};
use yunling_store::{PageRequest, attempts};

const PAGE: PageRequest = PageRequest { after: None, limit: 10 };

async fn submit(world: &World, more: Value) -> (Accepted, Attempt) {
    let mut body = json!({
        "appid": APPID, "to": "13800100001", "userdata": "ud",
        "contents": [{"type": "voice", "content": "prompt1.wav"}], "finishkey": "1",
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = NoticeRequest::from_body(body.to_string().as_bytes()).unwrap();
    let accepted =
        crate::submit_notice::run(&world.app, &world.caller(), &request, Envelope::default())
            .await
            .unwrap();
    let account = AccountId::new(ACCOUNT);
    let attempt = attempts::of_call(world.app.store().reader(), &account, &accepted.call_id)
        .await
        .unwrap()
        .unwrap();
    (accepted, attempt)
}

fn answered() -> Outcome {
    Outcome {
        answered: true,
        crossed_answer: false,
        result: 0,
        reason: None,
        input_key: Some('1'),
        cause: CallCause::Completed,
        fault: Fault::Nobody,
        termination: Some(Termination::new(yunling_domain::EndKind::LocalBye)),
        attempts: 1,
        plays: 1,
    }
}

fn never_dialled() -> Outcome {
    Outcome {
        answered: false,
        result: 1,
        reason: Some(2),
        input_key: None,
        cause: CallCause::Failed,
        fault: Fault::TenantConfiguration,
        termination: None,
        attempts: 0,
        plays: 0,
        ..answered()
    }
}

fn talked(attempt: Attempt) -> AttemptFacts {
    let start = attempt.queued.created_at.plus_ms(100);
    AttemptFacts {
        started_at: start,
        ring_at: Some(start.plus_ms(1_000)),
        answered_at: Some(start.plus_ms(5_000)),
        ended_at: start.plus_ms(15_000),
        trunk: Some("carrier-a".into()),
        from_number: Some("01080001001".into()),
        rule: None,
        figures: Some(json!({"lost": 0})),
        traceparent: None,
        attempt,
    }
}

fn story(at: Micros) -> Vec<ConversationEvent> {
    vec![ConversationEvent { seq: 0, at, party: None, body: EventBody::Answered }]
}

#[tokio::test]
async fn an_answered_call_leaves_its_record_its_story_and_one_callback() {
    let world = World::open().await;
    let (accepted, attempt) = submit(&world, json!({})).await;
    let reading = world.caller::<ReadCalls>();
    let live = get_call::run(&world.app, &reading, &accepted.call_id).await.unwrap();
    assert!(matches!(live, CallView::Live(_)));
    let conversation = attempt.queued.conversation_id.clone();

    let facts = talked(attempt);
    let events = story(facts.started_at);
    assert!(run(&world.app, facts.clone(), &answered(), &events).await.unwrap());
    assert!(
        !run(&world.app, facts, &answered(), &events).await.unwrap(),
        "a second time changes nothing"
    );
    assert_eq!(world.poke.deliveries.load(Ordering::Relaxed), 1);

    let CallView::Ended(record) =
        get_call::run(&world.app, &reading, &accepted.call_id).await.unwrap()
    else {
        panic!("the call is over");
    };
    assert_eq!((record.result, record.duration_s, record.input_key.as_deref()), (0, 10, Some("1")));
    assert_eq!((record.cause.as_str(), record.trunk.as_deref()), ("completed", Some("carrier-a")));
    assert_eq!(record.rule.as_deref(), Some("passed"));
    assert_eq!(get_call::story(&world.app, &reading, &conversation).await.unwrap(), events);
    let request = get_request::run(&world.app, &reading, &accepted.request_id).await.unwrap();
    assert_eq!(request.state, RequestState::Finished);
    let of_request =
        list_request_calls::run(&world.app, &reading, &accepted.request_id, &PAGE).await.unwrap();
    assert!(matches!(of_request.rows.as_slice(), [CallView::Ended(_)]));
    let all = list_calls::run(&world.app, &reading, &CallFilter::default(), &PAGE).await.unwrap();
    assert_eq!(all.rows.len(), 1);

    let deliveries =
        list_deliveries::run(&world.app, &world.caller(), &DeliveryFilter::default(), &PAGE)
            .await
            .unwrap();
    let delivery = &deliveries.rows[0].caused;
    assert_eq!((deliveries.rows.len(), delivery.url.as_str()), (1, "http://127.0.0.1:9000/cdr"));
    assert_eq!(
        (delivery.kind.as_str(), delivery.id.clone()),
        ("notice.result", format!("msg_{}", accepted.call_id))
    );
    insta::assert_snapshot!(delivery.body);
}

#[tokio::test]
async fn a_call_that_was_never_dialled_is_told_without_call_id() {
    let world = World::open().await;
    let (accepted, attempt) = submit(&world, json!({"cdrUrl": "https://own.example/x"})).await;
    world.clock.advance_ms(30_000);
    let facts =
        AttemptFacts::never_dialled(attempt, world.app.clock().now(), Some("queue_wait".into()));
    assert!(run(&world.app, facts, &never_dialled(), &[]).await.unwrap());
    let id = format!("msg_{}", accepted.call_id);
    let (delivery, attempts) = get_delivery::run(&world.app, &world.caller(), &id).await.unwrap();
    assert_eq!((delivery.caused.url.as_str(), attempts.len()), ("https://own.example/x", 0));
    insta::assert_snapshot!(delivery.caused.body);
    let call = get_call::run(&world.app, &world.caller(), &accepted.call_id).await.unwrap();
    assert!(
        matches!(call, CallView::Ended(record) if record.rule.as_deref() == Some("queue_wait"))
    );
}

#[tokio::test]
async fn without_an_address_nothing_is_delivered() {
    let world = World::open().await;
    world
        .apply(&TENANT.replace("        notice_url: \"http://127.0.0.1:9000/cdr\"\n", ""))
        .await
        .unwrap();
    let (_, attempt) = submit(&world, json!({})).await;
    assert!(run(&world.app, talked(attempt), &answered(), &[]).await.unwrap());
    assert_eq!(world.poke.deliveries.load(Ordering::Relaxed), 0);
    let deliveries =
        list_deliveries::run(&world.app, &world.caller(), &DeliveryFilter::default(), &PAGE)
            .await
            .unwrap();
    assert!(deliveries.rows.is_empty());
}

#[tokio::test]
async fn the_sample_slip_is_sent_where_the_application_wants_it_and_stamps_are_in_the_accounts_zone()
 {
    let world = World::open().await;
    let text = TENANT
        .replace("    name: Demo", "    name: Demo\n    zone: UTC")
        .replace("notice_url:", "answerime: true\n        notice_url:");
    world.apply(&text).await.unwrap();
    let (accepted, attempt) = submit(&world, json!({})).await;
    assert!(run(&world.app, talked(attempt), &answered(), &[]).await.unwrap());
    let id = format!("msg_{}", accepted.call_id);
    let (delivery, _) = get_delivery::run(&world.app, &world.caller(), &id).await.unwrap();
    let body: Value = serde_json::from_str(&delivery.caused.body).unwrap();
    assert_eq!(body["answerime"], body["answertime"]);
    let expected = world.app.clock().now().plus_ms(5_100).stamp14(chrono_tz::UTC);
    assert_eq!(body["answertime"], json!(expected));
}

#[tokio::test]
async fn nobody_sees_or_resends_what_is_another_accounts() {
    let world = World::open().await;
    let (accepted, attempt) = submit(&world, json!({})).await;
    let conversation = attempt.queued.conversation_id.clone();
    assert!(run(&world.app, talked(attempt), &answered(), &[]).await.unwrap());
    let operator = crate::Operator::proven("test");
    let other = AccountId::new("other");
    let (calls, deliveries) = (
        operator.in_account::<ReadCalls>(other.clone()),
        operator.in_account::<ReadDeliveries>(other.clone()),
    );
    let resending = operator.in_account::<ResendDeliveries>(other);
    let id = format!("msg_{}", accepted.call_id);
    let app = &world.app;
    let refusals = [
        get_call::run(app, &calls, &accepted.call_id).await.err(),
        get_call::story(app, &calls, &conversation).await.err(),
        get_request::run(app, &calls, &accepted.request_id).await.err(),
        list_request_calls::run(app, &calls, &accepted.request_id, &PAGE).await.err(),
        get_delivery::run(app, &deliveries, &id).await.err(),
        resend_delivery::run(app, &resending, Resend::One(id.clone())).await.err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap().code.name, "not_found");
    }
    assert!(
        list_calls::run(app, &calls, &CallFilter::default(), &PAGE).await.unwrap().rows.is_empty()
    );
    let all = Resend::Matching(DeliveryFilter {
        state: Some(DeliveryState::Pending),
        ..DeliveryFilter::default()
    });
    assert_eq!(resend_delivery::run(app, &resending, all).await.unwrap(), 0);

    assert_eq!(resend_delivery::run(app, &world.caller(), Resend::One(id)).await.unwrap(), 1);
    let account = AccountId::new(ACCOUNT);
    let entries =
        yunling_store::audit::list(app.store().reader(), &account, Default::default(), &PAGE)
            .await
            .unwrap()
            .rows;
    assert_eq!(
        (entries[0].action.as_str(), &entries[0].detail["resent"]),
        ("delivery.resend", &json!(1))
    );
}
