/// The chapters of the description.
#[derive(poem_openapi::Tags)]
pub(super) enum Tags {
    /// The published surface: a notice to one number or to many.
    #[oai(rename = "Voice notices")]
    VoiceNotices,
    /// The published surface: a code, spelled to one number.
    #[oai(rename = "Voice captchas")]
    VoiceCaptchas,
    /// The published surface: what became of calls.
    Calls,
    /// The admin API: how far notices to many numbers are; pausing, resuming and cancelling them.
    Batches,
    /// The admin API: notices to a list of numbers by rules, what came of them, and whom not to call.
    Campaigns,
    /// The published surface: two phones that are connected, and third parties.
    #[oai(rename = "Click to call")]
    ClickToCall,
    /// The admin API: recordings of calls.
    Recordings,
    /// The admin API: tokens with which web pages dial.
    #[oai(rename = "Browser tokens")]
    BrowserTokens,
    /// The admin API: call records and timelines.
    #[oai(rename = "Call records")]
    CallRecords,
    /// The admin API: the callbacks that we sent you, every attempt at them, and sending them again.
    #[oai(rename = "Callback deliveries")]
    CallbackDeliveries,
    /// The admin API: keys that may do a part of what the account's token may.
    #[oai(rename = "API keys")]
    ApiKeys,
    /// The admin API: other tokens and other signing secrets in place of those in use.
    Secrets,
    /// The admin API: the recordings that notices play.
    #[oai(rename = "Media library")]
    Media,
    /// The admin API: config as code. For the platform's operator.
    Configuration,
    /// The admin API: the carriers' state, load and draining. For the platform's operator.
    Trunks,
}
