//! What the parties hear: prompts to one of them, prompts over a talk, and one another.

use yunling_app::click::voices;
use yunling_domain::Micros;
use yunling_domain::conversation::{Connection, Input, LegInput, Party, Segment};
use yunling_domain::event::EventBody;
use yunling_switch_contract::{Command, Play, PlayId, PlayItem, PlayMode};

use super::super::speak;
use super::leg::Place;
use super::task::Talk;

/// The first number of what is played over a talk: the machine counts its own plays from 1.
const ANNOUNCEMENTS: u32 = 1 << 31;

impl Talk<'_> {
    /// Plays to one party alone.
    pub(super) async fn play(&mut self, at: Micros, party: Party, play: u32, what: Segment) {
        let items = self.items(at, party, what).await;
        let leg = self.leg(party).id.clone();
        if items.is_empty() {
            // What is played now was to be cut by it.
            self.line.direct(Command::StopPlay { leg, play: PlayId(play.saturating_sub(1)) }).await;
            if !what.repeats() {
                self.feed(at, Input::Leg(party, LegInput::PlayFinished { play }));
            }
            return;
        }
        let mode = if what.repeats() { PlayMode::Repeated } else { PlayMode::Once };
        let play = Play { leg, play: PlayId(play), items, mode };
        self.line.direct(Command::Play(Box::new(play))).await;
        self.tell(at, Some(party), EventBody::VoiceStarted { what });
    }

    /// Stops what a party is played.
    pub(super) async fn stop_play(&self, party: Party, play: u32) {
        let leg = self.leg(party).id.clone();
        self.line.direct(Command::StopPlay { leg, play: PlayId(play) }).await;
    }

    /// Plays over what a party hears.
    pub(super) async fn announce(&mut self, at: Micros, party: Party, what: Segment) {
        let items = self.items(at, party, what).await;
        if items.is_empty() {
            return;
        }
        let leg = self.leg_mut(party);
        leg.announced += 1;
        let play = PlayId(ANNOUNCEMENTS + leg.announced);
        let play = Play { leg: leg.id.clone(), play, items, mode: PlayMode::Over };
        self.line.direct(Command::Play(Box::new(play))).await;
        self.tell(at, Some(party), EventBody::VoiceStarted { what });
    }

    async fn items(&mut self, at: Micros, party: Party, what: Segment) -> Vec<PlayItem> {
        let (app, names) = (&self.shell.app, &self.voices);
        let last = self.spec.last_minute_voice.as_deref();
        let pieces = voices::segment(app, &self.application, names, last, what).await;
        let items = speak::items(&pieces);
        if items.is_empty() {
            let why = "the media library has lost it, and it has no default".to_owned();
            self.tell(at, Some(party), EventBody::VoiceMissing { what, why });
        }
        items
    }

    /// Lets parties hear one another; tells the engine only what changes.
    pub(super) async fn connect(&mut self, at: Micros, connection: Connection) {
        let hears = |party: Party| -> Vec<Party> {
            match &connection {
                Connection::Apart => Vec::new(),
                Connection::EarlyAudio { from, to } => {
                    if party == *to {
                        vec![*from]
                    } else {
                        Vec::new()
                    }
                }
                Connection::Together(parties) if parties.contains(&party) => {
                    parties.iter().copied().filter(|other| *other != party).collect()
                }
                Connection::Together(_) => Vec::new(),
            }
        };
        let changed: Vec<_> = self
            .legs
            .iter()
            .filter(|leg| leg.place == Place::Engine)
            .map(|leg| (leg.party, hears(leg.party)))
            .filter(|(party, others)| self.leg(*party).hears != *others)
            .collect();
        for (party, others) in changed {
            let leg = self.leg(party).id.clone();
            let ids = others.iter().map(|other| self.leg(*other).id.clone()).collect();
            self.line.direct(Command::Hear { leg, others: ids }).await;
            self.leg_mut(party).hears = others;
        }
        match connection {
            Connection::Apart => self.tell(at, None, EventBody::Parted),
            Connection::EarlyAudio { from, to } => {
                self.tell(at, Some(from), EventBody::EarlyAudio { heard_by: to });
            }
            Connection::Together(parties) => {
                self.tell(at, None, EventBody::Connected { parties });
            }
        }
    }
}
