//! What the binary carries in itself, and how recordings get in: prompt packs and media files.
//!
//! A *pack* holds the recordings of one language: a unit for every token of the speech grammar
//! (`yunling_domain::speech`), and phrases. The default packs are embedded; an operator replaces one
//! by a folder of studio recordings ([`Packs::load`]). [`speak`] turns a reading into the pieces to
//! play, and [`import_wav`] takes a tenant's own recording.

mod encoded;
mod g711;
mod import;
mod level;
mod manifest;
mod pack;
mod packs;
pub mod phrase;
mod resample;
mod source;
mod speak;
mod unit;
mod wav;

pub use encoded::{Encoded, TELEPHONE_RATE_HZ};
pub use import::{Imported, LONGEST_S, import_wav};
pub use manifest::Gaps;
pub use pack::{Pack, Place};
pub use packs::{PackError, Packs};
pub use speak::{Piece, UnknownToken, speak};
pub use wav::AudioError;
