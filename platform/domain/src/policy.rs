//! The gate: whether a call may go out, under which number and over which trunks. Pure: what it has
//! to know is in [`Facts`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error_code::{
    ALL_TRUNKS_DOWN, CALLER_ID_NOT_FOR_APPLICATION, CALLER_ID_NOT_OWNED, DESTINATION_NOT_ALLOWED,
    EMERGENCY_NUMBER, ErrorCode, NO_CALLER_ID, NO_TRUNK,
};
use crate::{Micros, Number, NumberClass};

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
    /// Names of the trunks that are known to be down.
    pub trunks_down: &'a BTreeSet<String>,
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
        /// The caller ID to show.
        from: Number,
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

/// The rules of the gate, in the order in which they are asked. Rules of time and quantity
/// (do-not-call list, calling window, caps, quota) stand between [`Rule::DestinationClass`] and
/// [`Rule::TrunksDown`].
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
    /// The caller ID has a trunk.
    TrunkConfigured,
    /// One of its trunks is not known to be down.
    TrunksDown,
    /// No rule had anything against it.
    Passed,
}

impl Rule {
    /// Every rule, in order.
    pub const ALL: [Self; 8] = [
        Self::Emergency,
        Self::CallerIdOwned,
        Self::CallerIdForApplication,
        Self::CallerIdDefault,
        Self::DestinationClass,
        Self::TrunkConfigured,
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
            Self::TrunkConfigured => "trunk_configured",
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
            Self::TrunkConfigured => "显号没有配置线路",
            Self::TrunksDown => "显号的所有线路均已中断",
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
            Self::TrunkConfigured => "The caller ID has no trunk",
            Self::TrunksDown => "Every trunk of the caller ID is down",
            Self::Passed => "No rule had anything against it",
        }
    }
}

/// The destinations that are open to notices and captchas unless configured otherwise:
/// international and premium ones are closed.
pub fn voice_destinations() -> BTreeSet<NumberClass> {
    BTreeSet::from([NumberClass::Mobile, NumberClass::Landline])
}

/// Asks every rule in order; the first one that objects decides. `now` is for the rules of time,
/// which need facts that no configuration holds yet.
pub fn decide(facts: &Facts<'_>, _now: Micros) -> Decision {
    match ask(facts) {
        Ok((trunks, from)) => Decision::Allow { trunks, from, rule: Rule::Passed },
        Err((code, rule)) => Decision::Refuse { code, rule },
    }
}

fn ask(facts: &Facts<'_>) -> Result<(Vec<String>, Number), (ErrorCode, Rule)> {
    if facts.to.class() == NumberClass::Emergency {
        return Err((EMERGENCY_NUMBER, Rule::Emergency));
    }
    let caller_id = caller_id(facts)?;
    if !facts.open_classes.contains(&facts.to.class()) {
        return Err((DESTINATION_NOT_ALLOWED, Rule::DestinationClass));
    }
    if caller_id.trunks.is_empty() {
        return Err((NO_TRUNK, Rule::TrunkConfigured));
    }
    let up = caller_id.trunks.iter().filter(|name| !facts.trunks_down.contains(*name));
    let trunks: Vec<String> = up.cloned().collect();
    if trunks.is_empty() {
        return Err((ALL_TRUNKS_DOWN, Rule::TrunksDown));
    }
    Ok((trunks, caller_id.number.clone()))
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
