//! Documents on their way to another machine: `apply --server` reads files, secrets and media where
//! it runs and sends the whole as one JSON object to the admin API. Secrets travel in the clear
//! inside it, as passwords do: over TLS or the local socket only.

use super::account::unfit_token;
use super::load::{MAX_MEDIA_BYTES, fields, sha256_hex};
use super::user::unfit_password;
use super::{
    AccountDoc, ApplicationDoc, CallerIdDoc, DocumentFile, MediaDoc, MediaName, Name, Origin,
    Resource, ResourceKind, RouteDoc, SecretName, Sid, TrunkDoc, UserDoc,
};
use crate::apply::Fields;
use crate::secrets::{Plain, WebhookSecret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFile {
    set: String,
    /// Absent in what an older release sends: then nothing is pruned.
    #[serde(default)]
    set_given: bool,
    resources: Vec<WireResource>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireResource {
    kind: ResourceKind,
    account: String,
    key: String,
    doc: Fields,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<(SecretName, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
    #[serde(default)]
    origin: Origin,
}

/// What came is no bundle; fault of the client that made it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct BundleError {
    /// Which part.
    pub at: String,
    /// What is wrong with it.
    pub problem: String,
}

impl DocumentFile {
    /// The form that travels.
    pub fn to_wire(&self) -> Value {
        let resources = self.resources.iter().map(|resource| WireResource {
            kind: resource.kind,
            account: resource.account.clone(),
            key: resource.key.clone(),
            doc: resource.doc.clone(),
            secrets: resource
                .secrets
                .iter()
                .map(|(name, secret)| (*name, secret.expose().to_owned()))
                .collect(),
            blob: resource.blob.as_ref().map(|bytes| BASE64.encode(bytes)),
            origin: resource.origin.clone(),
        });
        let file = WireFile {
            set: self.set.clone(),
            set_given: self.set_given,
            resources: resources.collect(),
        };
        serde_json::to_value(file).expect("texts, numbers and lists always become JSON")
    }

    /// Reads what travelled, and checks each document again: the sender may be of another release.
    ///
    /// # Errors
    /// [`BundleError`] for the first part that is wrong.
    pub fn from_wire(wire: Value) -> Result<Self, BundleError> {
        let whole = |error: serde_json::Error| BundleError {
            at: "document".into(),
            problem: error.to_string(),
        };
        let file: WireFile = serde_json::from_value(wire).map_err(whole)?;
        check_set(&file)?;
        let resources =
            file.resources.into_iter().map(WireResource::check).collect::<Result<_, _>>()?;
        Ok(Self { set: file.set, set_given: file.set_given, resources })
    }
}

/// A chosen set has a name's grammar, a default one is the base name of a file.
fn check_set(file: &WireFile) -> Result<(), BundleError> {
    let fits = if file.set_given {
        file.set.parse::<Name>().map(drop)
    } else {
        file.set.parse::<MediaName>().map(drop)
    };
    fits.map_err(|problem| BundleError { at: "set".into(), problem })
}

impl WireResource {
    /// The same checks as those of a file.
    fn check(self) -> Result<Resource, BundleError> {
        let at = format!("{} {}", self.kind, self.key);
        let wrong = |problem: String| BundleError { at: at.clone(), problem };
        let found = identify(self.kind, &self.doc, &self.secrets).map_err(wrong)?;
        if let Some(field) = self.doc.keys().find(|field| !found.doc.contains_key(*field)) {
            return Err(wrong(format!("doc.{field}: not a field of a document that travels")));
        }
        let is_sid = |text: &str| text.parse::<Sid>().is_ok();
        let account_fits = match self.kind {
            ResourceKind::Trunk | ResourceKind::Route => self.account.is_empty(),
            ResourceKind::Account => self.account == self.key,
            _ => is_sid(&self.account),
        };
        if !account_fits {
            return Err(wrong(format!("account: {:?} is not whose it is", self.account)));
        }
        let key_fits = match self.kind {
            ResourceKind::Media => self
                .key
                .split_once('/')
                .is_some_and(|(appid, name)| is_sid(appid) && name == found.name),
            _ => self.key == found.name,
        };
        if !key_fits {
            return Err(wrong(format!("key: the document is of {:?}", found.name)));
        }
        let blob = self.blob.as_deref().map(|text| blob(text, &found.doc)).transpose();
        let blob = blob.map_err(|problem| wrong(format!("blob: {problem}")))?;
        let mut secrets = Vec::new();
        for (name, secret) in self.secrets {
            let secret = Plain::new(secret);
            if secrets.iter().any(|(other, _)| *other == name) {
                return Err(wrong(format!("{}: given twice", name.as_str())));
            }
            if let Some(problem) = unfit_secret(self.kind, name, &secret) {
                return Err(wrong(format!("{}: {problem}", name.as_str())));
            }
            secrets.push((name, secret));
        }
        Ok(Resource {
            kind: self.kind,
            account: self.account,
            key: self.key,
            doc: found.doc,
            secrets,
            blob,
            origin: self.origin,
        })
    }
}

/// A document, read.
struct Found {
    /// By which its kind is named.
    name: String,
    /// Its fields, as a file of them would be stored.
    doc: Fields,
}

fn identify(
    kind: ResourceKind,
    doc: &Fields,
    secrets: &[(SecretName, String)],
) -> Result<Found, String> {
    fn parsed<T: DeserializeOwned>(doc: &Fields) -> Result<T, String> {
        T::deserialize(Value::Object(doc.clone())).map_err(|error| format!("doc: {error}"))
    }
    fn found(name: impl ToString, doc: &impl Serialize) -> Found {
        Found { name: name.to_string(), doc: fields(doc) }
    }
    Ok(match kind {
        ResourceKind::Trunk => {
            let trunk: TrunkDoc = parsed(doc)?;
            if let Some((field, problem)) = trunk.inconsistency(!secrets.is_empty()) {
                return Err(format!("{field}: {problem}"));
            }
            found(&trunk.name, &trunk)
        }
        ResourceKind::Route => {
            let route: RouteDoc = parsed(doc)?;
            if let Some((field, problem)) = route.inconsistency() {
                return Err(format!("{field}: {problem}"));
            }
            found(&route.prefix, &route)
        }
        ResourceKind::Account => {
            let account: AccountDoc = parsed(doc)?;
            found(&account.sid, &account)
        }
        ResourceKind::User => {
            let user: UserDoc = parsed(doc)?;
            found(&user.email, &user)
        }
        ResourceKind::Application => {
            let application: ApplicationDoc = parsed(doc)?;
            found(&application.sid, &application)
        }
        ResourceKind::CallerId => {
            let line: CallerIdDoc = parsed(doc)?;
            found(&line.number, &line)
        }
        ResourceKind::Media => {
            let media: MediaDoc = parsed(doc)?;
            let is_hash = media.sha256.len() == 64
                && media.sha256.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
            if !is_hash {
                return Err("doc.sha256: expected 64 hex digits".to_owned());
            }
            found(&media.name, &media)
        }
    })
}

fn unfit_secret(kind: ResourceKind, name: SecretName, secret: &Plain) -> Option<String> {
    match (kind, name) {
        (ResourceKind::Trunk, SecretName::Password) => None,
        (ResourceKind::Account, SecretName::Token) => unfit_token(secret),
        (ResourceKind::User, SecretName::Password) => unfit_password(secret),
        (ResourceKind::Application, SecretName::WebhookSecret) => {
            secret.expose().parse::<WebhookSecret>().err().map(|error| error.to_string())
        }
        _ => Some(format!("no secret of kind {kind}")),
    }
}

fn blob(text: &str, doc: &Fields) -> Result<Arc<[u8]>, String> {
    let bytes = BASE64.decode(text).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_MEDIA_BYTES {
        return Err(format!("{} bytes: expected at most {MAX_MEDIA_BYTES}", bytes.len()));
    }
    if doc.get("sha256").and_then(Value::as_str) != Some(sha256_hex(&bytes).as_str()) {
        return Err("the bytes are not those of sha256".to_owned());
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::documents::read;
    use serde_json::json;

    #[test]
    fn what_travelled_is_checked_as_a_file_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("prompt1.wav"), crate::fakes::tone_wav()).unwrap();
        let file = read("tenant.yaml", crate::fakes::TENANT, folder.path(), &|_| None).unwrap();
        let wire = file.to_wire();
        assert!(DocumentFile::from_wire(wire.clone()).is_ok());
        let place = |kind: &str| {
            let resources = wire["resources"].as_array().unwrap();
            let index = resources.iter().position(|resource| resource["kind"] == kind).unwrap();
            format!("/resources/{index}")
        };
        let cases = [
            ("", "/set", json!("a/b"), "set: "),
            ("account", "/secrets", json!([["token", "x"]]), "token: expected 16 to 256"),
            ("account", "/secrets", json!([["webhook_secret", "x"]]), "no secret of kind account"),
            ("account", "/key", json!("elsewhere"), "account: "),
            ("account", "/doc/token", json!("0123456789abcdef"), "doc.token: not a field"),
            ("user", "/secrets", json!([["password", "short"]]), "password: expected 8 to 256"),
            ("user", "/account", json!("no sid"), "account: "),
            ("application", "/secrets", json!([["webhook_secret", "x"]]), "expected whsec_"),
            ("application", "/key", json!("22"), "key: the document is of \"1111"),
            ("caller_id", "/doc/number", json!("010-80001009"), "key: the document is of"),
            ("caller_id", "/doc/trunk", json!("carrier-a"), "doc.trunk: not a field"),
            ("media", "/key", json!("11111111111111111111111111111111/x"), "key: "),
            ("media", "/doc/sha256", json!("00"), "doc.sha256: expected 64"),
            ("media", "/blob", json!("AAAA"), "blob: the bytes are not those"),
            ("trunk", "/doc/register", json!(true), "register: registering needs"),
            ("trunk", "/account", json!("a"), "account: "),
        ];
        for (kind, field, value, said) in cases {
            let mut forged = wire.clone();
            let at = if kind.is_empty() { String::new() } else { place(kind) };
            let (parent, name) = field.rsplit_once('/').unwrap();
            forged.pointer_mut(&format!("{at}{parent}")).unwrap()[name] = value;
            if kind.is_empty() {
                forged["set_given"] = json!(true);
            }
            let error = DocumentFile::from_wire(forged).unwrap_err().to_string();
            assert!(error.contains(said), "{kind}{field}: {error}");
        }
    }
}
