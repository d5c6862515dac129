//! The parties of a conversation and what they share: who is up, who hears whom, the recording, and
//! why it all ends.

use super::leg::Leg;
use super::turn::Turn;
use super::{
    ByeType, Connection, EndedBy, Ending, LegOutcome, Outcome, Output, Party, Record, Segment,
    Timer,
};
use crate::Micros;
use crate::notice::HangUpWhy;

/// How long before its end a talk's parties are told, seconds (RESOLUTIONS, lastMinVoice).
const LAST_MINUTE_S: u32 = 60;

/// The parties and what they share.
#[derive(Debug, Default)]
pub(super) struct Room {
    legs: Vec<Leg>,
    /// Whoever left last after having been up.
    pub(super) last_left: Option<Party>,
    bridged_at: Option<Micros>,
    recorded_from: Option<Micros>,
    recording: bool,
    ending: Option<Ending>,
}

impl Room {
    pub(super) fn add(&mut self, leg: Leg) {
        self.legs.push(leg);
    }

    /// The next party's name; none where they are used up.
    pub(super) fn next_party(&self) -> Option<Party> {
        u8::try_from(self.legs.len()).ok().map(Party)
    }

    pub(super) fn leg(&mut self, party: Party) -> Option<&mut Leg> {
        self.legs.get_mut(usize::from(party.0))
    }

    pub(super) fn is_up(&self, party: Party) -> bool {
        self.legs.get(usize::from(party.0)).is_some_and(Leg::is_up)
    }

    /// Who is up, in the order of their calls.
    pub(super) fn up(&self) -> Vec<Party> {
        self.legs.iter().filter(|leg| leg.is_up()).map(Leg::party).collect()
    }

    pub(super) fn play(&mut self, party: Party, what: Segment, turn: &mut Turn<'_>) {
        if let Some(leg) = self.leg(party) {
            leg.play(what, turn);
        }
    }

    pub(super) fn quiet(&mut self, party: Party, turn: &mut Turn<'_>) {
        if let Some(leg) = self.leg(party) {
            leg.quiet(turn);
        }
    }

    pub(super) fn hears(&mut self, party: Party, what: Segment) -> bool {
        self.leg(party).is_some_and(|leg| leg.hears(what))
    }

    /// Lets all who are up hear one another. The talk's time counts from the first time.
    pub(super) fn connect(&mut self, max_duration_s: Option<u32>, turn: &mut Turn<'_>) {
        for leg in &mut self.legs {
            leg.quiet(turn);
        }
        turn.put(Output::Connect(Connection::Together(self.up())));
        if self.bridged_at.is_some() {
            return;
        }
        self.bridged_at = Some(turn.now);
        if let Some(max_s) = max_duration_s {
            turn.arm(Timer::MaxDuration, max_s.saturating_mul(1_000));
            if let Some(before_s) = max_s.checked_sub(LAST_MINUTE_S).filter(|s| *s > 0) {
                turn.arm(Timer::LastMinute, before_s.saturating_mul(1_000));
            }
        }
    }

    /// Tells all who are up that a minute is left.
    pub(super) fn announce_last_minute(&self, turn: &mut Turn<'_>) {
        for party in self.up() {
            turn.put(Output::Announce { party, what: Segment::LastMinute });
        }
    }

    /// The party called rings or has answered: starts the recording that was asked for from there
    /// on, if none runs.
    pub(super) fn record(&mut self, wish: Record, answered: bool, turn: &mut Turn<'_>) {
        let begins = match wish {
            Record::Off => false,
            Record::FromRinging => true,
            Record::FromAnswer => answered,
        };
        if begins && self.recorded_from.is_none() {
            self.recorded_from = Some(turn.now);
            self.recording = true;
            turn.put(Output::StartRecording);
        }
    }

    /// Ends it all; the first reason counts.
    pub(super) fn conclude(
        &mut self,
        bye_type: ByeType,
        by: EndedBy,
        why: HangUpWhy,
        turn: &mut Turn<'_>,
    ) {
        self.ending.get_or_insert(Ending { bye_type, by });
        turn.disarm(Timer::LastMinute);
        turn.disarm(Timer::MaxDuration);
        if std::mem::take(&mut self.recording) {
            turn.put(Output::StopRecording);
        }
        for leg in &mut self.legs {
            leg.hang_up(why, turn);
        }
    }

    /// Why it ends is settled, though somebody may still be told so.
    pub(super) fn settle(&mut self, bye_type: ByeType, by: EndedBy) {
        self.ending.get_or_insert(Ending { bye_type, by });
    }

    /// What one leg came to, once it has ended.
    pub(super) fn leg_outcome(&self, party: Party) -> Option<LegOutcome> {
        self.legs.iter().find(|leg| leg.party() == party).and_then(Leg::outcome)
    }

    /// What it came to, once every leg has ended.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let legs: Option<Vec<_>> = self.legs.iter().map(Leg::outcome).collect();
        Some(Outcome {
            ending: self.ending?,
            legs: legs?,
            bridged_at: self.bridged_at,
            recorded_from: self.recorded_from,
        })
    }
}
