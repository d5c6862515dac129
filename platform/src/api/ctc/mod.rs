//! Click-to-call on the published surface: click2call, cancelCall, addCall, and, as additions, what
//! can be read of conversations.

mod envelope;
mod pages;
mod request;
mod view;
mod visitor;

use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt as _, unfold};
use poem::web::Data;
use poem::web::sse::Event;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::EventStream;
use poem_openapi::types::ToJSON as _;
use poem_openapi::{ApiResponse, Object, OpenApi};
use yunling_app::principal::{Dial, Granted, ReadCalls};
use yunling_app::submit_click::{self, Action, ClickRequest};
use yunling_app::watch_talk::Followed;
use yunling_app::{
    App, Refusal, add_party, cancel_click, get_talk, list_talks, trace_context, watch_talk,
};
use yunling_domain::{ApplicationId, ConversationId};
use yunling_store::TimeRange;
use yunling_store::clicks::ClickFilter;

use self::envelope::Envelope;
use self::request::{ActionBody, ConversationAction, NewConversation};
use self::view::{ConversationRecord, SummaryRecord, TimelineEntry};
use self::visitor::{Known, Visitor};
use super::answer::{Answer, OfRefusal};
use super::idempotency_key::IdempotencyKey;
use super::soft_version::SoftVersion;
use super::tags::Tags;
use super::voice::{is_semantic, page, stamp, zone};

pub(super) use self::envelope::failure;
pub(super) use self::pages::{AllowPages, place};

/// A request with what it means beside its body: of another application, or by another page, the
/// same body is another request.
fn whole(application: &str, known: &Known, body: &[u8]) -> Vec<u8> {
    let subject = known.page.as_ref().map_or("", |page| page.subject.as_str());
    [application.as_bytes(), b"\0", subject.as_bytes(), b"\0", body].concat()
}

/// How often a stream without news says that it lives: proxies close what is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One conversation.
#[derive(Debug, Default, Object)]
#[oai(rename = "ConversationAnswer")]
struct ConversationAnswer {
    #[oai(flatten)]
    envelope: Envelope,
    /// The conversation.
    #[oai(skip_serializing_if_is_none)]
    conversation: Option<ConversationRecord>,
}

/// A page of conversations.
#[derive(Debug, Default, Object)]
#[oai(rename = "ConversationsAnswer")]
struct ConversationsAnswer {
    #[oai(flatten)]
    envelope: Envelope,
    /// Newest first, those that run too.
    #[oai(skip_serializing_if_is_none)]
    conversations: Option<Vec<SummaryRecord>>,
    /// Where the next page begins; absent on the last one.
    #[oai(rename = "nextCursor", skip_serializing_if_is_none)]
    next_cursor: Option<String>,
}

impl OfRefusal for ConversationAnswer {
    fn of_refusal(refusal: &Refusal) -> Self {
        Self { envelope: Envelope::of_refusal(refusal), conversation: None }
    }
}

impl OfRefusal for ConversationsAnswer {
    fn of_refusal(refusal: &Refusal) -> Self {
        Self { envelope: Envelope::of_refusal(refusal), ..Self::default() }
    }
}

/// A stream of what happens.
#[derive(ApiResponse)]
enum Told {
    /// Each event's `data` is one entry of the timeline, its `id` the entry's `seq`, its `event` the
    /// entry's `event`. The stream ends with the conversation, or, where its token or credential ends
    /// first, with the event `stream_ended`, whose detail has the `reason`: `token_expired` or
    /// `credential_revoked`. A failure is answered in the envelope,
    /// as `application/json`.
    #[oai(status = 200)]
    Stream(EventStream<BoxStream<'static, TimelineEntry>>),
}

/// The operations.
pub(super) struct CtcApi;

#[OpenApi]
impl CtcApi {
    /// Connect two phones
    ///
    /// click2call: rings the caller, then the callee, and connects the two. The answer never waits
    /// for the telephone network; what happens is told by the callbacks `conversationStatus` and
    /// `conversationRecord`, and can be read at any time. At the limit of a trunk or of the account
    /// it is refused at once.
    ///
    /// Also taken with the path as the document prints it, behind `/{SoftVersion}`. An API key needs
    /// the scope `calls:dial`; a browser token dials within what it allows.
    #[oai(
        path = "/Accounts/:accountSid/Applications/:applicationSid/ctc/Conversations",
        method = "post",
        operation_id = "createConversation",
        tag = "Tags::ClickToCall"
    )]
    #[expect(clippy::too_many_arguments, reason = "one argument for each part of the request")]
    async fn create_conversation(
        &self,
        app: Data<&App>,
        visitor: Visitor,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// The application.
        #[oai(name = "applicationSid")]
        application_sid: Path<String>,
        /// Addition: the same request with the same key gets the same answer and causes no second
        /// call. Kept for 24 h; another body with the same key is refused.
        #[oai(name = "Idempotency-Key")]
        idempotency_key: IdempotencyKey,
        version: SoftVersion,
        body: ActionBody<NewConversation>,
    ) -> Answer<Envelope> {
        let outcome = async {
            // Authorization before anything else of the request is looked at.
            let (known, caller, application) =
                visitor.admit::<Dial>(&app, &account_sid.0, &application_sid.0)?;
            let (request, bytes) = body.read().await?;
            request.action(&[Action::Click2Call])?;
            let envelope = submit_click::Envelope {
                api_version: version.0,
                idempotency: idempotency_key.of(&whole(&application_sid.0, &known, &bytes))?,
                traceparent: trace_context::current(),
                page: known.page,
            };
            Box::pin(submit_click::run(&app, &caller, &application, &request, envelope)).await
        };
        match outcome.await {
            Ok(accepted) => {
                let sid = accepted.conversation.to_string();
                tracing::Span::current().record("requestid", accepted.request.as_str());
                let envelope = Envelope { conversation_sid: Some(sid), ..Envelope::success() };
                Answer::of(envelope).replayed(accepted.replayed)
            }
            Err(refusal) => refused(&app, &account_sid.0, &application_sid.0, &refusal),
        }
    }

    /// Cancel a conversation, or add a third party
    ///
    /// cancelCall: ends the conversation, in any state; the same again is answered the same.
    /// addCall: calls a third party into a conversation of two that are connected. The original
    /// callee's hang-up ends it for all; any other party's leaves the remaining two talking.
    ///
    /// An API key needs the scope `calls:dial`. A browser token cancels what its subject has made,
    /// and adds nobody.
    #[oai(
        path = "/Accounts/:accountSid/Applications/:applicationSid/ctc/Conversations/:conversationSid",
        method = "post",
        operation_id = "actOnConversation",
        tag = "Tags::ClickToCall"
    )]
    async fn act_on_conversation(
        &self,
        app: Data<&App>,
        visitor: Visitor,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// The application.
        #[oai(name = "applicationSid")]
        application_sid: Path<String>,
        /// The `conversationSid` of its answer.
        #[oai(name = "conversationSid")]
        conversation_sid: Path<String>,
        body: ActionBody<ConversationAction>,
    ) -> Answer<Envelope> {
        let outcome: Result<_, Refusal> = async {
            let (known, caller, application) =
                visitor.admit::<Dial>(&app, &account_sid.0, &application_sid.0)?;
            let (request, _) = body.read().await?;
            let conversation = ConversationId::new(conversation_sid.0.as_str());
            Box::pin(act(&app, (&known, &caller), &application, &conversation, &request)).await
        }
        .await;
        match outcome {
            Ok(envelope) => Answer::of(envelope),
            Err(refusal) => refused(&app, &account_sid.0, &application_sid.0, &refusal),
        }
    }

    /// Read a conversation
    ///
    /// Addition: how it stands now, its legs, what has happened. An API key needs the scope
    /// `calls:read`; a browser token reads what its subject has made. Numbers of a conversation that
    /// was made with `maskedCallee` are masked without the scope `numbers:read`.
    #[oai(
        path = "/Accounts/:accountSid/Applications/:applicationSid/ctc/Conversations/:conversationSid",
        method = "get",
        operation_id = "readConversation",
        tag = "Tags::ClickToCall"
    )]
    async fn read_conversation(
        &self,
        app: Data<&App>,
        visitor: Visitor,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// The application.
        #[oai(name = "applicationSid")]
        application_sid: Path<String>,
        /// The `conversationSid` of its answer.
        #[oai(name = "conversationSid")]
        conversation_sid: Path<String>,
    ) -> Answer<ConversationAnswer> {
        let outcome: Result<_, Refusal> = async {
            let (known, caller, application) =
                visitor.admit::<ReadCalls>(&app, &account_sid.0, &application_sid.0)?;
            let id = ConversationId::new(conversation_sid.0.as_str());
            let view = get_talk::run(&app, &caller, &application, &id, known.page.as_ref()).await?;
            let sid = Some(view.click.conversation.to_string());
            Ok(ConversationAnswer {
                envelope: Envelope { conversation_sid: sid, ..Envelope::success() },
                conversation: Some(ConversationRecord::of(view, zone(&app, caller.account()))),
            })
        }
        .await;
        match outcome {
            Ok(answer) => Answer::of(answer),
            Err(refusal) => refused(&app, &account_sid.0, &application_sid.0, &refusal),
        }
    }

    /// List conversations
    ///
    /// Addition: the application's conversations, those that run too, newest first, page by page. An
    /// API key needs the scope `calls:read`; a browser token sees what its subject has made.
    #[oai(
        path = "/Accounts/:accountSid/Applications/:applicationSid/ctc/Conversations",
        method = "get",
        operation_id = "listConversations",
        tag = "Tags::ClickToCall"
    )]
    #[expect(clippy::too_many_arguments, reason = "one argument for each parameter of the query")]
    async fn list_conversations(
        &self,
        app: Data<&App>,
        visitor: Visitor,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// The application.
        #[oai(name = "applicationSid")]
        application_sid: Path<String>,
        /// Made by browser tokens of this subject.
        subject: Query<Option<String>>,
        /// Accepted at this time or later: 14 digits in the account's zone.
        #[oai(name = "startTime")]
        start_time: Query<Option<String>>,
        /// Accepted before this time: 14 digits in the account's zone.
        #[oai(name = "endTime")]
        end_time: Query<Option<String>>,
        /// The most conversations to give, 1 to 500.
        limit: Query<Option<String>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Answer<ConversationsAnswer> {
        let outcome: Result<_, Refusal> = async {
            let (known, caller, application) =
                visitor.admit::<ReadCalls>(&app, &account_sid.0, &application_sid.0)?;
            let zone = zone(&app, caller.account());
            let filter = ClickFilter {
                subject: subject.0.filter(|subject| !subject.is_empty()),
                created: TimeRange {
                    from: stamp("startTime", start_time.0, zone)?,
                    to: stamp("endTime", end_time.0, zone)?,
                },
            };
            let page = page(limit.0, cursor.0)?;
            let visitor = known.page.as_ref();
            let found =
                list_talks::run(&app, &caller, &application, filter, visitor, &page).await?;
            let rows = found.rows.into_iter().map(|summary| SummaryRecord::of(summary, zone));
            Ok(ConversationsAnswer {
                envelope: Envelope::success(),
                conversations: Some(rows.collect()),
                next_cursor: found.next.map(|cursor| cursor.encode()),
            })
        }
        .await;
        match outcome {
            Ok(answer) => Answer::of(answer),
            Err(refusal) => refused(&app, &account_sid.0, &application_sid.0, &refusal),
        }
    }

    /// Follow a conversation
    ///
    /// Addition: what has happened so far and what happens, as server-sent events, to the
    /// conversation's end or the token's. A conversation that runs on another node has none: read it
    /// instead. At the limit of streams of the account or the conversation it is refused with 21005. An
    /// API key needs the scope `calls:read`; a browser token follows what its subject has made.
    #[oai(
        path = "/Accounts/:accountSid/Applications/:applicationSid/ctc/Conversations/:conversationSid/events",
        method = "get",
        operation_id = "followConversation",
        tag = "Tags::ClickToCall"
    )]
    async fn follow_conversation(
        &self,
        app: Data<&App>,
        visitor: Visitor,
        /// The account.
        #[oai(name = "accountSid")]
        account_sid: Path<String>,
        /// The application.
        #[oai(name = "applicationSid")]
        application_sid: Path<String>,
        /// The `conversationSid` of its answer.
        #[oai(name = "conversationSid")]
        conversation_sid: Path<String>,
    ) -> Result<Told, Answer<Envelope>> {
        let outcome: Result<_, Refusal> = async {
            let (known, caller, application) =
                visitor.admit::<ReadCalls>(&app, &account_sid.0, &application_sid.0)?;
            let zone = zone(&app, caller.account());
            let id = ConversationId::new(conversation_sid.0.as_str());
            let following = watch_talk::run(&app, caller, application, id, known.page).await?;
            let told = unfold(following, move |mut following| async move {
                let entry = match following.next().await? {
                    Followed::Event(event) => TimelineEntry::of(&event, zone),
                    Followed::Stopped(why, at) => TimelineEntry::stopped(why, at, zone),
                };
                Some((entry, following))
            });
            Ok(told.boxed())
        }
        .await;
        match outcome {
            Ok(told) => Ok(Told::Stream(EventStream::new(told).keep_alive(KEEP_ALIVE).to_event(
                |entry: TimelineEntry| {
                    let event =
                        Event::message(entry.to_json_string()).event_type(entry.event.as_str());
                    match entry.seq.as_str() {
                        "" => event,
                        seq => event.id(seq),
                    }
                },
            ))),
            Err(refusal) => Err(refused(&app, &account_sid.0, &application_sid.0, &refusal)),
        }
    }
}

async fn act(
    app: &App,
    (known, caller): (&Known, &Granted<Dial>),
    application: &ApplicationId,
    conversation: &ConversationId,
    request: &ClickRequest,
) -> Result<Envelope, Refusal> {
    let sid = Some(conversation.to_string());
    let done = Envelope { conversation_sid: sid, ..Envelope::success() };
    match request.action(&[Action::CancelCall, Action::AddCall])? {
        Action::AddCall => {
            known.refuse_pages()?;
            let call = add_party::run(app, caller, application, conversation, request).await?;
            Ok(Envelope { call_sid: Some(call.to_string()), ..done })
        }
        Action::CancelCall | Action::Click2Call => {
            let page = known.page.as_ref();
            cancel_click::run(app, caller, application, conversation, page).await?;
            Ok(done)
        }
    }
}

/// The failure's answer, with its own status where the application has switched that on.
fn refused<T: OfRefusal>(
    app: &App,
    account: &str,
    application: &str,
    refusal: &Refusal,
) -> Answer<T> {
    let answer = Answer::refused(refusal);
    let account = yunling_domain::AccountId::new(account);
    if is_semantic(app, &account, application) { answer.semantic(refusal) } else { answer }
}
