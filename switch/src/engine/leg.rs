//! One leg's task: the shell round the call machine. It owns the leg's media, feeds the machine
//! with messages, timers and the platform's wishes, and carries out what it decides.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use yunling_switch_contract::{
    Dial, EventKind, HangUpWhy, KeySource, Media, MediaFigures, PlayEnd, Termination,
    TerminationKind,
};

use super::registry::{HangUpLatch, Inbox, LegCommand, LegEnds, Letter, Registry};
use super::report::Report;
use super::{Core, figures};
use crate::media::{Agreed, MediaLeg, NoPorts, Phase};
use crate::sdp::{Agreement, Session};
use crate::sip::call::{Call, Output, Purpose, Sending};
use crate::sip::invite::Invite;
use crate::sip::stack::{Reached, Target, Unreachable};

/// Runs a leg to its end. A panic ends the leg with `EngineFault`; what the network knows of it
/// gets one CANCEL or BYE.
pub(super) async fn supervise(core: Arc<Core>, dial: Box<Dial>, ends: LegEnds, report: Report) {
    let mut leg = Leg {
        core,
        report,
        commands: ends.commands,
        media: None,
        figures: MediaFigures::default(),
        call: None,
        inbox: None,
        trunk: None,
        answered: false,
        dialled_at: Instant::now(),
        replied: false,
    };
    let ran = AssertUnwindSafe(leg.run(&dial, &ends.hang_up)).catch_unwind().await;
    if ran.is_err() {
        tracing::error!(leg = %dial.leg, "a leg's task panicked: the leg is ended");
        figures::leg_panicked();
        if AssertUnwindSafe(leg.abandon()).catch_unwind().await.is_err() {
            tracing::error!(leg = %dial.leg, "ending the leg panicked too");
        }
    }
}

struct Leg {
    core: Arc<Core>,
    report: Report,
    commands: mpsc::Receiver<LegCommand>,
    media: Option<MediaLeg>,
    figures: MediaFigures,
    call: Option<Call>,
    inbox: Option<Inbox>,
    trunk: Option<Target>,
    answered: bool,
    dialled_at: Instant,
    replied: bool,
}

/// What wakes a leg.
enum Wake {
    HangUp(HangUpWhy),
    Command(LegCommand),
    Letter(Letter),
    Time,
    ConnectionLost,
    MediaEnded,
}

impl Leg {
    async fn run(&mut self, dial: &Dial, hang_up: &HangUpLatch) {
        let core = Arc::clone(&self.core);
        let local = match core.media.open(dial.leg.clone(), dial.owner) {
            Ok(media) => self.media.insert(media).local(),
            Err::<_, NoPorts>(error) => {
                return self.end_with(TerminationKind::EngineFault, &error.to_string()).await;
            }
        };
        // Nothing has left yet: a wish to hang up ends the leg on the spot.
        let prepared = {
            let lot = core.ids.of(&dial.leg, dial.attempt).lot();
            let mut reaching = pin!(core.stack.reach(&dial.peer, lot));
            loop {
                tokio::select! {
                    biased;
                    why = hang_up.asked() => break Err(why),
                    reached = &mut reaching => break Ok(reached),
                    Some(command) = self.commands.recv() => self.on_command(command),
                }
            }
        };
        let Reached { target: trunk, party, lost } = match prepared {
            Ok(Ok(reached)) => reached,
            Ok(Err(error)) => {
                return self.end_with(TerminationKind::Unreachable, &error.to_string()).await;
            }
            Err(HangUpWhy::NoReply | HangUpWhy::RingTimeout) => {
                return self.end_with(TerminationKind::NoReply, "").await;
            }
            Err(_) => return self.end_with(TerminationKind::Cancelled, "").await,
        };
        let invite = Invite::new(
            &core.ids,
            &dial.leg,
            dial.attempt,
            &dial.peer,
            (&dial.to, &dial.from),
            party,
        );
        self.inbox = Some(Registry::open_inbox(&core.registry, &invite.ids.call_id));
        let call_id = &invite.ids.call_id;
        let _followed = core.tracer.follow(call_id, dial.owner, &dial.leg, dial.attempt);
        self.trunk = Some(trunk);
        self.dialled_at = Instant::now();
        let session = Session::new(invite.ids.session_id(), local, dial.codecs.clone());
        let mut out = Vec::new();
        self.call = Some(Call::start(
            invite,
            trunk,
            dial.peer.credentials.clone(),
            session,
            core.timers,
            self.dialled_at,
            &mut out,
        ));
        self.carry_out(out).await;
        self.serve(hang_up, lost).await;
        if let (Some(call), Some(inbox)) = (self.call.take(), self.inbox.take()) {
            inbox.leave(call.into_remains());
        }
    }

    /// Serves the call until it is over, the guard behind its report included.
    async fn serve(&mut self, hang_up: &HangUpLatch, lost: Option<CancellationToken>) {
        let mut hung_up = false;
        let mut commands_open = true;
        while let Some(call) = self.call.as_ref().filter(|call| !call.is_over()) {
            let deadline = call.deadline();
            let on_connection = call.awaits_answer();
            let live = !call.is_reported();
            let wake = tokio::select! {
                biased;
                why = hang_up.asked(), if live && !hung_up => Wake::HangUp(why),
                Some(letter) = letter(self.inbox.as_mut()) => Wake::Letter(letter),
                command = self.commands.recv(), if commands_open => match command {
                    Some(command) => Wake::Command(command),
                    None => {
                        commands_open = false;
                        continue;
                    }
                },
                () = at(deadline) => Wake::Time,
                () = cancelled(lost.as_ref()), if on_connection => Wake::ConnectionLost,
                () = media_ended(self.media.as_ref()), if live && self.media.is_some() => Wake::MediaEnded,
            };
            let (mut out, now) = (Vec::new(), Instant::now());
            let Some(call) = &mut self.call else { return };
            match wake {
                Wake::HangUp(why) => {
                    hung_up = true;
                    call.on_hang_up(why, now, &mut out);
                }
                Wake::Letter(letter) => call.on_message(&letter.0, letter.1, now, &mut out),
                Wake::Command(LegCommand::Acknowledge) => call.acknowledge(&mut out),
                Wake::Command(command) => self.on_command(command),
                Wake::Time => call.on_time(now, &mut out),
                Wake::ConnectionLost => call.on_connection_lost(now, &mut out),
                Wake::MediaEnded => {
                    call.abandon(now, &mut out);
                    self.end_with(TerminationKind::EngineFault, "the leg's media ended").await;
                }
            }
            self.carry_out(out).await;
        }
    }

    fn on_command(&mut self, command: LegCommand) {
        let media = self.media.as_ref().filter(|_| self.answered);
        match (command, media) {
            (LegCommand::Play(play, items, mode), Some(media)) => media.play(play, items, mode),
            (LegCommand::Play(play, ..), None) => {
                // After the answer the media is only gone because the leg is ending.
                let end = if self.answered { PlayEnd::LegEnded } else { PlayEnd::Refused };
                self.report.deliver(EventKind::PlayFinished { play, end });
            }
            (LegCommand::StopPlay(play), Some(media)) => media.stop(play),
            // Who is to be heard may be said before the answer, and holds from then on.
            (LegCommand::Hear(others), _) => {
                if let Some(media) = &self.media {
                    media.hear(others);
                }
            }
            (LegCommand::AwaitKeys(on), _) => {
                if let Some(media) = &self.media {
                    media.await_keys(on);
                }
            }
            (LegCommand::StopPlay(_), None) | (LegCommand::Acknowledge, _) => {}
        }
    }

    async fn carry_out(&mut self, outputs: Vec<Output>) {
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Send(sending) => {
                    if let Some((purpose, error)) = self.send(sending).await {
                        let mut more = Vec::new();
                        if let Some(call) = &mut self.call {
                            let now = Instant::now();
                            call.on_send_failed(purpose, &error.to_string(), now, &mut more);
                        }
                        outputs.extend(more);
                    }
                }
                Output::Trying => {
                    self.on_reply();
                    self.report.deliver(EventKind::Trying);
                }
                Output::Ringing { code, early_media } => {
                    self.on_reply();
                    self.report.deliver(EventKind::Ringing { code, early_media });
                }
                Output::Early(agreement) => self.connect(agreement, Phase::Early),
                Output::Answered { dialog, agreement } => {
                    self.on_reply();
                    figures::answered(self.dialled_at.elapsed());
                    self.answered = true;
                    self.connect(agreement, Phase::Answered);
                    let media = Media {
                        codec: agreement.codec,
                        ptime_ms: agreement.ptime_ms,
                        telephone_event: agreement.telephone_event.is_some(),
                    };
                    self.report.deliver(EventKind::Answered { dialog, media });
                }
                Output::Changed(agreement) => self.connect(agreement, Phase::Answered),
                Output::Key(key) => match &self.media {
                    // Which knows whether it has come in the media as well.
                    Some(media) => media.press(key),
                    None => {
                        self.report.deliver(EventKind::Key { key, source: KeySource::Info });
                    }
                },
                Output::ForeignChallenge(source) => figures::foreign_challenge(source),
                Output::StopMedia => self.close_media().await,
                Output::Ended(termination) => {
                    self.blame_server(&termination);
                    if termination.sip_code.is_some() {
                        self.on_reply();
                    }
                    self.end(termination).await;
                }
            }
        }
    }

    async fn send(&self, sending: Sending) -> Option<(Purpose, Unreachable)> {
        let Sending { bytes, hop, purpose } = sending;
        let courier = &self.core.courier;
        if purpose == Purpose::Reply {
            // Nothing hangs on it, and an answer is told behind its ACK: it must not wait.
            courier.send_unawaited(bytes, hop).await;
            return None;
        }
        let error = courier.send(&bytes, &hop).await.err()?;
        tracing::debug!(?purpose, %error, "a SIP message could not be sent");
        Some((purpose, error))
    }

    /// A server that was silent, or that answered 503 before all else, is left out of the next
    /// calls for some seconds, if its trunk has others (RFC 3263 §4.3).
    fn blame_server(&self, termination: &Termination) {
        let unavailable = termination.sip_code == Some(503) && !self.replied;
        if let Some(trunk) = &self.trunk
            && (unavailable || termination.kind == TerminationKind::NoReply && !self.replied)
        {
            self.core.stack.shun(trunk);
        }
    }

    fn on_reply(&mut self) {
        if !std::mem::replace(&mut self.replied, true) {
            figures::first_reply(self.dialled_at.elapsed());
        }
    }

    fn connect(&self, agreement: Agreement, phase: Phase) {
        let (Some(media), Some(trunk)) = (&self.media, &self.trunk) else { return };
        let mut allowed = vec![agreement.remote.ip()];
        if !allowed.contains(&trunk.address.ip()) {
            allowed.push(trunk.address.ip());
        }
        media.connect(Agreed {
            phase,
            remote: agreement.remote,
            remote_rtcp: agreement.remote_rtcp,
            codec: agreement.codec,
            telephone_event: agreement.telephone_event,
            telephone_event_too: agreement.telephone_event_too,
            ptime_ms: agreement.ptime_ms,
            send: agreement.send,
            receive: agreement.receive,
            allowed,
        });
    }

    async fn close_media(&mut self) {
        if let Some(media) = self.media.take() {
            self.figures = media.close().await;
        }
    }

    async fn end_with(&mut self, kind: TerminationKind, text: &str) {
        let mut termination = Termination::new(kind);
        termination.text = text.chars().take(128).collect();
        self.end(termination).await;
    }

    /// The last event, behind everything else of the leg: its media is closed, plays that still
    /// wait are finished, and no command can come in between.
    async fn end(&mut self, termination: Termination) {
        if self.report.is_ended() {
            return;
        }
        self.report.shut();
        self.close_media().await;
        while let Ok(command) = self.commands.try_recv() {
            self.on_command(command);
        }
        self.report.ended(termination, self.figures);
    }

    /// After a panic: one CANCEL or BYE, then the last event. The media goes with the leg.
    async fn abandon(&mut self) {
        let mut out = Vec::new();
        if let Some(call) = &mut self.call {
            call.abandon(Instant::now(), &mut out);
        }
        for output in out {
            if let Output::Send(sending) = output {
                let _best_effort = self.send(sending).await;
            }
        }
        self.end_with(TerminationKind::EngineFault, "a fault of the engine's").await;
    }
}

async fn letter(inbox: Option<&mut Inbox>) -> Option<Letter> {
    inbox?.recv().await
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

async fn cancelled(token: Option<&CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}

async fn media_ended(media: Option<&MediaLeg>) {
    match media {
        Some(media) => media.ended().await,
        None => std::future::pending().await,
    }
}
