//! Which page of a list is asked for: one rule on both surfaces.

use yunling_app::Refusal;
use yunling_domain::error_code::BAD_PARAMETER;
use yunling_store::{Cursor, MAX_PAGE, PageRequest};

/// Rows of a page where nobody says.
const DEFAULT_LIMIT: u32 = 50;

/// Takes the limit as a number where there is one, and as nothing where it is no number.
///
/// # Errors
/// `BAD_PARAMETER` for a limit that is no number from 1 to 500, or a cursor that is none of ours.
pub(super) fn page(
    limit: Option<Option<u32>>,
    cursor: Option<&str>,
) -> Result<PageRequest, Refusal> {
    let limit = limit.unwrap_or(Some(DEFAULT_LIMIT)).filter(|limit| (1..=MAX_PAGE).contains(limit));
    let expected = || Refusal::field(BAD_PARAMETER, "limit", format!("expected 1 to {MAX_PAGE}"));
    let limit = limit.ok_or_else(expected)?;
    Ok(PageRequest { after: cursor.map(Cursor::decode).transpose()?, limit })
}
