//! The plane on loopback, with real sockets for peers.

mod ends;
mod hostile;
mod keys;
mod latching;
mod plays;
mod reports;
mod rig;
