//! A turn at an export with a file.

use super::link;
use super::sheet::{Out, Sheet};
use super::turn::{self, Pace, Stopped, TurnEnd};
use crate::App;
use crate::ports::ObjectError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use yunling_domain::cdr::CdrObject;
use yunling_store::exports::{Export, ExportFormat, Holder, Progress};
use yunling_store::{Cursor, StoreError};

/// What a writer goes on from. Stored, so its form is one that older rows have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Checkpoint {
    reading: Reading,
    sheet: Sheet,
}

/// How far the reading is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reading {
    /// Behind this place; nowhere yet: from the newest.
    From(Option<Cursor>),
    /// Nothing is left: the file is still to be completed.
    Done,
}

/// The file and its format, handed to the threads that may block.
struct Writing {
    out: Out,
    sheet: Sheet,
}

impl Writing {
    async fn on_a_thread<T: Send + 'static>(
        mut self,
        act: impl FnOnce(&mut Self) -> std::io::Result<T> + Send + 'static,
    ) -> Result<(Self, T), Stopped> {
        let acted = tokio::task::spawn_blocking(move || act(&mut self).map(|done| (self, done)));
        Ok(acted.await.map_err(|error| StoreError::Panicked(error.to_string()))??)
    }

    /// Sees to it that the file is on the disk.
    async fn sync(self) -> Result<Self, Stopped> {
        Ok(self.on_a_thread(|writing| writing.out.sync()).await?.0)
    }
}

/// Where an export's file lies on this node.
pub(super) fn path(app: &App, export: &Export) -> PathBuf {
    app.settings().exports.folder().join(link::name(export))
}

pub(super) async fn turn(
    app: &App,
    export: &Export,
    holder: &mut Holder,
    pace: &Pace,
) -> Result<TurnEnd, Stopped> {
    let path = path(app, export);
    let (mut writing, mut reading, mut progress) = go_on(export, &path).await?;
    let (mut pages, mut kept_at) = (0, Instant::now());
    let mut page = match reading.clone() {
        Reading::From(after) => Some(turn::read(app, export, after, pace.records, pace).await?),
        Reading::Done => None,
    };
    while let Some(current) = page.take() {
        pages += 1;
        progress.records += current.records.len() as u64;
        progress.reached_at = current.reached_at.or(progress.reached_at);
        let records: Vec<CdrObject> = current.records;
        let next = current.next;
        reading = next.clone().map_or(Reading::Done, |next| Reading::From(Some(next)));
        let is_last_of_turn = pages >= pace.pages || app.is_draining();
        // While one page is written the next is read.
        let write =
            writing.on_a_thread(move |writing| writing.sheet.write(&mut writing.out, &records));
        let following = async {
            match next.filter(|_| !is_last_of_turn) {
                Some(next) => {
                    turn::read(app, export, Some(next), pace.records, pace).await.map(Some)
                }
                None => Ok(None),
            }
        };
        let (written, following) = tokio::join!(write, following);
        writing = written?.0;
        let is_done = reading == Reading::Done;
        if is_last_of_turn || is_done || kept_at.elapsed() >= pace.checkpoint {
            writing = writing.sync().await?;
            kept_at = Instant::now();
            progress.octets = writing.out.octets();
            let checkpoint = Checkpoint { reading: reading.clone(), sheet: writing.sheet.clone() };
            progress.checkpoint = serde_json::to_value(checkpoint).ok();
            if !turn::keep(app, export, holder, &progress).await? {
                discard(&path).await;
                return Ok(TurnEnd::Lost);
            }
        }
        page = following?;
        if page.is_none() && !is_done {
            return Ok(TurnEnd::GoesOn(app.clock().now()));
        }
    }
    let (writing, ()) = writing.on_a_thread(|writing| writing.sheet.end(&mut writing.out)).await?;
    let writing = writing.sync().await?;
    let octets = writing.out.octets();
    let moving = move_out(app, export, &path, octets);
    let Some(in_objects) = turn::held(app, export, holder, &progress, moving).await? else {
        discard(&path).await;
        return Ok(TurnEnd::Lost);
    };
    let whole = Progress { octets, checkpoint: None, ..progress };
    Ok(TurnEnd::Complete { whole, in_objects })
}

/// Opens the file where the checkpoint left it, or begins it.
async fn go_on(export: &Export, path: &Path) -> Result<(Writing, Reading, Progress), Stopped> {
    let (format, progress) = (export.ordered.format, export.progress.clone());
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || open(format, &progress, &path));
    opened.await.map_err(|error| StoreError::Panicked(error.to_string()))?
}

fn open(
    format: ExportFormat,
    progress: &Progress,
    path: &Path,
) -> Result<(Writing, Reading, Progress), Stopped> {
    let stored = progress.checkpoint.clone();
    let checkpoint = stored.and_then(|stored| serde_json::from_value::<Checkpoint>(stored).ok());
    if let Some(checkpoint) = checkpoint
        && let Some(out) = Out::open(path, progress.octets)?
    {
        let writing = Writing { out, sheet: checkpoint.sheet };
        return Ok((writing, checkpoint.reading, progress.clone()));
    }
    let no_file = || std::io::Error::other("an empty file cannot be opened");
    let mut out = Out::open(path, 0)?.ok_or_else(no_file)?;
    let sheet = Sheet::begin(format, &mut out)?;
    let sheet = sheet.ok_or_else(|| std::io::Error::other("a push has no file"))?;
    Ok((Writing { out, sheet }, Reading::From(None), Progress::default()))
}

/// Puts the complete file into the object store, where there is one. It may be done twice.
async fn move_out(app: &App, export: &Export, path: &Path, octets: u64) -> Result<bool, Stopped> {
    let Some(objects) = app.objects().map(Arc::clone) else { return Ok(false) };
    match objects.put(&object_key(export), path, octets).await {
        Ok(()) => Ok(true),
        Err(ObjectError::NotFound) => {
            Err(Stopped::Objects("the object store has no such bucket".to_owned()))
        }
        Err(ObjectError::Unavailable(error)) => Err(Stopped::Objects(error)),
    }
}

/// The name in the object store.
pub(super) fn object_key(export: &Export) -> String {
    format!("exports/{}", link::name(export))
}

/// Deletes a file that is of no more use here; one that is gone is fine.
pub(super) async fn discard(path: &Path) {
    if let Err(error) = tokio::fs::remove_file(path).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "an export's file cannot be deleted");
    }
}
