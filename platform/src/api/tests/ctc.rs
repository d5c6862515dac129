//! What the tests of click-to-call share.

use std::sync::Arc;

use poem::http::Method;
use serde_json::{Value, json};
use yunling_app::apply::{Options, apply};
use yunling_app::documents;
use yunling_app::finish_conversation::{self, ConversationFacts, LegRecord};
use yunling_app::ports::{TalkLeg, TalkPhase, TalkState};
use yunling_app::principal::Operator;
use yunling_domain::call_cause::CallCause;
use yunling_domain::conversation::{ByeType, CallStatus, EndedBy, Ending, Party};
use yunling_domain::event::{ConversationEvent, EventBody};
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId, Fault};
use yunling_store::clicks::{self, Click};

use super::talks::FakeTalks;
use super::world::{ACCOUNT, APPID, Got, TENANTS, TOKEN, World, basic};

/// A page's origin that the sample application allows.
pub(super) const ORIGIN: &str = "https://crm.example.com";

/// A world with somebody who carries conversations, and pages that may dial.
pub(super) async fn open() -> (World, Arc<FakeTalks>) {
    let world = World::open().await;
    let more = format!(
        "notice_url: \"http://127.0.0.1:9000/cdr\"\n        cdr_url: \"http://127.0.0.1:9000/ctc-cdr\"\n        \
         status_url: \"http://127.0.0.1:9000/status\"\n        origins: [\"{ORIGIN}\"]"
    );
    let text = TENANTS.replace("notice_url: \"http://127.0.0.1:9000/cdr\"", &more);
    let document = documents::read("tenants.yaml", &text, world.folder.path(), &|_| None).unwrap();
    let operator = Operator::proven("test");
    apply(&world.app, &operator, &[document], Options::default()).await.unwrap();
    let talks = FakeTalks::of(&world.app);
    (world, talks)
}

pub(super) fn path() -> String {
    of(APPID)
}

pub(super) fn of(application: &str) -> String {
    format!("/Accounts/{ACCOUNT}/Applications/{application}/ctc/Conversations")
}

pub(super) fn sample() -> Value {
    json!({ "action": "click2call", "caller": "13800100001", "callee": "13800100002" })
}

pub(super) fn with(changes: &Value) -> Value {
    let mut body = sample();
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

/// POSTs as the sample account.
pub(super) async fn post(world: &World, path: &str, body: &Value) -> Got {
    world.ask(Method::POST, path, &basic(ACCOUNT, TOKEN), body.clone()).await
}

/// A click2call that is taken; gives its `conversationSid`.
pub(super) async fn clicked(world: &World, changes: &Value) -> String {
    let got = post(world, &path(), &with(changes)).await;
    assert_eq!(got.body["statusCode"], "00000", "{}", got.text);
    got.body["conversationSid"].as_str().unwrap().to_owned()
}

/// `statusCode`, `statusMsg`, `errorDetail`.
pub(super) fn told(got: &Got) -> [&str; 3] {
    ["statusCode", "statusMsg", "errorDetail"].map(|name| got.body[name].as_str().unwrap_or(""))
}

/// The row of a click.
pub(super) async fn click(world: &World, sid: &str) -> Click {
    let (account, id) = (AccountId::new(ACCOUNT), ConversationId::new(sid));
    clicks::get(world.app.store().reader(), &account, &id).await.unwrap().unwrap()
}

/// Lets a conversation be connected, as whoever carries it would say.
pub(super) async fn connected(world: &World, talks: &FakeTalks, sid: &str) -> TalkState {
    let click = click(world, sid).await;
    let at = click.created_at;
    let leg = |party, call: &str, number: &str| TalkLeg {
        party,
        call: CallId::new(call),
        number: number.to_owned(),
        line: "+861080001001".to_owned(),
        status: CallStatus::Answered,
        started_at: at,
        ring_at: Some(at.plus_ms(1_000)),
        answered_at: Some(at.plus_ms(2_000)),
        ended_at: None,
        outcome: None,
    };
    let event = |seq, party, body| ConversationEvent { seq, at, party, body };
    let state = TalkState {
        conversation: click.conversation.clone(),
        request: click.request.clone(),
        application: click.application.clone(),
        started_at: at,
        phase: TalkPhase::Connected,
        masked: click.masked,
        legs: vec![
            leg(Party::CALLER, click.caller_call.as_str(), "+8613800100001"),
            leg(Party::CALLEE, "CA2", "+8613800100002"),
        ],
        events: vec![
            event(0, Some(Party::CALLEE), EventBody::Accepted { to: "13800100002".to_owned() }),
            event(1, Some(Party::CALLER), EventBody::Answered),
            event(2, None, EventBody::Connected { parties: vec![Party::CALLER, Party::CALLEE] }),
        ],
    };
    talks.states.lock().push((ACCOUNT.to_owned(), state.clone()));
    state
}

/// Lets a conversation end, both having talked.
pub(super) async fn finished(world: &World, sid: &str) {
    let click = click(world, sid).await;
    let at = click.created_at;
    let leg = |party, call: CallId, number: &str, shown: &str| LegRecord {
        party,
        call,
        number: number.to_owned(),
        shown: shown.to_owned(),
        line: "+861080001001".to_owned(),
        trunk: Some("carrier-a".into()),
        started_at: at.plus_ms(i64::from(party.0)),
        ring_at: None,
        answered_at: Some(at.plus_ms(1_000)),
        ended_at: at.plus_ms(9_000),
        cause: CallCause::Completed,
        fault: Fault::Nobody,
        hangup_reason: "hung_up",
        termination: None,
        figures: None,
        rule: None,
    };
    let facts = ConversationFacts {
        account: AccountId::new(ACCOUNT),
        application: ApplicationId::new(APPID),
        conversation: click.conversation.clone(),
        request: click.request.clone(),
        ending: Ending { bye_type: ByeType::CalleeHungUp, by: EndedBy::Callee },
        hangup_reason: "hung_up",
        bridged_at: Some(at.plus_ms(1_000)),
        legs: vec![
            leg(Party::CALLER, click.caller_call.clone(), "+8613800100001", "13800100001"),
            leg(Party::CALLEE, CallId::new(format!("CA-{sid}")), "+8613800100002", "13800100002"),
        ],
        recording: None,
        is_masked: click.masked,
        seq: 8,
        traceparent: None,
    };
    assert!(finish_conversation::run(&world.app, &facts, &[]).await.unwrap());
}
