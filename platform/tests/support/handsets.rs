//! Telephones of the fake network that do as a test says (switch/carrier-sim/src/orders.rs), and what
//! they have heard.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};

use super::carrier::Carrier;
use super::hearing::Heard;
use super::node::merge;
use super::sound::Law;
use super::{LOOK, PATIENCE};

/// What callers say: a tone of their own.
pub(crate) const CALLER_HZ: u16 = 650;
/// What callees say.
pub(crate) const CALLEE_HZ: u16 = 850;
/// What third parties say.
pub(crate) const THIRD_HZ: u16 = 1_050;
/// What a callee's network says before it is picked up.
pub(crate) const EARLY_HZ: u16 = 1_450;

/// One telephone.
#[derive(Clone)]
pub(crate) struct Handset<'a> {
    carrier: &'a Carrier,
    /// Its number, as a trunk of the tests calls it.
    pub(crate) number: String,
    law: Law,
    /// Whether it gives a sign before it is picked up.
    rings: bool,
}

impl<'a> Handset<'a> {
    /// A telephone with this tone that rings (180) until it is told to do something; `behaviour` is
    /// merged over that.
    pub(crate) async fn new(
        carrier: &'a Carrier,
        number: impl Into<String>,
        voice_hz: u16,
        behaviour: Value,
    ) -> Self {
        let number = number.into();
        let mut whole = json!({ "voice_hz": voice_hz, "early_hz": EARLY_HZ });
        merge(&mut whole, &behaviour);
        let law = if whole["codec"] == "pcmu" { Law::Pcmu } else { Law::Pcma };
        let rings = whole["ring"] != "nothing";
        carrier.tell(&number, &json!({ "behave": whole })).await;
        Self { carrier, number, law, rings }
    }

    /// Tells it what to do: it is in a call that allows it.
    pub(crate) async fn tell(&self, order: Value) {
        self.carrier.tell(&self.number, &order).await;
    }

    /// Picks up, after its first sign if it gives one.
    pub(crate) async fn answer(&self) {
        self.wait_for(if self.rings { "ringing" } else { "invite" }).await;
        self.tell(json!("answer")).await;
    }

    pub(crate) async fn hang_up(&self) {
        self.tell(json!("hang_up")).await;
    }

    /// Waits for the first event of this kind.
    pub(crate) async fn wait_for(&self, kind: &str) -> Value {
        self.carrier.wait_for(&self.number, kind).await
    }

    /// How many events of this kind there were.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.carrier.count(&self.number, kind)
    }

    /// When the first event of this kind happened: microseconds since the Unix epoch.
    pub(crate) async fn time_of(&self, kind: &str) -> i64 {
        self.wait_for(kind).await["at_us"].as_i64().expect("an event has a time")
    }

    /// What it has heard so far.
    pub(crate) fn heard(&self) -> Heard {
        self.notes().map_or_else(Heard::default, |notes| Heard::read(&notes, self.law))
    }

    /// Waits until it hears this tone now, and gives back since when: microseconds since the Unix
    /// epoch.
    pub(crate) async fn hears(&self, hz: u16) -> i64 {
        self.hears_after(hz, 0).await
    }

    /// As [`hears`](Self::hears), for a stretch that began later than that.
    pub(crate) async fn hears_after(&self, hz: u16, after_us: i64) -> i64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let stretches = self.heard().stretches(hz);
            if let Some(stretch) = stretches.iter().find(|stretch| stretch.start > after_us) {
                return stretch.start;
            }
            assert!(
                Instant::now() < deadline,
                "{} does not hear {hz} Hz within {PATIENCE:?}; it hears {:?}; its story is {:?}",
                self.number,
                self.heard().summary(),
                self.carrier.story(&self.number),
            );
            tokio::time::sleep(LOOK * 5).await;
        }
    }

    /// The file of what it heard in its last call.
    fn notes(&self) -> Option<PathBuf> {
        let events = self.carrier.of(&self.number);
        let call = events.iter().rfind(|event| event["kind"] == "invite")?["call"].as_str()?;
        let name = format!("{}-{}.packets", self.number, call.replace('@', "_"));
        Some(self.carrier.recordings().join(name)).filter(|path| path.exists())
    }
}

/// Telephones by the names that a table of steps uses.
pub(crate) type Handsets<'a> = HashMap<&'static str, Handset<'a>>;
