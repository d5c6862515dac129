//! Campaigns: a notice to a list of numbers, by rules: when, how often, again after which calls, with
//! which caller ID, and to whom not.

pub mod brief;
pub mod change;
pub mod create;
mod definition;
#[cfg(test)]
mod ending_tests;
pub mod expire;
pub mod feed;
pub mod get;
pub mod list;
pub mod plan;
mod recur;
pub mod report;
mod settle;
#[cfg(test)]
mod tests;
pub mod upload_list;

pub use definition::{Definition, ItemText, RetryText, WindowText};
pub use upload_list::reset_unfinished_lists;

use crate::Refusal;
use yunling_domain::RequestId;
use yunling_domain::error_code::NOT_FOUND;

/// Under this name a campaign's request keeps where it is told that the campaign is over.
const FINISHED_URL: &str = "finished";

fn not_found(id: &RequestId) -> Refusal {
    Refusal::new(NOT_FOUND).with_detail(format!("the account has no campaign {id}"))
}
