//! The engine's counters, as this process collects them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

static COUNTS: LazyLock<Counts> = LazyLock::new(|| {
    let counts = Counts::default();
    metrics::set_global_recorder(counts.clone()).expect("nothing else records in this process");
    counts
});

/// Counters by name and label values.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label| format!(" {}", label.value()));
        let name = key.name().to_owned() + &labels.collect::<String>();
        let mut counts = self.0.lock().unwrap();
        Counter::from_arc(Arc::clone(counts.entry(name).or_default()))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Begins to count. To be called before anything is.
pub(crate) fn begin() {
    LazyLock::force(&COUNTS);
}

/// Messages dropped, by the reason.
pub(crate) fn dropped() -> BTreeMap<String, u64> {
    let counts = COUNTS.0.lock().unwrap();
    let dropped = counts.iter().filter_map(|(name, count)| {
        let why = name.strip_prefix("switch_sip_dropped_total ")?;
        Some((why.to_owned(), count.load(Ordering::Relaxed)))
    });
    dropped.collect()
}

/// Messages dropped for one reason.
pub(crate) fn dropped_for(why: &str) -> u64 {
    dropped().get(why).copied().unwrap_or(0)
}

/// Nothing has panicked, neither a leg nor one of the tasks that all legs need.
pub(crate) fn assert_nothing_panicked() {
    let counts = COUNTS.0.lock().unwrap();
    let faults: Vec<(&String, u64)> = counts
        .iter()
        .filter(|(name, _)| name.contains("faults") || name.contains("panic"))
        .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
}
