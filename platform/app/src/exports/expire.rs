use super::file;
use crate::App;
use crate::ports::ObjectError;
use std::sync::Arc;
use yunling_store::exports::{Export, ExportFormat, platform_side};
use yunling_store::{Lane, StoreError};

/// Exports that one turn looks at.
const TURN: u64 = 200;
/// Files of the folder that are looked at in one go.
const FILES: usize = 1_000;

/// Deletes the files of exports whose time is over; their rows stay and say so. And what lies in the
/// folder that is no export's of this node any more. Gives how many exports.
///
/// # Errors
/// The database cannot be read or written.
pub async fn expire(app: &App) -> Result<u64, StoreError> {
    let node = app.settings().node.0.to_string();
    let now = app.clock().now();
    let mut expired = 0;
    for export in platform_side::expired(app.store().reader(), &node, now, TURN).await? {
        if remove(app, &export).await {
            let id = export.ordered.id.clone();
            app.store()
                .writer()
                .write_patiently(Lane::Bulk, move |tx| {
                    Box::pin(async move { platform_side::mark_expired(tx, &id).await })
                })
                .await?;
            expired += 1;
        }
    }
    tidy(app, &node).await?;
    Ok(expired)
}

/// Whether the file is gone.
async fn remove(app: &App, export: &Export) -> bool {
    if export.ordered.format == ExportFormat::Push {
        return true;
    }
    file::discard(&file::path(app, export)).await;
    let Some(objects) = app.objects().filter(|_| export.node.is_none()).map(Arc::clone) else {
        return true;
    };
    match objects.delete(&file::object_key(export)).await {
        Ok(()) | Err(ObjectError::NotFound) => true,
        Err(ObjectError::Unavailable(error)) => {
            tracing::warn!(export = export.ordered.id, error, "an export cannot be deleted");
            false
        }
    }
}

/// Another node took an export over, or a crash came between the move and the deletion.
async fn tidy(app: &App, node: &str) -> Result<(), StoreError> {
    let Ok(mut files) = tokio::fs::read_dir(app.settings().exports.folder()).await else {
        // Nothing was exported here yet.
        return Ok(());
    };
    for _ in 0..FILES {
        let Ok(Some(entry)) = files.next_entry().await else { break };
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.split('.').next()) else { continue };
        // What is not named as one of ours is none of our business.
        if !id.starts_with(yunling_domain::IdKind::Export.prefix()) {
            continue;
        }
        let export = platform_side::get(app.store().reader(), id).await?;
        if export.is_none_or(|export| export.node.as_deref() != Some(node)) {
            file::discard(&entry.path()).await;
        }
    }
    Ok(())
}
