//! The plane on loopback, with real sockets for peers.

mod bridges;
mod early;
mod ends;
mod hostile;
mod keys;
mod latching;
mod plays;
mod recordings;
mod relaying;
mod reports;
mod rig;
