//! Legs: from a command to its events. `intake` hands commands to legs, `leg` is one leg's task,
//! `reaper` one orphan's, `registry` knows who is live and which message is whose, `strays`
//! answers what belongs to nobody, `courier` takes messages to where they belong, `trace` shows them
//! to whoever looks into calls.

mod courier;
mod figures;
mod intake;
mod leg;
mod reaper;
mod registry;
mod report;
mod strays;
mod trace;

#[cfg(test)]
pub(crate) use strays::{Standing, refusal};

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use yunling_switch_contract::{Command, Engine, EventSink, Overloaded, Transport, TrunkPlan};

use crate::config::{StartError, SwitchConfig};
use crate::media::{MediaPlane, MediaStartError};
use crate::sip::ids::IdSource;
use crate::sip::stack::{Stack, StackConfig};
use crate::sip::timers::Timers;
use crate::supervision::Vitals;
use crate::trunks::{Office, Trunks};
use courier::Courier;
pub(crate) use figures::foreign_challenge;
pub(crate) use registry::{Inbox, Letter, Registry};
use trace::Tracer;

/// ACKs and responses of legs that may wait for a name's address or a connection: some for every
/// leg of a busy node.
const ERRANDS: usize = 4_096;

/// The call engine of one node. Cheap to clone; all clones are the same engine.
///
/// Every [`Command::Dial`] that [`Engine::send`] took is followed by exactly one
/// [`yunling_switch_contract::EventKind::Ended`], whatever happens, a panic of a leg included.
#[derive(Clone)]
pub struct Switch {
    core: Arc<Core>,
    commands: mpsc::Sender<Command>,
}

/// What all legs share.
struct Core {
    stack: Arc<Stack>,
    courier: Arc<Courier>,
    vitals: Vitals,
    media: MediaPlane,
    ids: IdSource,
    timers: Timers,
    sink: Arc<dyn EventSink>,
    registry: Arc<Registry>,
    trunks: Trunks,
    tracer: Arc<Tracer>,
    /// No new calls are taken.
    draining: AtomicBool,
    closed: AtomicBool,
}

impl Drop for Core {
    fn drop(&mut self) {
        // The tasks below hold the sockets, and end with them.
        self.stack.close();
    }
}

impl Switch {
    /// Binds the sockets, starts the media threads and begins to take commands. `sink` gets every
    /// event; it must not block. Run inside a tokio runtime, which the legs then live on.
    ///
    /// # Errors
    /// [`StartError`] says which part of the configuration cannot be used.
    pub async fn start(config: SwitchConfig, sink: Arc<dyn EventSink>) -> Result<Self, StartError> {
        if config.sip_listen.is_empty() {
            return Err(StartError::NoListener);
        }
        let media = MediaPlane::start(&config.rtp, Arc::clone(&sink))
            .map_err(|error: MediaStartError| StartError::Media(error.to_string()))?;
        // Strays are answered by the stack that brought them, which is only known once it is bound.
        let (strays, stray_queue) = strays::queue();
        let vitals = Vitals::default();
        let registry = Arc::new(Registry::new(config.timers.t1x64(), strays));
        let routed = Arc::clone(&registry);
        let sockets = StackConfig {
            listen: &config.sip_listen,
            tls: config.tls.as_ref(),
            dns: config.dns.as_deref(),
            user_agent: &config.user_agent,
            flood: config.flood,
            timers: &config.timers,
        };
        let on_message = Box::new(move |message, back| routed.route(message, back));
        let stack = Stack::bind(sockets, &vitals, on_message).await?;
        let stack = Arc::new(stack);
        let tracer = Tracer::new(Arc::clone(&sink), config.timers.t1x64());
        stack.watch(Arc::clone(&tracer) as _);
        strays::answer(&vitals, stray_queue, Courier::new(Arc::clone(&stack), strays::ERRANDS));
        Registry::sweep(&vitals, Arc::downgrade(&registry));
        let trunks = Trunks::new(Office {
            stack: Arc::clone(&stack),
            registry: Arc::clone(&registry),
            timers: config.timers,
            sink: Arc::clone(&sink),
        });
        let core = Arc::new(Core {
            courier: Courier::new(Arc::clone(&stack), ERRANDS),
            stack,
            vitals,
            media,
            ids: IdSource::new(&config.id_key),
            timers: config.timers,
            sink,
            registry,
            trunks,
            tracer,
            draining: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let (commands, queue) = mpsc::channel(config.command_queue.max(1));
        intake::run(&core, queue);
        Ok(Self { core, commands })
    }

    /// Whether the sockets are bound, read and answered for: the engine can take calls.
    pub fn is_bound(&self) -> bool {
        !self.core.closed.load(Ordering::Acquire) && self.core.vitals.are_sound()
    }

    /// What the SIP sockets are really bound to, in the order of the configuration.
    pub fn addresses(&self) -> Vec<(Transport, SocketAddr)> {
        self.core.stack.addresses()
    }

    /// Legs that have not ended.
    pub fn live_legs(&self) -> usize {
        self.core.registry.live_legs()
    }

    /// Takes no new calls ([`Engine::send`] gives [`Overloaded`] to a Dial) and waits until the
    /// live ones have ended, at most so long. True if all have.
    pub async fn drain(&self, patience: Duration) -> bool {
        self.core.draining.store(true, Ordering::Release);
        self.core.registry.wait_until_idle(patience).await
    }

    /// Hangs up what is live, takes registrations back, waits for the farewells (some seconds at
    /// most), and closes the sockets and the media plane.
    pub async fn close(&self) {
        self.core.draining.store(true, Ordering::Release);
        self.core.registry.hang_up_all();
        let patience = self.core.timers.farewell + Duration::from_secs(1);
        let idle = self.core.registry.wait_until_idle(patience);
        let (idle, ()) = tokio::join!(idle, self.core.trunks.close(patience));
        if !idle {
            tracing::warn!(legs = self.live_legs(), "closing over legs that did not end in time");
        }
        self.core.closed.store(true, Ordering::Release);
        self.core.stack.close();
        self.core.media.close();
    }
}

impl Engine for Switch {
    fn send(&self, command: Command) -> Result<(), Overloaded> {
        if matches!(command, Command::Dial(_)) && self.core.draining.load(Ordering::Acquire) {
            return Err(Overloaded);
        }
        self.commands.try_send(command).map_err(|_| Overloaded)
    }

    fn keep_trunks(&self, trunks: Vec<TrunkPlan>) {
        self.core.trunks.keep(trunks);
    }
}
