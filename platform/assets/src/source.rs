//! Where a pack's files lie: in this binary or in an operator's folder.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use rust_embed::RustEmbed;
use yunling_domain::Lang;

/// More than ten minutes of 48 kHz stereo at 24 bits; a pack's unit has some 20 kB.
const LARGEST_FILE_BYTES: u64 = 256 * 1024 * 1024;

#[derive(RustEmbed)]
#[folder = "packs/zh/"]
struct DefaultZh;

#[derive(RustEmbed)]
#[folder = "packs/en/"]
struct DefaultEn;

#[derive(Debug, Clone)]
pub(crate) enum Source {
    Embedded(Lang),
    Folder(PathBuf),
}

impl Source {
    /// A file's bytes; none if there is no such file.
    ///
    /// `file` is relative with `/` and stays inside the pack: anything else is "not found".
    pub(crate) fn read(&self, file: &str) -> io::Result<Option<Cow<'static, [u8]>>> {
        match self {
            Source::Embedded(Lang::Zh) => Ok(DefaultZh::get(file).map(|found| found.data)),
            Source::Embedded(Lang::En) => Ok(DefaultEn::get(file).map(|found| found.data)),
            Source::Folder(folder) => read_inside(folder, file),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Embedded(lang) => write!(f, "the default {lang} pack"),
            Source::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

fn read_inside(folder: &Path, file: &str) -> io::Result<Option<Cow<'static, [u8]>>> {
    let relative = Path::new(file);
    let plain = |part| matches!(part, Component::Normal(_));
    if file.is_empty() || !relative.components().all(plain) {
        return Ok(None);
    }
    let open = match File::open(folder.join(relative)) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    open.take(LARGEST_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(Cow::Owned(bytes)))
}
