//! Takes commands off the engine's queue, in order, and hands each to its leg.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tracing::Instrument as _;
use yunling_switch_contract::{
    Command, Dial, EventKind, LegId, MediaFigures, PlayEnd, Recording, Termination, TerminationKind,
};

use super::registry::LegCommand;
use super::report::{Report, deliver};
use super::{Core, figures, leg, reaper};

/// Runs until every [`super::Switch`] is gone.
pub(super) fn run(core: &Arc<Core>, queue: mpsc::Receiver<Command>) {
    let (taker, queue) = (Arc::clone(core), Arc::new(Mutex::new(queue)));
    core.vitals.keep_up("intake of commands", move || {
        let (core, queue) = (Arc::clone(&taker), Arc::clone(&queue));
        async move {
            let mut queue = queue.lock().await;
            while let Some(command) = queue.recv().await {
                take(&core, command);
            }
            Ok(())
        }
    });
}

fn take(core: &Arc<Core>, command: Command) {
    match command {
        Command::Dial(dial) => dial_leg(core, dial),
        Command::Play(play) => {
            let play = *play;
            hand_over(core, &play.leg, LegCommand::Play(play.play, play.items, play.mode));
        }
        Command::StopPlay { leg, play } => hand_over(core, &leg, LegCommand::StopPlay(play)),
        Command::Hear { leg, others } => hand_over(core, &leg, LegCommand::Hear(others)),
        Command::Record(recording) => record(core, *recording),
        Command::StopRecording { owner, leg: _, recording } => {
            core.media.stop_recording(owner, recording);
        }
        Command::Acknowledge { leg } => hand_over(core, &leg, LegCommand::Acknowledge),
        Command::AwaitKeys { leg, on } => hand_over(core, &leg, LegCommand::AwaitKeys(on)),
        Command::HangUp { leg, why } => core.registry.hang_up(&leg, why),
        Command::Reap { leg, owner, orphan } => {
            let span = tracing::info_span!("orphan", id = %leg, owner = owner.0);
            tokio::spawn(reaper::run(Arc::clone(core), leg, owner, *orphan).instrument(span));
        }
    }
}

fn record(core: &Core, recording: Recording) {
    let (leg, owner, recording_id) = (recording.leg.clone(), recording.owner, recording.id);
    if core.media.record(recording) {
        return;
    }
    tracing::error!(%leg, "a recording cannot be begun: the media threads do not keep up");
    let kind = EventKind::Recorded {
        recording: recording_id,
        duration_ms: 0,
        octets: 0,
        lost_ms: 0,
        failure: Some("the media threads do not keep up".to_owned()),
    };
    deliver(core, &leg, owner, kind);
}

fn dial_leg(core: &Arc<Core>, dial: Box<Dial>) {
    match core.registry.enter(&dial.leg, dial.owner) {
        Some(ends) => {
            let report = Report::new(Arc::clone(core), dial.leg.clone(), dial.owner);
            let span = tracing::info_span!("leg", id = %dial.leg, owner = dial.owner.0);
            tokio::spawn(leg::supervise(Arc::clone(core), dial, ends, report).instrument(span));
        }
        None => {
            // Fault of the platform: the leg's first Dial has not ended.
            tracing::error!(leg = %dial.leg, "dialled while it lives");
            let mut termination = Termination::new(TerminationKind::EngineFault);
            "the leg was dialled while it lives".clone_into(&mut termination.text);
            let figures = MediaFigures::default();
            deliver(core, &dial.leg, dial.owner, EventKind::Ended { termination, figures });
        }
    }
}

fn hand_over(core: &Core, leg: &LegId, command: LegCommand) {
    let Err((owner, command)) = core.registry.hand_over(leg, command) else { return };
    tracing::error!(%leg, "the leg's command queue is full: a command is dropped");
    figures::command_dropped();
    if let LegCommand::Play(play, ..) = command {
        deliver(core, leg, owner, EventKind::PlayFinished { play, end: PlayEnd::Refused });
    }
}
