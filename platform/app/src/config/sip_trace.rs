use serde::Deserialize;

/// `sip_trace:` — which conversations' SIP messages are kept, and for how long.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SipTraceRule {
    /// How much memory the messages of conversations that run may take, mebibytes; 0: none are
    /// gathered at all.
    pub ring_mib: u32,
    /// Of which conversations they are stored at the end.
    pub keep: Keep,
    /// Of how many of the others besides, in a hundred.
    pub sample_percent: u8,
    /// How long what is stored is kept, days.
    pub keep_days: u32,
}

impl Default for SipTraceRule {
    fn default() -> Self {
        Self { ring_mib: 32, keep: Keep::Failed, sample_percent: 0, keep_days: 14 }
    }
}

/// `sip_trace.keep`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Of calls that failed, or in which the platform or a trunk was at fault.
    Failed,
    /// Of every call.
    All,
    /// Of none but the sample.
    None,
}

impl SipTraceRule {
    /// Whether messages are gathered at all.
    pub fn gathers(&self) -> bool {
        self.ring_mib > 0
    }

    /// Whether a conversation's trace is stored. The sample is drawn from its identifier, so that
    /// whoever asks twice is told the same.
    pub fn keeps(&self, conversation: &str, is_failed: bool) -> bool {
        let by_rule = match self.keep {
            Keep::Failed => is_failed,
            Keep::All => true,
            Keep::None => false,
        };
        by_rule || lot(conversation) < u32::from(self.sample_percent)
    }
}

/// 0 to 99, by FNV-1a with a finish that mixes the low bits of like identifiers.
fn lot(text: &str) -> u32 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u32::try_from((hash ^ (hash >> 33)) % 100).expect("it is below 100")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_decides() {
        let rule =
            |keep, sample_percent| SipTraceRule { keep, sample_percent, ..SipTraceRule::default() };
        for (keep, failed, fine) in
            [(Keep::Failed, true, false), (Keep::All, true, true), (Keep::None, false, false)]
        {
            assert_eq!(rule(keep, 0).keeps("CV1", true), failed, "{keep:?}");
            assert_eq!(rule(keep, 0).keeps("CV1", false), fine, "{keep:?}");
            assert!(rule(keep, 100).keeps("CV1", false), "{keep:?}");
        }
    }

    #[test]
    fn the_sample_has_about_its_size() {
        let rule = SipTraceRule { sample_percent: 10, ..SipTraceRule::default() };
        let ids = (0..10_000).map(|n| format!("CV1000020261124140000{n:012}"));
        let drawn = ids.filter(|id| rule.keeps(id, false)).count();
        assert!((800..1_200).contains(&drawn), "{drawn} of 10,000");
    }
}
