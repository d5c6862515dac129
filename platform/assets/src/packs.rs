//! The packs in force: the operator's where there is one, else the default.

use std::path::{Path, PathBuf};

use yunling_domain::Lang;

use crate::pack::Pack;
use crate::source::Source;

/// A pack that cannot be used: the fault of whoever made it.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The operator's folder cannot be looked at.
    #[error("cannot read the folder of prompt packs {folder}: {reason}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A manifest that is not there or not understood.
    #[error("manifest.json of {pack}: {reason}")]
    Manifest {
        /// Which pack.
        pack: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// A pack with gaps or bad files; everything that is wrong is listed.
    #[error("prompt pack {pack} is not usable{}{}", listed("missing", .missing), listed("faulty", .faults))]
    Unusable {
        /// Which pack.
        pack: String,
        /// The tokens and phrases without a recording.
        missing: Vec<String>,
        /// The recordings that are not taken, with the reason.
        faults: Vec<String>,
    },
}

fn listed(what: &str, items: &[String]) -> String {
    match items.len() {
        0 => String::new(),
        count => format!("; {count} {what}: {}", items.join(", ")),
    }
}

/// One pack for each language.
#[derive(Debug, Clone)]
pub struct Packs {
    zh: Pack,
    en: Pack,
}

impl Packs {
    /// Loads the packs. `operator_dir` may hold a folder for each language, `zh` and `en`, with a
    /// `manifest.json` in it; such a folder replaces the default pack of that language as a whole,
    /// except for phrases that it lacks.
    ///
    /// # Errors
    ///
    /// [`PackError`] if a folder is there but not usable: a wrong pack is never passed over in
    /// silence.
    pub fn load(operator_dir: Option<&Path>) -> Result<Packs, PackError> {
        Ok(Packs { zh: in_force(Lang::Zh, operator_dir)?, en: in_force(Lang::En, operator_dir)? })
    }

    /// The pack of a language.
    pub fn get(&self, lang: Lang) -> &Pack {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }
}

fn in_force(lang: Lang, operator_dir: Option<&Path>) -> Result<Pack, PackError> {
    let default = Pack::load(&Source::Embedded(lang), lang, None)?;
    let Some(operator_dir) = operator_dir else {
        return Ok(default);
    };
    let folder = operator_dir.join(lang.code());
    let exists = folder
        .try_exists()
        .map_err(|error| PackError::Folder { folder: folder.clone(), reason: error.to_string() })?;
    if exists { Pack::load(&Source::Folder(folder), lang, Some(&default)) } else { Ok(default) }
}
