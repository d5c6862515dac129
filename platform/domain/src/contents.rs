//! What a notice says and which keys it listens for.

mod key_rule;
mod notice_spec;
mod spoken;

pub use key_rule::{BadKeyRule, KeyRule};
pub use notice_spec::{MAX_CONTENTS, NoticeSpec};
pub use spoken::{Content, ContentError};
