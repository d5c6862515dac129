//! Ends the process over an input that never ends: it alone would never be heard of.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How long an input may take by the clock on the wall, on the busiest of machines.
const PATIENCE: Duration = Duration::from_secs(60);

/// Watches one target's thread until it is dropped.
pub(crate) struct Watch {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    tried: u64,
    input: Vec<u8>,
    over: bool,
}

impl Watch {
    pub(crate) fn begin(target: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (watched, target) = (Arc::clone(&state), target.to_owned());
        thread::spawn(move || {
            let mut seen = None;
            loop {
                thread::sleep(PATIENCE);
                let state = watched.lock().unwrap_or_else(PoisonError::into_inner);
                if state.over {
                    return;
                }
                if seen == Some(state.tried) {
                    let file = crate::keep(&target, &state.input);
                    let _shown = writeln!(
                        std::io::stderr(),
                        "fuzz {target}: an input takes longer than {PATIENCE:?}; it is in {}",
                        file.display()
                    );
                    std::process::abort();
                }
                seen = Some(state.tried);
            }
        });
        Self { state }
    }

    /// The next input is about to be tried.
    pub(crate) fn next(&self, input: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tried += 1;
        state.input.clear();
        state.input.extend_from_slice(input);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).over = true;
    }
}
