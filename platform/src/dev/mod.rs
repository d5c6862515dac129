//! What `yunling dev` puts around a node: a demo tenant, a fake network, a webhook inbox, and a
//! terminal that tells what happens.

pub(crate) mod banner;
pub(crate) mod demo;
pub(crate) mod inbox;
pub(crate) mod network;
pub(crate) mod story;
