//! A pack: every recording that one language needs.

use std::collections::BTreeMap;

use yunling_domain::Lang;
use yunling_domain::speech::required_tokens;

use crate::encoded::Encoded;
use crate::manifest::{FORMAT, FileEntry, GRAMMAR, Gaps, Manifest, UnitEntry};
use crate::packs::PackError;
use crate::phrase;
use crate::source::Source;
use crate::unit::{Found, load};

/// Where in a reading a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// More follows.
    Mid,
    /// The last of the reading.
    End,
}

/// The recordings of one language, checked and complete.
#[derive(Debug, Clone)]
pub struct Pack {
    id: String,
    version: String,
    lang: Lang,
    voice: String,
    licence: String,
    attribution: String,
    origin: String,
    gaps: Gaps,
    units: BTreeMap<&'static str, Unit>,
    phrases: BTreeMap<String, Encoded>,
    warnings: Vec<String>,
}

#[derive(Debug, Clone)]
struct Unit {
    base: Encoded,
    mid: Option<Encoded>,
    end: Option<Encoded>,
}

impl Pack {
    /// Its language.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// Its name and version, as `default-zh 1.0.0`.
    pub fn title(&self) -> String {
        format!("{} {}", self.id, self.version)
    }

    /// Who speaks, under what licence, whom to name and where it comes from; each may be empty.
    pub fn credits(&self) -> [&str; 4] {
        [&self.voice, &self.licence, &self.attribution, &self.origin]
    }

    /// The pauses between its units.
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// The recording of a token of the grammar; there is one for every token of its language.
    pub fn unit(&self, token: &str) -> Option<&Encoded> {
        self.units.get(token).map(|unit| &unit.base)
    }

    /// The recording of a token that suits its place best.
    pub fn unit_at(&self, token: &str, place: Place) -> Option<&Encoded> {
        let unit = self.units.get(token)?;
        let variant = match place {
            Place::Mid => unit.mid.as_ref(),
            Place::End => unit.end.as_ref(),
        };
        Some(variant.unwrap_or(&unit.base))
    }

    /// A whole sentence by name; those of [`phrase::ALL`] are always there.
    pub fn phrase(&self, name: &str) -> Option<&Encoded> {
        self.phrases.get(name)
    }

    /// What its maker should know, in sentences: levels out of range, distortion, phrases that are
    /// taken from the default pack.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Loads a pack of a language. Phrases that it lacks come from `fallback`; tokens must be whole,
    /// because two voices within one number would not be understood.
    pub(crate) fn load(
        source: &Source,
        lang: Lang,
        fallback: Option<&Pack>,
    ) -> Result<Pack, PackError> {
        let manifest = read_manifest(source, lang)?;
        let mut loader = Loader::new(source, lang);
        let units = loader.units(&manifest.units);
        let mut phrases = loader.phrases(&manifest.phrases);
        if let Some(fallback) = fallback {
            for (name, recording) in &fallback.phrases {
                if !phrases.contains_key(name) {
                    loader.missing.retain(|missing| missing != &format!("phrase {name}"));
                    loader.warnings.push(format!("phrase {name} is the default pack's"));
                    phrases.insert(name.clone(), recording.clone());
                }
            }
        }
        if !loader.missing.is_empty() || !loader.faults.is_empty() {
            return Err(PackError::Unusable {
                pack: source.to_string(),
                missing: loader.missing,
                faults: loader.faults,
            });
        }
        Ok(Pack {
            id: manifest.id,
            version: manifest.version,
            lang,
            voice: manifest.voice,
            licence: manifest.licence,
            attribution: manifest.attribution,
            origin: manifest.origin,
            gaps: manifest.gaps_ms,
            units,
            phrases,
            warnings: loader.warnings,
        })
    }
}

fn read_manifest(source: &Source, lang: Lang) -> Result<Manifest, PackError> {
    let refused = |reason: String| PackError::Manifest { pack: source.to_string(), reason };
    let bytes = source
        .read("manifest.json")
        .map_err(|error| refused(error.to_string()))?
        .ok_or_else(|| refused("there is none".to_owned()))?;
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
    for (field, found, expected) in [
        ("format", manifest.format.to_string(), FORMAT.to_string()),
        ("grammar", manifest.grammar.to_string(), GRAMMAR.to_string()),
        ("lang", manifest.lang.to_string(), lang.to_string()),
    ] {
        if found != expected {
            return Err(refused(format!("{field} is {found}, expected {expected}")));
        }
    }
    Ok(manifest)
}

/// Collects everything that is wrong, so that one attempt tells it all.
struct Loader<'a> {
    source: &'a Source,
    lang: Lang,
    missing: Vec<String>,
    faults: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Loader<'a> {
    fn new(source: &'a Source, lang: Lang) -> Self {
        Loader { source, lang, missing: Vec::new(), faults: Vec::new(), warnings: Vec::new() }
    }

    fn units(&mut self, entries: &BTreeMap<String, UnitEntry>) -> BTreeMap<&'static str, Unit> {
        let required = required_tokens(self.lang);
        for token in entries.keys().filter(|token| !required.contains(&token.as_str())) {
            self.warnings.push(format!("unit {token} is not used by the grammar"));
        }
        let mut units = BTreeMap::new();
        for token in required {
            let entry = entries.get(token);
            let base = entry.map_or_else(|| unlisted("units", token), |entry| entry.base.clone());
            let variants = entry.map(|entry| [entry.mid.clone(), entry.end.clone()]);
            let [mid, end] = variants.unwrap_or_default();
            let base = self.file(token, &base);
            let mid = mid.and_then(|mid| self.file(token, &mid));
            let end = end.and_then(|end| self.file(token, &end));
            if let Some(base) = base {
                units.insert(token, Unit { base, mid, end });
            }
        }
        units
    }

    fn phrases(&mut self, entries: &BTreeMap<String, FileEntry>) -> BTreeMap<String, Encoded> {
        let mut wanted: BTreeMap<String, FileEntry> =
            phrase::ALL.iter().map(|&name| (name.to_owned(), unlisted("phrases", name))).collect();
        wanted.extend(entries.iter().map(|(name, entry)| (name.clone(), entry.clone())));
        let mut phrases = BTreeMap::new();
        for (name, entry) in wanted {
            if let Some(recording) = self.file(&format!("phrase {name}"), &entry) {
                phrases.insert(name, recording);
            }
        }
        phrases
    }

    fn file(&mut self, what: &str, entry: &FileEntry) -> Option<Encoded> {
        let name = format!("{}/{what}", self.lang);
        match load(self.source, &name, entry) {
            Found::Taken(recording, warnings) => {
                self.warnings.extend(warnings);
                return Some(recording);
            }
            Found::Missing => self.missing.push(what.to_owned()),
            Found::Faulty(reason) => self.faults.push(reason),
        }
        None
    }
}

/// The file of a recording that the manifest does not list.
fn unlisted(folder: &str, name: &str) -> FileEntry {
    FileEntry { file: format!("{folder}/{name}.wav"), sha256: None }
}
