//! The recordings of an application's library, by name.

use crate::documents::ResourceKind;
use crate::get_media::{self, MediaView};
use crate::principal::{Granted, ReadMedia};
use crate::{App, Refusal};
use std::ops::Bound;
use yunling_domain::error_code::UNKNOWN_APPLICATION;
use yunling_domain::{ApplicationId, Micros};
use yunling_store::{Cursor, MAX_PAGE, Page, PageRequest, media_blobs, resources};

/// One page of the library, from the name after the cursor's on. Recordings that come or go in
/// between move nothing else.
///
/// # Errors
/// `UNKNOWN_APPLICATION`: the account has none such.
pub async fn run(
    app: &App,
    caller: &Granted<ReadMedia>,
    application: &ApplicationId,
    page: &PageRequest,
) -> Result<Page<MediaView>, Refusal> {
    let directory = app.directory();
    let library = &directory
        .application(caller.account(), application)
        .ok_or_else(|| Refusal::new(UNKNOWN_APPLICATION))?
        .media;
    let limit = page.limit.clamp(1, MAX_PAGE) as usize;
    let after = page.after.as_ref().map_or(Bound::Unbounded, |after| Bound::Excluded(&*after.id));
    let mut names = library.range::<str, _>((after, Bound::Unbounded)).map(|(name, _)| name);
    let names_here: Vec<&String> = names.by_ref().take(limit).collect();
    let more = names.next().is_some();

    let keys = names_here.iter().map(|name| get_media::key(application, name)).collect();
    let reader = app.store().reader();
    let (kind, account) = (ResourceKind::Media.as_str(), caller.account().as_str());
    let rows = resources::of_keys(reader, kind, account, keys).await?;
    let mut found: Vec<_> = rows.into_iter().filter_map(get_media::read).collect();
    found.sort_by(|(_, a), (_, b)| a.name.as_str().cmp(b.name.as_str()));
    let stored_names = found.iter().map(|(_, doc)| doc.stored_name()).collect();
    let facts = media_blobs::facts(reader, stored_names).await?;

    let rows = found.into_iter().map(|(row, doc)| MediaView::of(application, row, doc, &facts));
    // The last name that was looked at, also where its row went in between.
    let last = names_here.last().filter(|_| more);
    let next = last.map(|name| Cursor { at: Micros(0), id: (*name).clone() });
    Ok(Page { rows: rows.collect(), next })
}
