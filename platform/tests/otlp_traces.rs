//! Traces over OTLP: one for each request, from the customer's own over the call to the callback,
//! after a restart too; and a collector that is gone costs nothing but spans.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::collections::HashMap;
use std::time::Instant;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use reqwest::Method;
use serde_json::json;
use support::api::{Accepted, notice_body};
use support::customer::Customer;
use support::tenant::ACCOUNT;
use support::world::{Plan, World};
use support::{LOOK, PATIENCE};

/// The customer's own trace and span.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

async fn world(collector: &str) -> World {
    let settings = json!({ "telemetry": { "otlp": collector, "service_name": "yunling-test" } });
    World::start(Plan { settings, ..Plan::default() }).await
}

/// A notice that is a part of the customer's trace.
async fn traced_notice(world: &World, to: &str) -> Accepted {
    let path = format!("/Accounts/{ACCOUNT}/VoiceNotices");
    let body = notice_body(to, &json!({ "times": 1 }));
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [("traceparent", parent.as_str())];
    let reply = world.api.try_send(Method::POST, &path, Some(&body), &headers).await.unwrap();
    Accepted::of(to, &reply)
}

/// A span's name; the callback is a POST as the request is, and told from it by its kind.
fn name_of(span: &Span) -> String {
    let is_callback = span.kind == i32::from(SpanKind::Client) && span.name == "POST";
    if is_callback { "callback".to_owned() } else { span.name.clone() }
}

/// What the collector has got of the customer's trace, by the spans' names.
fn spans(collector: &Customer) -> HashMap<String, Span> {
    let mut found = HashMap::new();
    for request in collector.callbacks() {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/traces"));
        assert_eq!(request.header("content-type"), "application/x-protobuf");
        let request = ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap();
        for resource in request.resource_spans {
            let attributes = resource.resource.unwrap().attributes;
            let service = attributes.iter().find(|one| one.key == "service.name").unwrap();
            assert!(format!("{service:?}").contains("yunling-test"), "{service:?}");
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let ours = spans.filter(|span| hex::encode(&span.trace_id) == TRACE);
            found.extend(ours.map(|span| (name_of(&span), span)));
        }
    }
    found
}

async fn wait_for_spans(collector: &Customer, names: &[&str]) -> HashMap<String, Span> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = spans(collector);
        if names.iter().all(|name| found.contains_key(*name)) {
            return found;
        }
        let known: Vec<_> = found.keys().collect();
        assert!(Instant::now() < deadline, "not {names:?} within {PATIENCE:?} but {known:?}");
        tokio::time::sleep(LOOK).await;
    }
}

fn attribute(span: &Span, key: &str) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let found = span.attributes.iter().find(|one| one.key == key);
    match found.and_then(|one| one.value.clone()).and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_one_trace_from_the_customer_to_the_callback() {
    let collector = Customer::start().await;
    let mut world = world(&collector.url("")).await;
    let accepted = traced_notice(&world, "13800770000").await;
    let callback = world.customer.wait_for_result(&accepted.request_id).await;
    callback.verify().unwrap();

    let spans = wait_for_spans(&collector, &["POST", "conversation", "leg"]).await;
    let (http, conversation, leg) = (&spans["POST"], &spans["conversation"], &spans["leg"]);
    assert_eq!(hex::encode(&http.parent_span_id), PARENT);
    assert_eq!(http.kind, i32::from(SpanKind::Server));
    assert_eq!(attribute(http, "http.response.status_code"), "200");
    assert_eq!(attribute(http, "yunling.requestid"), accepted.request_id);
    assert_eq!(conversation.parent_span_id, http.span_id);
    assert_eq!(attribute(conversation, "yunling.account"), ACCOUNT);
    assert_eq!(attribute(conversation, "yunling.result"), "0");
    let events: Vec<&str> = conversation.events.iter().map(|event| event.name.as_str()).collect();
    for name in ["dialling", "ringing", "answered", "finished"] {
        assert!(events.contains(&name), "{name}: {events:?}");
    }
    assert_eq!(leg.parent_span_id, conversation.span_id);
    assert_eq!(attribute(leg, "yunling.trunk"), "carrier-a");
    assert_eq!(attribute(leg, "yunling.end"), "LocalBye");

    let handed_on = callback.header("traceparent").to_owned();
    let span = wait_for_spans(&collector, &["callback"]).await.remove("callback").unwrap();
    let id = hex::encode(&span.span_id);
    assert_eq!(handed_on, format!("00-{TRACE}-{id}-01"));
    assert_eq!(span.parent_span_id, conversation.span_id);
    assert_eq!(attribute(&span, "http.response.status_code"), "200");

    let log = world.node.log();
    assert!(log.contains(TRACE), "{log}");
    assert!(world.node.terminate().await.success());
}

/// The callback is caused before the node stops and delivered after it starts again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_on_after_a_restart() {
    let collector = Customer::start().await;
    let mut world = world(&collector.url("")).await;
    world.customer.go_down();
    let accepted = traced_notice(&world, "13800770010").await;
    support::states::wait_for_state(&world.api, &accepted, "ended").await;
    let spans = wait_for_spans(&collector, &["conversation"]).await;
    world.node.kill_9();
    world.customer.come_up();
    world.node.restart().await;
    let callback = world.customer.wait_for_result(&accepted.request_id).await;
    let handed_on = callback.header("traceparent").to_owned();
    let span = wait_for_spans(&collector, &["callback"]).await.remove("callback").unwrap();
    assert_eq!(span.parent_span_id, spans["conversation"].span_id);
    assert!(handed_on.starts_with(&format!("00-{TRACE}-")), "{handed_on}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_gone_costs_only_spans() {
    let collector = Customer::start().await;
    collector.go_down();
    let mut world = world(&collector.url("")).await;
    for index in 0..3 {
        let accepted = traced_notice(&world, &format!("138007800{index}0")).await;
        world.customer.wait_for_result(&accepted.request_id).await;
    }
    let deadline = Instant::now() + PATIENCE;
    while !world.node.metrics().await.contains("yunling_trace_spans_dropped_total") {
        assert!(Instant::now() < deadline, "nothing was dropped");
        tokio::time::sleep(LOOK).await;
    }
    let began = Instant::now();
    assert!(world.node.terminate().await.success());
    assert!(began.elapsed().as_secs() < 20, "stopped after {:?}", began.elapsed());
    let log = world.node.log();
    assert_eq!(log.matches("the collector did not take all spans").count(), 1, "{log}");
}
