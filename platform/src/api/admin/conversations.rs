//! The SIP messages of conversations.

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{Binary, Json, PlainText};
use poem_openapi::{ApiResponse, Enum, Object, OpenApi, ResponseContent};
use yunling_app::App;
use yunling_app::get_conversation_sip::{self, Viewer};
use yunling_app::principal::ReadCalls;
use yunling_domain::sip_trace::{self, Direction, SipTrace, Start, ladder, pcap};
use yunling_domain::{AccountId, ConversationId};

use super::Problem;
use super::caller::{Caller, OperatorCaller};
use super::query::shown;
use crate::api::tags::Tags;

/// Where a conversation's SIP messages are read.
pub(super) fn sip_path(id: &ConversationId) -> String {
    format!("/api/v1/conversations/{id}/sip")
}

/// How the messages are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Enum)]
#[oai(rename = "SipFormat", rename_all = "lowercase")]
enum Format {
    /// As objects.
    #[default]
    Json,
    /// Drawn as arrows between us and the carrier, time running down.
    Ladder,
    /// Joined, each under a line that says when and where it went.
    Text,
    /// A packet capture for Wireshark or tcpdump. Every message is framed as a UDP datagram.
    Pcap,
}

/// The SIP messages of a conversation.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ConversationSip {
    conversation_id: String,
    /// The calls and their tries that messages are of.
    legs: Vec<SipLeg>,
    /// In the order in which they went.
    messages: Vec<SipMessage>,
    /// How many messages were not kept for want of room.
    dropped: u32,
}

/// One call, as far as there are messages of it.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct SipLeg {
    call_id: String,
    /// Counted from 0: one for each trunk tried.
    attempts: Vec<u8>,
}

/// One SIP message. Its credentials are removed.
#[derive(Debug, Object)]
#[oai(rename = "SipMessage", rename_all = "camelCase")]
struct SipMessage {
    at: String,
    /// The call.
    leg: String,
    /// Which try of it, from 0.
    attempt: u8,
    direction: MessageDirection,
    /// `udp`, `tcp` or `tls`.
    transport: String,
    /// Our address.
    local: String,
    /// The carrier's.
    remote: String,
    start_line: String,
    /// Of a request.
    #[oai(skip_serializing_if_is_none)]
    method: Option<String>,
    /// Of a response.
    #[oai(skip_serializing_if_is_none)]
    status: Option<u16>,
    cseq: String,
    /// The same bytes went the same way before.
    repeated: bool,
    /// The whole message.
    text: String,
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum MessageDirection {
    /// From us to the carrier.
    Sent,
    /// From the carrier to us.
    Received,
}

/// The messages in the form that was asked for.
#[derive(ResponseContent)]
enum Content {
    Json(Json<ConversationSip>),
    Text(PlainText<String>),
    #[oai(content_type = "application/vnd.tcpdump.pcap")]
    Pcap(Binary<Vec<u8>>),
}

#[derive(ApiResponse)]
enum Shown {
    /// The messages.
    #[oai(status = 200)]
    Ok(Content),
}

impl Shown {
    fn of(trace: &SipTrace, format: Format) -> Self {
        Self::Ok(match format {
            Format::Json => Content::Json(Json(trace.into())),
            Format::Ladder => Content::Text(PlainText(ladder::draw(trace))),
            Format::Text => Content::Text(PlainText(trace.joined())),
            Format::Pcap => Content::Pcap(Binary(pcap::write(trace))),
        })
    }
}

impl From<&SipTrace> for ConversationSip {
    fn from(trace: &SipTrace) -> Self {
        let mut legs: Vec<SipLeg> = Vec::new();
        for message in &trace.messages {
            let known = legs.iter_mut().find(|leg| leg.call_id == message.leg.as_str());
            match known {
                Some(leg) if leg.attempts.contains(&message.attempt) => {}
                Some(leg) => leg.attempts.push(message.attempt),
                None => legs.push(SipLeg {
                    call_id: message.leg.to_string(),
                    attempts: vec![message.attempt],
                }),
            }
        }
        let messages = trace.messages.iter().zip(trace.repetitions());
        Self {
            conversation_id: trace.conversation.to_string(),
            legs,
            messages: messages
                .map(|(message, repeated)| SipMessage::of(message, repeated))
                .collect(),
            dropped: trace.dropped,
        }
    }
}

impl SipMessage {
    fn of(message: &sip_trace::SipMessage, repeated: bool) -> Self {
        let (method, status) = match message.start() {
            Start::Request { method } => (Some(method.to_owned()), None),
            Start::Response { status, phrase: _ } => (None, Some(status)),
        };
        Self {
            at: shown(message.at),
            leg: message.leg.to_string(),
            attempt: message.attempt,
            direction: match message.direction {
                Direction::Sent => MessageDirection::Sent,
                Direction::Received => MessageDirection::Received,
            },
            transport: message.transport.as_str().to_owned(),
            local: message.local.to_string(),
            remote: message.remote.to_string(),
            start_line: message.start_line().to_owned(),
            method,
            status,
            cseq: message.cseq().to_owned(),
            repeated,
            text: message.text.to_string(),
        }
    }
}

/// The operations.
pub(super) struct ConversationsApi;

#[OpenApi]
impl ConversationsApi {
    /// Read a conversation's SIP messages
    ///
    /// What went between us and the carrier, while the conversation runs, and afterwards if its
    /// messages were kept: usually those of calls that failed. Credentials are removed. Who the
    /// carrier is and where it can be reached is not shown: hosts, addresses and what else is not
    /// known to be harmless stand as `…`, and the addresses are ones that are reserved for
    /// documentation. Needs the scope `calls:read`.
    ///
    /// 404 with the code `sip_trace_not_kept` says which setting of the node keeps them.
    #[oai(
        path = "/api/v1/conversations/:conversationId/sip",
        method = "get",
        operation_id = "getConversationSip",
        tag = "Tags::CallRecords"
    )]
    async fn get_conversation_sip(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The conversation.
        #[oai(name = "conversationId")]
        conversation_id: Path<String>,
        /// How they are given; `json` where nothing is said.
        format: Query<Option<Format>>,
    ) -> Result<Shown, Problem> {
        let id = ConversationId::new(conversation_id.0);
        let trace = get_conversation_sip::run(&app, &caller.0, &id, Viewer::Tenant).await?;
        Ok(Shown::of(&trace, format.0.unwrap_or_default()))
    }

    /// Read a conversation's SIP messages as the operator
    ///
    /// The same with everything but credentials: hosts, addresses, every header. For the platform's
    /// operator.
    #[oai(
        path = "/api/v1/accounts/:accountSid/conversations/:conversationId/sip",
        method = "get",
        operation_id = "getAccountConversationSip",
        tag = "Tags::CallRecords"
    )]
    async fn get_account_conversation_sip(
        &self,
        operator: OperatorCaller,
        app: Data<&App>,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// The conversation.
        #[oai(name = "conversationId")]
        conversation_id: Path<String>,
        /// How they are given; `json` where nothing is said.
        format: Query<Option<Format>>,
    ) -> Result<Shown, Problem> {
        let id = ConversationId::new(conversation_id.0);
        let caller = operator.0.in_account::<ReadCalls>(AccountId::new(account_sid.0));
        let trace = get_conversation_sip::run(&app, &caller, &id, Viewer::Operator).await?;
        Ok(Shown::of(&trace, format.0.unwrap_or_default()))
    }
}
