//! The gate's word on one party, before anything is stored: refused at once or not at all, for
//! somebody waits beside a phone (RESOLUTIONS, trunk or account at its limit).

use crate::click::Side;
use crate::directory::Application;
use crate::ports::Busy;
use crate::{App, Refusal};
use std::time::Duration;
use yunling_domain::error_code::{
    ACCOUNT_AT_LIMIT, ALL_TRUNKS_DOWN, DESTINATION_NOT_ALLOWED, TRUNK_AT_LIMIT,
};
use yunling_domain::policy::{CalleeFacts, Decision, Facts, decide};
use yunling_domain::{Micros, Number};

/// When a line is likely to be free again, seconds.
const LINE_RETRY_S: u32 = 5;

/// Asks for one party; gives how it is reached, and the rule that let it pass.
///
/// # Errors
/// The code of the rule that refuses, for the party's field or for that of its line number.
pub(crate) fn ask(
    app: &App,
    application: &Application,
    (field, to): (&str, &Number),
    (line_field, line): (&str, Option<&Number>),
    now: Micros,
) -> Result<(Side, &'static str), Refusal> {
    let (directory, trunks_down) = (app.directory(), app.trunks().known_down());
    let facts = Facts {
        to,
        from: line,
        caller_ids: &application.caller_ids,
        open_classes: &application.open_classes,
        routes: directory.routes(),
        trunks_down: &trunks_down,
        // One of the two waits for the other.
        callee: CalleeFacts::default(),
    };
    match decide(&facts, now) {
        Decision::Allow { from, rule, .. } => {
            let shown = to.national().to_owned();
            Ok((Side { number: to.stored(), shown, line: from.stored() }, rule.name()))
        }
        Decision::Refuse { code, rule } => {
            let by_line = code.name.starts_with("caller_id");
            Err(Refusal::field(code, if by_line { line_field } else { field }, rule.en()))
        }
        Decision::Defer { rule, .. } => {
            Err(Refusal::field(DESTINATION_NOT_ALLOWED, field, rule.en()))
        }
    }
}

/// Why no line could be had, as the caller is told.
pub(crate) fn busy(busy: Busy) -> Refusal {
    match busy {
        Busy::Limit(limit) if limit == "account" => {
            Refusal::new(ACCOUNT_AT_LIMIT).retry_after(LINE_RETRY_S)
        }
        // Which trunk it is, is the operator's matter.
        Busy::Limit(_) | Busy::Paced(_) => Refusal::new(TRUNK_AT_LIMIT).retry_after(LINE_RETRY_S),
        Busy::TrunksDown => Refusal::new(ALL_TRUNKS_DOWN),
        Busy::Refused { code, rule: _ } => Refusal::new(code),
    }
}

/// How long a click waits in all for its turn on a trunk that is not full, but is called too fast.
const PACE_MS: i64 = 2_000;

/// The turns of one click on a line that is only paced.
pub(crate) struct Turns<'a> {
    app: &'a App,
    until: Micros,
}

impl<'a> Turns<'a> {
    /// Counted from now.
    pub(crate) fn begin(app: &'a App) -> Self {
        Self { app, until: app.clock().now().plus_ms(PACE_MS) }
    }

    /// Waits for the next turn. Gives false at once where it would come too late, or where there is
    /// something else in the way than the pace.
    pub(crate) async fn next(&self, busy: &Busy) -> bool {
        let Busy::Paced(at) = busy else { return false };
        let now = self.app.clock().now();
        if *at > self.until || now > self.until {
            return false;
        }
        let wait_ms = u64::try_from(at.ms_since(now)).unwrap_or(0);
        // A millisecond more, for what was rounded off.
        tokio::time::sleep(Duration::from_millis(wait_ms + 1)).await;
        true
    }
}
