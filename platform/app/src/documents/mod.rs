//! Resource documents: what `tenant.yaml` and its like say. One set of types reads the files,
//! checks them, and gives the form in which each resource is stored: the same document without its
//! children and without its secrets.

mod account;
mod application;
mod bundle;
mod caller_id;
mod initial;
mod load;
mod resource;
mod route;
mod scalar;
mod session_timer;
mod trunk;
mod trunk_tls;
mod trunk_uri;
mod user;

pub use account::{AccountDoc, AccountStatus, Limits};
pub use application::{ApplicationDoc, DestinationClass, MediaDoc, MediaFile};
pub use bundle::BundleError;
pub use caller_id::CallerIdDoc;
pub(crate) use load::fields;
pub use load::{DocumentFile, load, read};
pub use resource::{Origin, Resource, ResourceKind, SecretName};
pub use route::RouteDoc;
pub use scalar::{CallbackUrl, Email, MediaName, Name, Positive, Sid, WebOrigin};
pub use session_timer::{RefresherName, SessionIntervals, SessionTimerDoc};
pub use trunk::{CodecName, IdentityName, RegisterUser, ReliableName, Seconds, TrunkDoc};
pub use trunk_tls::{Authorities, CertificateFingerprint, TlsDoc};
pub use trunk_uri::{FromDomain, TrunkTransport, TrunkUri};
pub use user::{Role, UserDoc};
