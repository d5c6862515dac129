//! How far a conversation has come: one type a phase, which holds only what that phase knows.

use super::calling::{Called, Calling};
use super::leg::{Leg, News};
use super::room::Room;
use super::turn::Turn;
use super::{AddRefusal, Addition, ByeType, Connection, EndedBy, Output, Party, Plan, Segment};
use crate::notice::HangUpWhy;

/// How far a conversation is, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TalkPhase {
    /// The caller is being called.
    Caller,
    /// The callee is being called.
    Callee,
    /// All who are up hear one another.
    Connected,
    /// A third party is being called.
    Adding,
    /// It ends, or is over.
    Ending,
}

impl TalkPhase {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "calling_caller",
            Self::Callee => "calling_callee",
            Self::Connected => "connected",
            Self::Adding => "adding",
            Self::Ending => "ending",
        }
    }
}

/// The phases.
#[derive(Debug)]
pub(super) enum Phase {
    /// Waiting for the start.
    Idle,
    /// The caller is being rung.
    CallingCaller,
    /// The callee is being called on the caller's behalf.
    CallingCallee(Calling),
    /// Two or three talk.
    Talking,
    /// Two are up, and a third party is being called; who does not hear that hears music.
    Adding(Calling),
    /// It ends: the legs' ends are awaited.
    Closing,
    /// It is over: nothing that comes in matters any more.
    Over,
}

/// What a phase works on.
pub(super) struct Desk<'a, 'b> {
    pub(super) plan: &'a Plan,
    pub(super) room: &'a mut Room,
    pub(super) turn: &'a mut Turn<'b>,
}

impl Phase {
    pub(super) fn shown(&self) -> TalkPhase {
        match self {
            Self::Idle | Self::CallingCaller => TalkPhase::Caller,
            Self::CallingCallee(_) => TalkPhase::Callee,
            Self::Talking => TalkPhase::Connected,
            Self::Adding(_) => TalkPhase::Adding,
            Self::Closing | Self::Over => TalkPhase::Ending,
        }
    }

    pub(super) fn start(self, desk: &mut Desk<'_, '_>) -> Self {
        if !matches!(self, Self::Idle) {
            return self;
        }
        desk.room.add(Leg::dial(Party::CALLER, desk.plan.caller, desk.turn));
        Self::CallingCaller
    }

    pub(super) fn on_news(self, from: Party, news: News, desk: &mut Desk<'_, '_>) -> Self {
        if news == News::Left {
            desk.room.last_left = Some(from);
        }
        match self {
            Self::CallingCaller => match news {
                News::Answered => Self::CallingCallee(Calling::begin(
                    (Party::CALLER, Party::CALLEE),
                    desk.plan.callee,
                    desk.plan.voices,
                    desk.plan.record,
                    desk.room,
                    desk.turn,
                )),
                News::Failed => desk.conclude(ByeType::CallerNotAnswered, EndedBy::Caller),
                _ => Self::CallingCaller,
            },
            Self::CallingCallee(calling) => calling_callee(calling, from, news, desk),
            Self::Talking if news == News::Left => talking_left(from, desk),
            Self::Adding(calling) => adding(calling, from, news, desk),
            Self::Idle | Self::Talking | Self::Closing | Self::Over => self,
        }
    }

    /// Audio that a party's 18x had promised has not come.
    pub(super) fn on_silence(mut self, party: Party, desk: &mut Desk<'_, '_>) -> Self {
        if let Self::CallingCallee(calling) | Self::Adding(calling) = &mut self
            && calling.party == party
        {
            calling.on_silence(desk.room, desk.turn);
        }
        self
    }

    pub(super) fn on_last_minute(self, desk: &mut Desk<'_, '_>) -> Self {
        desk.room.announce_last_minute(desk.turn);
        self
    }

    pub(super) fn on_max_duration(self, desk: &mut Desk<'_, '_>) -> Self {
        desk.end(ByeType::TimeLimit, EndedBy::TimeLimit, HangUpWhy::MaxDuration)
    }

    pub(super) fn on_add(self, addition: &Addition, desk: &mut Desk<'_, '_>) -> Self {
        let refusal = match &self {
            Self::Talking => match (desk.room.up().len(), desk.room.next_party()) {
                (..=2, Some(third)) => return begin_to_add(third, addition, desk),
                _ => AddRefusal::AlreadyThree,
            },
            Self::Adding(_) => AddRefusal::AlreadyThree,
            Self::Idle | Self::CallingCaller | Self::CallingCallee(_) => AddRefusal::NotBridged,
            Self::Closing | Self::Over => AddRefusal::Ended,
        };
        desk.turn.put(Output::NotAdded(refusal));
        self
    }

    /// Somebody who is no party of it wants it ended.
    pub(super) fn on_ordered_end(
        self,
        by: EndedBy,
        why: HangUpWhy,
        desk: &mut Desk<'_, '_>,
    ) -> Self {
        let bye_type = match &self {
            Self::Idle | Self::CallingCaller => ByeType::CallerNotAnswered,
            Self::CallingCallee(calling) if calling.is_answered() => ByeType::CallerHungUp,
            Self::CallingCallee(_) => ByeType::CallerLeftEarly,
            Self::Talking | Self::Adding(_) => ByeType::CallerHungUp,
            Self::Closing | Self::Over => return self,
        };
        desk.end(bye_type, by, why)
    }
}

impl Desk<'_, '_> {
    fn conclude(&mut self, bye_type: ByeType, by: EndedBy) -> Phase {
        self.end(bye_type, by, HangUpWhy::OtherPartyLeft)
    }

    fn end(&mut self, bye_type: ByeType, by: EndedBy, why: HangUpWhy) -> Phase {
        self.room.conclude(bye_type, by, why, self.turn);
        Phase::Closing
    }

    fn connect(&mut self) -> Phase {
        self.room.connect(self.plan.max_duration_s, self.turn);
        Phase::Talking
    }

    /// Two go on without the third; one alone has nobody to talk to.
    fn resume(&mut self) -> Phase {
        if self.room.up().len() >= 2 {
            return self.connect();
        }
        let by = match self.room.last_left {
            Some(Party::CALLER) => EndedBy::Caller,
            _ => EndedBy::ThirdParty,
        };
        self.conclude(ByeType::CallerHungUp, by)
    }
}

fn calling_callee(mut calling: Calling, from: Party, news: News, desk: &mut Desk<'_, '_>) -> Phase {
    if from == Party::CALLER && news == News::Left {
        // Where the callee was not reached, that is settled already.
        return match calling.is_answered() {
            true => desk.conclude(ByeType::CallerHungUp, EndedBy::Caller),
            false => desk.conclude(ByeType::CallerLeftEarly, EndedBy::Caller),
        };
    }
    let was_answered = calling.is_answered();
    match calling.on_news(from, news, desk.room, desk.turn) {
        Called::Reached => desk.connect(),
        Called::Lost if was_answered => desk.conclude(ByeType::CalleeHungUp, EndedBy::Callee),
        Called::Lost => desk.conclude(ByeType::CalleeNotAnswered, EndedBy::Callee),
        Called::Pending => {
            if calling.has_failed() {
                desk.room.settle(ByeType::CalleeNotAnswered, EndedBy::Callee);
            }
            Phase::CallingCallee(calling)
        }
    }
}

/// Only the callee ends it for all three; whoever else leaves, two go on (RESOLUTIONS, hang-up).
fn talking_left(from: Party, desk: &mut Desk<'_, '_>) -> Phase {
    if from == Party::CALLEE {
        return desk.conclude(ByeType::CalleeHungUp, EndedBy::Callee);
    }
    desk.resume()
}

fn begin_to_add(third: Party, addition: &Addition, desk: &mut Desk<'_, '_>) -> Phase {
    let up = desk.room.up();
    let host = if desk.room.is_up(Party::CALLER) { Party::CALLER } else { Party::CALLEE };
    desk.turn.put(Output::Added(third));
    desk.turn.put(Output::Connect(Connection::Apart));
    for party in up.into_iter().filter(|party| *party != host) {
        desk.room.play(party, Segment::HoldMusic, desk.turn);
    }
    Phase::Adding(Calling::begin(
        (host, third),
        addition.reach,
        addition.voices,
        addition.record,
        desk.room,
        desk.turn,
    ))
}

fn adding(mut calling: Calling, from: Party, news: News, desk: &mut Desk<'_, '_>) -> Phase {
    if from == Party::CALLEE && news == News::Left {
        return desk.conclude(ByeType::CalleeHungUp, EndedBy::Callee);
    }
    let called = if from == calling.host && news == News::Left {
        calling.rehost(Party::CALLEE, desk.room, desk.turn)
    } else {
        calling.on_news(from, news, desk.room, desk.turn)
    };
    match called {
        Called::Pending => Phase::Adding(calling),
        Called::Reached => desk.connect(),
        Called::Lost => desk.resume(),
    }
}
