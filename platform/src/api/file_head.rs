//! Status and headers of a file that is given whole or in part (RFC 9110 §14).

use poem::Response;
use poem::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
};
use poem::http::{HeaderValue, StatusCode};

/// A file on its way out.
pub(super) struct FileHead<'a> {
    /// Its name, for whoever saves it.
    pub(super) name: &'a str,
    /// Its media type.
    pub(super) media_type: &'static str,
    /// `inline` is shown or played where it can be, `attachment` saved.
    pub(super) disposition: &'static str,
    /// The whole file's length.
    pub(super) whole: u64,
    /// The first and the last byte of what is sent, where only a part was asked for.
    pub(super) part: Option<(u64, u64)>,
    /// How many bytes are sent.
    pub(super) length: u64,
}

impl FileHead<'_> {
    /// The answer without a byte of the file.
    pub(super) fn response(&self) -> Response {
        let status = match self.part {
            Some(_) => StatusCode::PARTIAL_CONTENT,
            None => StatusCode::OK,
        };
        let mut response =
            Response::builder().status(status).content_type(self.media_type).finish();
        let headers = response.headers_mut();
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(CONTENT_LENGTH, self.length.into());
        // These files never change, and they are nobody else's.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
        if let Some((first, last)) = self.part {
            let range = format!("bytes {first}-{last}/{}", self.whole);
            headers.insert(CONTENT_RANGE, HeaderValue::try_from(range).expect("digits are ASCII"));
        }
        let disposition = format!("{}; filename=\"{}\"", self.disposition, self.name);
        if let Ok(disposition) = HeaderValue::try_from(disposition) {
            headers.insert(CONTENT_DISPOSITION, disposition);
        }
        response
    }
}
