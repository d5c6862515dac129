//! The media plane: RTP to and from each leg, on threads of its own.
//!
//! A [`MediaPlane`] has K *shards*, OS threads named `media-0`…, each of which owns a share of the
//! legs outright: their sockets, their plays and their figures. Nothing else touches them, so the
//! work of a packet takes no lock, allocates nothing and writes no log line. The signalling half
//! holds a [`MediaLeg`] and sends commands; what happens on the leg goes to the event sink from
//! the shard's thread.
//!
//! Where to look: `shard` is the loop, `wheel` says when each leg's next frame is due, `leg` sends
//! it, `hearing` and `reports` take what comes to the RTP and the RTCP port. `ties` says who hears
//! whom: packets of one party alone go through `relay` as they come, several are laid out on their
//! `track` and mixed, `takes` are the recordings. `rtp`, `rtcp`, `latch`, `reception`, `sender`,
//! `playout`, `telephone_event`, `key_tone`, `goertzel`, `g711`, `relay`, `ties`, `track`, `silence`
//! and `wheel` are pure.
//!
//! Choices:
//! - An answered leg always hears something: silence frames go out between plays, because carriers
//!   drop calls whose media stops. The marker bit is set on the first packet and at the start of
//!   each play.
//! - A play is finished when the time of its last frame is over, not when that frame has left.
//! - While the peer holds us (`send` is off) a play stands still: what nobody would hear is not said,
//!   and no mark is passed.
//! - Where telephone-event was negotiated, keys come by it alone. A peer that negotiates it and
//!   presses in-band all the same is not heard: most gateways that strip tones leave their first
//!   milliseconds in, and a key that counts twice is worse than one pressed again.
//! - A key that comes by INFO as well counts once (`key_pairs`), for who hears the leg, too.
//! - A shard that falls behind by less than 200 ms sends what it owes at once; beyond that it moves
//!   its schedule: no sample of a play is lost, and RTP timestamps jump by the time that passed.
//! - Early media is heard from the first description on; until the answer its peer is sent a packet of
//!   silence now and then, which opens the way through gateways that wait for one, and nobody's voice.
//! - Who hears one party hears its packets: undecoded where the codecs are equal, keys as keys (as
//!   tones where no telephone-event was agreed on), gaps as gaps. Who hears several, or one under an
//!   announcement, hears no keys.
//! - Recordings hold no telephone-events: what is pressed may be a card's number.
//! - A panic in one leg ends that leg alone: its play finishes with
//!   [`yunling_switch_contract::PlayEnd::LegEnded`], and [`MediaLeg::ended`] tells the owner.

mod agreed;
mod cname;
mod config;
mod events;
mod figures;
mod flow;
mod g711;
mod goertzel;
mod handle;
mod heard;
mod hearing;
mod homes;
mod key_pairs;
mod key_tone;
mod latch;
mod leg;
mod meter;
mod plane;
mod playout;
mod poll;
mod ports;
mod pressed;
mod reception;
mod relay;
mod reports;
mod rtcp;
mod rtp;
mod sender;
mod shard;
mod silence;
mod socket;
mod takes;
mod telephone_event;
mod ties;
mod track;
mod wall_clock;
mod wheel;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

pub(crate) use agreed::{Agreed, Phase};
pub use config::MediaConfig;
pub(crate) use handle::MediaLeg;
pub(crate) use plane::{MediaPlane, MediaStartError, NoPorts};
