use crate::Refusal;
use crate::config::Settings;
use crate::directory::{self, Directory, MediaCache};
use crate::event_streams::EventStreams;
use crate::exports::ExportDesk;
use crate::import_media::ImportRoom;
use crate::key_check;
use crate::ports::{Clock, Events, Ids, Objects, Poke, Random, Talks};
use crate::queue_room::QueueRoom;
use crate::recordings::RecordingDesk;
use crate::secrets::Keyring;
use crate::sip_trace::SipTraces;
use crate::submit_batch::BatchRoom;
use crate::trunks::Trunks;
use arc_swap::ArcSwap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;
use yunling_assets::Packs;
use yunling_domain::error_code::SHUTTING_DOWN;
use yunling_store::{Store, StoreError};

/// When a node that stops is likely to be back, seconds.
const DRAIN_RETRY_S: u32 = 5;

/// What an [`App`] is put together from.
pub struct Parts {
    /// The open database.
    pub store: Store,
    /// The prompt packs of every language.
    pub packs: Packs,
    /// The node's settings.
    pub settings: Settings,
    /// The node's own keys.
    pub keyring: Keyring,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh identifiers.
    pub ids: Arc<dyn Ids>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Who is woken when rows become due.
    pub poke: Arc<dyn Poke>,
    /// Who watches live conversations.
    pub events: Arc<dyn Events>,
}

/// An [`App`] cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The configuration cannot be read from the database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys are not those under which the database's tokens are hashed and its secrets sealed;
    /// fault of the platform's operator.
    #[error(
        "{file}: not the key file of this database, whose tokens and secrets were stored under the key {expected}: restore that file from the backup",
        file = .file.display()
    )]
    ForeignKey {
        /// The key file in use.
        file: PathBuf,
        /// The name of the newest key that the database knows.
        expected: String,
    },
}

/// Everything that the use cases work with. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    parts: Parts,
    directory: ArcSwap<Directory>,
    /// One rebuild of the directory at a time, so that an older snapshot never replaces a newer one.
    rebuilding: tokio::sync::Mutex<()>,
    media: MediaCache,
    import_room: ImportRoom,
    batch_room: BatchRoom,
    queue_room: QueueRoom,
    trunks: Trunks,
    /// The version of the directory in force, for those who follow it.
    moved: watch::Sender<i64>,
    sip_traces: Arc<SipTraces>,
    talks: OnceLock<Arc<dyn Talks>>,
    recordings: RecordingDesk,
    exports: ExportDesk,
    event_streams: EventStreams,
    draining: AtomicBool,
}

impl App {
    /// Puts the parts together, checks that the database's secrets are the keyring's, and reads the
    /// directory.
    ///
    /// # Errors
    /// [`AssembleError`].
    pub async fn assemble(parts: Parts) -> Result<Self, AssembleError> {
        let recorded = key_check::run(&parts.store, &parts.keyring).await?;
        if let key_check::Verdict::Foreign { expected } = recorded {
            return Err(AssembleError::ForeignKey {
                file: parts.settings.data_dir.join(Keyring::FILE_NAME),
                expected,
            });
        }
        let sip_traces = Arc::new(SipTraces::new(parts.settings.sip_trace.clone()));
        let media = MediaCache::new(parts.settings.speech.media_cache_mib);
        let app = Self(Arc::new(Inner {
            parts,
            directory: ArcSwap::from_pointee(Directory::empty()),
            rebuilding: tokio::sync::Mutex::new(()),
            media,
            import_room: ImportRoom::default(),
            batch_room: BatchRoom::default(),
            queue_room: QueueRoom::default(),
            trunks: Trunks::default(),
            moved: watch::Sender::new(-1),
            sip_traces,
            talks: OnceLock::new(),
            recordings: RecordingDesk::default(),
            exports: ExportDesk::default(),
            event_streams: EventStreams::default(),
            draining: AtomicBool::new(false),
        }));
        app.reload().await?;
        Ok(app)
    }

    /// Whether this node takes requests for calls.
    ///
    /// # Errors
    /// `SHUTTING_DOWN`, with the time after which the node is likely to be back.
    pub(crate) fn takes_requests(&self) -> Result<(), Refusal> {
        if self.is_draining() {
            return Err(Refusal::new(SHUTTING_DOWN).retry_after(DRAIN_RETRY_S));
        }
        Ok(())
    }

    /// Room in accounts' queues.
    pub(crate) fn queue_room(&self) -> &QueueRoom {
        &self.0.queue_room
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.0.parts.store
    }

    /// The configuration as it is now. Whoever holds on to it keeps working with this snapshot.
    pub fn directory(&self) -> Arc<Directory> {
        self.0.directory.load_full()
    }

    /// Tells of every directory that comes into force, by its version; the latest counts.
    pub fn directory_moves(&self) -> watch::Receiver<i64> {
        self.0.moved.subscribe()
    }

    /// Rebuilds the directory from the database.
    ///
    /// # Errors
    /// The configuration cannot be read; the old snapshot stays in force.
    pub async fn reload(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.0.rebuilding.lock().await;
        let fresh = directory::read(self).await?;
        tracing::info!(
            version = fresh.version(),
            accounts = fresh.accounts().count(),
            trunks = fresh.trunks().count(),
            "configuration read"
        );
        let version = fresh.version();
        self.0.trunks.follow(&fresh, self.clock().now());
        self.0.directory.store(Arc::new(fresh));
        self.0.moved.send_replace(version);
        Ok(())
    }

    /// Rebuilds the directory after a change that is committed already. That it cannot be read now
    /// does not undo the change, so it is only logged: whoever looks by [`Self::reload_if_moved`]
    /// every second tries again.
    pub(crate) async fn follow(&self) {
        if let Err(error) = self.reload().await {
            tracing::error!(%error, "the changed configuration is stored but not yet in force");
        }
    }

    /// Rebuilds the directory if the stored configuration has moved on (another process wrote it).
    /// Says whether it had.
    ///
    /// # Errors
    /// The configuration cannot be read; the old snapshot stays in force.
    pub async fn reload_if_moved(&self) -> Result<bool, StoreError> {
        let stored = directory::stored_version(self).await?;
        if stored == self.directory().version() {
            return Ok(false);
        }
        self.reload().await.map(|()| true)
    }

    /// The prompt packs.
    pub fn packs(&self) -> &Packs {
        &self.0.parts.packs
    }

    /// The node's settings.
    pub fn settings(&self) -> &Settings {
        &self.0.parts.settings
    }

    /// The node's own keys.
    pub fn keyring(&self) -> &Keyring {
        &self.0.parts.keyring
    }

    /// The time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.parts.clock
    }

    /// Fresh identifiers.
    pub fn ids(&self) -> &dyn Ids {
        &*self.0.parts.ids
    }

    /// Random bytes.
    pub fn random(&self) -> &dyn Random {
        &*self.0.parts.random
    }

    /// Who is woken when rows become due.
    pub fn poke(&self) -> &dyn Poke {
        &*self.0.parts.poke
    }

    /// Who watches live conversations.
    pub fn events(&self) -> &Arc<dyn Events> {
        &self.0.parts.events
    }

    /// The encoded audio of the tenants' libraries.
    pub fn media(&self) -> &MediaCache {
        &self.0.media
    }

    /// Room for recordings on their way in.
    pub fn import_room(&self) -> &ImportRoom {
        &self.0.import_room
    }

    /// Room for batches on their way in.
    pub fn batch_room(&self) -> &BatchRoom {
        &self.0.batch_room
    }

    /// The SIP messages of the conversations that run here.
    pub fn sip_traces(&self) -> &Arc<SipTraces> {
        &self.0.sip_traces
    }

    /// Says who carries click-to-call conversations; the first word counts.
    pub fn carry_talks(&self, talks: Arc<dyn Talks>) {
        // A process has one calls role.
        let _ = self.0.talks.set(talks);
    }

    /// Who carries click-to-call conversations; none in a process that makes no calls.
    pub fn talks(&self) -> Option<&dyn Talks> {
        self.0.talks.get().map(|talks| &**talks)
    }

    /// Says where complete recordings go; without a word they stay on the disk.
    pub fn keep_recordings_in(&self, objects: Arc<dyn Objects>) {
        self.0.recordings.move_to(objects);
    }

    /// Where complete recordings go; none where they stay on the disk.
    pub fn objects(&self) -> Option<&Arc<dyn Objects>> {
        self.0.recordings.objects.get()
    }

    pub(crate) fn recording_desk(&self) -> &RecordingDesk {
        &self.0.recordings
    }

    pub(crate) fn export_desk(&self) -> &ExportDesk {
        &self.0.exports
    }

    /// Who follows conversations.
    pub(crate) fn event_streams(&self) -> &EventStreams {
        &self.0.event_streams
    }

    /// Notes that the node is about to stop: what it accepted now would wait for the next start.
    pub fn begin_to_drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the node is about to stop.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// What this node knows of its trunks.
    pub fn trunks(&self) -> &Trunks {
        &self.0.trunks
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("config_version", &self.directory().version())
            .finish_non_exhaustive()
    }
}
