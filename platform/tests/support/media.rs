//! The application's media library of the tests: three phrases of the Chinese prompt pack, under the
//! names of the published document's samples.

use std::path::{Path, PathBuf};

/// Said first: about 1.1 s.
pub(crate) const PROMPT_1: &str = "prompt1.wav";
/// Asks for a key: about 1.9 s.
pub(crate) const PROMPT_2: &str = "prompt2.wav";
/// Says goodbye after the confirming key: about 1.5 s.
pub(crate) const PROMPT_3: &str = "prompt3.wav";
/// All of them.
pub(crate) const ALL: [&str; 3] = [PROMPT_1, PROMPT_2, PROMPT_3];

/// The file of one of them: 16 kHz, 16 bits, mono.
pub(crate) fn path(name: &str) -> PathBuf {
    let phrase = match name {
        PROMPT_1 => "code-is.wav",
        PROMPT_2 => "confirm.wav",
        PROMPT_3 => "goodbye.wav",
        other => panic!("the tests' media library has no {other}"),
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/packs/zh/phrases").join(phrase)
}
