//! A party is called on another's behalf: greeting, ringback, private prompts, failure. The same for
//! the callee, whom the caller has called, and for a third party.

use super::leg::{Leg, News};
use super::room::Room;
use super::turn::Turn;
use super::{Connection, Output, Party, Reach, Record, Ringback, Segment, Timer, Voices};

/// How long promised audio may fail to come before the ringback tone takes its place: longer than a
/// gateway takes to cut through, shorter than a person wonders.
const EARLY_AUDIO_MS: u32 = 1_000;

/// A call on somebody's behalf.
#[derive(Debug)]
pub(super) struct Calling {
    /// Who hears the greeting and the ringback.
    pub(super) host: Party,
    /// Who is called.
    pub(super) party: Party,
    reach: Reach,
    voices: Voices,
    record: Record,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// `greetVoice` plays to the host.
    Greeting,
    /// The party is being dialled. `flows`: the host hears it already.
    Dialling { flows: bool },
    /// It has answered, and the private prompts play.
    Speaking { to_host: bool, to_party: bool },
    /// It was not reached, and the host is told so.
    Failing,
}

/// What came of it, if it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    /// It goes on.
    Pending,
    /// All may be connected.
    Reached,
    /// It was not reached, or left before it was connected.
    Lost,
}

impl Calling {
    /// Begins: greets the host, or dials at once.
    pub(super) fn begin(
        (host, party): (Party, Party),
        reach: Reach,
        voices: Voices,
        record: Record,
        room: &mut Room,
        turn: &mut Turn<'_>,
    ) -> Self {
        let mut calling = Self { host, party, reach, voices, record, stage: Stage::Greeting };
        if voices.greets {
            room.play(host, Segment::Greeting, turn);
        } else {
            calling.dial(room, turn);
        }
        calling
    }

    /// The party has answered.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Speaking { .. })
    }

    /// The party was not reached.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.stage, Stage::Failing)
    }

    fn dial(&mut self, room: &mut Room, turn: &mut Turn<'_>) {
        self.stage = Stage::Dialling { flows: false };
        room.add(Leg::dial(self.party, self.reach, turn));
    }

    pub(super) fn on_news(
        &mut self,
        from: Party,
        news: News,
        room: &mut Room,
        turn: &mut Turn<'_>,
    ) -> Called {
        if from == self.party {
            return self.on_party(news, room, turn);
        }
        if from != self.host {
            return Called::Pending;
        }
        match (&mut self.stage, news) {
            (Stage::Greeting, News::Heard(Segment::Greeting)) => {
                self.dial(room, turn);
                Called::Pending
            }
            (Stage::Speaking { to_host, .. }, News::Heard(Segment::CallerVoice)) => {
                *to_host = false;
                self.spoken()
            }
            (Stage::Failing, News::Heard(Segment::BusyTone | Segment::FailVoice)) => Called::Lost,
            _ => Called::Pending,
        }
    }

    fn on_party(&mut self, news: News, room: &mut Room, turn: &mut Turn<'_>) -> Called {
        match (&mut self.stage, news) {
            (Stage::Dialling { .. }, News::Rings { early_media }) => {
                room.record(self.record, false, turn);
                self.ring(early_media, room, turn);
                Called::Pending
            }
            (Stage::Dialling { flows }, News::EarlyAudio)
                if self.voices.ringback == Ringback::PassThrough && !*flows =>
            {
                *flows = true;
                turn.disarm(Timer::EarlyAudio(self.party));
                self.pass_through(room, turn);
                Called::Pending
            }
            (Stage::Dialling { .. }, News::Answered) => {
                room.record(self.record, true, turn);
                self.answer(room, turn)
            }
            (Stage::Dialling { flows }, News::Failed) => {
                let heard_why = *flows;
                self.fail(heard_why, room, turn)
            }
            (Stage::Speaking { to_party, .. }, News::Heard(Segment::CalleeVoice)) => {
                *to_party = false;
                self.spoken()
            }
            (Stage::Speaking { .. }, News::Left) => Called::Lost,
            _ => Called::Pending,
        }
    }

    fn ring(&mut self, early_media: bool, room: &mut Room, turn: &mut Turn<'_>) {
        let tone = match self.voices.ringback {
            Ringback::Custom => Segment::RingbackVoice,
            Ringback::PassThrough => Segment::RingbackTone,
        };
        let flows = matches!(self.stage, Stage::Dialling { flows: true });
        if flows || room.hears(self.host, tone) {
            return;
        }
        if early_media && self.voices.ringback == Ringback::PassThrough {
            turn.arm_once(Timer::EarlyAudio(self.party), EARLY_AUDIO_MS);
        } else {
            turn.disarm(Timer::EarlyAudio(self.party));
            room.play(self.host, tone, turn);
        }
    }

    /// The promised audio has not come.
    pub(super) fn on_silence(&mut self, room: &mut Room, turn: &mut Turn<'_>) {
        if matches!(self.stage, Stage::Dialling { flows: false }) {
            room.play(self.host, Segment::RingbackTone, turn);
        }
    }

    fn pass_through(&self, room: &mut Room, turn: &mut Turn<'_>) {
        room.quiet(self.host, turn);
        let (from, to) = (self.party, self.host);
        turn.put(Output::Connect(Connection::EarlyAudio { from, to }));
    }

    fn answer(&mut self, room: &mut Room, turn: &mut Turn<'_>) -> Called {
        let flowed = matches!(self.stage, Stage::Dialling { flows: true });
        self.end_the_music(room, turn);
        let (to_host, to_party) = (self.voices.caller_voice, self.voices.callee_voice);
        self.stage = Stage::Speaking { to_host, to_party };
        if (to_host || to_party) && flowed {
            turn.put(Output::Connect(Connection::Apart));
        }
        // Whoever is done hears silence, never the ringback of somebody who has picked up.
        if to_host {
            room.play(self.host, Segment::CallerVoice, turn);
        } else {
            room.quiet(self.host, turn);
        }
        if to_party {
            room.play(self.party, Segment::CalleeVoice, turn);
        }
        self.spoken()
    }

    /// Those who wait hear music until the party answers or fails (RESOLUTIONS, greetVoice).
    fn end_the_music(&self, room: &mut Room, turn: &mut Turn<'_>) {
        for party in room.up().into_iter().filter(|party| *party != self.host) {
            if room.hears(party, Segment::HoldMusic) {
                room.quiet(party, turn);
            }
        }
    }

    fn spoken(&self) -> Called {
        match self.stage {
            Stage::Speaking { to_host: false, to_party: false } => Called::Reached,
            _ => Called::Pending,
        }
    }

    fn fail(&mut self, heard_why: bool, room: &mut Room, turn: &mut Turn<'_>) -> Called {
        if heard_why {
            turn.put(Output::Connect(Connection::Apart));
        }
        self.stage = Stage::Failing;
        self.end_the_music(room, turn);
        match self.voices.ringback {
            // The network has said why in its own words.
            Ringback::PassThrough if heard_why => return Called::Lost,
            Ringback::PassThrough => room.play(self.host, Segment::BusyTone, turn),
            Ringback::Custom => room.play(self.host, Segment::FailVoice, turn),
        }
        Called::Pending
    }

    /// The host has left, and another one takes its place: it hears what the host would have. A
    /// greeting is not begun anew, and nobody new is told of a failure.
    pub(super) fn rehost(&mut self, host: Party, room: &mut Room, turn: &mut Turn<'_>) -> Called {
        self.host = host;
        room.quiet(host, turn);
        match &mut self.stage {
            Stage::Greeting => {
                self.dial(room, turn);
                Called::Pending
            }
            Stage::Dialling { flows: true } => {
                self.pass_through(room, turn);
                Called::Pending
            }
            Stage::Dialling { flows: false } => {
                self.ring_again(room, turn);
                Called::Pending
            }
            Stage::Speaking { to_host, .. } => {
                *to_host = false;
                self.spoken()
            }
            Stage::Failing => Called::Lost,
        }
    }

    fn ring_again(&self, room: &mut Room, turn: &mut Turn<'_>) {
        let rings = room.leg(self.party).is_some_and(|leg| leg.rings());
        match self.voices.ringback {
            Ringback::Custom if rings => room.play(self.host, Segment::RingbackVoice, turn),
            Ringback::PassThrough if rings => {
                turn.disarm(Timer::EarlyAudio(self.party));
                room.play(self.host, Segment::RingbackTone, turn);
            }
            Ringback::Custom | Ringback::PassThrough => {}
        }
    }
}
