//! The gate: whether a call may go out, under which number and over which trunks. Pure: what it has
//! to know is in [`Facts`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error_code::{
    ALL_TRUNKS_DOWN, CALLEE_AT_LIMIT, CALLER_ID_NOT_FOR_APPLICATION, CALLER_ID_NOT_OWNED,
    DESTINATION_NOT_ALLOWED, DO_NOT_CALL, EMERGENCY_NUMBER, ErrorCode, NO_CALLER_ID, NO_TRUNK,
    ROUTE_WITHOUT_TRUNK,
};
use crate::numbers::Prefix;
use crate::{Micros, Number, NumberClass};

mod routes;

pub use routes::RouteTable;

/// What the gate has to know of one call. Borrowed from the configuration's snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Whom to call.
    pub to: &'a Number,
    /// The caller ID that the request asks for.
    pub from: Option<&'a Number>,
    /// The account's caller IDs, in order.
    pub caller_ids: &'a [CallerIdFacts],
    /// The classes of destinations that are open; [`voice_destinations`] where nothing is
    /// configured.
    pub open_classes: &'a BTreeSet<NumberClass>,
    /// Which trunks carry calls to which numbers.
    pub routes: &'a RouteTable,
    /// Names of the trunks that take no new call now: down, or being drained.
    pub trunks_down: &'a BTreeSet<String>,
    /// What the account has noted of the callee.
    pub callee: CalleeFacts,
}

/// What the account has noted of a callee who has not asked for the call. Of a call that the callee
/// asks for (a captcha, a click) nothing: then neither holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CalleeFacts {
    /// The account's do-not-call list has the number.
    pub is_listed: bool,
    /// The number has had as many calls as the account allows for a day or a week.
    pub is_capped: bool,
}

/// One caller ID of the account, as the application sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdFacts {
    /// The number shown.
    pub number: Number,
    /// The application may show it.
    pub allowed_for_application: bool,
    /// The trunks that carry it, in order.
    pub trunks: Vec<String>,
}

/// The gate's decision; its rule is stored with the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may go out.
    Allow {
        /// The trunks to try, in order; not empty.
        trunks: Vec<String>,
        /// Those that would have been tried too, and are down or being drained.
        passed_over: Vec<String>,
        /// The caller ID to show.
        from: Number,
        /// The route that chose the trunks; absent where the caller ID's own order holds.
        route: Option<Prefix>,
        /// Why.
        rule: Rule,
    },
    /// It may not, now or later.
    Refuse {
        /// What to answer.
        code: ErrorCode,
        /// Why.
        rule: Rule,
    },
    /// It may go out later.
    Defer {
        /// Why.
        rule: Rule,
        /// When to ask again.
        until: Micros,
    },
}

/// The rules of the gate, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Emergency numbers are never called.
    Emergency,
    /// The caller ID asked for is the account's.
    CallerIdOwned,
    /// The application may show the caller ID asked for.
    CallerIdForApplication,
    /// There is a caller ID to show.
    CallerIdDefault,
    /// The destination's class is open.
    DestinationClass,
    /// The account's do-not-call list does not have the number.
    DoNotCall,
    /// The number has not had its calls of the day or the week.
    CalleeCap,
    /// The caller ID has a trunk.
    TrunkConfigured,
    /// The route of the number called has a trunk that carries the caller ID.
    RouteTrunks,
    /// One of those trunks is neither known to be down nor being drained.
    TrunksDown,
    /// No rule had anything against it.
    Passed,
}

impl Rule {
    /// Every rule, in order.
    pub const ALL: [Self; 11] = [
        Self::Emergency,
        Self::CallerIdOwned,
        Self::CallerIdForApplication,
        Self::CallerIdDefault,
        Self::DestinationClass,
        Self::DoNotCall,
        Self::CalleeCap,
        Self::TrunkConfigured,
        Self::RouteTrunks,
        Self::TrunksDown,
        Self::Passed,
    ];

    /// Its stable name, as stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::CallerIdOwned => "caller_id_owned",
            Self::CallerIdForApplication => "caller_id_for_application",
            Self::CallerIdDefault => "caller_id_default",
            Self::DestinationClass => "destination_class",
            Self::DoNotCall => "do_not_call",
            Self::CalleeCap => "callee_cap",
            Self::TrunkConfigured => "trunk_configured",
            Self::RouteTrunks => "route_trunks",
            Self::TrunksDown => "trunks_down",
            Self::Passed => "passed",
        }
    }

    /// The rule with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// What it did, in Chinese.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Emergency => "紧急号码一律不呼叫",
            Self::CallerIdOwned => "指定的显号不属于该账号",
            Self::CallerIdForApplication => "指定的显号未对该应用开放",
            Self::CallerIdDefault => "该应用没有可用的显号",
            Self::DestinationClass => "此类目的号码未开通",
            Self::DoNotCall => "号码在该账号的免打扰名单中",
            Self::CalleeCap => "该号码当日或本周的呼叫次数已达账号上限",
            Self::TrunkConfigured => "显号没有配置线路",
            Self::RouteTrunks => "被叫号码的路由中没有该显号可用的线路",
            Self::TrunksDown => "所有可用线路均已中断或正在摘除",
            Self::Passed => "通过全部规则",
        }
    }

    /// What it did, in English.
    pub const fn en(self) -> &'static str {
        match self {
            Self::Emergency => "Emergency numbers are never called",
            Self::CallerIdOwned => "The caller ID asked for is not the account's",
            Self::CallerIdForApplication => "The application may not show the caller ID asked for",
            Self::CallerIdDefault => "The application has no caller ID that it may show",
            Self::DestinationClass => "Destinations of this class are not open",
            Self::DoNotCall => "The number is on the account's do-not-call list",
            Self::CalleeCap => {
                "The number has had as many calls as the account allows for a day or a week"
            }
            Self::TrunkConfigured => "The caller ID has no trunk",
            Self::RouteTrunks => {
                "The route of the number called has no trunk that carries the caller ID"
            }
            Self::TrunksDown => "Every trunk that may be used is down or being drained",
            Self::Passed => "No rule had anything against it",
        }
    }
}

/// The destinations that are open to notices and captchas unless configured otherwise:
/// international and premium ones are closed.
pub fn voice_destinations() -> BTreeSet<NumberClass> {
    BTreeSet::from([NumberClass::Mobile, NumberClass::Landline])
}

/// Asks every rule in order; the first one that objects decides. `now` is for rules of time, of
/// which there is none yet that does not only concern campaigns
/// ([`campaign::decide`](crate::campaign::decide)).
pub fn decide(facts: &Facts<'_>, _now: Micros) -> Decision {
    match ask(facts) {
        Ok(chosen) => Decision::Allow {
            trunks: chosen.trunks,
            passed_over: chosen.passed_over,
            from: chosen.from,
            route: chosen.route,
            rule: Rule::Passed,
        },
        Err((code, rule)) => Decision::Refuse { code, rule },
    }
}

/// How a call goes out.
struct Chosen {
    trunks: Vec<String>,
    passed_over: Vec<String>,
    from: Number,
    route: Option<Prefix>,
}

fn ask(facts: &Facts<'_>) -> Result<Chosen, (ErrorCode, Rule)> {
    if facts.to.class() == NumberClass::Emergency {
        return Err((EMERGENCY_NUMBER, Rule::Emergency));
    }
    let caller_id = caller_id(facts)?;
    if !facts.open_classes.contains(&facts.to.class()) {
        return Err((DESTINATION_NOT_ALLOWED, Rule::DestinationClass));
    }
    ask_of_callee(facts.callee)?;
    if caller_id.trunks.is_empty() {
        return Err((NO_TRUNK, Rule::TrunkConfigured));
    }
    let (route, carrying) = routed(facts, caller_id)?;
    let (passed_over, trunks): (Vec<String>, Vec<String>) =
        carrying.into_iter().partition(|name| facts.trunks_down.contains(name));
    if trunks.is_empty() {
        return Err((ALL_TRUNKS_DOWN, Rule::TrunksDown));
    }
    Ok(Chosen { trunks, passed_over, from: caller_id.number.clone(), route })
}

/// The rules that go by what the account has noted of the callee, for whoever has to ask them once
/// more right before a call is dialled: the list grows while calls wait for a line.
///
/// # Errors
/// The code and the rule of the first one that objects.
pub fn ask_of_callee(callee: CalleeFacts) -> Result<(), (ErrorCode, Rule)> {
    match callee {
        CalleeFacts { is_listed: true, .. } => Err((DO_NOT_CALL, Rule::DoNotCall)),
        CalleeFacts { is_capped: true, .. } => Err((CALLEE_AT_LIMIT, Rule::CalleeCap)),
        CalleeFacts { is_listed: false, is_capped: false } => Ok(()),
    }
}

/// The trunks that may carry the call, whether they are up or not: those of the number's route that
/// carry the caller ID, in the route's order; without a route the caller ID's own.
fn routed(
    facts: &Facts<'_>,
    caller_id: &CallerIdFacts,
) -> Result<(Option<Prefix>, Vec<String>), (ErrorCode, Rule)> {
    let Some((prefix, trunks)) = facts.routes.find(facts.to) else {
        return Ok((None, caller_id.trunks.clone()));
    };
    let carrying = trunks.iter().filter(|name| caller_id.trunks.contains(name));
    let carrying: Vec<String> = carrying.cloned().collect();
    if carrying.is_empty() {
        return Err((ROUTE_WITHOUT_TRUNK, Rule::RouteTrunks));
    }
    Ok((Some(prefix.clone()), carrying))
}

/// The caller ID asked for, or the account's first one that the application may show (RESOLUTIONS,
/// `from` absent).
fn caller_id<'a>(facts: &Facts<'a>) -> Result<&'a CallerIdFacts, (ErrorCode, Rule)> {
    let Some(from) = facts.from else {
        let first = facts.caller_ids.iter().find(|id| id.allowed_for_application);
        return first.ok_or((NO_CALLER_ID, Rule::CallerIdDefault));
    };
    match facts.caller_ids.iter().find(|id| id.number == *from) {
        None => Err((CALLER_ID_NOT_OWNED, Rule::CallerIdOwned)),
        Some(id) if !id.allowed_for_application => {
            Err((CALLER_ID_NOT_FOR_APPLICATION, Rule::CallerIdForApplication))
        }
        Some(id) => Ok(id),
    }
}

#[cfg(test)]
mod tests;
