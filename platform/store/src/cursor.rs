//! Cursor paging: a page ends in an opaque cursor, which is the key of its last row.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use yunling_domain::Micros;

use crate::StoreError;

/// The longest page that is given.
pub const MAX_PAGE: u32 = 500;

/// The place after the last row of a page, in the order newest first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cursor {
    /// The row's instant.
    pub at: Micros,
    /// The row's key, which settles the order of rows of the same instant.
    pub id: String,
}

impl Cursor {
    /// As customers see it: base64url, to be handed back unchanged.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {}", self.at.0, self.id))
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`]: the caller's fault.
    pub fn decode(text: &str) -> Result<Self, StoreError> {
        URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|plain| {
                let (at, id) = plain.split_once(' ')?;
                Some(Self { at: Micros(at.parse().ok()?), id: id.to_owned() })
            })
            .ok_or(StoreError::BadCursor)
    }
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// After this place; the newest rows where absent.
    pub after: Option<Cursor>,
    /// At most this many rows: 1 to [`MAX_PAGE`], what is outside is taken as the nearer bound.
    pub limit: u32,
}

impl PageRequest {
    pub(crate) fn rows(&self) -> u64 {
        u64::from(self.limit.clamp(1, MAX_PAGE))
    }
}

/// One page of a list, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Cuts `rows`, which were read with one more than the page holds, so as to know whether
    /// another page follows.
    pub(crate) fn cut(mut rows: Vec<T>, request: &PageRequest, key: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(request.rows()).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(key) } else { None };
        Self { rows, next }
    }
}

/// Instants from (inclusive) and to (exclusive); an absent bound is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TimeRange {
    /// The first instant that belongs to the range.
    pub from: Option<Micros>,
    /// The first instant that does not.
    pub to: Option<Micros>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_out_and_back() {
        for (at, id) in
            [(0, ""), (-1, "x"), (1_790_000_000_000_000, "CA10000 with a space"), (7, "铃")]
        {
            let cursor = Cursor { at: Micros(at), id: id.to_owned() };
            assert_eq!(Cursor::decode(&cursor.encode()).ok(), Some(cursor));
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "!!!", "AAAA", "IA", "eHggeQ"] {
            assert!(matches!(Cursor::decode(text), Err(StoreError::BadCursor)), "{text}");
        }
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let key = |row: &i64| Cursor { at: Micros(*row), id: String::new() };
        let request = PageRequest { after: None, limit: 2 };
        assert_eq!(Page::cut(vec![3, 2], &request, key).next, None);
        let page = Page::cut(vec![3, 2, 1], &request, key);
        assert_eq!(page.rows, [3, 2]);
        assert_eq!(page.next, Some(Cursor { at: Micros(2), id: String::new() }));
    }
}
