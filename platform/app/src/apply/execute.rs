//! Making a plan from the database, and carrying it out in one transaction.

use super::compute::{Options, compute};
use super::plan::{Action, Plan, Problem, Put, Step, Write};
use super::report::{Minted, Report};
use super::stored::{SealedSecret, StoredSecret, seal_place};
use crate::directory::current_rows;
use crate::documents::{DocumentFile, MediaDoc, ResourceKind, SecretName};
use crate::import_media;
use crate::principal::Operator;
use crate::secrets::{ApiKey, PasswordHash, Plain, WebhookSecret};
use crate::{App, Refusal};
use yunling_domain::{AccountId, Micros};
use yunling_store::audit::AuditEntry;
use yunling_store::credentials::{Credential, CredentialKind};
use yunling_store::resources::NewResource;
use yunling_store::{
    DatabaseTransaction, Lane, StoreError, audit, credentials, media_blobs, resources, trunk_states,
};

/// Somebody else may change the configuration between the plan and its transaction so often.
const MOST_TRIES: u32 = 5;

/// Applying did not come about. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Something stands in the way; the plan's problems say what and where.
    #[error("nothing was applied:\n{0}")]
    Problems(Box<Plan>),
    /// A token of a document is, or was, another account's.
    #[error(
        "nothing was applied: the token of an account is in use already, or was revoked: choose another"
    )]
    TokenUsed,
    /// The configuration is being changed by somebody else all the time.
    #[error(
        "nothing was applied: the configuration was changed by somebody else in between, {MOST_TRIES} times"
    )]
    Moving,
    /// The database.
    #[error("nothing was applied: {0}")]
    Store(#[from] StoreError),
}

impl From<ApplyError> for Refusal {
    fn from(error: ApplyError) -> Self {
        use yunling_domain::error_code::{BAD_PARAMETER, CONFLICT};
        match error {
            ApplyError::Problems(_) | ApplyError::TokenUsed => {
                Self::new(BAD_PARAMETER).with_detail(error.to_string())
            }
            ApplyError::Moving => Self::new(CONFLICT).with_detail(error.to_string()),
            ApplyError::Store(error) => error.into(),
        }
    }
}

/// What applying these files would do. Changes nothing.
///
/// # Errors
/// The database cannot be read. What is wrong with the files stands in the plan.
pub async fn plan(app: &App, files: &[DocumentFile], options: Options) -> Result<Plan, StoreError> {
    let (version, rows) = current_rows(app).await?;
    let mark = |secret: &Plain| app.keyring().fingerprint(secret);
    let mut plan = compute(version, &rows, files, options, &mark);
    encode_media(app, &mut plan).await?;
    Ok(plan)
}

/// Applies the files: one transaction, an audit row for each change, and a new directory (at once,
/// or within a second where it cannot be read just then). An open
/// conflict keeps what is stored and does not hold up the rest; a problem holds up everything.
///
/// # Errors
/// [`ApplyError`]; nothing was changed then.
pub async fn apply(
    app: &App,
    operator: &Operator,
    files: &[DocumentFile],
    options: Options,
) -> Result<Report, ApplyError> {
    for _ in 0..MOST_TRIES {
        let mut plan = plan(app, files, options).await?;
        if !plan.problems.is_empty() {
            return Err(ApplyError::Problems(Box::new(plan)));
        }
        if plan.is_empty() {
            return Ok(Report { plan, minted: Vec::new() });
        }
        store_media(app, &mut plan).await?;
        let prepared = prepare(app.clone(), plan, operator.who().to_owned()).await?;
        if commit(app, prepared.version, prepared.operations).await? {
            app.follow().await;
            return Ok(prepared.report);
        }
    }
    Err(ApplyError::Moving)
}

/// Takes in the media files that the database does not have; one that is no audio is a problem.
async fn encode_media(app: &App, plan: &mut Plan) -> Result<(), StoreError> {
    for step in &mut plan.steps {
        let Some(Write::Put(put)) = &mut step.write else {
            continue;
        };
        if step.kind != ResourceKind::Media {
            continue;
        }
        let Ok(doc) = serde_json::from_value::<MediaDoc>(put.row.fields.clone().into()) else {
            continue;
        };
        let stored_name = doc.stored_name();
        if media_blobs::exists(app.store().reader(), &stored_name).await? {
            continue;
        }
        let outcome = match put.blob.clone() {
            Some(bytes) => {
                let imported = import_media::run(app, bytes, doc.level()).await;
                imported.map_err(|error| error.to_string())
            }
            None => Err("its bytes are needed: they are not in the database yet".to_owned()),
        };
        match outcome {
            Ok((blob, report)) => {
                put.media = Some((stored_name, blob));
                step.notes.extend(report.warnings.into_iter().map(|warning| warning.text));
            }
            Err(problem) => {
                plan.problems.push(Problem { at: format!("{}.file", put.origin), problem });
            }
        }
    }
    Ok(())
}

/// Audio first, each in a transaction of its own: it lies there under its hash and harms nobody if
/// the rest does not come about.
async fn store_media(app: &App, plan: &mut Plan) -> Result<(), StoreError> {
    for step in &mut plan.steps {
        if let Some(Write::Put(put)) = &mut step.write
            && let Some((stored_name, blob)) = put.media.take()
        {
            app.store()
                .writer()
                .write_patiently(Lane::Bulk, move |tx| {
                    Box::pin(async move { media_blobs::put(tx, &stored_name, blob).await })
                })
                .await?;
        }
    }
    Ok(())
}

/// What the transaction writes.
enum Change {
    Put { resource: Box<NewResource>, credential: Option<Box<Credential>> },
    Delete { kind: ResourceKind, account: String, key: String },
}

struct Prepared {
    version: i64,
    operations: Vec<(Change, AuditEntry)>,
    report: Report,
}

/// Hashes and seals on a thread of its own: argon2 takes its time.
async fn prepare(app: App, mut plan: Plan, who: String) -> Result<Prepared, StoreError> {
    let work = move || {
        let now = app.clock().now();
        let version = plan.config_version;
        let (mut operations, mut minted) = (Vec::new(), Vec::new());
        for step in &mut plan.steps {
            let Some(write) = step.write.take() else {
                continue;
            };
            let entry = audit_entry(step, &who, now);
            let change = match write {
                Write::Put(put) => sealed(&app, *put, now, &mut minted),
                Write::Delete => Change::Delete {
                    kind: step.kind,
                    account: step.account.clone(),
                    key: step.key.clone(),
                },
            };
            operations.push((change, entry));
        }
        Prepared { version, operations, report: Report { plan, minted } }
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Panicked(error.to_string()))
}

fn sealed(app: &App, put: Put, now: Micros, minted: &mut Vec<Minted>) -> Change {
    let (mut row, mut credential) = (put.row, None);
    for (name, given) in put.new_secrets {
        let is_minted = given.is_none();
        let secret = given.unwrap_or_else(|| match name {
            SecretName::Token => ApiKey::mint_account_token(app.random()),
            SecretName::WebhookSecret | SecretName::Password => {
                WebhookSecret::mint(app.random()).to_plain()
            }
        });
        let fingerprint = app.keyring().fingerprint(&secret);
        let stored = match (row.kind, name) {
            (ResourceKind::User, _) => StoredSecret::Password {
                hash: PasswordHash::of(&secret, app.random()),
                fingerprint,
            },
            (_, SecretName::Token) => {
                credential = Some(Box::new(token_credential(app, &row.account, &secret, now)));
                StoredSecret::Token { fingerprint }
            }
            _ => {
                let place = seal_place(row.kind, &row.account, &row.key, name);
                let sealed = app.keyring().seal(&place, &secret, app.random());
                StoredSecret::Sealed {
                    active: vec![SealedSecret { sealed, fingerprint, since: now }],
                }
            }
        };
        row.secrets.insert(name, stored);
        if is_minted {
            minted.push(Minted {
                kind: row.kind,
                account: row.account.clone(),
                key: row.key.clone(),
                name,
                secret,
            });
        }
    }
    let resource = Box::new(NewResource {
        kind: row.kind.as_str().to_owned(),
        doc: row.doc_column(),
        applied: row.applied_column(),
        owner: row.owner.to_string(),
        account_sid: row.account,
        key: row.key,
    });
    Change::Put { resource, credential }
}

pub(crate) fn token_credential(app: &App, account: &str, token: &Plain, now: Micros) -> Credential {
    let mut id = [0; 8];
    app.random().fill(&mut id);
    Credential {
        id: format!("tok_{}", hex::encode(id)),
        account: AccountId::new(account),
        kind: CredentialKind::Token,
        hash: app.keyring().hash_token(token).as_bytes().to_vec(),
        label: "account token".to_owned(),
        scopes: serde_json::Value::Array(Vec::new()),
        created_at: now,
        revoked_at: None,
        last_used_at: None,
    }
}

fn audit_entry(step: &Step, who: &str, now: Micros) -> AuditEntry {
    let action = match step.action {
        Action::Create => "resource.create",
        Action::Delete => "resource.delete",
        Action::Adopt => "resource.adopt",
        Action::Change | Action::Conflict | Action::Unchanged => "resource.update",
    };
    AuditEntry {
        at: now,
        account: AccountId::new(step.account.as_str()),
        who: who.to_owned(),
        action: action.to_owned(),
        object: format!("{}/{}", step.kind, step.key),
        detail: serde_json::json!({ "set": step.set, "changes": step.changes, "secrets": step.secrets }),
    }
}

/// Writes everything, unless the configuration has moved since the plan was made: then nothing, and
/// false.
async fn commit(
    app: &App,
    version: i64,
    operations: Vec<(Change, AuditEntry)>,
) -> Result<bool, ApplyError> {
    let now = app.clock().now();
    let written = app
        .store()
        .writer()
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move {
                if resources::config_version(tx).await? != version {
                    return Ok(false);
                }
                for (change, entry) in &operations {
                    carry_out(tx, change, now).await?;
                    audit::append(tx, entry).await?;
                }
                Ok(true)
            })
        })
        .await;
    match written {
        Ok(done) => Ok(done),
        Err(StoreError::Conflict(what)) if what.contains("credential") => {
            Err(ApplyError::TokenUsed)
        }
        Err(error) => Err(error.into()),
    }
}

async fn carry_out(
    tx: &DatabaseTransaction,
    change: &Change,
    now: Micros,
) -> Result<(), StoreError> {
    match change {
        Change::Put { resource, credential } => {
            resources::upsert(tx, resource, None, now).await?;
            if let Some(credential) = credential {
                credentials::insert(tx, credential).await?;
            }
        }
        Change::Delete { kind, account, key } => {
            resources::delete(tx, kind.as_str(), account, key).await?;
            if *kind == ResourceKind::Trunk {
                // A later trunk of the same name is another one.
                trunk_states::resume(tx, key).await?;
            }
            if *kind == ResourceKind::Account {
                let account = AccountId::new(account.as_str());
                for credential in credentials::list(tx, &account).await? {
                    credentials::revoke(tx, &account, &credential.id, now).await?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "execute_tests.rs"]
mod tests;
