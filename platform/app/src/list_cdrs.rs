//! Call detail records of an account, one a conversation, newest first.

use crate::compose_cdr::{self, Sight};
use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal};
use yunling_domain::Micros;
use yunling_domain::cdr::CdrObject;
use yunling_domain::error_code::BAD_PARAMETER;
use yunling_store::cdrs::{self, CdrFilter, Part, SCANNED_ROWS};
use yunling_store::{Cursor, PageRequest};

/// A page of records.
#[derive(Debug, Clone)]
pub struct CdrPage {
    /// Newest first.
    pub records: Vec<CdrObject>,
    /// Where the next page begins; absent behind the last record.
    pub next: Option<Cursor>,
    /// A condition without an index left so many rows out that the page ended before it was full: the
    /// start of the oldest that was looked at.
    pub scanned_until: Option<Micros>,
}

/// One page of the records that the filter picks, without the first `skip` of them.
///
/// # Errors
/// `BAD_PARAMETER` for a page that lies too deep to be counted to.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    filter: &CdrFilter,
    page: &PageRequest,
    skip: u64,
) -> Result<CdrPage, Refusal> {
    if skip > SCANNED_ROWS {
        let expected = format!(
            "expected a page that ends within the first {SCANNED_ROWS} records; \
             nextCursor leads on to any depth"
        );
        return Err(Refusal::field(BAD_PARAMETER, "pageNo", expected));
    }
    let sight = Sight::of(caller);
    let filter = CdrFilter { masked_numbers: !sight.numbers, ..filter.clone() };
    let part = Part {
        after: page.after.as_ref(),
        limit: page.limit.into(),
        skip,
        scanned_rows: SCANNED_ROWS,
    };
    let found = cdrs::find(app.store().reader(), caller.account(), &filter, &part).await?;
    let records = compose_cdr::run(app, caller.account(), sight, &found.rows).await?;
    Ok(CdrPage { records, next: found.next, scanned_until: found.scanned_until })
}
