//! The thread that owns the files: shards hand it samples and never wait for a disk.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::Mutex;
use yunling_switch_contract::{Event, EventKind, EventSink, LegId, Owner, RecordingId};

use super::wav_file::{WavFile, duration_ms};

/// Orders that may wait, at most 32 MiB: a second's of a thousand recordings. A shard keeps what
/// finds no room (`media/takes`).
const ORDERS: usize = 1_024;

/// Whom a recording's end is told to.
#[derive(Debug, Clone)]
pub(crate) struct RecordingOwner {
    pub(crate) owner: Owner,
    pub(crate) leg: LegId,
}

/// What the thread is asked for.
pub(crate) enum Order {
    /// Begin a file.
    Begin(RecordingId, RecordingOwner, PathBuf),
    /// Add samples of both sides, left before right.
    Samples(RecordingId, Box<[i16]>),
    /// Add so many blocks of silence, in the place of what was lost.
    Silence(RecordingId, u64),
    /// Complete it; so many milliseconds were lost on the way here.
    Finish(RecordingId, u64),
}

/// The way to the thread.
#[derive(Clone)]
pub(crate) struct RecorderLink(SyncSender<Order>);

impl RecorderLink {
    /// Hands an order over; gives it back if there is no room for it. An order for a thread that
    /// has ended is lost: the engine has closed then.
    pub(crate) fn send(&self, order: Order) -> Result<(), Order> {
        match self.0.try_send(order) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(order)) => Err(order),
        }
    }

    /// A way that leads to the test.
    #[cfg(test)]
    pub(crate) fn for_test(room: usize) -> (Self, Receiver<Order>) {
        let (sender, orders) = sync_channel(room);
        (Self(sender), orders)
    }
}

/// The thread.
pub(crate) struct Recorder {
    link: RecorderLink,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    /// Starts it.
    pub(crate) fn start(sink: Arc<dyn EventSink>) -> std::io::Result<Self> {
        let (sender, orders) = sync_channel(ORDERS);
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || Files { sink, open: HashMap::new() }.serve(&orders))?;
        Ok(Self { link: RecorderLink(sender), thread: Mutex::new(Some(thread)) })
    }

    /// The way to it.
    pub(crate) fn link(&self) -> RecorderLink {
        self.link.clone()
    }

    /// Waits until every link is gone and every file complete.
    pub(crate) fn close(self) {
        drop(self.link);
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the recorder's thread had panicked");
        }
    }
}

/// The open files.
struct Files {
    sink: Arc<dyn EventSink>,
    open: HashMap<RecordingId, Open>,
}

struct Open {
    owner: RecordingOwner,
    file: WavFile,
}

impl Files {
    fn serve(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Begin(recording, owner, path) => self.begin(recording, owner, &path),
                Order::Samples(recording, samples) => {
                    self.grow(recording, |file| file.append(&samples));
                }
                Order::Silence(recording, blocks) => {
                    self.grow(recording, |file| file.append_silence(blocks));
                }
                Order::Finish(recording, lost_ms) => self.finish(recording, lost_ms, None),
            }
        }
        for recording in self.open.keys().copied().collect::<Vec<_>>() {
            self.finish(recording, 0, None);
        }
    }

    /// A file that cannot be is told of at once.
    fn begin(&mut self, recording: RecordingId, owner: RecordingOwner, path: &std::path::Path) {
        match WavFile::create(path) {
            Ok(file) => {
                self.open.insert(recording, Open { owner, file });
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a recording cannot be begun");
                self.tell(owner, recording, (0, 0), Some(error.to_string()));
            }
        }
    }

    /// A disk that is full ends the recording there, and that is told at once: what it holds is
    /// kept.
    fn grow(
        &mut self,
        recording: RecordingId,
        grow: impl FnOnce(&mut WavFile) -> std::io::Result<()>,
    ) {
        let Some(open) = self.open.get_mut(&recording) else { return };
        if let Err(error) = grow(&mut open.file) {
            tracing::error!(?recording, %error, "a recording cannot go on");
            self.finish(recording, 0, Some(error.to_string()));
        }
    }

    fn finish(&mut self, recording: RecordingId, lost_ms: u64, failure: Option<String>) {
        let Some(Open { owner, file }) = self.open.remove(&recording) else { return };
        match file.finish() {
            Ok(octets) => self.tell(owner, recording, (octets, lost_ms), failure),
            Err(error) => {
                tracing::error!(?recording, %error, "a recording cannot be completed");
                let failure = failure.unwrap_or_else(|| error.to_string());
                self.tell(owner, recording, (0, lost_ms), Some(failure));
            }
        }
    }

    fn tell(
        &self,
        RecordingOwner { owner, leg }: RecordingOwner,
        recording: RecordingId,
        (octets, lost_ms): (u64, u64),
        failure: Option<String>,
    ) {
        let duration_ms = duration_ms(octets);
        let kind = EventKind::Recorded { recording, duration_ms, octets, lost_ms, failure };
        self.sink.deliver(Event { owner, leg, at: Instant::now(), kind });
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use yunling_switch_contract::TrunkEvent;

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<EventKind>>);

    impl EventSink for Told {
        fn deliver(&self, event: Event) {
            self.0.lock().push(event.kind);
        }

        fn trunk(&self, _event: TrunkEvent) {}
    }

    /// A disk that takes nothing more: `/dev/full` under the name of the file.
    #[test]
    fn a_full_disk_is_told_of_once_and_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let told = Arc::new(Told::default());
        let mut files = Files { sink: Arc::clone(&told) as _, open: HashMap::new() };
        let id = RecordingId(1);
        let owner = RecordingOwner { owner: Owner(7), leg: LegId::new("a") };
        let file = WavFile::for_test(std::path::Path::new("/dev/full"), &folder.path().join("a"));
        files.open.insert(id, Open { owner, file });
        files.grow(id, |file| file.append(&[1; 16_000]));
        assert_eq!(told.0.lock().len(), 1, "before it is ended");
        files.grow(id, |file| file.append(&[1; 16_000]));
        files.finish(id, 0, None);
        match told.0.lock().as_slice() {
            [EventKind::Recorded { failure: Some(why), .. }] => {
                assert!(why.contains("No space left"), "{why}");
            }
            other => panic!("expected one failure, got {other:?}"),
        }
    }

    #[test]
    fn what_is_open_at_the_end_is_completed() {
        let folder = tempfile::tempdir().unwrap();
        let told = Arc::new(Told::default());
        let recorder = Recorder::start(Arc::clone(&told) as _).unwrap();
        let link = recorder.link();
        let owner = RecordingOwner { owner: Owner(7), leg: LegId::new("a") };
        let path = folder.path().join("deep/a.wav");
        let (id, other) = (RecordingId(1), RecordingId(2));
        for order in [
            Order::Begin(id, owner, path.clone()),
            Order::Samples(id, vec![7; 16_000].into()),
            Order::Silence(id, 8_000),
            Order::Finish(other, 0),
        ] {
            assert!(link.send(order).is_ok());
        }
        drop(link);
        recorder.close();
        match told.0.lock().as_slice() {
            [EventKind::Recorded { duration_ms: 2_000, octets: 64_044, failure: None, .. }] => {}
            other => panic!("expected two seconds, got {other:?}"),
        }
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let bytes = std::fs::read(path).unwrap();
        assert_eq!((bytes.len(), &bytes[44..48], bytes[64_043]), (64_044, &[7, 0, 7, 0][..], 0));
    }
}
