//! RFC 7617 Basic authorization of the published surface (RESOLUTIONS.md, "authorization"):
//! `AccountSid:AccountToken`, where an API key may stand in the token's place.

use super::{Principal, Scopes};
use crate::directory::{CredentialKind, Directory};
use crate::secrets::Plain;
use crate::{App, Refusal};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use yunling_domain::error_code::{ACCOUNT_MISMATCH, ACCOUNT_SUSPENDED, UNAUTHORIZED};

/// A header may be this long; ours have about a hundred characters.
const MAX_HEADER_BYTES: usize = 2_048;

/// Base64 whose padding may be missing, as some customers' code writes it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why nobody was authenticated. Every one of them is `-1` on the published surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// No `Authorization` header.
    #[error("the Authorization header is missing: expected Basic Base64(AccountSid:AccountToken)")]
    Missing,
    /// Not Basic, not Base64, or no colon in it.
    #[error("the Authorization header is not Basic Base64(AccountSid:AccountToken)")]
    Malformed,
    /// No such account, or not its token. Which of the two is not told.
    #[error("account and token do not match")]
    Unknown,
    /// The path names another account.
    #[error("the account in the path is not the one in the Authorization header")]
    OtherAccount,
    /// The account is suspended.
    #[error("the account is suspended")]
    Suspended,
}

impl From<AuthFailure> for Refusal {
    fn from(failure: AuthFailure) -> Self {
        let code = match failure {
            AuthFailure::Missing | AuthFailure::Malformed | AuthFailure::Unknown => UNAUTHORIZED,
            AuthFailure::OtherAccount => ACCOUNT_MISMATCH,
            AuthFailure::Suspended => ACCOUNT_SUSPENDED,
        };
        Self::new(code).with_detail(failure.to_string())
    }
}

/// Who sent this `Authorization` header, for this account of the path.
///
/// # Errors
/// [`AuthFailure`].
pub fn authenticate_basic(
    app: &App,
    header: Option<&str>,
    path_account: &str,
) -> Result<Principal, AuthFailure> {
    let (user, token) = user_and_token(header.ok_or(AuthFailure::Missing)?)?;
    check(app, &app.directory(), &user, &token, path_account)
}

/// Spaces are trimmed round the scheme and both halves; the scheme's case does not matter.
fn user_and_token(header: &str) -> Result<(String, Plain), AuthFailure> {
    let header = header.trim();
    if header.len() > MAX_HEADER_BYTES {
        return Err(AuthFailure::Malformed);
    }
    let (scheme, digits) = header.split_once(char::is_whitespace).ok_or(AuthFailure::Malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(AuthFailure::Malformed);
    }
    let bytes = BASE64.decode(digits.trim()).map_err(|_| AuthFailure::Malformed)?;
    let text = String::from_utf8(bytes).map_err(|_| AuthFailure::Malformed)?;
    let (user, token) = text.split_once(':').ok_or(AuthFailure::Malformed)?;
    Ok((user.trim().to_owned(), Plain::new(token.trim())))
}

fn check(
    app: &App,
    directory: &Directory,
    user: &str,
    token: &Plain,
    path_account: &str,
) -> Result<Principal, AuthFailure> {
    let credential = app
        .keyring()
        .hashes_of(token)
        .find_map(|hash| directory.credential(&hash))
        .filter(|credential| credential.account.as_str() == user)
        .ok_or(AuthFailure::Unknown)?;
    if path_account != user {
        return Err(AuthFailure::OtherAccount);
    }
    let account = directory.account(&credential.account).ok_or(AuthFailure::Unknown)?;
    if account.suspended {
        return Err(AuthFailure::Suspended);
    }
    let scopes = match &credential.kind {
        CredentialKind::Token => Scopes::All,
        CredentialKind::ApiKey(scopes) => Scopes::Only(scopes.clone()),
    };
    Ok(Principal { account: account.id.clone(), credential: credential.id.clone(), scopes })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::{ACCOUNT, TENANT, TOKEN, World};
    use crate::principal::{ManageKeys, Operator, ReadCalls, Scope, SendNotices};
    use crate::{mint_api_key, revoke_api_key};
    use yunling_domain::AccountId;

    #[test]
    fn headers_are_read_as_generously_as_the_misprints_need() {
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let plain = encode("sid:token");
        let cases = [
            format!("Basic {plain}"),
            format!("basic {plain}"),
            format!("  BASIC   {plain}  "),
            format!("Basic {}", encode(" sid : token ")),
            format!("Basic {}", encode("sid:token ").trim_end_matches('=')),
        ];
        for header in &cases {
            let read = user_and_token(header);
            assert_eq!(read, Ok(("sid".to_owned(), Plain::new("token"))), "{header:?}");
        }
        assert_eq!(
            user_and_token(&format!("Basic {}", encode("sid:a:b"))),
            Ok(("sid".into(), Plain::new("a:b")))
        );
        let refused = [
            "",
            "Basic",
            "Basic ",
            "Bearer abc",
            "Basic ???",
            &plain,
            &format!("Basic {}", encode("sid")),
        ];
        for header in refused {
            assert_eq!(user_and_token(header), Err(AuthFailure::Malformed), "{header:?}");
        }
    }

    fn header(user: &str, token: &str) -> String {
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(format!("{user}:{token}"))
        )
    }

    #[tokio::test]
    async fn only_an_accounts_own_credentials_open_it() {
        let world = World::open().await;
        let token = |user: &str, token: &str, path: &str| {
            authenticate_basic(&world.app, Some(&header(user, token)), path)
                .map(|principal| principal.scopes)
        };
        assert_eq!(token(ACCOUNT, TOKEN, ACCOUNT), Ok(Scopes::All));
        assert_eq!(token(ACCOUNT, TOKEN, "other"), Err(AuthFailure::OtherAccount));
        assert_eq!(token("other", TOKEN, "other"), Err(AuthFailure::Unknown));
        assert_eq!(token(ACCOUNT, "", ACCOUNT), Err(AuthFailure::Unknown));
        assert_eq!(token("nobody", TOKEN, "nobody"), Err(AuthFailure::Unknown));
        assert_eq!(authenticate_basic(&world.app, None, ACCOUNT), Err(AuthFailure::Missing));

        let suspended = TENANT.replace("    name: Demo", "    name: Demo\n    status: suspended");
        world.apply(&suspended).await.unwrap();
        assert_eq!(token(ACCOUNT, TOKEN, ACCOUNT), Err(AuthFailure::Suspended));
    }

    #[tokio::test]
    async fn an_api_key_may_do_what_its_scopes_say_until_it_is_revoked() {
        let world = World::open().await;
        let scopes = [Scope::SendNotices].into();
        let minted = mint_api_key::run(&world.app, &world.caller(), "ci", &scopes).await.unwrap();
        let login = header(ACCOUNT, minted.key.expose());
        let principal = authenticate_basic(&world.app, Some(&login), ACCOUNT).unwrap();
        assert!(principal.grant::<SendNotices>().is_ok());
        let refusal = principal.grant::<ReadCalls>().unwrap_err();
        assert_eq!(refusal.code.name, "scope_missing");
        let foreign = header("other", minted.key.expose());
        assert_eq!(
            authenticate_basic(&world.app, Some(&foreign), "other"),
            Err(AuthFailure::Unknown)
        );

        revoke_api_key::run(&world.app, &world.caller(), &minted.id).await.unwrap();
        assert_eq!(
            authenticate_basic(&world.app, Some(&login), ACCOUNT),
            Err(AuthFailure::Unknown)
        );
        let other = Operator::proven("test").in_account::<ManageKeys>(AccountId::new("other"));
        let refusal = revoke_api_key::run(&world.app, &other, &minted.id).await.unwrap_err();
        assert_eq!(refusal.code.name, "not_found");
    }
}
