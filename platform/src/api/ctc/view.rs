//! Conversations as the published surface shows them: in the words of its callbacks, all strings,
//! stamps of 14 digits in the account's zone, `""` where there is nothing.

use chrono_tz::Tz;
use poem_openapi::Object;
use poem_openapi::types::Any;
use serde_json::Value;
use yunling_app::get_talk::{LegView, TalkView};
use yunling_app::list_talks::TalkSummary;
use yunling_app::watch_talk::Stopped;
use yunling_domain::Micros;
use yunling_domain::callback::duration_s;
use yunling_domain::event::{ConversationEvent, EventBody};
use yunling_store::talks::Talk;

use crate::api::voice::national;

/// A conversation, waiting, under way or over.
#[derive(Debug, Object)]
#[oai(rename = "ConversationRecord", rename_all = "camelCase")]
pub(super) struct ConversationRecord {
    conversation_sid: String,
    account_sid: String,
    app_sid: String,
    /// `waiting`, `calling_caller`, `calling_callee`, `connected`, `adding`, `ending`, `under_way` (on
    /// another node) or `ended`.
    state: String,
    user_data: String,
    /// When it was accepted.
    create_time: String,
    /// When the two were connected.
    bridge_time: String,
    /// When it was over.
    end_time: String,
    /// `0` to `5`, as in the call record; known once it is `ended`.
    bye_type: String,
    /// `caller`, `callee`, `third_party`, `api`, `time_limit` or `platform`.
    ended_by: String,
    /// Why it ended, in one word.
    hangup_reason: String,
    recording_sid: String,
    /// A fresh link, once the recording can be had.
    recording_url: String,
    /// Seconds.
    recording_duration: String,
    /// The SoftVersion of the path that it came on.
    api_version: String,
    /// In the order in which they were dialled.
    calls: Vec<LegRecord>,
    /// What has happened so far, in order.
    timeline: Vec<TimelineEntry>,
}

/// One leg.
#[derive(Debug, Object)]
#[oai(rename = "ConversationLeg", rename_all = "camelCase")]
pub(super) struct LegRecord {
    /// `0` the caller, `1` the callee, `2`… third parties.
    call_seq: String,
    call_sid: String,
    /// The line number shown.
    from: String,
    to: String,
    /// `initiated`, `ringing`, `answered`, `completed`; `""` before it is dialled.
    call_status: String,
    start_time: String,
    ring_time: String,
    answer_time: String,
    stop_time: String,
    /// Seconds from the answer to the end.
    duration: String,
    /// `completed`, `no-answer`, `time-out` or `failed`; known once it is over.
    cause: String,
    /// The final SIP status.
    sip_code: String,
}

/// One thing that happened.
#[derive(Debug, Object)]
#[oai(rename = "ConversationTimelineEntry", rename_all = "camelCase")]
pub(super) struct TimelineEntry {
    /// Its place in the conversation, from 0.
    pub(super) seq: String,
    timestamp: String,
    /// What: `dialling`, `ringing`, `answered`, `connected`, `recording_started`, `ended`,
    /// `talk_finished`, …
    pub(super) event: String,
    /// Whose leg it happened to; `""` where it concerns all.
    call_seq: String,
    /// What else is known of it; depends on `event`.
    detail: Any<Value>,
}

/// A conversation in a list.
#[derive(Debug, Object)]
#[oai(rename = "ConversationSummary", rename_all = "camelCase")]
pub(super) struct SummaryRecord {
    conversation_sid: String,
    /// As in a conversation.
    state: String,
    caller: String,
    callee: String,
    user_data: String,
    create_time: String,
    bridge_time: String,
    end_time: String,
    bye_type: String,
    ended_by: String,
    hangup_reason: String,
}

/// How it ended, or `""` all through.
struct EndWords {
    bridge_time: String,
    end_time: String,
    bye_type: String,
    ended_by: String,
    hangup_reason: String,
}

impl EndWords {
    fn of(ending: Option<Talk>, zone: Tz) -> Self {
        let at = |at: Option<Micros>| at.map(|at| at.stamp14(zone)).unwrap_or_default();
        let text = |of: fn(&Talk) -> String| ending.as_ref().map(of).unwrap_or_default();
        Self {
            bridge_time: at(ending.as_ref().and_then(|talk| talk.bridged_at)),
            end_time: at(ending.as_ref().map(|talk| talk.ended_at)),
            bye_type: text(|talk| talk.bye_type.number().to_string()),
            ended_by: text(|talk| talk.ended_by.clone()),
            hangup_reason: text(|talk| talk.hangup_reason.clone()),
        }
    }
}

impl ConversationRecord {
    pub(super) fn of(view: TalkView, zone: Tz) -> Self {
        let mut ended = EndWords::of(view.ending, zone);
        let connected =
            |event: &&ConversationEvent| matches!(event.body, EventBody::Connected { .. });
        if let Some(first) = view.events.iter().find(connected) {
            ended.bridge_time = first.at.stamp14(zone);
        }
        let recording = view.recording;
        let duration = recording.as_ref().and_then(|recording| recording.duration_s);
        Self {
            conversation_sid: view.click.conversation.to_string(),
            account_sid: view.click.account.to_string(),
            app_sid: view.click.application.to_string(),
            state: view.state.to_owned(),
            user_data: view.request.accepted.userdata.unwrap_or_default(),
            create_time: view.click.created_at.stamp14(zone),
            bridge_time: ended.bridge_time,
            end_time: ended.end_time,
            bye_type: ended.bye_type,
            ended_by: ended.ended_by,
            hangup_reason: ended.hangup_reason,
            recording_sid: recording.as_ref().map(|one| one.id.to_string()).unwrap_or_default(),
            recording_duration: duration.map(|seconds| seconds.to_string()).unwrap_or_default(),
            recording_url: recording.and_then(|recording| recording.url).unwrap_or_default(),
            api_version: view.request.accepted.api_version,
            calls: view.legs.into_iter().map(|leg| LegRecord::of(leg, zone)).collect(),
            timeline: view.events.iter().map(|event| TimelineEntry::of(event, zone)).collect(),
        }
    }
}

impl LegRecord {
    fn of(leg: LegView, zone: Tz) -> Self {
        let stamp = |at: Option<Micros>| at.map(|at| at.stamp14(zone)).unwrap_or_default();
        let duration = leg.ended_at.map(|ended_at| duration_s(leg.answered_at, ended_at));
        Self {
            call_seq: leg.seq.to_string(),
            call_sid: leg.call.to_string(),
            from: national(&leg.line),
            to: national(&leg.number),
            call_status: leg.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            start_time: stamp(leg.started_at),
            ring_time: stamp(leg.ring_at),
            answer_time: stamp(leg.answered_at),
            stop_time: stamp(leg.ended_at),
            duration: duration.map(|seconds| seconds.to_string()).unwrap_or_default(),
            cause: leg.cause.unwrap_or_default(),
            sip_code: leg.sip_code.map(|code| code.to_string()).unwrap_or_default(),
        }
    }
}

impl TimelineEntry {
    pub(super) fn of(event: &ConversationEvent, zone: Tz) -> Self {
        // A body is an enum of texts and numbers: it is always JSON.
        let mut detail = serde_json::to_value(&event.body).unwrap_or_default();
        if let Some(fields) = detail.as_object_mut() {
            fields.remove("kind");
        }
        Self {
            seq: event.seq.to_string(),
            timestamp: event.at.stamp14(zone),
            event: event.kind().to_owned(),
            call_seq: event.party.map(|party| party.0.to_string()).unwrap_or_default(),
            detail: Any(detail),
        }
    }
}

impl TimelineEntry {
    /// The last entry of a stream that ends before its conversation. It has no `seq`: it is not part
    /// of the timeline.
    pub(super) fn stopped(why: Stopped, at: Micros, zone: Tz) -> Self {
        Self {
            seq: String::new(),
            timestamp: at.stamp14(zone),
            event: "stream_ended".to_owned(),
            call_seq: String::new(),
            detail: Any(serde_json::json!({ "reason": why.name() })),
        }
    }
}

impl SummaryRecord {
    pub(super) fn of(summary: TalkSummary, zone: Tz) -> Self {
        let ended = EndWords::of(summary.ending, zone);
        Self {
            conversation_sid: summary.click.conversation.to_string(),
            state: summary.state.to_owned(),
            caller: summary.caller,
            callee: summary.callee,
            user_data: summary.user_data.unwrap_or_default(),
            create_time: summary.click.created_at.stamp14(zone),
            bridge_time: ended.bridge_time,
            end_time: ended.end_time,
            bye_type: ended.bye_type,
            ended_by: ended.ended_by,
            hangup_reason: ended.hangup_reason,
        }
    }
}
