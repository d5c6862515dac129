//! `/{SoftVersion}` before a voice path (RESOLUTIONS, SoftVersion): taken off before the routes are
//! looked at, so that the description lists each operation once.

use poem::http::Uri;
use poem::http::uri::PathAndQuery;
use poem::{Endpoint, FromRequest, Middleware, Request, RequestBody, Result};

use super::ctc;

/// The longest version.
const MAX_BYTES: usize = 16;

/// The SoftVersion of a request's path; empty where there was none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SoftVersion(pub(super) String);

impl<'a> FromRequest<'a> for SoftVersion {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(request.data::<Self>().cloned().unwrap_or_default())
    }
}

/// Takes the version off the path and keeps it with the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct StripSoftVersion;

impl<E: Endpoint> Middleware<E> for StripSoftVersion {
    type Output = Stripping<E>;

    fn transform(&self, inner: E) -> Stripping<E> {
        Stripping(inner)
    }
}

pub(super) struct Stripping<E>(E);

impl<E: Endpoint> Endpoint for Stripping<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<E::Output> {
        if let Some((version, uri)) = stripped(request.uri()) {
            *request.uri_mut() = uri;
            request.extensions_mut().insert(SoftVersion(version));
        }
        self.0.call(request).await
    }
}

/// Whether an address is of the published surface, behind a version or not.
pub(super) fn is_published(uri: &Uri) -> bool {
    uri.path().starts_with("/Accounts/") || stripped(uri).is_some()
}

/// Whether an address is of click-to-call, behind a version or not.
pub(super) fn is_click_to_call(uri: &Uri) -> bool {
    match stripped(uri) {
        Some((_, plain)) => ctc::place(plain.path()).is_some(),
        None => ctc::place(uri.path()).is_some(),
    }
}

/// The version and the address without it.
fn stripped(uri: &Uri) -> Option<(String, Uri)> {
    let (version, rest) = uri.path().strip_prefix('/')?.split_once('/')?;
    // An account may be called `Accounts`; a version before it may not.
    if version == "Accounts" || !is_version(version) || !rest.starts_with("Accounts/") {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("/{rest}{query}")).ok()?);
    Some((version.to_owned(), Uri::from_parts(parts).ok()?))
}

fn is_version(text: &str) -> bool {
    (1..=MAX_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_taken_off_before_an_account_only() {
        let cases = [
            ("/v1/Accounts/a/VoiceNotices", Some(("v1", "/Accounts/a/VoiceNotices"))),
            ("/2013-12-26/Accounts/a/Calls?to=1", Some(("2013-12-26", "/Accounts/a/Calls?to=1"))),
            ("/v1._-/Accounts/", Some(("v1._-", "/Accounts/"))),
            ("/0123456789abcdef/Accounts/a", Some(("0123456789abcdef", "/Accounts/a"))),
            ("/0123456789abcdefg/Accounts/a", None),
            ("/v%31/Accounts/a", None),
            ("/Accounts/a/VoiceNotices", None),
            ("/Accounts/Accounts/VoiceNotices", None),
            ("/v1/accounts/a", None),
            ("/v1/Accounts", None),
            ("//Accounts/a", None),
            ("/api/v1/calls", None),
            ("/", None),
        ];
        for (from, expected) in cases {
            let uri: Uri = from.parse().expect("a sound path");
            let found = stripped(&uri).map(|(version, uri)| (version, uri.to_string()));
            let expected = expected.map(|(version, uri)| (version.to_owned(), uri.to_owned()));
            assert_eq!(found, expected, "{from}");
        }
    }
}
