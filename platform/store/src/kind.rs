use crate::StoreError;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// A voice notice to one number.
    Notice,
    /// A voice captcha.
    Captcha,
    /// A voice notice to many numbers.
    Batch,
    /// Two phones that are connected, and whoever is taken in later.
    Click,
    /// A notice to a list of numbers, by rules.
    Campaign,
}

impl RequestKind {
    /// Whether the callee has not asked for the call, so that the account's do-not-call list and its
    /// caps hold for it. Whoever gets a captcha is just asking for one; whoever is connected by a
    /// click has one of the two waiting for it.
    pub const fn is_unasked(self) -> bool {
        match self {
            Self::Notice | Self::Batch | Self::Campaign => true,
            Self::Captcha | Self::Click => false,
        }
    }

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Captcha => "captcha",
            Self::Batch => "batch",
            Self::Click => "click",
            Self::Campaign => "campaign",
        }
    }

    pub(crate) fn parse(text: &str, table: &'static str) -> Result<Self, StoreError> {
        match text {
            "notice" => Ok(Self::Notice),
            "captcha" => Ok(Self::Captcha),
            "batch" => Ok(Self::Batch),
            "click" => Ok(Self::Click),
            "campaign" => Ok(Self::Campaign),
            other => Err(StoreError::Undecodable { table, what: format!("the kind {other:?}") }),
        }
    }
}
