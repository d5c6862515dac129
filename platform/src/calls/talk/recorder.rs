//! A conversation's recording: where it goes, whom it takes down, and that it can be had in the end.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use yunling_app::App;
use yunling_app::finish_conversation::RecordingFacts;
use yunling_app::recordings::{self, End, NotBegun, Place};
use yunling_domain::conversation::Party;
use yunling_domain::event::EventBody;
use yunling_domain::{AccountId, Micros, RecordingId};
use yunling_switch_contract as engine;
use yunling_switch_contract::{Command, EventKind};

use super::super::routes::Route;
use super::leg::Place as LegPlace;
use super::task::Talk;

/// How long the record of a conversation waits until its recording can be had (RESOLUTIONS, CDR).
const PUBLISHED_WITHIN: Duration = Duration::from_secs(10);

/// The same on a node that stops: its calls have ten seconds for everything.
const PUBLISHED_BEFORE_A_STOP: Duration = Duration::from_secs(3);

/// Waits as long as the record of a conversation waits for its recording. A node that begins to stop
/// meanwhile cuts it short.
async fn patience(closing: &CancellationToken, usual: Duration, before_a_stop: Duration) {
    let stopping = async {
        closing.cancelled().await;
        tokio::time::sleep(before_a_stop).await;
    };
    tokio::select! {
        () = stopping => {}
        () = tokio::time::sleep(usual) => {}
    }
}

/// Why nothing was recorded of a conversation that ended first.
const TOO_LATE: &str = "the conversation ended before the database had noted the recording";

/// The recording of a conversation; it has one at most.
#[derive(Default)]
pub(super) enum Recorder {
    /// There is none.
    #[default]
    Off,
    /// It is being noted.
    Beginning(Beginning),
    /// The engine writes it.
    Writing(Box<Place>),
    /// The engine has written it, and it is on its way to where it can be had.
    Publishing(RecordingId, JoinHandle<Option<RecordingFacts>>),
}

/// A recording that is being noted.
type Beginning = JoinHandle<Result<Place, NotBegun>>;

impl Recorder {
    /// What came of noting a recording; for ever nothing where none is being noted. Cancel-safe.
    pub(super) async fn begun(&mut self) -> Result<Place, String> {
        let Self::Beginning(beginning) = self else { return std::future::pending().await };
        let begun = beginning.await;
        *self = Self::Off;
        match begun {
            Ok(begun) => begun.map_err(|why| why.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Recorder {
    fn take_beginning(&mut self) -> Option<Beginning> {
        match std::mem::take(self) {
            Self::Beginning(beginning) => Some(beginning),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// Nothing was recorded of what is noted too late.
async fn give_up(app: App, account: AccountId, beginning: Beginning) {
    let Ok(Ok(place)) = beginning.await else { return };
    let failure = Some(TOO_LATE.to_owned());
    let end = End { duration_ms: 0, octets: 0, lost_ms: 0, failure };
    if let Err(error) = recordings::publish(&app, &account, &place.recording, end).await {
        tracing::error!(%error, "a recording that never began is still noted");
    }
}

impl Talk<'_> {
    /// Notes a recording, beside the conversation: nobody who has picked up waits for a disk.
    pub(super) fn start_recording(&mut self) {
        let (app, queued) = (self.shell.app.clone(), &self.queued);
        let (account, application) = (queued.account.clone(), queued.application.clone());
        let conversation = queued.conversation_id.clone();
        self.recorder = Recorder::Beginning(tokio::spawn(async move {
            recordings::begin(&app, &account, &application, &conversation).await
        }));
    }

    /// The recording is noted: begins to record everybody who takes part.
    pub(super) async fn recording_begun(&mut self, begun: Result<Place, String>) {
        let at = self.anchor.now();
        match begun {
            Ok(place) => {
                let recording = place.recording.to_string();
                self.recorder = Recorder::Writing(Box::new(place));
                self.record_all().await;
                self.tell(at, None, EventBody::RecordingStarted { recording });
            }
            Err(why) => {
                tracing::error!(why, "a conversation is not recorded");
                self.tell(at, None, EventBody::NotRecorded { why });
            }
        }
    }

    /// Tells the engine whom to record: the caller on the left, whoever else on the right. To be
    /// said again when somebody joins.
    pub(super) async fn record_all(&self) {
        let Recorder::Writing(place) = &self.recorder else { return };
        let on = |side: fn(Party) -> bool| {
            let legs = self.legs.iter().filter(|leg| leg.place != LegPlace::Over);
            legs.filter(|leg| side(leg.party)).map(|leg| leg.id.clone()).collect()
        };
        let recording = engine::Recording {
            id: self.recording_id(),
            owner: self.route.owner(),
            leg: self.leg(Party::CALLER).id.clone(),
            left: on(|party| party == Party::CALLER),
            right: on(|party| party != Party::CALLER),
            file: place.file.clone(),
        };
        self.line.command(Command::Record(Box::new(recording))).await;
    }

    /// Ends the recording; the engine then says what it holds.
    pub(super) async fn stop_recording(&mut self, at: Micros) {
        if let Some(beginning) = self.recorder.take_beginning() {
            self.tell(at, None, EventBody::NotRecorded { why: TOO_LATE.to_owned() });
            let (app, account) = (self.shell.app.clone(), self.queued.account.clone());
            tokio::spawn(give_up(app, account, beginning));
        }
        if matches!(self.recorder, Recorder::Writing(_)) {
            let stop = Command::StopRecording {
                owner: self.route.owner(),
                leg: self.leg(Party::CALLER).id.clone(),
                recording: self.recording_id(),
            };
            self.line.command(stop).await;
        }
    }

    /// A conversation has one recording and a number of its own.
    fn recording_id(&self) -> engine::RecordingId {
        engine::RecordingId(self.route.owner().0)
    }

    /// The engine is done with the file: it is brought to where it can be had, beside the
    /// conversation.
    pub(super) fn recorded(&mut self, at: Micros, kind: EventKind) {
        let EventKind::Recorded { recording: _, duration_ms, octets, lost_ms, failure } = kind
        else {
            return;
        };
        let Recorder::Writing(place) = std::mem::take(&mut self.recorder) else { return };
        let id = place.recording;
        let recording = id.to_string();
        let told = EventBody::RecordingEnded { recording, duration_ms, failure: failure.clone() };
        self.tell(at, None, told);
        let end = End { duration_ms, octets, lost_ms, failure };
        let (app, account, published) =
            (self.shell.app.clone(), self.queued.account.clone(), id.clone());
        let publishing = tokio::spawn(async move {
            match recordings::publish(&app, &account, &published, end).await {
                Ok(facts) => facts,
                Err(error) => {
                    tracing::error!(recording = %published, %error, "a recording cannot be had yet");
                    Some(RecordingFacts { id: published, url: None, duration_s: None })
                }
            }
        });
        self.recorder = Recorder::Publishing(id, publishing);
    }

    /// Waits until the recording can be had, but not for long: the record goes out without, and the
    /// recording goes on by itself. One that the engine still writes is left to [`publish_late`].
    pub(super) async fn recording_facts(&mut self) -> Option<RecordingFacts> {
        let closing = self.shell.closing.clone();
        let patience = patience(&closing, PUBLISHED_WITHIN, PUBLISHED_BEFORE_A_STOP);
        tokio::pin!(patience);
        while matches!(self.recorder, Recorder::Writing(_)) {
            let event = tokio::select! {
                event = self.route.next() => event,
                // Only a recording that is being published is waited for behind this loop.
                () = &mut patience => break,
            };
            if matches!(event.kind, EventKind::Recorded { .. }) {
                self.recorded(self.anchor.at(event.at), event.kind);
            }
        }
        let late = |id| RecordingFacts { id, url: None, duration_s: None };
        match std::mem::take(&mut self.recorder) {
            // A conversation that ends has ended its recording, so none is being noted.
            Recorder::Off | Recorder::Beginning(_) => None,
            Recorder::Writing(place) => {
                self.late = Some(place.recording.clone());
                Some(late(place.recording))
            }
            Recorder::Publishing(id, publishing) => {
                tokio::select! {
                    published = publishing => published.ok().flatten(),
                    () = patience => Some(late(id)),
                }
            }
        }
    }
}

/// Brings a recording that the engine was slow to complete to where it can be had. Nobody waits for
/// it; where the node stops meanwhile, the next start finds it.
pub(super) async fn publish_late(app: App, account: AccountId, id: RecordingId, mut route: Route) {
    loop {
        let EventKind::Recorded { recording: _, duration_ms, octets, lost_ms, failure } =
            route.next().await.kind
        else {
            continue;
        };
        let end = End { duration_ms, octets, lost_ms, failure };
        if let Err(error) = recordings::publish(&app, &account, &id, end).await {
            tracing::error!(recording = %id, %error, "a recording cannot be had yet");
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time that is not to decide.
    const NEVER: Duration = Duration::from_secs(3_600);
    const SOON: Duration = Duration::from_millis(5);

    /// A test that waits for the wrong one of the two would wait for an hour.
    #[tokio::test]
    async fn a_node_that_begins_to_stop_waits_no_longer_for_recordings() {
        let closing = CancellationToken::new();
        let ends = async |usual, before_a_stop| {
            let waits = patience(&closing, usual, before_a_stop);
            tokio::time::timeout(Duration::from_secs(30), waits).await.expect("it ends");
        };
        ends(SOON, NEVER).await;
        let stops = async {
            tokio::task::yield_now().await;
            closing.cancel();
        };
        tokio::join!(ends(NEVER, SOON), stops);
        // It stopped before.
        ends(NEVER, SOON).await;
    }
}
