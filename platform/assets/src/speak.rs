//! From a reading to what is played.

use yunling_domain::Lang;
use yunling_domain::speech::Token;

use crate::encoded::Encoded;
use crate::pack::{Pack, Place};

/// A stretch of what is played.
#[derive(Debug, Clone)]
pub enum Piece {
    /// A recording.
    Play(Encoded),
    /// A pause.
    Silence {
        /// How long, in ms; never 0.
        ms: u32,
    },
}

/// A token that the pack does not have, which means that the reading is of another language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {lang} pack has no unit {token}: the reading is of another language")]
pub struct UnknownToken {
    /// The pack's language.
    pub lang: Lang,
    /// The token.
    pub token: &'static str,
}

/// Joins the units of a reading with the pack's pauses between them; none before or after.
///
/// # Errors
///
/// [`UnknownToken`] if the reading is not of the pack's language: a mistake of the caller's.
pub fn speak(tokens: &[Token], pack: &Pack) -> Result<Vec<Piece>, UnknownToken> {
    let mut pieces = Vec::with_capacity(tokens.len() * 2);
    for (n, token) in tokens.iter().enumerate() {
        let place = if n + 1 == tokens.len() { Place::End } else { Place::Mid };
        let unit = pack
            .unit_at(token.name(), place)
            .ok_or(UnknownToken { lang: pack.lang(), token: token.name() })?;
        pieces.push(Piece::Play(unit.clone()));
        let ms = pack.gaps().of(token.gap());
        if place == Place::Mid && ms > 0 {
            pieces.push(Piece::Silence { ms });
        }
    }
    Ok(pieces)
}
