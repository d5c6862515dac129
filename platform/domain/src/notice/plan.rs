use crate::contents::{KeyRule, NoticeSpec};

/// What one call is to do: the request's wishes and the settings in force when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// How many trunks may be tried, in order; at least 1.
    pub trunks: usize,
    /// How often the contents are played, 1 to 3, replays not counted.
    pub times: u8,
    /// The key that confirms; wins where both match.
    pub finish_key: Option<KeyRule>,
    /// The key that asks for a replay.
    pub repeat_key: Option<KeyRule>,
    /// Something is played after the confirming key.
    pub has_finish_voice: bool,
    /// How long a dialled phone may ring, from the dial on.
    pub ring_ms: u32,
    /// How long a trunk may keep silent before the next one is tried.
    pub no_reply_ms: u32,
    /// The longest call, from the answer on.
    pub max_duration_ms: u32,
    /// How long keys are still taken after the last content.
    pub key_window_ms: u32,
    /// The most plays of the contents in all, replays counted.
    pub max_plays: u8,
}

impl Plan {
    /// Default of `key_window_ms` (RESOLUTIONS, keys).
    pub const KEY_WINDOW_MS: u32 = 5_000;
    /// Default of `no_reply_ms` (RESOLUTIONS, failover).
    pub const NO_REPLY_MS: u32 = 4_000;
    /// Default of `ring_ms`.
    pub const RING_MS: u32 = 60_000;
    /// Default of `max_duration_ms`: longer than any notice of 50 contents needs.
    pub const MAX_DURATION_MS: u32 = 600_000;
    /// Default of `max_plays` (RESOLUTIONS, times).
    pub const MAX_PLAYS: u8 = 10;

    /// The plan of a request with every setting at its default.
    pub fn new(spec: &NoticeSpec, trunks: usize) -> Self {
        Self {
            trunks,
            times: spec.times,
            finish_key: spec.finish_key,
            repeat_key: spec.repeat_key,
            has_finish_voice: spec.finish_voice.is_some(),
            ring_ms: Self::RING_MS,
            no_reply_ms: Self::NO_REPLY_MS,
            max_duration_ms: Self::MAX_DURATION_MS,
            key_window_ms: Self::KEY_WINDOW_MS,
            max_plays: Self::MAX_PLAYS,
        }
    }

    /// Whether any key means something.
    pub(super) const fn listens(&self) -> bool {
        self.finish_key.is_some() || self.repeat_key.is_some()
    }
}
