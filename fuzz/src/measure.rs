//! What an input costs: memory of this thread at its peak, and processor time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// What an input may cost. Generous: they catch what grows with a power of the input's length, or
/// what an input's numbers ask for, and no mere slowness.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of processor time, milliseconds.
    pub cpu_ms: u64,
    /// Of memory held at once, bytes, whatever the input.
    pub fixed_bytes: u64,
    /// The same for each byte of input, besides.
    pub bytes_per_byte: u64,
}

impl Limits {
    /// What is wrong with a cost.
    pub(crate) fn exceeded_by(&self, cost: Cost, input_len: usize) -> Option<String> {
        let allowed = self.fixed_bytes + self.bytes_per_byte * input_len as u64;
        if cost.peak_bytes > allowed {
            return Some(format!("it allocated {} bytes at once of {allowed}", cost.peak_bytes));
        }
        let cpu_ms = u64::try_from(cost.cpu.as_millis()).unwrap_or(u64::MAX);
        (cpu_ms > self.cpu_ms)
            .then(|| format!("it took {cpu_ms} ms of the processor of {}", self.cpu_ms))
    }
}

/// What one input cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    peak_bytes: u64,
    cpu: Duration,
}

/// Runs something; nothing of its result if it panicked.
pub(crate) fn measure<T>(run: impl FnOnce() -> T) -> (Result<T, ()>, Cost) {
    let mut result = Err(());
    let before = processor_time();
    let memory = allocation_counter::measure(|| {
        result = catch_unwind(AssertUnwindSafe(run)).map_err(drop);
    });
    let cpu = processor_time().saturating_sub(before);
    (result, Cost { peak_bytes: memory.bytes_max, cpu })
}

/// Of this thread: a busy machine does not count.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
