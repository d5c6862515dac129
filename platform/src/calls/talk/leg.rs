//! One party's leg as the task knows it: what it is reached by and what the engine has said of it.

use std::sync::Arc;
use std::time::Instant;

use tracing::Span;
use yunling_app::click::Side;
use yunling_app::directory::Trunk;
use yunling_app::tell_status::LegStatus;
use yunling_domain::conversation::Party;
use yunling_domain::{CallId, Fault, Number, Termination};
use yunling_switch_contract::{LegId, MediaFigures};

use super::super::admission::Permit;
use super::super::facts::Facts;
use super::super::gate::Passed;

/// One party's leg.
pub(super) struct Leg {
    pub(super) party: Party,
    pub(super) call: CallId,
    pub(super) id: LegId,
    pub(super) side: Side,
    pub(super) place: Place,
    /// What the gate let pass before the leg was to be dialled.
    pub(super) ready: Option<Box<Passed>>,
    /// How it goes out, once the gate has let it pass.
    pub(super) way: Option<Way>,
    /// What is stored of it; nothing before the gate has let it pass.
    pub(super) facts: Option<Facts>,
    pub(super) attempt: u8,
    /// Until when it may wait for a line.
    pub(super) patient_until: Instant,
    /// Why it was not dialled, where the gate or a limit refused it.
    pub(super) refusal: Option<(String, Fault)>,
    /// The rule that let it pass.
    pub(super) rule: Option<String>,
    pub(super) figures: MediaFigures,
    pub(super) termination: Option<Termination>,
    pub(super) has_rung: bool,
    pub(super) is_answered: bool,
    /// Whom it hears, as the engine was told last.
    pub(super) hears: Vec<Party>,
    /// How often something was played over what it hears.
    pub(super) announced: u32,
    /// That it is dialled, which is told once its row says so.
    pub(super) untold: Option<LegStatus>,
    /// The try that is under way, for the conversation's trace.
    pub(super) span: Span,
}

/// Where a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Here: it is to be dialled, or looks for a line.
    Here,
    /// In the engine, which will report its end.
    Engine,
    /// Over, unless the machine tries its next trunk.
    Over,
}

/// How a leg goes out.
pub(super) struct Way {
    pub(super) trunks: Vec<Arc<Trunk>>,
    /// The one that was tried last.
    pub(super) trunk: usize,
    pub(super) to: Number,
    pub(super) from: Number,
    /// Its share of the limits, until it is over.
    pub(super) permit: Option<Permit>,
}

impl Leg {
    pub(super) fn new(party: Party, call: CallId, side: Side, ready: Option<Box<Passed>>) -> Self {
        Self {
            party,
            id: LegId::new(call.as_str()),
            call,
            side,
            place: Place::Here,
            ready,
            way: None,
            facts: None,
            attempt: 0,
            patient_until: Instant::now(),
            refusal: None,
            rule: None,
            figures: MediaFigures::default(),
            termination: None,
            has_rung: false,
            is_answered: false,
            hears: Vec::new(),
            announced: 0,
            untold: None,
            span: Span::none(),
        }
    }

    /// The trunk that was tried last.
    pub(super) fn trunk(&self) -> Option<&Arc<Trunk>> {
        self.way.as_ref().map(|way| &way.trunks[way.trunk])
    }

    /// The line number shown, as stored.
    pub(super) fn line(&self) -> String {
        self.way.as_ref().map_or_else(|| self.side.line.clone(), |way| way.from.stored())
    }

    /// Gives its line back: it is over.
    pub(super) fn let_go(&mut self) {
        self.ready = None;
        if let Some(way) = &mut self.way {
            way.permit = None;
        }
    }
}
