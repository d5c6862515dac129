//! Call-ID, From tag and Via branch of a leg, derived and not drawn: a restarted engine makes the
//! same ones again and can so CANCEL or acknowledge what an earlier process began.

use aws_lc_rs::{digest, hmac};
use yunling_switch_contract::{DialogState, LegId};

/// Derives the identifiers of legs. Keyed, because whoever can guess a dialog's tags can end the
/// call: the key must be secret, and the same after a restart.
#[derive(Clone)]
pub(crate) struct IdSource {
    key: hmac::Key,
}

/// The identifiers of one attempt of a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallIds {
    /// Call-ID: 32 hexadecimal digits.
    pub call_id: String,
    /// From tag: 16 hexadecimal digits.
    pub tag: String,
    /// Our nonce in digests; no part of it is in any other identifier.
    pub cnonce: String,
    branch_stem: String,
}

impl CallIds {
    /// A number for the session description, the same for the whole attempt.
    pub(crate) fn session_id(&self) -> u32 {
        self.tag.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(1)
    }

    /// What decides between servers of the same rank, the same for the whole attempt.
    pub(crate) fn lot(&self) -> u64 {
        u64::from_str_radix(&self.tag, 16).unwrap_or(0)
    }

    /// The branch of a request of this call (RFC 3261 §8.1.1.7). CANCEL and the ACK of a failure
    /// take their INVITE's; [`CallIds::branch_in_dialog`] is for what follows an answer.
    pub(crate) fn branch(&self, method: &str, cseq: u32) -> String {
        let initial =
            method.as_bytes().first().copied().map_or('x', char::from).to_ascii_lowercase();
        format!("z9hG4bK{}{initial}{cseq}", self.branch_stem)
    }

    /// The branch of a request within a dialog. Two branches of a forked INVITE make two dialogs
    /// whose requests have the same numbers, so the remote tag tells them apart: a proxy would take
    /// the second for a repetition of the first (§17.2.3).
    pub(crate) fn branch_in_dialog(&self, method: &str, cseq: u32, remote_tag: &str) -> String {
        let tag = digest::digest(&digest::SHA256, remote_tag.as_bytes());
        format!("{}d{}", self.branch(method, cseq), hex::encode(&tag.as_ref()[..8]))
    }
}

impl IdSource {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// The identifiers of an attempt of a leg.
    pub(crate) fn of(&self, leg: &LegId, attempt: u8) -> CallIds {
        CallIds {
            call_id: self.derive("call-id", leg, attempt, 16),
            tag: self.derive("tag", leg, attempt, 8),
            cnonce: self.derive("cnonce", leg, attempt, 8),
            branch_stem: self.derive("branch", leg, attempt, 8),
        }
    }

    /// The identifiers for a stored dialog, whose attempt is not known: Call-ID and tag are the
    /// stored ones, branches are of no attempt that was ever dialled.
    pub(crate) fn restored(&self, leg: &LegId, dialog: &DialogState) -> CallIds {
        CallIds {
            call_id: dialog.call_id.clone(),
            tag: dialog.local_tag.clone(),
            cnonce: self.derive("cnonce", leg, u8::MAX, 8),
            branch_stem: self.derive("restored-branch", leg, u8::MAX, 8),
        }
    }

    fn derive(&self, purpose: &str, leg: &LegId, attempt: u8, bytes: usize) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(purpose.as_bytes());
        context.update(&[0, attempt]);
        context.update(leg.as_str().as_bytes());
        hex::encode(&context.sign().as_ref()[..bytes])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_leg_gets_the_same_ids_and_another_gets_others() {
        let source = IdSource::new(&[7; 32]);
        let leg = LegId::new("CA1");
        let ids = source.of(&leg, 0);
        assert_eq!(ids, IdSource::new(&[7; 32]).of(&leg, 0));
        assert_eq!((ids.call_id.len(), ids.tag.len()), (32, 16));
        assert_ne!(ids, source.of(&leg, 1));
        assert_ne!(ids, source.of(&LegId::new("CA2"), 0));
        assert_ne!(ids, IdSource::new(&[8; 32]).of(&leg, 0));
        assert_ne!(ids.branch("INVITE", 1), ids.branch("INVITE", 2));
        assert_ne!(ids.branch("INVITE", 2), ids.branch("BYE", 2));
        assert!(ids.branch("INVITE", 1).starts_with("z9hG4bK"));
        let in_dialog = |tag| ids.branch_in_dialog("BYE", 2, tag);
        assert_eq!(in_dialog("a"), in_dialog("a"));
        assert_ne!(in_dialog("a"), in_dialog("b"));
        assert_ne!(in_dialog(""), ids.branch("BYE", 2));
    }
}
