use yunling_domain::cdr::CdrObject;

/// How many there are.
const COLUMNS: usize = 25;

/// The columns of a table of legs: what belongs to a conversation stands in each of its rows.
pub(super) const NAMES: [&str; COLUMNS] = [
    "conversationSid",
    "callSid",
    "callSeq",
    "callType",
    "appSid",
    "requestId",
    "from",
    "to",
    "startTime",
    "ringTime",
    "answerTime",
    "stopTime",
    "duration",
    "cause",
    "legHangupReason",
    "sipCode",
    "result",
    "reason",
    "inputKey",
    "byeType",
    "endedBy",
    "hangupReason",
    "userData",
    "recordingUrl",
    "recordingDuration",
];

/// Columns that people add up.
pub(super) fn is_number(column: usize) -> bool {
    matches!(NAMES.get(column), Some(&("callSeq" | "duration" | "recordingDuration")))
}

/// A row for each leg, newest first.
pub(super) fn rows(record: &CdrObject) -> impl Iterator<Item = [&str; COLUMNS]> {
    record.cdrs.iter().map(move |leg| {
        [
            record.conversation_sid.as_str(),
            &leg.call_sid,
            &leg.call_seq,
            &record.call_type,
            &record.app_sid,
            &record.request_id,
            &leg.from,
            &leg.to,
            &leg.start_time,
            &leg.ring_time,
            &leg.answer_time,
            &leg.stop_time,
            &leg.duration,
            &leg.cause,
            &leg.hangup_reason,
            &leg.sip_code,
            &record.result,
            &record.reason,
            &record.input_key,
            &record.bye_type,
            &record.ended_by,
            &record.hangup_reason,
            &record.user_data,
            &record.recording_url,
            &record.recording_duration,
        ]
    })
}
