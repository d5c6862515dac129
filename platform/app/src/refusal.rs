use std::fmt;
use std::ops::Deref;
use yunling_domain::ErrorCode;
use yunling_domain::Fault;
use yunling_domain::error_code::{
    CONFLICT, DATABASE_UNAVAILABLE, INTERNAL, NOT_FOUND, OVERLOADED, SHUTTING_DOWN,
};
use yunling_store::StoreError;

/// How soon a caller may try again when the platform is too busy, seconds.
const OVERLOADED_RETRY_S: u32 = 2;

/// Why a use case did not do what it was asked. Its facts lie in a box, so that results stay small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(Box<Reason>);

/// A row of the table, and what was wrong this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The row.
    pub code: ErrorCode,
    /// The field that is wrong, as the caller wrote it (`contents[2].content`).
    pub field: Option<String>,
    /// What was wrong and what was expected, in English. For a fault of the platform's it says
    /// nothing about its inside: that stands in the log.
    pub detail: String,
    /// When trying again may help: after so many seconds.
    pub retry_after_s: Option<u32>,
}

impl Deref for Refusal {
    type Target = Reason;

    fn deref(&self) -> &Reason {
        &self.0
    }
}

impl Refusal {
    /// A refusal with the row's own words.
    pub fn new(code: ErrorCode) -> Self {
        let detail = code.en.to_owned();
        Self(Box::new(Reason { code, field: None, detail, retry_after_s: None }))
    }

    /// A refusal for one field.
    pub fn field(code: ErrorCode, field: impl Into<String>, detail: impl Into<String>) -> Self {
        let (field, detail) = (Some(field.into()), detail.into());
        Self(Box::new(Reason { code, field, detail, retry_after_s: None }))
    }

    /// The same with other words.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// The same with a time to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => {
                write!(f, "{} ({}): {field}: {}", self.code.number, self.code.name, self.detail)
            }
            None => write!(f, "{} ({}): {}", self.code.number, self.code.name, self.detail),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let refusal = match &error {
            StoreError::NotFound(_) => Self::new(NOT_FOUND),
            StoreError::BadCursor => {
                return Self::field(
                    yunling_domain::error_code::BAD_PARAMETER,
                    "cursor",
                    error.to_string(),
                );
            }
            StoreError::Conflict(_) => Self::new(CONFLICT),
            StoreError::Overloaded { .. } | StoreError::TooSlow { .. } => {
                Self::new(OVERLOADED).retry_after(OVERLOADED_RETRY_S)
            }
            StoreError::Full(_) | StoreError::Unavailable { .. } => {
                Self::new(DATABASE_UNAVAILABLE).retry_after(OVERLOADED_RETRY_S)
            }
            StoreError::Closed => Self::new(SHUTTING_DOWN).retry_after(OVERLOADED_RETRY_S),
            _ => Self::new(INTERNAL),
        };
        if error.fault() == Fault::Platform {
            tracing::error!(%error, "the database did not do what a use case needs");
        }
        refusal
    }
}
