//! Via (RFC 3261 §20.42): who a response belongs to and where it goes.

use super::{params, uri};

/// One Via entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Via<'a> {
    /// Host of `sent-by`.
    pub host: &'a str,
    /// Port of `sent-by`, if it names one.
    pub port: Option<u16>,
    params: &'a str,
}

impl<'a> Via<'a> {
    /// Reads the first entry of a Via header.
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let entry = params::list(value).next()?;
        let (head, params) = entry.split_at(entry.find(';').unwrap_or(entry.len()));
        let sent_by = head.trim().rsplit([' ', '\t']).next()?;
        let (host, port) = uri::split_port(sent_by)?;
        Some(Self { host, port, params })
    }

    /// The branch: names the transaction (RFC 3261 §17.1.3).
    pub(crate) fn branch(&self) -> Option<&'a str> {
        params::param(self.params, "branch")
    }

    /// `rport`, present with or without a value (RFC 3581): the reply goes to the source port.
    pub(crate) fn wants_source_port(&self) -> bool {
        params::param(self.params, "rport").is_some()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    #[test]
    fn the_first_entry_is_read() {
        let via = Via::parse(
            "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;rport, SIP/2.0/TCP x;branch=z9hG4bK2",
        )
        .unwrap();
        assert_eq!((via.host, via.port, via.branch()), ("10.0.0.1", Some(5062), Some("z9hG4bK1")));
        assert!(via.wants_source_port());
        let via = Via::parse("SIP / 2.0 / UDP [::1]; branch=z9hG4bK3").unwrap();
        assert_eq!((via.host, via.port, via.branch()), ("::1", None, Some("z9hG4bK3")));
        assert!(!via.wants_source_port());
        assert_eq!(Via::parse(""), None);
    }
}
