use std::fmt;
use std::sync::Arc;

/// Samples a second of every prompt and codec here.
pub const SAMPLE_RATE_HZ: u32 = 8_000;

/// Audio that is ready to be sent: encoded once in both G.711 laws and shared by every call that
/// plays it, so that playing a frame is a header and a copy.
#[derive(Clone)]
pub struct Prompt {
    name: Arc<str>,
    alaw: Arc<[u8]>,
    ulaw: Arc<[u8]>,
}

impl Prompt {
    /// Takes audio that was encoded in both laws.
    ///
    /// # Panics
    /// If the two differ in length: they are the same samples.
    pub fn new(name: impl Into<Arc<str>>, alaw: Arc<[u8]>, ulaw: Arc<[u8]>) -> Self {
        assert_eq!(alaw.len(), ulaw.len(), "both laws encode the same samples");
        Self { name: name.into(), alaw, ulaw }
    }

    /// What the prompt is called in logs and timelines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The encoded samples for a codec, one byte each.
    pub fn samples(&self, codec: crate::Codec) -> &Arc<[u8]> {
        match codec {
            crate::Codec::Pcma => &self.alaw,
            crate::Codec::Pcmu => &self.ulaw,
        }
    }

    /// Its length, rounded up.
    pub fn duration_ms(&self) -> u32 {
        let samples = u32::try_from(self.alaw.len()).unwrap_or(u32::MAX);
        samples.div_ceil(SAMPLE_RATE_HZ / 1_000)
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prompt({}, {} ms)", self.name, self.duration_ms())
    }
}
