//! Rows as tests need them.
use serde_json::json;
use yunling_domain::{
    AccountId, ApplicationId, CallId, ConversationId, Micros, NodeNumber, RequestId,
};
use yunling_store::{
    RequestKind, Store,
    attempts::{self, Attempt, AttemptLane, Ending, NewAttempt, platform_side::Claim},
    calls::Cdr,
    conversations::{NewConversation, Story},
    deliveries::NewDelivery,
    requests::{self, NewRequest},
};

use crate::database::write;

pub(crate) const NOON: Micros = Micros(1_790_000_000_000_000);

pub(crate) fn account(name: &str) -> AccountId {
    AccountId::new(name)
}

pub(crate) fn node(number: u32) -> NodeNumber {
    number.to_string().parse().unwrap()
}

pub(crate) fn request(account: &str, name: &str) -> NewRequest {
    NewRequest {
        id: RequestId::new(format!("RQ{name}")),
        account: AccountId::new(account),
        application: ApplicationId::new("app"),
        kind: RequestKind::Notice,
        spec: json!({"times": 2}),
        to_raw: "138 0013 8000".to_owned(),
        userdata: Some("订单".to_owned()),
        urls: json!({}),
        from_number: None,
        api_version: "201512".to_owned(),
        created_at: NOON,
    }
}

/// An attempt for the request of the same name.
pub(crate) fn attempt(account: &str, name: &str) -> NewAttempt {
    NewAttempt {
        call_id: CallId::new(format!("CA{name}")),
        conversation_id: ConversationId::new(format!("CV{name}")),
        request_id: RequestId::new(format!("RQ{name}")),
        account: AccountId::new(account),
        application: ApplicationId::new("app"),
        lane: AttemptLane::Notice,
        to_number: "+8613800138000".to_owned(),
        to_shown: "13800138000".to_owned(),
        from_number: None,
        due_at: NOON,
        deadline_at: NOON.plus_ms(30_000),
        rule: Some("allowed".to_owned()),
        created_at: NOON,
    }
}

/// Stores a request and its attempt.
pub(crate) async fn queue(store: &Store, new: NewAttempt) {
    let mut request = request(new.account.as_str(), "");
    request.id = new.request_id.clone();
    write!(store, |tx| async {
        requests::insert(tx, &request).await?;
        attempts::insert(tx, &[new]).await
    })
    .unwrap();
}

pub(crate) fn claim(at: Micros, limit: u32) -> Claim {
    Claim {
        node: node(10_000),
        now: at,
        lease_until: at.plus_ms(15_000),
        limits: [limit; 4],
        expired_limit: limit,
        skip: Vec::new(),
    }
}

/// Queues one and claims it.
pub(crate) async fn claimed(store: &Store, account: &str, name: &str) -> Attempt {
    queue(store, attempt(account, name)).await;
    let wanted = claim(NOON, 1);
    let mut claimed = write!(store, |tx| attempts::platform_side::claim_due(tx, &wanted)).unwrap();
    claimed.due.pop().unwrap()
}

pub(crate) fn delivery(name: &str, url: &str) -> NewDelivery {
    NewDelivery {
        id: format!("msg_{name}"),
        application: ApplicationId::new("app"),
        conversation_id: Some(ConversationId::new(format!("CV{name}"))),
        seq: 0,
        kind: "notice.result".to_owned(),
        url: url.to_owned(),
        body: r#"{"result":"0"}"#.to_owned(),
        created_at: NOON,
    }
}

/// What an answered call leaves behind.
pub(crate) fn ending(attempt: &Attempt) -> Ending {
    let queued = &attempt.queued;
    let name = queued.call_id.as_str().trim_start_matches("CA").to_owned();
    Ending {
        attempt_id: attempt.id,
        ended_at: NOON.plus_ms(20_000),
        calls: vec![Cdr {
            call_id: queued.call_id.clone(),
            conversation_id: queued.conversation_id.clone(),
            request_id: queued.request_id.clone(),
            application: queued.application.clone(),
            kind: RequestKind::Notice,
            from_number: "01080001001".to_owned(),
            to_number: queued.to_number.clone(),
            trunk: Some("carrier-a".to_owned()),
            started_at: NOON,
            ring_at: Some(NOON.plus_ms(900)),
            answered_at: Some(NOON.plus_ms(5_000)),
            ended_at: NOON.plus_ms(20_000),
            duration_s: 15,
            result: 0,
            reason: None,
            cause: "completed".to_owned(),
            fault: None,
            sip_code: Some(200),
            q850: Some(16),
            input_key: Some("1".to_owned()),
            figures: Some(json!({"jitter_ms": 2})),
            rule: Some("allowed".to_owned()),
            leg: 0,
            bye_type: None,
            hangup_reason: None,
        }],
        conversation: Some(NewConversation {
            id: queued.conversation_id.clone(),
            application: queued.application.clone(),
            kind: RequestKind::Notice,
            started_at: NOON,
            ended_at: NOON.plus_ms(20_000),
            story: Story::pack(&["accepted", "answered"]).unwrap(),
        }),
        deliveries: vec![delivery(&name, "http://127.0.0.1:9000/cdr")],
    }
}
