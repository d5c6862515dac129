//! What the binary carries in itself, and how recordings get in: prompt packs and media files.
//!
//! A *pack* holds the recordings of one language: a unit for every token of the speech grammar
//! (`yunling_domain::speech`), and phrases. The default packs are embedded; an operator replaces one
//! by a folder of studio recordings ([`Packs::load`]). [`speak`] turns a reading into the pieces to
//! play, and [`import`] takes a tenant's own recording.

mod audio_error;
mod decode;
mod encoded;
mod g711;
mod import;
mod level;
mod loudness;
mod manifest;
mod mixdown;
mod pack;
mod packs;
pub mod phrase;
mod preview;
mod resample;
mod sniff;
mod source;
mod speak;
pub mod tones;
mod unit;
mod wav;

pub use audio_error::{ACCEPTED, AudioError};
pub use encoded::{Encoded, TELEPHONE_RATE_HZ};
pub use import::{ImportOptions, Imported, LONGEST_S, Level, Warning, import};
pub use loudness::Loudness;
pub use manifest::Gaps;
pub use pack::{Pack, Place};
pub use packs::{PackError, Packs};
pub use preview::preview_wav;
pub use sniff::AudioFormat;
pub use speak::{Piece, UnknownToken, speak};
