//! Rendered contents as the engine's play items.

use yunling_app::render_contents::Piece;
use yunling_switch_contract::{PlayItem, Prompt};

/// Turns pieces into items; the audio itself is shared, not copied.
pub(super) fn items(pieces: &[Piece]) -> Vec<PlayItem> {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Audio(encoded) => PlayItem::Prompt(Prompt::new(
                encoded.name.clone(),
                encoded.alaw.clone(),
                encoded.ulaw.clone(),
            )),
            Piece::Silence { ms } => PlayItem::Silence { ms: *ms },
            Piece::Mark(mark) => PlayItem::Mark(*mark),
        })
        .collect()
}
