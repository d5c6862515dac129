//! The gate and the permit for one leg: decided in one step, at the moment of dialling, with the
//! configuration that is in force then.

use std::sync::Arc;

use yunling_app::directory::{Account, Application, Trunk};
use yunling_app::{App, Directory};
use yunling_domain::numbers::Prefix;
use yunling_domain::policy::{self, CalleeFacts, Decision, Facts, Rule};
use yunling_domain::{AccountId, ApplicationId, ErrorCode, Micros, Number, error_code};
use yunling_store::attempts::{AttemptLane, NewAttempt};

use super::admission::{Admission, Full, Permit, Share, WaitsFor};
use super::trunks::TrunkDesk;

/// What decides whether a leg goes out. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) app: App,
    pub(super) admission: Arc<Admission>,
    pub(super) desk: TrunkDesk,
}

/// A leg that is to be dialled.
pub(super) struct Wanted<'a> {
    pub(super) account: &'a AccountId,
    pub(super) application: &'a ApplicationId,
    /// Decides how much of the limits it may take of.
    pub(super) lane: AttemptLane,
    /// Whom to call, as stored.
    pub(super) to: &'a str,
    /// The caller ID asked for, as stored.
    pub(super) from: Option<&'a str>,
    /// A line that was taken for it before.
    pub(super) held: Option<Permit>,
}

impl<'a> Wanted<'a> {
    /// A row's.
    pub(super) fn by_row(queued: &'a NewAttempt) -> Self {
        Self {
            account: &queued.account,
            application: &queued.application,
            lane: queued.lane,
            to: &queued.to_number,
            from: queued.from_number.as_deref(),
            held: None,
        }
    }
}

/// A call that may go out now.
pub(super) struct Passed {
    pub(super) application: Arc<Application>,
    /// The trunks to try, in order; the permit is for the first.
    pub(super) trunks: Vec<Arc<Trunk>>,
    pub(super) permit: Permit,
    pub(super) to: Number,
    pub(super) from: Number,
    pub(super) rule: Rule,
    /// The route that chose the trunks, where one did.
    pub(super) route: Option<Prefix>,
}

/// What the gate and the limits said.
pub(super) enum Verdict {
    Pass(Box<Passed>),
    /// Not now: some limit is reached.
    Wait(Full),
    /// Not at all: the configuration has changed since the request was accepted.
    Refuse {
        code: ErrorCode,
        rule: &'static str,
    },
    /// The rules allow it later.
    Defer {
        rule: Rule,
        until: Micros,
    },
}

impl Gate {
    /// Asks the gate, and takes the permit.
    pub(super) fn ask(&self, directory: &Directory, wanted: Wanted<'_>, now: Micros) -> Verdict {
        let refuse = |code, rule| Verdict::Refuse { code, rule };
        let Some(account) = directory.account(wanted.account) else {
            return refuse(error_code::UNKNOWN_APPLICATION, "account_exists");
        };
        if account.suspended {
            return refuse(error_code::ACCOUNT_SUSPENDED, "account_active");
        }
        let Some(application) = account.applications.get(wanted.application) else {
            return refuse(error_code::UNKNOWN_APPLICATION, "application_exists");
        };
        let to = Number::parse_dialable(wanted.to);
        let from = wanted.from.map(Number::parse_dialable).transpose();
        let (Ok(to), Ok(from)) = (to, from) else {
            return refuse(error_code::BAD_PARAMETER, "number_readable");
        };
        let closed = self.app.trunks().closed();
        let facts = Facts {
            to: &to,
            from: from.as_ref(),
            caller_ids: &application.caller_ids,
            open_classes: &application.open_classes,
            routes: directory.routes(),
            trunks_down: &closed,
            // Asked when the call is about to begin: rows wait here, and the list grows
            // (`supervision`).
            callee: CalleeFacts::default(),
        };
        match policy::decide(&facts, now) {
            // It was accepted, so it waits for one of them to come up.
            Decision::Refuse { rule: Rule::TrunksDown, .. } => {
                Verdict::Wait(Full { waits_for: WaitsFor::Trunks, until: None })
            }
            Decision::Refuse { code, rule } => refuse(code, rule.name()),
            Decision::Defer { rule, until } => Verdict::Defer { rule, until },
            Decision::Allow { trunks, passed_over, from, route, rule } => {
                let trunks: Vec<_> =
                    trunks.iter().filter_map(|name| directory.trunk(name)).cloned().collect();
                match self.permit(account, &trunks, wanted.held, self.share(wanted.lane), now) {
                    Ok((permit, first)) => {
                        for trunk in &passed_over {
                            self.desk.passed_over(trunk);
                        }
                        Verdict::Pass(Box::new(Passed {
                            application: Arc::clone(application),
                            trunks: trunks[first..].to_vec(),
                            permit,
                            to,
                            from,
                            rule,
                            route,
                        }))
                    }
                    Err(None) => refuse(error_code::NO_TRUNK, Rule::TrunkConfigured.name()),
                    Err(Some(full)) => Verdict::Wait(full),
                }
            }
        }
    }

    /// How much of the limits a lane may take of: somebody waits for all but a batch's calls.
    pub(super) fn share(&self, lane: AttemptLane) -> Share {
        match lane {
            AttemptLane::Talk | AttemptLane::Captcha | AttemptLane::Notice => Share::Whole,
            AttemptLane::Batch => {
                Share::AllBut { percent: self.app.settings().calls.live_share_percent }
            }
        }
    }

    /// The first trunk with room, counted from 0, and the permit for it; the trunk of a permit that
    /// is held already, if it may still be used. A full trunk is passed over while a later one of
    /// the caller ID's list has room. Nothing where there is no trunk at all.
    fn permit(
        &self,
        account: &Account,
        trunks: &[Arc<Trunk>],
        held: Option<Permit>,
        share: Share,
        now: Micros,
    ) -> Result<(Permit, usize), Option<Full>> {
        if let Some(permit) = held
            && let Some(index) = trunks.iter().position(|trunk| permit.is_for(&trunk.name))
        {
            return Ok((permit, index));
        }
        let mut soonest: Option<Full> = None;
        for (index, trunk) in trunks.iter().enumerate() {
            match self.admission.take(account, trunk, share, now) {
                Ok(permit) => return Ok((permit, index)),
                Err(full) => {
                    let sooner = match &soonest {
                        None => true,
                        Some(known) => match (full.until, known.until) {
                            (Some(this), Some(other)) => this < other,
                            (Some(_), None) => true,
                            (None, _) => false,
                        },
                    };
                    if sooner {
                        soonest = Some(full);
                    }
                }
            }
        }
        Err(soonest)
    }
}
