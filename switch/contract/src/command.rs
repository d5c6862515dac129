use crate::{Codec, LegId, Orphan, Owner, Peer, Prompt, Recording, RecordingId};

/// What the platform asks of the engine.
#[derive(Debug, Clone)]
pub enum Command {
    /// Place a call. Followed by exactly one [`crate::EventKind::Ended`], whatever happens.
    Dial(Box<Dial>),
    /// Play to a leg; cuts what was playing there. Before the answer it is refused
    /// (`PlayFinished` with [`crate::PlayEnd::Refused`]).
    Play(Box<Play>),
    /// Stop a play; nothing happens if it is no longer the current one.
    StopPlay {
        /// The leg.
        leg: LegId,
        /// The play that is to stop.
        play: PlayId,
    },
    /// Whom a leg hears from now on, and nobody else. Both ways make a bridge, three legs that hear
    /// the other two each a conference, one that only hears a monitor. Another leg that is not up yet,
    /// or whose media has not begun, is heard once it is: from its early media on. The leg itself was
    /// dialled before, and hears nobody until it is answered. Legs that hear each other have one
    /// owner. Keys go with the sound of a leg that is heard alone: as telephone-events, or as tones to
    /// a peer that agreed to none.
    Hear {
        /// Who hears.
        leg: LegId,
        /// Whom; empty: nobody.
        others: Vec<LegId>,
    },
    /// Record, or change whom a recording takes down.
    Record(Box<Recording>),
    /// End a recording. Nothing happens if there is none of this name.
    StopRecording {
        /// Whose it is.
        owner: Owner,
        /// The leg that its event is told of.
        leg: LegId,
        /// The recording.
        recording: RecordingId,
    },
    /// What a restarted process needs to end this leg's call is stored: its answer may be
    /// acknowledged. An answer waits for this only so long as the engine's timers say, and a leg
    /// that has nothing to acknowledge takes no notice.
    Acknowledge {
        /// The leg.
        leg: LegId,
    },
    /// Whether keys are awaited. RFC 4733 and INFO keys are always reported; the in-band detector
    /// costs CPU and runs only while keys are awaited and no telephone-event was negotiated.
    AwaitKeys {
        /// The leg.
        leg: LegId,
        /// From now on.
        on: bool,
    },
    /// End a leg: CANCEL or BYE, whichever its state wants. Idempotent.
    HangUp {
        /// The leg.
        leg: LegId,
        /// Why, for the Reason header and the logs.
        why: HangUpWhy,
    },
    /// After a restart: end what an earlier process left behind. Followed by exactly one
    /// [`crate::EventKind::Reaped`].
    Reap {
        /// The orphaned leg.
        leg: LegId,
        /// Handed back with the event.
        owner: Owner,
        /// What is known of it.
        orphan: Box<Orphan>,
    },
}

impl Command {
    /// The leg that the command is about.
    pub fn leg(&self) -> &LegId {
        match self {
            Self::Dial(dial) => &dial.leg,
            Self::Play(play) => &play.leg,
            Self::Record(recording) => &recording.leg,
            Self::StopPlay { leg, .. }
            | Self::Hear { leg, .. }
            | Self::StopRecording { leg, .. }
            | Self::Acknowledge { leg }
            | Self::AwaitKeys { leg, .. }
            | Self::HangUp { leg, .. }
            | Self::Reap { leg, .. } => leg,
        }
    }
}

/// One outbound call over one trunk. Failover is the platform's business: it dials the same leg
/// again with the next `attempt` after the first one has ended.
#[derive(Debug, Clone)]
pub struct Dial {
    /// The leg.
    pub leg: LegId,
    /// Handed back with every event of the leg.
    pub owner: Owner,
    /// 0 for the first trunk, 1 for the next…: part of Call-ID, From tag and branch.
    pub attempt: u8,
    /// The trunk.
    pub peer: Peer,
    /// User part of the Request-URI and To, as this trunk wants it.
    pub to: String,
    /// User part of From and of the identity header, as this trunk wants it.
    pub from: String,
    /// Codecs to offer, in order of preference; not empty.
    pub codecs: Vec<Codec>,
}

/// Names a play within its leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlayId(pub u32);

/// Audio for one leg, its items joined without a seam.
#[derive(Debug, Clone)]
pub struct Play {
    /// The leg.
    pub leg: LegId,
    /// Its name, given back with its events.
    pub play: PlayId,
    /// What to play, in order.
    pub items: Vec<PlayItem>,
    /// How often, and instead of what.
    pub mode: PlayMode,
}

/// How a play goes with what a leg hears besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PlayMode {
    /// Once, instead of everything else; cuts what is played instead.
    #[default]
    Once,
    /// Again and again until it is stopped or cut, instead of everything else. Its marks are reported
    /// each time.
    Repeated,
    /// Once, over whatever else the leg hears; cuts what is played over it.
    Over,
}

/// One stretch of a play.
#[derive(Debug, Clone)]
pub enum PlayItem {
    /// Recorded audio.
    Prompt(Prompt),
    /// Nothing, for so long.
    Silence {
        /// Milliseconds.
        ms: u32,
    },
    /// Report [`crate::EventKind::PlayMark`] when the play gets here; takes no time.
    Mark(u32),
}

/// How a key reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// telephone-event packets (RFC 4733).
    TelephoneEvent,
    /// SIP INFO with `application/dtmf-relay` or `application/dtmf` (de-facto practice).
    Info,
    /// The tones themselves (ITU-T Q.23, Q.24).
    InBand,
}

/// Why we end a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HangUpWhy {
    /// All was said.
    Normal,
    /// It rang for too long.
    RingTimeout,
    /// The trunk gave no sign of life in time.
    NoReply,
    /// The call reached its greatest length.
    MaxDuration,
    /// Somebody asked for it.
    Requested,
    /// The other party left.
    OtherPartyLeft,
    /// A fault of ours, or shutdown.
    PlatformFault,
}
