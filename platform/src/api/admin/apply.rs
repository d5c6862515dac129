//! Config as code over the network: what `yunling apply` sends.

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;
use yunling_app::apply::{self, Minted, Options, Plan};
use yunling_app::documents::DocumentFile;
use yunling_app::{App, Refusal};
use yunling_domain::error_code::{BAD_PARAMETER, INTERNAL};

use super::Problem;
use super::body::JsonBody;
use super::caller::OperatorCaller;
use crate::api::tags::Tags;

/// Documents carry their media files: several of the largest (32 MiB each, in base64) fit.
const APPLY_BYTES: usize = 128 * 1024 * 1024;

/// Documents to be applied.
#[derive(Object)]
struct ApplyRequest {
    /// Documents as `yunling apply` reads and packs them: `{set, set_given, resources: [{kind, account, key, doc,
    /// secrets, blob, origin}]}`, secrets in the clear.
    files: Vec<Any<Value>>,
    #[oai(default)]
    options: ApplyOptions,
}

/// How to apply.
#[derive(Default, Object)]
#[oai(default)]
struct ApplyOptions {
    /// Where both sides changed a field, take the file's.
    force: bool,
    /// Delete what a file set applied earlier and does not name any more. Refused for a file whose
    /// `set_given` is not true: nobody chose its set.
    prune: bool,
}

/// What was done, or with `plan` would be.
#[derive(Object)]
struct ApplyAnswer {
    /// For people.
    text: String,
    /// Whether fields were changed on both sides and stay as they are stored.
    conflicts: bool,
    /// The same as data: a step a resource.
    plan: Any<Value>,
    /// Secrets that were minted: shown this once.
    #[oai(skip_serializing_if_is_none)]
    minted: Option<Vec<MintedSecret>>,
}

/// A secret that was minted.
#[derive(Object)]
struct MintedSecret {
    kind: String,
    account: String,
    key: String,
    name: String,
    secret: String,
}

impl From<Minted> for MintedSecret {
    fn from(minted: Minted) -> Self {
        Self {
            kind: minted.kind.to_string(),
            account: minted.account,
            key: minted.key,
            name: minted.name.as_str().to_owned(),
            secret: minted.secret.expose().to_owned(),
        }
    }
}

impl ApplyAnswer {
    fn of(text: String, plan: &Plan) -> Result<Self, Refusal> {
        let value = serde_json::to_value(plan).map_err(|error| {
            tracing::error!(%error, "a plan is no JSON");
            Refusal::new(INTERNAL)
        })?;
        Ok(Self { text, conflicts: plan.has_open_conflicts(), plan: Any(value), minted: None })
    }
}

/// The operations.
pub(super) struct ApplyApi;

#[OpenApi]
impl ApplyApi {
    /// Apply resource documents
    ///
    /// A three-way merge between what a file set applied last, what is stored, and what its files say
    /// now: an unchanged file does nothing, what was changed elsewhere stays, a field changed on both
    /// sides is a conflict. Needs the operator's token.
    #[oai(
        path = "/api/v1/apply",
        method = "post",
        operation_id = "apply",
        tag = "Tags::Configuration"
    )]
    async fn apply(
        &self,
        operator: OperatorCaller,
        app: Data<&App>,
        /// Only say what would be done.
        plan: Query<Option<bool>>,
        body: JsonBody<ApplyRequest, APPLY_BYTES>,
    ) -> Result<Json<ApplyAnswer>, Problem> {
        let ApplyRequest { files, options } = body.0;
        let options = Options { force: options.force, prune: options.prune };
        let files = read(files)?;
        if plan.0 == Some(true) {
            let plan = apply::plan(&app, &files, options).await.map_err(Refusal::from)?;
            return Ok(Json(ApplyAnswer::of(plan.to_string(), &plan)?));
        }
        let report = Box::pin(apply::apply(&app, &operator.0, &files, options))
            .await
            .map_err(Refusal::from)?;
        let answer = ApplyAnswer::of(report.to_string(), &report.plan)?;
        let minted: Vec<_> = report.minted.into_iter().map(MintedSecret::from).collect();
        Ok(Json(ApplyAnswer { minted: (!minted.is_empty()).then_some(minted), ..answer }))
    }
}

fn read(files: Vec<Any<Value>>) -> Result<Vec<DocumentFile>, Refusal> {
    let read = |(index, Any(wire))| {
        DocumentFile::from_wire(wire).map_err(|error| {
            Refusal::field(BAD_PARAMETER, format!("files[{index}]"), error.to_string())
        })
    };
    files.into_iter().enumerate().map(read).collect()
}
