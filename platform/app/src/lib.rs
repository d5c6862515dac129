//! What Yunling does for its callers, one use case a file, over ports: no HTTP, no SIP, no clock of
//! its own. The platform's API, its dispatcher and the workers all come in here.
//!
//! A use case is a function that takes the [`App`] and whoever asks; the scope that it needs stands
//! in its signature as [`Granted`]. What is refused comes back as a [`Refusal`] with a code of the
//! one table.

pub mod add_party;
pub mod apply;
pub mod backup;
pub mod browser_token;
pub mod callee_facts;
pub mod campaigns;
pub mod cancel_click;
pub mod change_batch;
pub mod click;
pub mod config;
pub mod delete_media;
pub mod directory;
pub mod do_not_call;
pub mod documents;
pub mod drain_trunk;
pub mod expire_cdrs;
pub mod exports;
pub mod feed_batches;
pub mod field_text;
pub mod finish_call;
pub mod finish_conversation;
pub mod get_batch;
pub mod get_call;
pub mod get_cdr;
pub mod get_conversation_sip;
pub mod get_delivery;
pub mod get_media;
pub mod get_recording;
pub mod get_request;
pub mod get_talk;
pub mod idempotency;
pub mod import_media;
pub mod list_batches;
pub mod list_calls;
pub mod list_cdrs;
pub mod list_deliveries;
pub mod list_media;
pub mod list_recordings;
pub mod list_request_calls;
pub mod list_talks;
pub mod list_trunks;
pub mod mint_api_key;
pub mod ports;
pub mod preview_media;
pub mod principal;
pub mod push_cdrs;
pub mod recordings;
pub mod render_contents;
pub mod resend_delivery;
pub mod revoke_api_key;
pub mod rotate_account_token;
pub mod rotate_webhook_secret;
pub mod secrets;
pub mod sip_trace;
pub mod submit_batch;
pub mod submit_captcha;
pub mod submit_click;
pub mod submit_notice;
pub mod tell_status;
pub mod trace_context;
pub mod trunks;
pub mod upload_media;
pub mod watch_talk;
pub mod yaml;

mod app;
mod compose_cdr;
mod event_streams;
#[cfg(test)]
mod fakes;
#[cfg(test)]
mod fuzzing;
mod key_check;
mod number_privacy;
mod queue_room;
mod refusal;
mod signed_link;
mod store_call;

pub use app::{App, AssembleError, Parts};
pub use directory::Directory;
pub use ports::{Clock, Events, Ids, Poke, Random};
pub use principal::{Granted, Operator, Principal};
pub use refusal::{Reason, Refusal};
