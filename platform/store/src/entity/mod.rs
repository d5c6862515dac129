//! The tables, one file each. Private: rows leave the crate as the repositories' own types, so that
//! no query is made without a tenant.
pub(crate) mod attempt;
pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod batch_number;
pub(crate) mod batch_result;
pub(crate) mod call;
pub(crate) mod cdr_export;
pub(crate) mod cdr_export_schedule;
pub(crate) mod click;
pub(crate) mod conversation;
pub(crate) mod credential;
pub(crate) mod delivery;
pub(crate) mod delivery_attempt;
pub(crate) mod endpoint;
pub(crate) mod id_mark;
pub(crate) mod idempotency;
pub(crate) mod media_blob;
pub(crate) mod meta;
pub(crate) mod node_lease;
pub(crate) mod recording;
pub(crate) mod request;
pub(crate) mod resource;
pub(crate) mod sip_trace;
pub(crate) mod talk;
pub(crate) mod trace_context;
pub(crate) mod trunk_state;
