//! What applying does to a secret, decided by marks alone.

use crate::documents::{ResourceKind, SecretName};
use crate::secrets::Fingerprint;

/// How a secret of a document is treated after the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The file gives the first value only; where it gives none, one is minted if `minted`. What
    /// was rotated since is never overwritten.
    Initial {
        /// Whether we make one where the file gives none.
        minted: bool,
    },
    /// Merged as a field is: a trunk's password is the carrier's, and the file is where it changes.
    Merged,
}

/// The secrets that a resource of a kind has.
pub(super) const fn secrets_of(kind: ResourceKind) -> &'static [(SecretName, Rule)] {
    match kind {
        ResourceKind::Trunk => &[(SecretName::Password, Rule::Merged)],
        ResourceKind::Account => &[(SecretName::Token, Rule::Initial { minted: true })],
        ResourceKind::User => &[(SecretName::Password, Rule::Initial { minted: false })],
        ResourceKind::Application => &[(SecretName::WebhookSecret, Rule::Initial { minted: true })],
        ResourceKind::Route | ResourceKind::CallerId | ResourceKind::Media => &[],
    }
}

/// The marks of the three sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks<'a> {
    /// Of what the file gave when it was last applied.
    pub(super) base: Option<&'a Fingerprint>,
    /// Of what is stored.
    pub(super) stored: Option<&'a Fingerprint>,
    /// Of what the file gives now.
    pub(super) file: Option<&'a Fingerprint>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Keep,
    /// Nothing, but the file's value differs from the stored one and is not taken: say so.
    KeepAndSay,
    /// Store the file's.
    Set,
    /// Make one and store it.
    Mint,
    /// Remove the stored one.
    Remove,
    /// Changed on both sides; the file's is taken only by force.
    Conflict,
}

pub(super) fn judge(rule: Rule, marks: Marks<'_>, force: bool) -> Verdict {
    let Marks { base, stored, file } = marks;
    match rule {
        Rule::Initial { minted } => match (stored, file) {
            (None, Some(_)) => Verdict::Set,
            (None, None) if minted => Verdict::Mint,
            (Some(stored), Some(new)) if stored != new && file != base => Verdict::KeepAndSay,
            _ => Verdict::Keep,
        },
        Rule::Merged if file == base || file == stored => Verdict::Keep,
        Rule::Merged => match (stored == base || stored.is_none(), file) {
            (true, Some(_)) => Verdict::Set,
            (true, None) => Verdict::Remove,
            (false, Some(_)) if force => Verdict::Set,
            (false, None) if force => Verdict::Remove,
            (false, _) => Verdict::Conflict,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_in_which_a_secret_can_differ() {
        use Verdict::{Conflict, Keep, KeepAndSay, Mint, Remove, Set};
        let minted = Rule::Initial { minted: true };
        let given = Rule::Initial { minted: false };
        // (rule, base, stored, file, without force, with force); "" is absent
        let cases = [
            (minted, "", "", "", Mint, Mint),
            (given, "", "", "", Keep, Keep),
            (minted, "", "", "a", Set, Set),
            (minted, "a", "a", "a", Keep, Keep),
            (minted, "a", "r", "a", Keep, Keep),
            (minted, "a", "a", "b", KeepAndSay, KeepAndSay),
            (minted, "a", "r", "b", KeepAndSay, KeepAndSay),
            (minted, "a", "r", "r", Keep, Keep),
            (minted, "a", "a", "", Keep, Keep),
            (Rule::Merged, "", "", "", Keep, Keep),
            (Rule::Merged, "", "", "a", Set, Set),
            (Rule::Merged, "a", "a", "a", Keep, Keep),
            (Rule::Merged, "a", "r", "a", Keep, Keep),
            (Rule::Merged, "a", "a", "b", Set, Set),
            (Rule::Merged, "a", "a", "", Remove, Remove),
            (Rule::Merged, "a", "r", "b", Conflict, Set),
            (Rule::Merged, "a", "r", "", Conflict, Remove),
            (Rule::Merged, "a", "b", "b", Keep, Keep),
        ];
        for (rule, base, stored, file, plain, forced) in cases {
            let mark = |text: &str| (!text.is_empty()).then(|| Fingerprint::of_text(text));
            let (base, stored, file) = (mark(base), mark(stored), mark(file));
            let marks = Marks { base: base.as_ref(), stored: stored.as_ref(), file: file.as_ref() };
            assert_eq!(judge(rule, marks, false), plain, "{rule:?} {marks:?}");
            assert_eq!(judge(rule, marks, true), forced, "{rule:?} {marks:?} by force");
        }
    }
}
