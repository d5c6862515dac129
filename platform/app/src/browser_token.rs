//! Browser tokens: what a web page dials with, so that no AccountToken ever stands in a page. The
//! customer's back end mints them; they say what they allow, are signed and not stored, and die with
//! the credential that minted them: revoke that API key, or rotate the account's token.

use crate::field_text::{bad, number, parameter};
use crate::principal::{AuthFailure, Dial, Granted, Page, Principal, Scope, Scopes};
use crate::{App, Refusal};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use yunling_domain::click_parameter::user_data;
use yunling_domain::error_code::{
    ACCOUNT_MISMATCH, INTERNAL, SCOPE_MISSING, TOKEN_EXPIRED, UNAUTHORIZED, UNKNOWN_APPLICATION,
};
use yunling_domain::{AccountId, ApplicationId, Micros};

/// What every browser token begins with, so that people and secret scanners know one.
pub const PREFIX: &str = "ylb_";
/// How long a token holds where nobody says, seconds.
pub const USUAL_TTL_S: u32 = 600;
/// The longest that one may hold, seconds.
pub const MAX_TTL_S: u32 = 3_600;
/// The longest subject, in characters.
const MAX_SUBJECT_CHARS: usize = 64;
/// Ours have some three hundred characters.
const MAX_BYTES: usize = 2_048;
/// What the signing key is for.
const PURPOSE: &str = "browser tokens";

/// What a token is to allow.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Whom it is for, such as an agent's number in the customer's own system: conversations of one
    /// subject can be seen with each of its tokens. Absent: nobody else's.
    pub subject: Option<String>,
    /// The only number that the page may call from.
    pub caller: Option<String>,
    /// The `userData` of what it dials.
    pub user_data: Option<String>,
    /// How long it holds, seconds.
    pub ttl_s: Option<u32>,
}

/// A fresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    /// The token.
    pub token: String,
    /// Whom it is for.
    pub subject: String,
    /// Until when it holds.
    pub expires_at: Micros,
}

/// What stands in a token. Short names: it travels with every request.
#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(rename = "a")]
    account: String,
    #[serde(rename = "p")]
    application: String,
    #[serde(rename = "k")]
    credential: String,
    #[serde(rename = "s")]
    subject: String,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    user_data: Option<String>,
    /// Seconds since 1970.
    #[serde(rename = "e")]
    expires_s: i64,
}

/// Mints a token for one application.
///
/// # Errors
/// `UNKNOWN_APPLICATION`; `BAD_PARAMETER`, `BAD_NUMBER` for what is wished; `SCOPE_MISSING` for the
/// platform's operator, whose tokens nobody could revoke.
pub fn mint(
    app: &App,
    caller: &Granted<Dial>,
    application: &ApplicationId,
    wish: &Wish,
) -> Result<Minted, Refusal> {
    let directory = app.directory();
    if directory.application(caller.account(), application).is_none() {
        return Err(Refusal::new(UNKNOWN_APPLICATION));
    }
    let credential = caller.credential().ok_or_else(|| {
        Refusal::new(SCOPE_MISSING).with_detail("expected the account's token or an API key of it")
    })?;
    let ttl_s = wish.ttl_s.unwrap_or(USUAL_TTL_S);
    if !(1..=MAX_TTL_S).contains(&ttl_s) {
        return Err(bad("ttlS", format!("expected 1 to {MAX_TTL_S}, found {ttl_s}")));
    }
    let from = wish.caller.as_deref().map(|text| number("caller", text)).transpose()?;
    let user_data = wish.user_data.as_deref().map(user_data).transpose().map_err(parameter)?;
    let subject = match &wish.subject {
        Some(subject) => sound_subject(subject)?,
        None => {
            let mut bytes = [0; 16];
            app.random().fill(&mut bytes);
            hex::encode(bytes)
        }
    };
    let expires_at = app.clock().now().plus_ms(i64::from(ttl_s) * 1_000);
    let claims = Claims {
        account: caller.account().to_string(),
        application: application.to_string(),
        credential: credential.to_owned(),
        subject: subject.clone(),
        caller: from.map(|number| number.stored()),
        user_data: user_data.map(str::to_owned),
        expires_s: expires_at.second(),
    };
    let claims = serde_json::to_vec(&claims).map_err(|error| {
        tracing::error!(%error, "a browser token's claims are no JSON");
        Refusal::new(INTERNAL)
    })?;
    let body = URL_SAFE_NO_PAD.encode(claims);
    let mark = URL_SAFE_NO_PAD.encode(hmac::sign(&key(app), body.as_bytes()));
    Ok(Minted { token: format!("{PREFIX}{body}.{mark}"), subject, expires_at })
}

fn sound_subject(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let chars = text.chars().count();
    if (1..=MAX_SUBJECT_CHARS).contains(&chars) && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(bad("subject", format!("expected 1 to {MAX_SUBJECT_CHARS} printable characters")))
    }
}

/// Who shows this token, for this account and application of the path.
///
/// # Errors
/// `UNAUTHORIZED`: it is none of ours, or its credential is not valid any more; `TOKEN_EXPIRED`;
/// `ACCOUNT_MISMATCH`: it is another account's; `SCOPE_MISSING`: another application's;
/// `ACCOUNT_SUSPENDED`.
pub fn check(
    app: &App,
    token: &str,
    path_account: &str,
    path_application: &str,
) -> Result<(Principal, Page), Refusal> {
    let unknown =
        || Refusal::new(UNAUTHORIZED).with_detail("the browser token is not valid (any more)");
    let claims = read(app, token).ok_or_else(unknown)?;
    if app.clock().now().second() >= claims.expires_s {
        return Err(Refusal::new(TOKEN_EXPIRED));
    }
    let (directory, id) = (app.directory(), AccountId::new(claims.account));
    if !directory.has_credential(&id, &claims.credential) {
        return Err(unknown());
    }
    let account = directory.account(&id).ok_or_else(unknown)?;
    if path_account != id.as_str() {
        return Err(Refusal::new(ACCOUNT_MISMATCH)
            .with_detail("the account in the path is not the browser token's"));
    }
    if account.suspended {
        return Err(AuthFailure::Suspended.into());
    }
    if path_application != claims.application {
        return Err(
            Refusal::new(SCOPE_MISSING).with_detail("the browser token is for another application")
        );
    }
    let principal = Principal {
        account: id,
        credential: format!("{}, browser token of {}", claims.credential, claims.subject).into(),
        scopes: Scopes::Only([Scope::Dial, Scope::ReadCalls].into()),
    };
    let page = Page {
        application: ApplicationId::new(claims.application),
        subject: claims.subject,
        credential: claims.credential,
        expires_at: Micros(claims.expires_s.saturating_mul(1_000_000)),
        caller: claims.caller,
        user_data: claims.user_data,
    };
    Ok((principal, page))
}

fn read(app: &App, token: &str) -> Option<Claims> {
    let (body, mark) = token.strip_prefix(PREFIX)?.split_once('.')?;
    if token.len() > MAX_BYTES {
        return None;
    }
    let mark = URL_SAFE_NO_PAD.decode(mark).ok()?;
    // In constant time.
    hmac::verify(&key(app), body.as_bytes(), &mark).ok()?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

fn key(app: &App) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &app.keyring().derive(PURPOSE))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::{ACCOUNT, APPID, World};
    use crate::principal::{ManageKeys, authenticate_basic};
    use crate::{mint_api_key, revoke_api_key};
    use yunling_domain::error_code::{BAD_NUMBER, BAD_PARAMETER};

    fn of_key(world: &World, key: &str) -> Granted<Dial> {
        let login = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT}:{key}"));
        let header = format!("Basic {login}");
        authenticate_basic(&world.app, Some(&header), ACCOUNT).unwrap().grant::<Dial>().unwrap()
    }

    #[tokio::test]
    async fn a_token_allows_what_it_says_until_its_time_or_its_credential_is_gone() {
        let world = World::open().await;
        let manager: Granted<ManageKeys> = world.caller();
        let scopes = [Scope::Dial].into();
        let key = mint_api_key::run(&world.app, &manager, "crm", &scopes).await.unwrap();
        let caller = of_key(&world, key.key.expose());
        let application = ApplicationId::new(APPID);
        let wish = Wish {
            subject: Some("agent 7".into()),
            caller: Some("138 0010 0001".into()),
            user_data: Some("order 9".into()),
            ttl_s: Some(60),
        };
        let minted = mint(&world.app, &caller, &application, &wish).unwrap();
        assert!(minted.token.starts_with(PREFIX) && minted.token.len() < 500, "{minted:?}");

        let check = |token: &str| check(&world.app, token, ACCOUNT, APPID);
        let (principal, page) = check(&minted.token).unwrap();
        assert_eq!(page.subject, "agent 7");
        assert_eq!(page.caller.as_deref(), Some("+8613800100001"));
        assert_eq!(page.user_data.as_deref(), Some("order 9"));
        assert!(principal.grant::<Dial>().is_ok());
        assert!(principal.grant::<ManageKeys>().is_err());

        let mut tampered = minted.token.clone();
        tampered.replace_range(10..11, if &tampered[10..11] == "A" { "B" } else { "A" });
        for token in [tampered.as_str(), "", PREFIX, "ylb_a.b", &minted.token[4..]] {
            assert_eq!(check(token).unwrap_err().code, UNAUTHORIZED, "{token}");
        }
        let elsewhere = super::check(&world.app, &minted.token, "other", APPID).unwrap_err();
        assert_eq!(elsewhere.code, ACCOUNT_MISMATCH);
        let elsewhere = super::check(&world.app, &minted.token, ACCOUNT, "22").unwrap_err();
        assert_eq!(elsewhere.code, SCOPE_MISSING);

        world.clock.advance_ms(59_999);
        assert!(check(&minted.token).is_ok());
        world.clock.advance_ms(1_000);
        assert_eq!(check(&minted.token).unwrap_err().code, TOKEN_EXPIRED);

        let fresh = mint(&world.app, &caller, &application, &Wish::default()).unwrap();
        let other = mint(&world.app, &caller, &application, &Wish::default()).unwrap();
        assert_ne!(fresh.subject, other.subject, "nobody else's conversations");
        revoke_api_key::run(&world.app, &manager, &key.id).await.unwrap();
        assert_eq!(check(&fresh.token).unwrap_err().code, UNAUTHORIZED);
    }

    #[tokio::test]
    async fn wishes_that_cannot_be_are_refused_by_their_field() {
        let world = World::open().await;
        let manager: Granted<ManageKeys> = world.caller();
        let scopes = [Scope::Dial].into();
        let key = mint_api_key::run(&world.app, &manager, "crm", &scopes).await.unwrap();
        let caller = of_key(&world, key.key.expose());
        let application = ApplicationId::new(APPID);
        let cases = [
            (Wish { ttl_s: Some(0), ..Wish::default() }, "ttlS", BAD_PARAMETER),
            (Wish { ttl_s: Some(3_601), ..Wish::default() }, "ttlS", BAD_PARAMETER),
            (Wish { caller: Some("1".into()), ..Wish::default() }, "caller", BAD_NUMBER),
            (Wish { subject: Some(" ".into()), ..Wish::default() }, "subject", BAD_PARAMETER),
            (
                Wish { user_data: Some("x".repeat(257)), ..Wish::default() },
                "userData",
                BAD_PARAMETER,
            ),
        ];
        for (wish, field, code) in cases {
            let refusal = mint(&world.app, &caller, &application, &wish).unwrap_err();
            assert_eq!((refusal.field.as_deref(), refusal.code), (Some(field), code));
        }
        let nowhere = ApplicationId::new("no");
        let refusal = mint(&world.app, &caller, &nowhere, &Wish::default()).unwrap_err();
        assert_eq!(refusal.code, UNKNOWN_APPLICATION);
        let operator = world.caller::<Dial>();
        let refusal = mint(&world.app, &operator, &application, &Wish::default()).unwrap_err();
        assert_eq!(refusal.code, SCOPE_MISSING);
    }
}
