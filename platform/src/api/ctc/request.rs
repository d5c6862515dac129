//! What click-to-call takes: its description, a `oneOf` by `action`, and its bytes as they came,
//! which the use case reads as generously as RESOLUTIONS.md says.

use std::marker::PhantomData;

use poem::http::header::CONTENT_TYPE;
use poem::{Body, Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, Object, Union};
use yunling_app::Refusal;
use yunling_app::submit_click::ClickRequest;

use crate::api::body;
use crate::api::scalar::{Flag, Mode, Record, Seconds, Text};

/// The bytes of a request, JSON in UTF-8 whatever its Content-Type, or a form. `D` describes them.
pub(super) struct ActionBody<D> {
    content_type: Option<String>,
    body: Body,
    described: PhantomData<fn() -> D>,
}

impl<D> ActionBody<D> {
    /// Reads the fields; gives them with the bytes that they came in.
    ///
    /// # Errors
    /// `MALFORMED_JSON`, `BODY_TOO_LARGE`, `BAD_PARAMETER` for a NUL.
    pub(super) async fn read(self) -> Result<(ClickRequest, Vec<u8>), Refusal> {
        let bytes = body::read_json(self.body, body::REQUEST_BYTES).await?;
        let request = ClickRequest::from_body(self.content_type.as_deref(), &bytes)?;
        Ok((request, bytes))
    }
}

impl<'a, D: Type> ApiExtractor<'a> for ActionBody<D> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        D::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = ["application/json", "application/x-www-form-urlencoded"]
            .map(|content_type| MetaMediaType { content_type, schema: D::schema_ref() });
        Some(MetaRequest {
            description: Some(
                "JSON in UTF-8 whatever the Content-Type says, or a form; at most 64 KiB. `action` is matched without case. `\"\"` and `null` mean absent; unknown fields are passed over.",
            ),
            content: content.into(),
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { content_type, body: body.take()?, described: PhantomData })
    }
}

/// What may be asked of an application's conversations.
#[derive(Union)]
#[oai(discriminator_name = "action", one_of = true)]
pub(super) enum NewConversation {
    /// Connect two phones.
    #[oai(mapping = "click2call")]
    Click2Call(Click2Call),
}

/// What may be asked of one conversation.
#[derive(Union)]
#[oai(discriminator_name = "action", one_of = true)]
#[expect(clippy::large_enum_variant, reason = "it only describes bodies; none is made")]
pub(super) enum ConversationAction {
    /// End it.
    #[oai(mapping = "cancelCall")]
    CancelCall(CancelCall),
    /// Take a third party in.
    #[oai(mapping = "addCall")]
    AddCall(AddCall),
}

/// Connects two phones: the caller is rung first, then, on its behalf, the callee. Every scalar may
/// be written as a string or a number.
#[derive(Object)]
pub(super) struct Click2Call {
    /// The number of who is rung first: a mobile, a landline with its area code, 400/800 and service
    /// numbers. Also taken: +86, 0086 or 86 in front, spaces, hyphens, parentheses.
    caller: Text,
    /// The number that the caller is connected to.
    callee: Text,
    /// The line number that the caller sees. Absent: the account's first one that the application may
    /// show.
    #[oai(rename = "callerCli", skip_serializing_if_is_none)]
    caller_cli: Option<Text>,
    /// The line number that the callee sees; absent: as above.
    #[oai(rename = "calleeCli", skip_serializing_if_is_none)]
    callee_cli: Option<Text>,
    /// A file of the application's media library that the caller hears after it has answered, before
    /// the callee is called.
    #[oai(rename = "greetVoice", skip_serializing_if_is_none)]
    greet_voice: Option<Text>,
    /// 0: the caller hears the callee's ringback and failure announcements; 1: the platform's.
    #[oai(rename = "ringbackMode", skip_serializing_if_is_none)]
    ringback_mode: Option<Mode>,
    /// With `ringbackMode` 1: what the caller hears while the callee rings; absent: a ringback tone.
    #[oai(rename = "ringbackVoice", skip_serializing_if_is_none)]
    ringback_voice: Option<Text>,
    /// With `ringbackMode` 1: what the caller hears when the callee is not reached; absent: a spoken
    /// announcement.
    #[oai(rename = "failVoice", skip_serializing_if_is_none)]
    fail_voice: Option<Text>,
    /// What the callee alone hears after it has answered, before the two are connected.
    #[oai(rename = "calleeVoice", skip_serializing_if_is_none)]
    callee_voice: Option<Text>,
    /// What the caller alone hears meanwhile.
    #[oai(rename = "callerVoice", skip_serializing_if_is_none)]
    caller_voice: Option<Text>,
    /// Your own text, at most 256 bytes of UTF-8; comes back in the callbacks.
    #[oai(rename = "userData", skip_serializing_if_is_none)]
    user_data: Option<Text>,
    /// Where status callbacks go, instead of the application's address.
    #[oai(rename = "statusUrl", skip_serializing_if_is_none)]
    status_url: Option<Text>,
    /// Where the call record goes, instead of the application's address.
    #[oai(rename = "cdrUrl", skip_serializing_if_is_none)]
    cdr_url: Option<Text>,
    /// 0 no recording; 1 from the callee's ringing; 2, or `true`, from its answer.
    #[oai(skip_serializing_if_is_none)]
    record: Option<Record>,
    /// The longest talk in seconds, counted from when the two are connected; absent or 0: no limit.
    #[oai(rename = "maxDuration", skip_serializing_if_is_none)]
    max_duration: Option<Seconds>,
    /// What both hear a minute before `maxDuration` is over, where that is more than 60; absent: a
    /// spoken announcement.
    #[oai(rename = "lastMinVoice", skip_serializing_if_is_none)]
    last_min_voice: Option<Text>,
    /// Addition: numbers of those who are called are shown as `138****0001` in callbacks, and to
    /// readers without the scope `numbers:read`.
    #[oai(rename = "maskedCallee", skip_serializing_if_is_none)]
    masked_callee: Option<Flag>,
}

/// Ends a conversation, in any state; the same again is answered the same.
#[derive(Object)]
pub(super) struct CancelCall {}

/// Calls a third party into a conversation of two.
#[derive(Object)]
pub(super) struct AddCall {
    /// The third party's number.
    callee: Text,
    /// The line number that it sees.
    #[oai(rename = "calleeCli", skip_serializing_if_is_none)]
    callee_cli: Option<Text>,
    /// What the caller hears before the third party is called.
    #[oai(rename = "greetVoice", skip_serializing_if_is_none)]
    greet_voice: Option<Text>,
    /// As in click2call.
    #[oai(rename = "ringbackMode", skip_serializing_if_is_none)]
    ringback_mode: Option<Mode>,
    /// As in click2call.
    #[oai(rename = "ringbackVoice", skip_serializing_if_is_none)]
    ringback_voice: Option<Text>,
    /// As in click2call.
    #[oai(rename = "failVoice", skip_serializing_if_is_none)]
    fail_voice: Option<Text>,
    /// What the third party alone hears after it has answered.
    #[oai(rename = "calleeVoice", skip_serializing_if_is_none)]
    callee_voice: Option<Text>,
    /// What the caller alone hears meanwhile.
    #[oai(rename = "callerVoice", skip_serializing_if_is_none)]
    caller_voice: Option<Text>,
    /// Whether a recording is started where none runs.
    #[oai(skip_serializing_if_is_none)]
    record: Option<Record>,
    /// How long the third party may ring, seconds, at most 600; absent or 0: 120.
    #[oai(skip_serializing_if_is_none)]
    timeout: Option<Seconds>,
}
