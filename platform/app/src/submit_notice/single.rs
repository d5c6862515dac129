use crate::App;
use yunling_store::RequestKind;
use yunling_store::attempts::AttemptLane;

/// What a request for one call is, and what differs by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Single {
    /// VoiceNotices.
    Notice,
    /// VoiceCaptchas.
    Captcha,
}

impl Single {
    pub(crate) const fn kind(self) -> RequestKind {
        match self {
            Self::Notice => RequestKind::Notice,
            Self::Captcha => RequestKind::Captcha,
        }
    }

    /// Where its call waits: captchas before notices.
    pub(crate) const fn lane(self) -> AttemptLane {
        match self {
            Self::Notice => AttemptLane::Notice,
            Self::Captcha => AttemptLane::Captcha,
        }
    }

    /// The operation, as idempotency keys are stored for it.
    pub(crate) const fn route(self) -> &'static str {
        match self {
            Self::Notice => "VoiceNotices",
            Self::Captcha => "VoiceCaptchas",
        }
    }

    /// How long its call may wait for a line, seconds.
    pub(crate) fn max_wait_s(self, app: &App) -> u32 {
        let longest = &app.settings().calls.queue_max_wait;
        match self {
            Self::Notice => longest.notices_s,
            Self::Captcha => longest.captchas_s,
        }
    }
}
