//! What Yunling does for its callers, one use case a file, over ports: no HTTP, no SIP, no clock of
//! its own. The platform's API, its dispatcher and the workers all come in here.
//!
//! A use case is a function that takes the [`App`] and whoever asks; the scope that it needs stands
//! in its signature as [`Granted`]. What is refused comes back as a [`Refusal`] with a code of the
//! one table.

pub mod apply;
pub mod config;
pub mod directory;
pub mod documents;
pub mod finish_call;
pub mod get_call;
pub mod get_delivery;
pub mod get_request;
pub mod list_calls;
pub mod list_deliveries;
pub mod list_request_calls;
pub mod mint_api_key;
pub mod ports;
pub mod principal;
pub mod render_contents;
pub mod resend_delivery;
pub mod revoke_api_key;
pub mod rotate_account_token;
pub mod rotate_webhook_secret;
pub mod secrets;
pub mod submit_notice;
pub mod yaml;

mod app;
#[cfg(test)]
mod fakes;
mod key_check;
mod refusal;
mod trunk_health;

pub use app::{App, AssembleError, Parts};
pub use directory::Directory;
pub use ports::{Clock, Events, Ids, Poke, Random};
pub use principal::{Granted, Operator, Principal};
pub use refusal::{Reason, Refusal};
pub use trunk_health::TrunkHealth;
