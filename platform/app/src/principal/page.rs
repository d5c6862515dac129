use yunling_domain::{ApplicationId, Micros};

/// What a browser token allows a web page, beside the scopes: one application, and what its subject
/// has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The application.
    pub application: ApplicationId,
    /// Whom the token was minted for: the page sees and ends only conversations of this subject.
    pub subject: String,
    /// The credential that minted the token, and with which the token dies.
    pub credential: String,
    /// Until when the token holds.
    pub expires_at: Micros,
    /// The caller of every conversation, as it is stored; absent: the page says.
    pub caller: Option<String>,
    /// The `userData` of every conversation; absent: the page says.
    pub user_data: Option<String>,
}
