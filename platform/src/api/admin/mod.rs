//! The admin API, `/api/v1`: ours to shape. Failures are RFC 9457 problems; another account's
//! objects do not exist.

mod api_keys;
mod apply;
mod audio_body;
mod batches;
mod body;
mod browser_tokens;
mod caller;
mod calls;
mod campaigns;
mod cdr_conditions;
mod cdr_exports;
mod cdrs;
mod conversations;
mod csv_body;
mod csv_file;
mod deliveries;
mod do_not_call;
mod media;
mod problem;
mod query;
mod recordings;
mod secrets;
mod trunks;

use poem_openapi::OpenApi;

pub(super) use self::problem::Problem;

/// Every operation of the admin API.
pub(super) fn operations() -> impl OpenApi {
    (
        (batches::BatchesApi, campaigns::CampaignsApi, do_not_call::DoNotCallApi),
        (calls::CallsApi, cdrs::CdrsApi, cdr_exports::CdrExportsApi),
        conversations::ConversationsApi,
        deliveries::DeliveriesApi,
        (recordings::RecordingsApi, browser_tokens::BrowserTokensApi),
        api_keys::ApiKeysApi,
        secrets::SecretsApi,
        media::MediaApi,
        apply::ApplyApi,
        trunks::TrunksApi,
    )
}
