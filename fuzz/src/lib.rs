//! Feeds mutated input to a function that must survive anything, and checks what it costs.
//!
//! A [`Target`] names its seeds, some words of its language and its limits; [`Target::run`] mutates
//! the seeds, over and over, until its time is up. There is no instrumentation and no nightly
//! compiler in it: instead of branches, a check tells what came of an input ([`Target::run`]), and
//! an input that led to something new joins the seeds. That finds its way through parsers whose
//! outcomes differ, at the full speed of the code under test, inside ordinary `cargo test`.
//!
//! | variable | meaning |
//! |---|---|
//! | `YUNLING_FUZZ_SECONDS` | how long each target runs; else 2 s, or 10 min where `YUNLING_SOAK` is set |
//! | `YUNLING_FUZZ_SEED` | the generator's seed; else the same each time, or from the clock in soak |
//! | `YUNLING_FUZZ_REPLAY` | a file: runs that input alone, in the target whose name begins the file's |
//!
//! An input that fails is written to a file, and the panic says which and how to run it again. One
//! that hangs, or kills the process, can be had again by the seed, which is printed at the start.

mod dice;
mod measure;
mod mutate;
mod watch;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

pub use dice::Dice;
pub use measure::Limits;
pub use mutate::Mutator;

/// How long a target runs where nothing else is said.
const SHORT: Duration = Duration::from_secs(2);

/// The same in soak.
const LONG: Duration = Duration::from_secs(600);

/// Inputs that are kept because they led to something new; beyond, one of them gives way.
const POOL: usize = 512;

/// Outcomes that are remembered; beyond, none counts as new.
const OUTCOMES: usize = 65_536;

/// Something that takes bytes from strangers.
pub struct Target<'a> {
    /// Names files and log lines: lower case, underscores.
    pub name: &'a str,
    /// The arguments of `cargo` that run this target alone.
    pub run_by: &'a str,
    /// What it takes when all is well. Each is tried as it is, first.
    pub seeds: Vec<Vec<u8>>,
    /// Words of its language that mutations put in.
    pub words: &'a [&'a str],
    /// No input is longer, in bytes.
    pub longest: usize,
    /// What an input may cost.
    pub limits: Limits,
}

impl Target<'_> {
    /// Runs until the time is up. `check` panics where a property does not hold, and gives back what
    /// came of the input: something coarse, such as a status and a few counts.
    ///
    /// # Panics
    /// If `check` does, or an input costs more than [`Target::limits`]: this is a test.
    pub fn run<O: Hash>(&self, mut check: impl FnMut(&[u8]) -> O) {
        if let Ok(file) = std::env::var("YUNLING_FUZZ_REPLAY") {
            return self.replay(&PathBuf::from(file), &mut check);
        }
        let (seed, time) = (seed(self.name), time());
        // Past the capture of the test's output: what kills the process must leave it behind.
        let _shown = writeln!(std::io::stderr(), "fuzz {}: seed {seed}, {time:?}", self.name);
        let mut dice = Dice::new(seed);
        let mut pool = self.seeds.clone();
        let mut outcomes = HashSet::new();
        let watch = watch::Watch::begin(self.name);
        for input in &self.seeds {
            outcomes.insert(self.try_one(input, &watch, &mut check));
        }
        let mutator = Mutator::new(self.words, self.longest);
        let (began, mut tried) = (Instant::now(), 0u64);
        while began.elapsed() < time {
            let input = mutator.mutate(&pool, &mut dice);
            let outcome = self.try_one(&input, &watch, &mut check);
            tried += 1;
            if outcomes.len() < OUTCOMES && outcomes.insert(outcome) {
                if pool.len() < POOL {
                    pool.push(input);
                } else {
                    // The seeds themselves stay.
                    let place =
                        self.seeds.len() + dice.below(POOL - self.seeds.len().min(POOL - 1));
                    if let Some(old) = pool.get_mut(place) {
                        *old = input;
                    }
                }
            }
        }
        let _shown = writeln!(
            std::io::stderr(),
            "fuzz {}: {tried} inputs, {} outcomes",
            self.name,
            outcomes.len()
        );
        assert!(tried > 0, "no input was tried within {time:?}");
    }

    fn replay<O: Hash>(&self, file: &PathBuf, check: &mut impl FnMut(&[u8]) -> O) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.strip_prefix(self.name).is_some_and(|rest| rest.starts_with('-')) {
            let input = std::fs::read(file)
                .unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()));
            self.try_one(&input, &watch::Watch::begin(self.name), check);
        }
    }

    fn try_one<O: Hash>(
        &self,
        input: &[u8],
        watch: &watch::Watch,
        check: &mut impl FnMut(&[u8]) -> O,
    ) -> u64 {
        watch.next(input);
        let (outcome, cost) = measure::measure(|| check(input));
        let problem = match outcome {
            Ok(outcome) => match self.limits.exceeded_by(cost, input.len()) {
                None => {
                    return BuildHasherDefault::<DefaultHasher>::default().hash_one(outcome);
                }
                Some(problem) => problem,
            },
            // The hook has printed what it was.
            Err(()) => "it panicked, see above".to_owned(),
        };
        let file = keep(self.name, input);
        panic!(
            "{}: {problem}. The input of {} bytes is in {file}; run it again by\n    \
             YUNLING_FUZZ_REPLAY={file} cargo {}",
            self.name,
            input.len(),
            self.run_by,
            file = file.display()
        );
    }
}

/// Writes an input that failed to a file; gives its path.
fn keep(name: &str, input: &[u8]) -> PathBuf {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(input);
    let folder = std::env::temp_dir().join("yunling-fuzz");
    let file = folder.join(format!("{name}-{hash:016x}"));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, input));
    if let Err(error) = written {
        let _shown = writeln!(std::io::stderr(), "{} not written: {error}", file.display());
    }
    file
}

fn is_soak() -> bool {
    std::env::var_os("YUNLING_SOAK").is_some()
}

fn time() -> Duration {
    match std::env::var("YUNLING_FUZZ_SECONDS") {
        Ok(text) => {
            Duration::from_secs(text.parse().expect("YUNLING_FUZZ_SECONDS is a whole number"))
        }
        Err(_) if is_soak() => LONG,
        Err(_) => SHORT,
    }
}

fn seed(name: &str) -> u64 {
    match std::env::var("YUNLING_FUZZ_SEED") {
        Ok(text) => text.parse().expect("YUNLING_FUZZ_SEED is a whole number"),
        Err(_) if is_soak() => {
            #[expect(
                clippy::disallowed_methods,
                reason = "a seed from the clock; whoever wants it again reads it in the output"
            )]
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.map_or(1, |now| now.as_secs())
        }
        Err(_) => BuildHasherDefault::<DefaultHasher>::default().hash_one(name),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn target<'a>(seeds: &[&[u8]], words: &'a [&'a str]) -> Target<'a> {
        Target {
            name: "selftest",
            run_by: "test -p yunling-fuzz --lib",
            seeds: seeds.iter().map(|seed| seed.to_vec()).collect(),
            words,
            longest: 256,
            limits: Limits { cpu_ms: 1_000, fixed_bytes: 1 << 20, bytes_per_byte: 16 },
        }
    }

    fn failure(target: &Target<'_>, check: impl FnMut(&[u8]) -> u8) -> String {
        let mut check = check;
        let failed = catch_unwind(AssertUnwindSafe(|| target.run(&mut check)));
        match failed {
            Ok(()) => panic!("the fault was not found"),
            Err(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
        }
    }

    /// A fault three steps deep, each of which shows in the outcome.
    #[test]
    fn what_outcomes_lead_to_is_found_and_kept_in_a_file() {
        let target = target(&[b"a=1;b=2;c=3"], &["a=7", "b=9", "c=x"]);
        let told = failure(&target, |input| {
            let text = String::from_utf8_lossy(input);
            let steps = ["a=7", "b=9", "c=x"].map(|step| text.contains(step));
            assert!(steps != [true; 3], "this panic is part of a test");
            steps.iter().fold(0, |sum, step| sum << 1 | u8::from(*step))
        });
        assert!(told.contains("it panicked"), "{told}");
        let file =
            told.split("YUNLING_FUZZ_REPLAY=").nth(1).and_then(|rest| rest.split(' ').next());
        let input = std::fs::read(file.unwrap_or_default()).unwrap_or_default();
        let text = String::from_utf8_lossy(&input).into_owned();
        assert!(["a=7", "b=9", "c=x"].iter().all(|step| text.contains(step)), "{text}");
    }

    #[test]
    fn what_costs_too_much_is_a_failure() {
        let target = target(&[b"x"], &[]);
        let told = failure(&target, |_| {
            u8::try_from(vec![1u8; 3 << 20].iter().map(|byte| u32::from(*byte)).sum::<u32>() % 7)
                .unwrap_or(0)
        });
        assert!(told.contains("allocated"), "{told}");
        let told = failure(&target, |input| {
            let began = Instant::now();
            let mut sum = 0u8;
            while began.elapsed() < Duration::from_secs(3) {
                sum = sum.wrapping_add(std::hint::black_box(input.len() as u8));
            }
            sum
        });
        assert!(told.contains("of the processor"), "{told}");
    }
}
