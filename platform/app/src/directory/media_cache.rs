use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use yunling_store::{Store, StoreError, media_blobs};

/// Audio that is ready to be sent, in both laws of G.711.
#[derive(Clone, PartialEq, Eq)]
pub struct Audio {
    /// A-law samples at 8 kHz.
    pub alaw: Arc<[u8]>,
    /// µ-law, the same samples.
    pub ulaw: Arc<[u8]>,
}

impl std::fmt::Debug for Audio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Audio({} ms)", self.duration_ms())
    }
}

impl Audio {
    /// Its length in milliseconds, rounded up.
    pub fn duration_ms(&self) -> u32 {
        u32::try_from(self.alaw.len()).unwrap_or(u32::MAX).div_ceil(8)
    }

    fn bytes(&self) -> usize {
        self.alaw.len() + self.ulaw.len()
    }
}

/// The tenants' audio that was played lately, by hash, so that calls share it. Holds a bounded
/// number of bytes; when full, what was not asked for the longest goes. Audio that a call still
/// plays stays alive with the call.
pub struct MediaCache {
    capacity_bytes: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    audio: HashMap<Arc<str>, (Audio, u64)>,
    bytes: usize,
    /// Rises with every use.
    tick: u64,
}

impl MediaCache {
    /// A cache of so many mebibytes.
    pub fn new(capacity_mib: u32) -> Self {
        let capacity_bytes = (capacity_mib as usize).saturating_mul(1024 * 1024);
        Self { capacity_bytes, held: Mutex::default() }
    }

    /// The audio with this hash, from memory or else from the database; `None` where the database
    /// has none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn audio(
        &self,
        store: &Store,
        sha256: &Arc<str>,
    ) -> Result<Option<Audio>, StoreError> {
        if let Some(audio) = self.held().get(sha256) {
            return Ok(Some(audio));
        }
        let Some(blob) = media_blobs::get(store.reader(), sha256).await? else {
            return Ok(None);
        };
        let audio = Audio { alaw: blob.alaw.into(), ulaw: blob.ulaw.into() };
        self.held().put(sha256, audio.clone(), self.capacity_bytes);
        Ok(Some(audio))
    }

    /// A panic while the lock was held leaves at worst a wrong count of bytes, never wrong audio.
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn get(&mut self, sha256: &str) -> Option<Audio> {
        self.tick += 1;
        let (audio, used) = self.audio.get_mut(sha256)?;
        *used = self.tick;
        Some(audio.clone())
    }

    fn put(&mut self, sha256: &Arc<str>, audio: Audio, capacity_bytes: usize) {
        if audio.bytes() > capacity_bytes {
            return;
        }
        self.tick += 1;
        self.bytes += audio.bytes();
        if let Some((before, _)) = self.audio.insert(Arc::clone(sha256), (audio, self.tick)) {
            self.bytes -= before.bytes();
        }
        while self.bytes > capacity_bytes {
            let oldest = self
                .audio
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(sha256, _)| Arc::clone(sha256));
            let Some((gone, _)) = oldest.and_then(|sha256| self.audio.remove(&sha256)) else {
                break;
            };
            self.bytes -= gone.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_goes_when_the_cache_is_full() {
        let audio =
            |samples: usize| Audio { alaw: vec![0; samples].into(), ulaw: vec![0; samples].into() };
        let name = |text: &str| Arc::<str>::from(text);
        let mut held = Held::default();
        held.put(&name("a"), audio(4), 20);
        held.put(&name("b"), audio(4), 20);
        assert!(held.get("a").is_some());
        held.put(&name("c"), audio(4), 20);
        assert!(held.get("b").is_none(), "b was not used since a was");
        assert!(held.get("a").is_some() && held.get("c").is_some());
        assert_eq!(held.bytes, 16);
        held.put(&name("c"), audio(2), 20);
        assert_eq!(held.bytes, 12, "the same name again does not count twice");
        held.put(&name("d"), audio(11), 20);
        assert!(held.get("d").is_none(), "what is larger than the cache is not kept");
        assert_eq!(held.bytes, 12);
    }
}
