use std::time::Instant;

use crate::{
    Codec, DialogState, KeySource, LegId, Owner, PlayId, ReapOutcome, RecordingId, Termination,
};

/// Something that happened to a leg.
#[derive(Debug, Clone)]
pub struct Event {
    /// Who owns the leg.
    pub owner: Owner,
    /// The leg.
    pub leg: LegId,
    /// When the engine saw it.
    pub at: Instant,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum EventKind {
    /// The first 100 (RFC 3261 §8.1.3.2): the trunk lives, nobody rings yet. Any later 1xx also
    /// proves it, so this need not come.
    Trying,
    /// 180, 183 or another 18x arrived. Sent for each.
    Ringing {
        /// The status code.
        code: u16,
        /// It carried SDP: media may flow before the answer.
        early_media: bool,
    },
    /// 2xx, acknowledged, and media agreed on.
    Answered {
        /// What a restarted engine needs to end the leg.
        dialog: Box<DialogState>,
        /// What was agreed on.
        media: Media,
    },
    /// A key was pressed (reported once, when it is certain).
    Key {
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        key: char,
        /// How it came.
        source: KeySource,
    },
    /// A play got to a [`crate::PlayItem::Mark`].
    PlayMark {
        /// The play.
        play: PlayId,
        /// The mark's number.
        mark: u32,
    },
    /// A play is over. Sent exactly once for every play of a leg that was answered.
    PlayFinished {
        /// The play.
        play: PlayId,
        /// How.
        end: PlayEnd,
    },
    /// A recording is complete, as far as it got. Once for each; it may come behind the last event of
    /// the leg that it is told of.
    Recorded {
        /// The recording.
        recording: RecordingId,
        /// What it holds.
        duration_ms: u64,
        /// The file's length; 0 where there is none.
        octets: u64,
        /// What the disk did not take in time, and is silent in it. What the network lost is not
        /// counted.
        lost_ms: u64,
        /// Why there is no file, or an incomplete one.
        failure: Option<String>,
    },
    /// The first audio came before the answer: early media flows, and whoever hears the leg hears it.
    /// Sent once for each Dial. It may arrive just behind the answer.
    EarlyAudio,
    /// No packet came for so long that the peer is taken for gone, neither media nor a report (RTCP).
    /// Sent once for each silence; never before the answer, nor while the peer has us on hold.
    MediaLost {
        /// For how long.
        silent_ms: u64,
    },
    /// The leg (this attempt of it) is over; the last event of a Dial.
    Ended {
        /// How and by whom.
        termination: Termination,
        /// What the media was like; all zero where none flowed.
        figures: MediaFigures,
    },
    /// A Reap is done.
    Reaped {
        /// What came of it.
        outcome: ReapOutcome,
    },
}

/// What both sides agreed to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// The codec.
    pub codec: Codec,
    /// Milliseconds of audio in each packet that we send.
    pub ptime_ms: u8,
    /// Whether keys come as telephone-event.
    pub telephone_event: bool,
}

/// How a play came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayEnd {
    /// To its last sample.
    Completed,
    /// By [`crate::Command::StopPlay`] or by another play.
    Cut,
    /// The leg ended under it.
    LegEnded,
    /// The leg was not answered.
    Refused,
}

/// What the media of a leg was like.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MediaFigures {
    /// Packets sent.
    pub sent_packets: u64,
    /// Packets taken.
    pub received_packets: u64,
    /// Packets that never came, by sequence numbers (RFC 3550 §A.3).
    pub lost_packets: u64,
    /// Packets from somebody else, thrown away.
    pub foreign_packets: u64,
    /// Interarrival jitter of what we received, milliseconds (RFC 3550 §A.8).
    pub jitter_ms: f32,
    /// What the peer's receiver reports said it lost of ours, 0 to 1, if it sent any.
    pub reported_loss: Option<f32>,
    /// Round trip by RTCP, milliseconds, if measured.
    pub round_trip_ms: Option<f32>,
    /// The latest that a packet of ours left after its due time, milliseconds.
    pub worst_lateness_ms: f32,
}
