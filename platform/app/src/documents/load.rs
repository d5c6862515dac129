//! From files to resources: read, check, look up secrets and media beside the file, and take every
//! resource apart from its children. Everything that is wrong in a file is told at once.

use super::account::unfit_token;
use super::initial::{Initial, Surroundings};
use super::resource::ResourceId;
use super::user::unfit_password;
use super::{
    AccountDoc, ApplicationDoc, Authorities, CallerIdDoc, MediaDoc, Name, Origin, Resource,
    ResourceKind, RouteDoc, SecretName, TlsDoc, TrunkDoc, UserDoc,
};
use crate::apply::Fields;
use crate::secrets::{Plain, WebhookSecret};
use crate::yaml::{self, FieldPath, FileError, FileErrors, Parsed};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest media file that is taken, bytes.
pub(super) const MAX_MEDIA_BYTES: u64 = 32 * 1024 * 1024;

/// One file's resources.
#[derive(Debug, Clone)]
pub struct DocumentFile {
    /// The set that its resources belong to: `set:` in the file, else the file's own name. It owns
    /// what it applied, and prunes only that.
    pub set: String,
    /// Whether the file says `set:` itself. Two files of one name in two folders have one default
    /// set, so only a set that somebody chose is pruned.
    pub set_given: bool,
    /// What it holds, in the order of the file.
    pub resources: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantFile {
    set: Option<Parsed<Name>>,
    #[serde(default)]
    trunks: Vec<TrunkDoc>,
    #[serde(default)]
    routes: Vec<RouteDoc>,
    #[serde(default)]
    accounts: Vec<AccountDoc>,
}

/// Reads files from the disk, their secrets and media from beside them, `…_env` from the process's
/// environment.
///
/// # Errors
/// Everything that is wrong in any of them.
pub fn load(files: &[PathBuf]) -> Result<Vec<DocumentFile>, FileErrors> {
    let env = |name: &str| std::env::var(name).ok();
    let (mut read_well, mut errors) = (Vec::new(), FileErrors::default());
    for file in files {
        let shown = file.display().to_string();
        let folder = file.parent().unwrap_or(Path::new("."));
        let outcome = match std::fs::read_to_string(file) {
            Ok(text) => read(&shown, &text, folder, &env),
            Err(error) => {
                Err(FileErrors::one(FileError::whole(&shown, format!("cannot be read: {error}"))))
            }
        };
        match outcome {
            Ok(document) => read_well.push(document),
            Err(more) => errors.extend(more),
        }
    }
    if errors.is_empty() { Ok(read_well) } else { Err(errors) }
}

/// Reads one text that stands for `file` in `folder`.
///
/// # Errors
/// Everything that is wrong in it.
pub fn read(
    file: &str,
    text: &str,
    folder: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<DocumentFile, FileErrors> {
    let tenant: TenantFile = yaml::parse(file, text).map_err(FileErrors::one)?;
    let set = match &tenant.set {
        Some(set) => set.to_string(),
        None => Path::new(file)
            .file_name()
            .map_or_else(|| file.to_owned(), |name| name.to_string_lossy().into_owned()),
    };
    let mut taking = Taking {
        file,
        text,
        around: Surroundings { folder, env },
        resources: Vec::new(),
        seen: HashMap::new(),
        errors: FileErrors::default(),
    };
    for (index, trunk) in tenant.trunks.iter().enumerate() {
        taking.trunk(&FieldPath::root().key("trunks").index(index), trunk);
    }
    for (index, route) in tenant.routes.iter().enumerate() {
        taking.route(&FieldPath::root().key("routes").index(index), route);
    }
    for (index, account) in tenant.accounts.iter().enumerate() {
        taking.account(&FieldPath::root().key("accounts").index(index), account);
    }
    if taking.errors.is_empty() {
        Ok(DocumentFile { set, set_given: tenant.set.is_some(), resources: taking.resources })
    } else {
        Err(taking.errors)
    }
}

struct Taking<'a> {
    file: &'a str,
    text: &'a str,
    around: Surroundings<'a>,
    resources: Vec<Resource>,
    seen: HashMap<ResourceId, FieldPath>,
    errors: FileErrors,
}

impl Taking<'_> {
    fn trunk(&mut self, at: &FieldPath, trunk: &TrunkDoc) {
        let password = self.secret(at, trunk.password(), |_| None);
        if let Some((field, problem)) = trunk.inconsistency(password.is_some()) {
            self.wrong(&at.key(field), problem);
        }
        let secrets = password.map(|secret| (SecretName::Password, secret)).into_iter().collect();
        let mut whole = trunk.clone();
        if let Some(tls) = &mut whole.tls {
            self.authorities(&at.key("tls"), tls);
        }
        self.take(
            at,
            "name",
            (ResourceKind::Trunk, "", trunk.name.as_str()),
            fields(&whole),
            secrets,
        );
    }

    /// Puts the authorities' certificates into the document itself, wherever they come from.
    fn authorities(&mut self, at: &FieldPath, tls: &mut TlsDoc) {
        let in_place = tls.ca.as_ref().map(|ca| Plain::new(ca.as_str()));
        let found = self.secret(at, tls.authorities(in_place.as_ref()), |text| {
            text.expose().parse::<Authorities>().err()
        });
        tls.ca = found.and_then(|text| text.expose().parse().ok()).map(Parsed);
    }

    fn route(&mut self, at: &FieldPath, route: &RouteDoc) {
        if let Some((field, problem)) = route.inconsistency() {
            self.wrong(&at.key(field), problem);
        }
        let prefix = route.prefix.to_string();
        self.take(at, "prefix", (ResourceKind::Route, "", &prefix), fields(route), Vec::new());
    }

    fn account(&mut self, at: &FieldPath, account: &AccountDoc) {
        let sid = account.sid.as_str();
        let token = self.secret(at, account.token(), unfit_token);
        let secrets = token.map(|secret| (SecretName::Token, secret)).into_iter().collect();
        self.take(at, "sid", (ResourceKind::Account, sid, sid), fields(account), secrets);
        for (index, user) in account.users.iter().enumerate() {
            self.user(&at.key("users").index(index), sid, user);
        }
        for (index, application) in account.applications.iter().enumerate() {
            self.application(&at.key("applications").index(index), sid, application);
        }
        for (index, line) in account.caller_ids.iter().enumerate() {
            self.caller_id(&at.key("caller_ids").index(index), sid, index, line);
        }
    }

    fn user(&mut self, at: &FieldPath, account: &str, user: &UserDoc) {
        let password = self.secret(at, user.password(), unfit_password);
        let secrets = password.map(|secret| (SecretName::Password, secret)).into_iter().collect();
        self.take(
            at,
            "email",
            (ResourceKind::User, account, user.email.as_str()),
            fields(user),
            secrets,
        );
    }

    fn application(&mut self, at: &FieldPath, account: &str, application: &ApplicationDoc) {
        let sid = application.sid.as_str();
        let secret = self.secret(at, application.webhook_secret(), |secret| {
            secret.expose().parse::<WebhookSecret>().err().map(|error| error.to_string())
        });
        let secrets =
            secret.map(|secret| (SecretName::WebhookSecret, secret)).into_iter().collect();
        self.take(
            at,
            "sid",
            (ResourceKind::Application, account, sid),
            fields(application),
            secrets,
        );
        for (index, media) in application.media.iter().enumerate() {
            let at = at.key("media").index(index);
            let Some(bytes) = self.media_bytes(&at.key("file"), &media.file) else {
                continue;
            };
            let doc = MediaDoc {
                name: media.name.clone(),
                sha256: sha256_hex(&bytes),
                // What is so anyway is not said, or it would be a difference.
                normalise: media.normalise.filter(|normalise| !normalise),
            };
            let key = format!("{sid}/{}", media.name.as_str());
            if self.take(
                &at,
                "name",
                (ResourceKind::Media, account, &key),
                fields(&doc),
                Vec::new(),
            ) {
                self.resources.last_mut().expect("just taken").blob = Some(bytes);
            }
        }
    }

    fn caller_id(&mut self, at: &FieldPath, account: &str, position: usize, line: &CallerIdDoc) {
        let mut whole = line.clone();
        whole.position = u32::try_from(position).unwrap_or(u32::MAX);
        match (whole.trunk.take(), whole.trunks.is_empty()) {
            (Some(trunk), true) => whole.trunks.push(trunk),
            (Some(_), false) => {
                self.wrong(&at.key("trunk"), "expected only one of trunk and trunks")
            }
            (None, _) => {}
        }
        let key = line.number.to_string();
        self.take(
            at,
            "number",
            (ResourceKind::CallerId, account, &key),
            fields(&whole),
            Vec::new(),
        );
    }

    /// Keeps a resource, unless the file has it already. Says whether it was kept.
    fn take(
        &mut self,
        at: &FieldPath,
        naming_field: &str,
        (kind, account, key): (ResourceKind, &str, &str),
        doc: Fields,
        secrets: Vec<(SecretName, Plain)>,
    ) -> bool {
        let id: ResourceId = (kind, account.to_owned(), key.to_owned());
        if let Some(first) = self.seen.get(&id) {
            let problem = format!("{kind} {key} stands in this file already, at {first}");
            self.wrong(&at.key(naming_field), problem);
            return false;
        }
        self.seen.insert(id.clone(), at.clone());
        let place = FileError::at(self.file, self.text, at, "");
        let origin =
            Origin { file: place.file, line: place.line, column: place.column, path: place.path };
        self.resources.push(Resource {
            kind,
            account: id.1,
            key: id.2,
            doc,
            secrets,
            blob: None,
            origin,
        });
        true
    }

    fn secret(
        &mut self,
        at: &FieldPath,
        initial: Initial<'_>,
        unfit: impl Fn(&Plain) -> Option<String>,
    ) -> Option<Plain> {
        let checked =
            initial.resolve(&self.around).and_then(|found| match found.as_ref().and_then(&unfit) {
                Some(problem) => Err((initial.field.to_owned(), problem)),
                None => Ok(found),
            });
        checked.unwrap_or_else(|(field, problem)| {
            self.wrong(&at.key(field), problem);
            None
        })
    }

    fn media_bytes(&mut self, at: &FieldPath, file: &Path) -> Option<Arc<[u8]>> {
        let path = self.around.folder.join(file);
        let problem = match std::fs::metadata(&path) {
            Ok(found) if !found.is_file() => format!("{} is not a file", path.display()),
            Ok(found) if found.len() > MAX_MEDIA_BYTES => format!(
                "{} has {} bytes: expected at most {MAX_MEDIA_BYTES}",
                path.display(),
                found.len()
            ),
            Ok(_) => match std::fs::read(&path) {
                Ok(bytes) => return Some(bytes.into()),
                Err(error) => format!("{} cannot be read: {error}", path.display()),
            },
            Err(error) => format!("{} cannot be read: {error}", path.display()),
        };
        self.wrong(at, problem);
        None
    }

    fn wrong(&mut self, at: &FieldPath, problem: impl Into<String>) {
        self.errors.push(FileError::at(self.file, self.text, at, problem));
    }
}

/// The fields of a document as they are stored.
pub(crate) fn fields(doc: &impl Serialize) -> Fields {
    match serde_json::to_value(doc) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => unreachable!(
            "documents are structs of texts, numbers and lists: they become JSON objects"
        ),
    }
}

/// SHA-256, as media are named by it.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
