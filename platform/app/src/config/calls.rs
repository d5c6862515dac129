use serde::Deserialize;
use yunling_domain::campaign::TimeOfDay;

/// `calls:` — timers and limits of calls (RESOLUTIONS.md, "Voice surface" and "Why a leg failed").
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calls {
    /// How long a callee's phone rings, milliseconds.
    pub ring_ms: u32,
    /// How long a trunk may show no sign of life before the next one is tried, milliseconds.
    pub no_reply_ms: u32,
    /// The greatest length of a notice or captcha from its answer, milliseconds.
    pub max_duration_ms: u32,
    /// How long keys are taken after a play's end, milliseconds.
    pub key_window_ms: u32,
    /// Plays of one notice in all, replays that the listener asked for included.
    pub max_plays: u8,
    /// How often a captcha is spelled.
    pub captcha_times: u8,
    /// How long a call may wait for a free line.
    pub queue_max_wait: QueueMaxWait,
    /// Calls of one account that may wait for a line; beyond it a request is refused.
    pub queue_max_len: u32,
    /// How much of every limit of calls, of accounts and of trunks alike, batches leave to captchas,
    /// notices and whatever else somebody waits for; percent.
    pub live_share_percent: u32,
    /// Numbers of one batch, duplicates not counted.
    pub batch_max_numbers: u32,
    /// Numbers of all unfinished batches of an account that wait for their turn; beyond it another
    /// batch is refused.
    pub batch_max_waiting: u32,
    /// The hours in which campaigns may call, in the callee's zone.
    pub campaign_hours: CampaignHours,
    /// How long shutdown waits for calls to end, seconds.
    pub drain_s: u32,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            ring_ms: 60_000,
            no_reply_ms: 4_000,
            max_duration_ms: 600_000,
            key_window_ms: 5_000,
            max_plays: 10,
            captcha_times: 2,
            queue_max_wait: QueueMaxWait::default(),
            queue_max_len: 10_000,
            live_share_percent: 10,
            batch_max_numbers: 100_000,
            batch_max_waiting: 1_000_000,
            campaign_hours: CampaignHours::default(),
            drain_s: 30,
        }
    }
}

/// `calls.campaign_hours:` — the widest hours that a tenant may give a campaign.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CampaignHours {
    /// From this time on.
    pub from: TimeOfDay,
    /// Up to this time.
    pub to: TimeOfDay,
}

impl Default for CampaignHours {
    fn default() -> Self {
        Self { from: TimeOfDay::from_minutes(8 * 60), to: TimeOfDay::from_minutes(21 * 60) }
    }
}

/// `calls.queue_max_wait:` — beyond it the result is 1 with reason 2.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueMaxWait {
    /// Seconds.
    pub notices_s: u32,
    /// Seconds.
    pub captchas_s: u32,
}

impl Default for QueueMaxWait {
    fn default() -> Self {
        Self { notices_s: 30, captchas_s: 5 }
    }
}
