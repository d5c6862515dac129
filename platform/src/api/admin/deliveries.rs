//! Callbacks that were sent, the attempts at them, and sending them again.

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use yunling_app::principal::{ReadDeliveries, ResendDeliveries};
use yunling_app::{App, Refusal, get_delivery, list_deliveries, resend_delivery};
use yunling_domain::ConversationId;
use yunling_domain::error_code::MISSING_PARAMETER;
use yunling_store::deliveries::platform_side::DeliveryAttempt;
use yunling_store::deliveries::{Delivery, DeliveryFilter, DeliveryState, Resend};

use super::Problem;
use super::body::JsonBody;
use super::caller::Caller;
use super::query::{page, range, shown};
use crate::api::tags::Tags;

/// A callback on its way, or delivered.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CallbackDelivery {
    /// The `webhook-id`, the same for every repeat.
    id: String,
    /// The appid.
    application: String,
    #[oai(skip_serializing_if_is_none)]
    conversation_id: Option<String>,
    /// Its place among the conversation's callbacks.
    seq: u32,
    /// What it tells.
    kind: String,
    url: String,
    state: State,
    /// How often it was tried since it was caused or last sent again.
    tries: u32,
    created_at: String,
    /// When it is tried next; only while pending.
    #[oai(skip_serializing_if_is_none)]
    next_at: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    delivered_at: Option<String>,
    /// The text that is signed and sent.
    body: String,
    /// Every attempt, oldest first; only where one delivery is read.
    #[oai(skip_serializing_if_is_none)]
    attempts: Option<Vec<CallbackAttempt>>,
}

/// One attempt at a delivery.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CallbackAttempt {
    at: String,
    /// The receiver's HTTP status; absent where it did not answer.
    #[oai(skip_serializing_if_is_none)]
    status: Option<u16>,
    latency_ms: u32,
    /// Why it failed.
    #[oai(skip_serializing_if_is_none)]
    error: Option<String>,
    /// The first bytes of the answer.
    #[oai(skip_serializing_if_is_none)]
    answer_head: Option<String>,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "DeliveryState", rename_all = "lowercase")]
enum State {
    /// To be tried.
    Pending,
    /// Acknowledged.
    Delivered,
    /// Given up after the last retry.
    Failed,
    /// Held back: its address is disabled.
    Disabled,
}

impl From<DeliveryState> for State {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Pending => Self::Pending,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Failed => Self::Failed,
            DeliveryState::Disabled => Self::Disabled,
        }
    }
}

impl From<State> for DeliveryState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Delivered => Self::Delivered,
            State::Failed => Self::Failed,
            State::Disabled => Self::Disabled,
        }
    }
}

impl From<Delivery> for CallbackDelivery {
    fn from(delivery: Delivery) -> Self {
        let caused = delivery.caused;
        Self {
            id: caused.id,
            application: caused.application.to_string(),
            conversation_id: caused.conversation_id.map(|id| id.to_string()),
            seq: caused.seq,
            kind: caused.kind,
            url: caused.url,
            state: delivery.state.into(),
            tries: delivery.tries,
            created_at: shown(caused.created_at),
            next_at: (delivery.state == DeliveryState::Pending).then(|| shown(delivery.next_at)),
            delivered_at: delivery.delivered_at.map(shown),
            body: caused.body,
            attempts: None,
        }
    }
}

impl From<DeliveryAttempt> for CallbackAttempt {
    fn from(attempt: DeliveryAttempt) -> Self {
        Self {
            at: shown(attempt.at),
            status: attempt.status,
            latency_ms: attempt.latency_ms,
            error: attempt.error,
            answer_head: attempt.answer_head,
        }
    }
}

/// A page of deliveries.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct DeliveryPage {
    /// Newest first.
    deliveries: Vec<CallbackDelivery>,
    /// Where the next page begins; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    next_cursor: Option<String>,
}

/// Which deliveries are to be sent again. Conditions are joined by "and"; `since` or `conversationId`
/// must be given.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ResendRequest {
    /// Caused at this time or later (RFC 3339).
    since: Option<String>,
    /// Caused before this time (RFC 3339).
    until: Option<String>,
    /// Only those in this state. Absent: those that were given up or held back.
    state: Option<State>,
    /// Only those of this conversation.
    conversation_id: Option<String>,
}

/// What was done.
#[derive(Debug, Object)]
struct Resent {
    /// How many deliveries are due now.
    resent: u64,
}

/// The operations.
pub(super) struct DeliveriesApi;

#[OpenApi]
impl DeliveriesApi {
    /// List callback deliveries
    ///
    /// The account's callbacks and how far their delivery is, newest first. Needs the scope
    /// `deliveries:read`.
    #[oai(
        path = "/api/v1/callback-deliveries",
        method = "get",
        operation_id = "listCallbackDeliveries",
        tag = "Tags::CallbackDeliveries"
    )]
    #[expect(clippy::too_many_arguments, reason = "one argument for each parameter of the query")]
    async fn list_callback_deliveries(
        &self,
        caller: Caller<ReadDeliveries>,
        app: Data<&App>,
        /// Only those in this state.
        state: Query<Option<State>>,
        /// Only those of this conversation.
        #[oai(name = "conversationId")]
        conversation_id: Query<Option<String>>,
        /// Caused at this time or later (RFC 3339).
        since: Query<Option<String>>,
        /// Caused before this time (RFC 3339).
        until: Query<Option<String>>,
        /// The most rows to give, 1 to 500.
        limit: Query<Option<u32>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<DeliveryPage>, Problem> {
        let filter = DeliveryFilter {
            state: state.0.map(DeliveryState::from),
            endpoint_id: None,
            conversation_id: conversation_id.0.map(ConversationId::new),
            created: range(since.0.as_deref(), until.0.as_deref())?,
        };
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = list_deliveries::run(&app, &caller.0, &filter, &page).await?;
        Ok(Json(DeliveryPage {
            deliveries: found.rows.into_iter().map(CallbackDelivery::from).collect(),
            next_cursor: found.next.map(|cursor| cursor.encode()),
        }))
    }

    /// Read a callback delivery
    ///
    /// One callback with every attempt at its delivery. Needs the scope `deliveries:read`.
    #[oai(
        path = "/api/v1/callback-deliveries/:deliveryId",
        method = "get",
        operation_id = "getCallbackDelivery",
        tag = "Tags::CallbackDeliveries"
    )]
    async fn get_callback_delivery(
        &self,
        caller: Caller<ReadDeliveries>,
        app: Data<&App>,
        /// The `webhook-id`.
        #[oai(name = "deliveryId")]
        delivery_id: Path<String>,
    ) -> Result<Json<CallbackDelivery>, Problem> {
        let (delivery, attempts) = get_delivery::run(&app, &caller.0, &delivery_id.0).await?;
        let attempts = Some(attempts.into_iter().map(CallbackAttempt::from).collect());
        Ok(Json(CallbackDelivery { attempts, ..delivery.into() }))
    }

    /// Send a callback again
    ///
    /// In whatever state it is, with the same `webhook-id` and body and a fresh round of retries.
    /// Needs the scope `deliveries:resend`.
    #[oai(
        path = "/api/v1/callback-deliveries/:deliveryId/resend",
        method = "post",
        operation_id = "resendCallbackDelivery",
        tag = "Tags::CallbackDeliveries"
    )]
    async fn resend_callback_delivery(
        &self,
        caller: Caller<ResendDeliveries>,
        app: Data<&App>,
        /// The `webhook-id`.
        #[oai(name = "deliveryId")]
        delivery_id: Path<String>,
    ) -> Result<Json<Resent>, Problem> {
        let resent = resend_delivery::run(&app, &caller.0, Resend::One(delivery_id.0)).await?;
        Ok(Json(Resent { resent }))
    }

    /// Send a range of callbacks again
    ///
    /// Those that were given up or held back and that the conditions pick. Needs the scope
    /// `deliveries:resend`.
    #[oai(
        path = "/api/v1/callback-deliveries/resend",
        method = "post",
        operation_id = "resendCallbackDeliveries",
        tag = "Tags::CallbackDeliveries"
    )]
    async fn resend_callback_deliveries(
        &self,
        caller: Caller<ResendDeliveries>,
        app: Data<&App>,
        body: JsonBody<ResendRequest>,
    ) -> Result<Json<Resent>, Problem> {
        let request = body.0;
        let created = range(request.since.as_deref(), request.until.as_deref())?;
        // An empty object must not send a year of callbacks again.
        if created.from.is_none() && request.conversation_id.is_none() {
            return Err(Refusal::field(
                MISSING_PARAMETER,
                "since",
                "missing since or conversationId",
            )
            .into());
        }
        let filter = DeliveryFilter {
            state: request.state.map(DeliveryState::from),
            endpoint_id: None,
            conversation_id: request.conversation_id.map(ConversationId::new),
            created,
        };
        let resent = resend_delivery::run(&app, &caller.0, Resend::Matching(filter)).await?;
        Ok(Json(Resent { resent }))
    }
}
