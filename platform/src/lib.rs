//! Yunling's platform: the REST API, the dispatcher and the conversations' tasks around the pure
//! machines of `yunling-domain`, and the wiring of a node. ARCHITECTURE.md has the map.

mod api;
mod calls;
pub mod cli;
mod clock;
mod dev;
mod doctor;
mod http;
mod logging;
mod node;
mod object_store;
mod ports;
mod roles;
mod telemetry;
