//! `manifest.json`: what a pack says about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use yunling_domain::Lang;
use yunling_domain::speech::Gap;

/// The format of manifests that this version reads.
pub(crate) const FORMAT: u32 = 1;
/// The version of the grammar's token list; a token that is renamed or added raises it.
pub(crate) const GRAMMAR: u32 = 1;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) lang: Lang,
    pub(crate) grammar: u32,
    /// Who speaks.
    #[serde(default)]
    pub(crate) voice: String,
    /// The licence of the recordings, as an SPDX expression or in words.
    #[serde(default)]
    pub(crate) licence: String,
    /// Who must be named when the recordings are passed on.
    #[serde(default)]
    pub(crate) attribution: String,
    /// Where the recordings come from.
    #[serde(default)]
    pub(crate) origin: String,
    #[serde(default)]
    pub(crate) gaps_ms: Gaps,
    /// By token. One that is left out is looked for as `units/TOKEN.wav`.
    #[serde(default)]
    pub(crate) units: BTreeMap<String, UnitEntry>,
    /// By name. One that is left out is looked for as `phrases/NAME.wav`.
    #[serde(default)]
    pub(crate) phrases: BTreeMap<String, FileEntry>,
}

/// A recording. `text` (what is said) and `ms` (how long) may stand beside these, for people.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FileEntry {
    /// Relative to the manifest, with `/`.
    pub(crate) file: String,
    /// Of the file, in hex; checked where given.
    #[serde(default)]
    pub(crate) sha256: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct UnitEntry {
    #[serde(flatten)]
    pub(crate) base: FileEntry,
    /// Spoken as when more follows; used instead of the base there.
    #[serde(default)]
    pub(crate) mid: Option<FileEntry>,
    /// Spoken as at the end of a sentence; used instead of the base there.
    #[serde(default)]
    pub(crate) end: Option<FileEntry>,
}

/// The pauses between what a pack says, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gaps {
    /// Inside a number or word group.
    #[serde(rename = "join")]
    pub join_ms: u32,
    /// Between the parts of a value.
    #[serde(rename = "part")]
    pub part_ms: u32,
    /// Between digits and letters read one by one.
    #[serde(rename = "digit")]
    pub digit_ms: u32,
    /// Between a value and the content before or after it.
    #[serde(rename = "item")]
    pub item_ms: u32,
}

impl Default for Gaps {
    fn default() -> Self {
        Gaps { join_ms: 0, part_ms: 80, digit_ms: 250, item_ms: 300 }
    }
}

impl Gaps {
    /// The length of a pause of the grammar.
    pub fn of(&self, gap: Gap) -> u32 {
        match gap {
            Gap::Join => self.join_ms,
            Gap::Part => self.part_ms,
            Gap::Digit => self.digit_ms,
        }
    }
}
