//! What the voice surface takes: its description, exact, and its bytes as they came, which the use
//! cases read as generously as RESOLUTIONS.md says.

use std::marker::PhantomData;

use poem::{Body, Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, Enum, ExtractParamOptions, Object};
use yunling_app::Refusal;

use crate::api::body;
use crate::api::scalar::{KeyRule, Text, Times};

/// The longest batch: a hundred thousand numbers with a comma and a space take 1.3 MB.
pub(super) const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The bytes of a request, described as `T`. Any Content-Type is taken for JSON in UTF-8.
pub(super) struct VoiceBody<T, const LIMIT: usize = { body::REQUEST_BYTES }>(
    Body,
    PhantomData<fn() -> T>,
);

impl<T, const LIMIT: usize> VoiceBody<T, LIMIT> {
    /// Reads it.
    ///
    /// # Errors
    /// `-2`: it is too large or broke off.
    pub(super) async fn read(self) -> Result<Vec<u8>, Refusal> {
        body::read_json(self.0, LIMIT).await
    }
}

impl<'a, T: Type, const LIMIT: usize> ApiExtractor<'a> for VoiceBody<T, LIMIT> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let description = if LIMIT == BATCH_BYTES {
            "JSON in UTF-8 whatever the Content-Type says, at most 4 MiB. `\"\"` and `null` mean absent."
        } else {
            "JSON in UTF-8 whatever the Content-Type says, at most 64 KiB. `\"\"` and `null` mean absent."
        };
        let content =
            vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
        Some(MetaRequest { description: Some(description), content, required: true })
    }

    async fn from_request(
        _: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        Ok(Self(body.take()?, PhantomData))
    }
}

/// A voice notice to one number. Every scalar may be written as a string or a number; unknown fields
/// are passed over.
#[derive(Object)]
pub(super) struct NoticeRequest {
    /// The application's number.
    appid: Text,
    /// The number to call: a mobile number, or a landline with its area code. Also taken: +86, 0086
    /// or 86 in front, spaces, hyphens, parentheses.
    to: Text,
    /// The line number that the callee sees. Absent: the account's first one that the application
    /// may show.
    #[oai(skip_serializing_if_is_none)]
    from: Option<Text>,
    /// What is said, in order.
    #[oai(validator(min_items = 1, max_items = 50))]
    contents: Vec<NoticeContent>,
    /// Your own text, at most 4 KiB of UTF-8; comes back in the result callback.
    #[oai(skip_serializing_if_is_none)]
    userdata: Option<Text>,
    /// How often the contents are played unasked.
    #[oai(skip_serializing_if_is_none)]
    times: Option<Times>,
    /// The key by which the listener confirms. Wins over `repeatkey`.
    #[oai(skip_serializing_if_is_none)]
    finishkey: Option<KeyRule>,
    /// The key by which the listener hears it again; 10 plays in all at most.
    #[oai(skip_serializing_if_is_none)]
    repeatkey: Option<KeyRule>,
    /// A file of the application's media library that is played after `finishkey`.
    #[oai(skip_serializing_if_is_none)]
    finishvoice: Option<Text>,
    /// Addition: the language of contents that name none.
    #[oai(skip_serializing_if_is_none)]
    lang: Option<Lang>,
    /// Addition: where the result callback goes, instead of the application's address.
    #[oai(rename = "cdrUrl", skip_serializing_if_is_none)]
    cdr_url: Option<Text>,
    /// Addition: as `cdrUrl`, for status callbacks.
    #[oai(rename = "statusUrl", skip_serializing_if_is_none)]
    status_url: Option<Text>,
}

/// A voice notice to many numbers. Every scalar may be written as a string or a number; unknown fields
/// are passed over.
#[derive(Object)]
pub(super) struct BatchNoticeRequest {
    /// The application's number.
    appid: Text,
    /// The numbers to call, between ASCII commas, at most 100,000; each as `to` of a voice notice.
    /// Spaces around them are passed over, duplicates are dropped. An entry that is no number gets a
    /// result callback of its own.
    to: Text,
    /// The line number that the callees see. Absent: the account's first one that the application
    /// may show.
    #[oai(skip_serializing_if_is_none)]
    from: Option<Text>,
    /// What is said, in order.
    #[oai(validator(min_items = 1, max_items = 50))]
    contents: Vec<NoticeContent>,
    /// Your own text, at most 4 KiB of UTF-8; comes back in every result callback.
    #[oai(skip_serializing_if_is_none)]
    userdata: Option<Text>,
    /// How often the contents are played unasked.
    #[oai(skip_serializing_if_is_none)]
    times: Option<Times>,
    /// The key by which the listener confirms. Wins over `repeatkey`.
    #[oai(skip_serializing_if_is_none)]
    finishkey: Option<KeyRule>,
    /// The key by which the listener hears it again; 10 plays in all at most.
    #[oai(skip_serializing_if_is_none)]
    repeatkey: Option<KeyRule>,
    /// A file of the application's media library that is played after `finishkey`.
    #[oai(skip_serializing_if_is_none)]
    finishvoice: Option<Text>,
    /// Addition: the language of contents that name none.
    #[oai(skip_serializing_if_is_none)]
    lang: Option<Lang>,
    /// Addition: where the result callbacks go, instead of the application's address.
    #[oai(rename = "cdrUrl", skip_serializing_if_is_none)]
    cdr_url: Option<Text>,
    /// Addition: as `cdrUrl`, for status callbacks.
    #[oai(rename = "statusUrl", skip_serializing_if_is_none)]
    status_url: Option<Text>,
}

/// A voice captcha. Every scalar may be written as a string or a number; unknown fields are passed
/// over.
#[derive(Object)]
pub(super) struct CaptchaRequest {
    /// The application's number.
    appid: Text,
    /// What is spelled: 4 to 8 digits and letters, in either case.
    code: Text,
    /// The number to call: a mobile number, or a landline with its area code.
    to: Text,
    /// The line number that the callee sees. Absent: the account's first one that the application
    /// may show.
    #[oai(skip_serializing_if_is_none)]
    from: Option<Text>,
    /// The language that it is spelled in.
    #[oai(skip_serializing_if_is_none)]
    lang: Option<Lang>,
    /// Your own text, at most 4 KiB of UTF-8; comes back in the result callback.
    #[oai(skip_serializing_if_is_none)]
    userdata: Option<Text>,
    /// Addition: where the result callback goes, instead of the application's address.
    #[oai(rename = "cdrUrl", skip_serializing_if_is_none)]
    cdr_url: Option<Text>,
    /// Addition: as `cdrUrl`, for status callbacks.
    #[oai(rename = "statusUrl", skip_serializing_if_is_none)]
    status_url: Option<Text>,
}

/// One thing that is said.
#[derive(Object)]
pub(super) struct NoticeContent {
    /// What `content` is.
    #[oai(rename = "type")]
    kind: ContentType,
    /// `voice`: a file of the application's media library. `time`: `YYYY-MM-DD`, `YYYY-MM-DD HH:mm:ss`
    /// or `HH:mm`. `money`: an amount in yuan with at most 2 decimals. `number`: a cardinal. `digits`:
    /// digits and letters, one by one.
    content: Text,
    /// Addition: the language that it is spoken in.
    #[oai(skip_serializing_if_is_none)]
    lang: Option<Lang>,
}

/// How a content is spoken.
#[derive(Enum)]
#[oai(rename_all = "lowercase")]
pub(super) enum ContentType {
    /// A recording.
    Voice,
    /// A date, a time of day, or both.
    Time,
    /// An amount of money.
    Money,
    /// A number.
    Number,
    /// Digits and letters, one by one.
    Digits,
}

/// A language of the prompt packs.
#[derive(Enum)]
#[oai(rename_all = "lowercase")]
pub(super) enum Lang {
    /// Chinese, the default.
    Zh,
    /// English.
    En,
}
