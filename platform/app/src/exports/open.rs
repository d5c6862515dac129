//! A finished export's bytes on their way out.

use super::{file, link, order, sheet};
use crate::ports::ObjectError;
use crate::principal::{Granted, ScopeKind};
use crate::recordings::range::{NotSatisfiable, part};
use crate::{App, Refusal};
use std::io::SeekFrom;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _};
use yunling_domain::error_code::{
    EXPORT_DELETED, EXPORT_NOT_READY, RANGE_NOT_SATISFIABLE, RECORDING_STORE_UNAVAILABLE,
};
use yunling_store::exports::{Export, ExportFormat, ExportState, platform_side};

/// A file on its way out.
pub struct Download {
    /// The file's name.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// The whole file's length.
    pub whole: u64,
    /// The first and the last byte of what is sent, where only a part was asked for.
    pub part: Option<(u64, u64)>,
    /// They come as they are read.
    pub bytes: Pin<Box<dyn AsyncRead + Send>>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Download({}, {:?} of {})", self.name, self.part, self.whole)
    }
}

impl Download {
    /// How many bytes are sent.
    pub fn length(&self) -> u64 {
        self.part.map_or(self.whole, |(first, last)| last - first + 1)
    }
}

/// The export that a link names whose signature was checked: the signature stands for the tenant.
///
/// # Errors
/// `NOT_FOUND`: there is none, or its file has another name.
pub async fn by_link(app: &App, id: &str, name: &str) -> Result<Export, Refusal> {
    let found = platform_side::get(app.store().reader(), id).await?;
    found.filter(|export| link::name(export) == name).ok_or_else(|| order::unknown(id))
}

/// The account's export with its bytes, whole or the part that a `Range` header asks for.
///
/// # Errors
/// `NOT_FOUND`, `SCOPE_MISSING` where the file shows more than the caller may see, and those of
/// [`open`].
pub async fn of_account<S: ScopeKind>(
    app: &App,
    caller: &Granted<S>,
    id: &str,
    range: Option<&str>,
) -> Result<Download, Refusal> {
    let export = order::get(app, caller, id).await?;
    order::may_see(caller, &export)?;
    open(app, &export, range).await
}

/// Opens a finished export, whole or the part that a `Range` header asks for.
///
/// # Errors
/// `EXPORT_NOT_READY`, `EXPORT_DELETED`, `RANGE_NOT_SATISFIABLE`; `RECORDING_STORE_UNAVAILABLE` where
/// the file cannot be read now, or lies on another node.
pub async fn open(app: &App, export: &Export, range: Option<&str>) -> Result<Download, Refusal> {
    match export.state {
        ExportState::Ready if export.ordered.format != ExportFormat::Push => {}
        ExportState::Expired | ExportState::Cancelled => {
            return Err(Refusal::new(EXPORT_DELETED));
        }
        state => {
            let detail = format!(
                "its state is {}, its format {}",
                state.as_str(),
                export.ordered.format.as_str()
            );
            return Err(Refusal::new(EXPORT_NOT_READY).with_detail(detail));
        }
    }
    let whole = export.progress.octets;
    let part = part(range, whole).map_err(|NotSatisfiable| {
        Refusal::new(RANGE_NOT_SATISFIABLE).with_detail(format!("the file has {whole} bytes"))
    })?;
    let bytes = match &export.node {
        None => in_objects(app, export, part).await?,
        Some(node) => on_disk(app, export, node, part).await?,
    };
    let (name, media_type) = (link::name(export), sheet::media_type(export.ordered.format));
    Ok(Download { name, media_type, whole, part, bytes })
}

type Bytes = Pin<Box<dyn AsyncRead + Send>>;

async fn in_objects(
    app: &App,
    export: &Export,
    part: Option<(u64, u64)>,
) -> Result<Bytes, Refusal> {
    let key = file::object_key(export);
    let Some(objects) = app.objects() else {
        tracing::error!(key, "an export lies in an object store, and none is configured");
        return Err(Refusal::new(RECORDING_STORE_UNAVAILABLE));
    };
    match objects.get(&key, part).await {
        Ok(bytes) => Ok(bytes),
        Err(error @ (ObjectError::NotFound | ObjectError::Unavailable(_))) => {
            tracing::error!(key, %error, "the object store gives no export");
            Err(Refusal::new(RECORDING_STORE_UNAVAILABLE))
        }
    }
}

async fn on_disk(
    app: &App,
    export: &Export,
    node: &str,
    part: Option<(u64, u64)>,
) -> Result<Bytes, Refusal> {
    if *node != app.settings().node.0.to_string() {
        return Err(Refusal::new(RECORDING_STORE_UNAVAILABLE)
            .with_detail(format!("the export lies on the disk of node {node}")));
    }
    let path = file::path(app, export);
    let unreadable = |error: std::io::Error| {
        tracing::error!(path = %path.display(), %error, "an export cannot be read");
        Refusal::new(RECORDING_STORE_UNAVAILABLE)
    };
    let mut file = tokio::fs::File::open(&path).await.map_err(unreadable)?;
    let Some((first, last)) = part else { return Ok(Box::pin(file)) };
    file.seek(SeekFrom::Start(first)).await.map_err(unreadable)?;
    Ok(Box::pin(file.take(last - first + 1)))
}
