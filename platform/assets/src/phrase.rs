//! The names of the phrases that every language has.

/// "Your verification code is", before a captcha.
pub const CODE_IS: &str = "code-is";
/// One minute is left of the call.
pub const ONE_MINUTE_LEFT: &str = "one-minute-left";
/// 1 confirms, 2 repeats.
pub const CONFIRM: &str = "confirm";
/// That key means nothing here.
pub const INVALID_CHOICE: &str = "invalid-choice";
/// All agents are busy, please wait.
pub const HOLD: &str = "hold";
/// Before a caller's place in the queue.
pub const QUEUE_BEFORE: &str = "queue-before";
/// After a caller's place in the queue.
pub const QUEUE_AFTER: &str = "queue-after";
/// The end of a call.
pub const GOODBYE: &str = "goodbye";
/// The callee does not answer.
pub const NO_ANSWER: &str = "no-answer";
/// The callee is on another call.
pub const BUSY: &str = "busy";
/// The callee's phone is switched off.
pub const UNREACHABLE: &str = "unreachable";
/// The call is being transferred.
pub const TRANSFER: &str = "transfer";

/// All of them: a default pack has each.
pub const ALL: [&str; 12] = [
    CODE_IS,
    ONE_MINUTE_LEFT,
    CONFIRM,
    INVALID_CHOICE,
    HOLD,
    QUEUE_BEFORE,
    QUEUE_AFTER,
    GOODBYE,
    NO_ANSWER,
    BUSY,
    UNREACHABLE,
    TRANSFER,
];
