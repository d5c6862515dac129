//! CSV files as answers: written stretch by stretch while they go out, so that a long one holds no
//! memory.

use std::io;

use futures_util::stream::unfold;
use poem::Body;
use poem_openapi::ApiResponse;
use poem_openapi::payload::Binary;
use yunling_app::Refusal;
use yunling_app::campaigns::report::Stretch;

use super::Problem;

/// What makes spreadsheets read UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

#[derive(ApiResponse)]
pub(super) enum CsvFile {
    /// A CSV file in UTF-8, with a head.
    #[oai(status = 200, content_type = "text/csv; charset=utf-8")]
    File(
        Binary<Body>,
        /// That it is to be saved, not shown.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

fn disposition(name: &str) -> String {
    format!("attachment; filename=\"{name}\"")
}

impl CsvFile {
    /// A short one.
    pub(super) fn whole(name: &str, text: &str) -> Self {
        Self::File(Binary(Body::from(format!("{BYTE_ORDER_MARK}{text}"))), disposition(name))
    }

    /// A long one. `next` writes the stretch behind a row; the first one, with the head, where there
    /// is none. One that fails later than at the first breaks the connection off, so that half a file
    /// is not taken for a whole one.
    ///
    /// # Errors
    /// That of the first stretch.
    pub(super) async fn stretched<N, F>(name: &str, next: N) -> Result<Self, Problem>
    where
        N: Fn(Option<u32>) -> F + Send + 'static,
        F: Future<Output = Result<Stretch, Refusal>> + Send + 'static,
    {
        let first = next(None).await?;
        let text = format!("{BYTE_ORDER_MARK}{}", first.text);
        let state = (Some(Stretch { text, ..first }), next);
        let stretches = unfold(state, |(stretch, next)| async move {
            let stretch = stretch?;
            let Some(after) = stretch.after else {
                return Some((Ok(stretch.text), (None, next)));
            };
            match next(Some(after)).await {
                Ok(following) => Some((Ok(stretch.text), (Some(following), next))),
                Err(refusal) => {
                    tracing::warn!(%refusal, "a file broke off");
                    Some((Err(io::Error::other("the file broke off")), (None, next)))
                }
            }
        });
        Ok(Self::File(Binary(Body::from_bytes_stream(stretches)), disposition(name)))
    }
}
