//! From stored documents to the snapshot. A document that cannot be read (written by a newer
//! release, damaged, sealed under a lost key) is left out and told in the log: one tenant's fault
//! never stops the others.

use super::{Account, Application, Credential, Directory, MediaRef, RegisterAs, Trunk, TrunkLogin};
use crate::apply::{StoredDoc, StoredSecret, seal_place};
use crate::documents::{
    AccountDoc, AccountStatus, ApplicationDoc, CallerIdDoc, CodecName, IdentityName, Limits,
    MediaDoc, ReliableName, ResourceKind, RouteDoc, SecretName, TrunkDoc,
};
use crate::secrets::{Keyring, Plain, TokenHash, WebhookSecret};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use yunling_domain::campaign::Caps;
use yunling_domain::policy::{CallerIdFacts, RouteTable, voice_destinations};
use yunling_domain::{AccountId, ApplicationId, NumberFormat, admission};
use yunling_store::trunk_states::Draining;

/// How often a trunk is asked for a sign of life, where it does not say.
const USUAL_PROBE_S: u32 = 30;
/// How long a registration shall hold, where the trunk does not say.
const USUAL_EXPIRES_S: u32 = 3_600;

/// What the snapshot is made of, besides the documents.
pub(crate) struct Ingredients<'a> {
    /// The stored configuration's version.
    pub(crate) version: i64,
    /// The trunks that are being drained; of those that are not configured here too.
    pub(crate) draining: Vec<Draining>,
    /// The credentials that are not revoked.
    pub(crate) credentials: Vec<(TokenHash, Credential)>,
    pub(crate) keyring: &'a Keyring,
    /// For accounts that name none.
    pub(crate) zone: chrono_tz::Tz,
    /// For accounts that name none.
    pub(crate) queue_max_len: u32,
}

pub(crate) fn build(docs: &[StoredDoc], ingredients: Ingredients<'_>) -> Directory {
    let mut directory = Directory { version: ingredients.version, ..Directory::default() };
    directory.credentials = ingredients.credentials.iter().cloned().collect();
    for stored in of_kind(docs, ResourceKind::Trunk) {
        if let Some(trunk) = trunk(stored, ingredients.keyring) {
            directory.trunks.insert(Arc::clone(&trunk.name), Arc::new(trunk));
        }
    }
    let drained = ingredients.draining.iter().filter_map(|draining| {
        let (name, _) = directory.trunks.get_key_value(draining.trunk.as_str())?;
        Some((Arc::clone(name), draining.clone()))
    });
    directory.draining = drained.collect();
    directory.routes = routes(docs);
    let mut children = Children::of(docs);
    for stored in of_kind(docs, ResourceKind::Account) {
        let Some(doc) = read::<AccountDoc>(stored) else {
            continue;
        };
        let id = AccountId::new(stored.account.as_str());
        let account = account(&id, &doc, &mut children, &directory.trunks, &ingredients);
        directory.accounts.insert(id, Arc::new(account));
    }
    directory
}

fn routes(docs: &[StoredDoc]) -> RouteTable {
    let routes = of_kind(docs, ResourceKind::Route).filter_map(read::<RouteDoc>);
    RouteTable::new(
        routes
            .map(|route| (route.prefix.0, route.trunks.iter().map(ToString::to_string).collect())),
    )
}

fn of_kind(docs: &[StoredDoc], kind: ResourceKind) -> impl Iterator<Item = &StoredDoc> {
    docs.iter().filter(move |stored| stored.kind == kind)
}

fn read<T: DeserializeOwned>(stored: &StoredDoc) -> Option<T> {
    match serde_json::from_value(Value::Object(stored.fields.clone())) {
        Ok(doc) => Some(doc),
        Err(error) => {
            tracing::error!(
                kind = %stored.kind, account = %stored.account, key = %stored.key, %error,
                "a stored resource cannot be read and is left out: apply it again"
            );
            None
        }
    }
}

/// Every account's documents, each account's in one place.
#[derive(Default)]
struct Children<'a> {
    applications: HashMap<&'a str, Vec<(&'a StoredDoc, ApplicationDoc)>>,
    caller_ids: HashMap<&'a str, Vec<CallerIdDoc>>,
    /// By account and appid.
    media: HashMap<(&'a str, &'a str), BTreeMap<String, MediaRef>>,
}

impl<'a> Children<'a> {
    fn of(docs: &'a [StoredDoc]) -> Self {
        let mut children = Self::default();
        for stored in docs {
            let account = stored.account.as_str();
            match stored.kind {
                ResourceKind::Application => {
                    let doc = read(stored).map(|doc| (stored, doc));
                    children.applications.entry(account).or_default().extend(doc);
                }
                ResourceKind::CallerId => children
                    .caller_ids
                    .entry(account)
                    .or_default()
                    .extend(read::<CallerIdDoc>(stored)),
                ResourceKind::Media => {
                    let Some((appid, _)) = stored.key.split_once('/') else {
                        continue;
                    };
                    let doc = read::<MediaDoc>(stored).map(|doc| {
                        let sha256 = doc.stored_name().into();
                        (doc.name.as_str().to_owned(), MediaRef { sha256 })
                    });
                    children.media.entry((account, appid)).or_default().extend(doc);
                }
                ResourceKind::Trunk
                | ResourceKind::Route
                | ResourceKind::Account
                | ResourceKind::User => {}
            }
        }
        for lines in children.caller_ids.values_mut() {
            lines.sort_by(|a, b| {
                (a.position, a.number.0.0.national()).cmp(&(b.position, b.number.0.0.national()))
            });
        }
        children
    }
}

fn account(
    id: &AccountId,
    doc: &AccountDoc,
    children: &mut Children<'_>,
    trunks: &BTreeMap<Arc<str>, Arc<Trunk>>,
    ingredients: &Ingredients<'_>,
) -> Account {
    let limits = doc.limits.clone().unwrap_or_default();
    let lines = children.caller_ids.remove(id.as_str()).unwrap_or_default();
    let applications = children.applications.remove(id.as_str()).unwrap_or_default();
    let applications = applications.into_iter().map(|(stored, application)| {
        let media = children
            .media
            .remove(&(stored.account.as_str(), stored.key.as_str()))
            .unwrap_or_default();
        let read =
            self::application(stored, &application, &lines, trunks, media, ingredients.keyring);
        (read.id.clone(), Arc::new(read))
    });
    Account {
        id: id.clone(),
        name: doc.name.as_ref().map_or_else(|| id.to_string(), ToString::to_string),
        zone: doc.zone.map_or(ingredients.zone, |zone| zone.0),
        suspended: doc.status == Some(AccountStatus::Suspended),
        queue_max_len: limits.queue_max_len.map_or(ingredients.queue_max_len, |limit| limit.get()),
        limits: admission_limits(&limits),
        callee_caps: Caps {
            a_day: limits.calls_per_callee_a_day.map(|most| most.get()),
            a_week: limits.calls_per_callee_a_week.map(|most| most.get()),
        },
        cdr_keep_days: doc.cdr_keep_days.map(|days| days.get()),
        applications: applications.collect(),
    }
}

fn admission_limits(limits: &Limits) -> admission::Limits {
    admission::Limits {
        max_calls: limits.max_calls.map(|limit| limit.get()),
        max_cps: limits.max_cps.map(|limit| limit.get()),
    }
}

fn application(
    stored: &StoredDoc,
    doc: &ApplicationDoc,
    lines: &[CallerIdDoc],
    trunks: &BTreeMap<Arc<str>, Arc<Trunk>>,
    media: BTreeMap<String, MediaRef>,
    keyring: &Keyring,
) -> Application {
    let sid = doc.sid.as_str();
    let url = |url: &Option<crate::yaml::Parsed<crate::documents::CallbackUrl>>| {
        url.as_ref().map(|url| Arc::<str>::from(url.as_str()))
    };
    let open_classes: Option<BTreeSet<_>> =
        doc.destinations.as_ref().map(|classes| classes.iter().map(|class| class.0.0).collect());
    Application {
        id: ApplicationId::new(sid),
        name: doc.name.as_ref().map_or_else(|| sid.to_owned(), ToString::to_string),
        notice_url: url(&doc.notice_url),
        status_url: url(&doc.status_url),
        cdr_url: url(&doc.cdr_url),
        recording_url: url(&doc.recording_url),
        recording_keep_days: doc.recording_keep_days.map(|days| days.get()),
        recording_link_s: doc.recording_link_s.map(|seconds| seconds.get()),
        origins: doc.origins.iter().flatten().map(ToString::to_string).collect(),
        semantic_status: doc.semantic_status.unwrap_or(false),
        answerime: doc.answerime.unwrap_or(false),
        open_classes: open_classes.unwrap_or_else(voice_destinations),
        caller_ids: lines.iter().map(|line| caller_id(line, sid, trunks)).collect(),
        webhook_secrets: webhook_secrets(stored, keyring),
        media,
    }
}

/// A trunk that is disabled or gone carries nothing.
fn caller_id(
    line: &CallerIdDoc,
    appid: &str,
    trunks: &BTreeMap<Arc<str>, Arc<Trunk>>,
) -> CallerIdFacts {
    CallerIdFacts {
        number: line.number.0.0.clone(),
        allowed_for_application: line
            .applications
            .as_ref()
            .is_none_or(|allowed| allowed.iter().any(|sid| sid.as_str() == appid)),
        trunks: line
            .trunks
            .iter()
            .map(|name| name.as_str())
            .filter(|name| trunks.get(*name).is_some_and(|trunk| trunk.enabled))
            .map(str::to_owned)
            .collect(),
    }
}

fn trunk(stored: &StoredDoc, keyring: &Keyring) -> Option<Trunk> {
    let doc: TrunkDoc = read(stored)?;
    let password = opened(stored, SecretName::Password, keyring).into_iter().next();
    let login = doc.username.as_ref().zip(password);
    let register = register_as(&doc);
    Some(Trunk {
        name: doc.name.as_str().into(),
        host: doc.uri.host.clone(),
        port: doc.uri.port,
        transport: doc.uri.transport,
        limits: admission::Limits {
            max_calls: doc.max_calls.map(|limit| limit.get()),
            max_cps: doc.max_cps.map(|limit| limit.get()),
        },
        number_format: doc.number_format.unwrap_or(NumberFormat::National),
        home_area: doc.home_area.as_ref().map(ToString::to_string),
        login: login
            .map(|(username, password)| TrunkLogin { username: username.to_string(), password }),
        enabled: doc.enabled.unwrap_or(true),
        register,
        probe_s: Some(doc.probe_s.map_or(USUAL_PROBE_S, |probe| probe.get())).filter(|s| *s > 0),
        tls: doc.tls,
        from_domain: doc.from_domain.as_ref().map(ToString::to_string),
        session_timer: doc.session_timer,
        reliable: doc.reliable.unwrap_or(ReliableName::Supported),
        identity: doc.identity.unwrap_or(IdentityName::PAssertedIdentity),
        codecs: doc.codecs.unwrap_or_else(|| vec![CodecName::Pcma, CodecName::Pcmu]),
    })
}

fn register_as(doc: &TrunkDoc) -> Option<RegisterAs> {
    let named = doc.register_user.as_ref().map(ToString::to_string);
    let user = named.or_else(|| doc.username.as_ref().map(ToString::to_string));
    let expires_s = doc.register_expires_s.map_or(USUAL_EXPIRES_S, |expires| expires.get());
    doc.register.unwrap_or(false).then_some(())?;
    Some(RegisterAs { user: user?, expires_s })
}

fn webhook_secrets(stored: &StoredDoc, keyring: &Keyring) -> Vec<WebhookSecret> {
    let opened = opened(stored, SecretName::WebhookSecret, keyring);
    opened.iter().filter_map(|secret| secret.expose().parse().ok()).collect()
}

/// The sealed secrets of a document that can be opened, the newest first.
fn opened(stored: &StoredDoc, name: SecretName, keyring: &Keyring) -> Vec<Plain> {
    let Some(StoredSecret::Sealed { active }) = stored.secrets.get(&name) else {
        return Vec::new();
    };
    let place = seal_place(stored.kind, &stored.account, &stored.key, name);
    active
        .iter()
        .filter_map(|one| {
            keyring
                .unseal(&place, &one.sealed)
                .inspect_err(|error| {
                    tracing::error!(
                        kind = %stored.kind, account = %stored.account, key = %stored.key, %error,
                        "a stored secret cannot be used"
                    );
                })
                .ok()
        })
        .collect()
}
