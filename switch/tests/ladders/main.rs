//! Call ladders against sipp: what travels on the wire, what events come of it, and that both
//! sides were content.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod bridges;
mod bursts;
mod carrier;
mod dialogs;
mod early;
mod failures;
mod hand;
mod hang_ups;
mod name_server;
mod names;
mod orphans;
mod phone;
mod probes;
mod refreshes;
mod registrations;
mod relay;
mod rig;
mod set_ups;
mod strangers;
mod tls;
mod trunk_rig;
