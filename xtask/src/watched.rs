//! Runs a test command: echoes its output, counts its verdicts, ends it when it hangs.

use crate::process_tree;
use crate::tally::Tally;
use crate::workspace::show;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long output may stay open after the child's end before we say that a process was left.
const LEFT_OPEN_LIMIT: Duration = Duration::from_secs(5);

/// Runs the command to its end, at most for `limit`. Whatever goes wrong besides the tests' own
/// verdicts (it crashed, it hung, it left a process behind) is a failure in the tally.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Tally> {
    run_echoing(command, limit, std::io::stdout())
}

fn run_echoing(
    command: &mut Command,
    limit: Duration,
    echo: impl Write + Send + 'static,
) -> Result<Tally> {
    let shown = show(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let stdout = child.stdout.take().context("the child has no output to read")?;
    let tally = Arc::new(Mutex::new(Tally::default()));
    let closed = read_in_background(stdout, echo, Arc::clone(&tally));

    let started = Instant::now();
    let mut hung = false;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if !hung && started.elapsed() > limit {
            hung = true;
            process_tree::kill(child.id());
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let output_closed = closed.recv_timeout(LEFT_OPEN_LIMIT).is_ok();

    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if hung {
        tally.fail(format!("did not end within {} min and was killed", limit.as_secs() / 60));
    } else if !status.success() && tally.failed == 0 {
        tally
            .fail(format!("ended by {status} without a failed test: a crash, or it did not build"));
    }
    if !output_closed {
        tally.fail("left a process behind that still holds its output");
    }
    Ok(tally)
}

/// Echoes and counts line by line; the returned channel closes with the output.
fn read_in_background(
    output: impl Read + Send + 'static,
    mut echo: impl Write + Send + 'static,
    tally: Arc<Mutex<Tally>>,
) -> mpsc::Receiver<()> {
    let (closed, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            // a test may print what is no UTF-8; the echo keeps it as it is
            if echo.write_all(&line).and_then(|()| echo.flush()).is_err() {
                break; // nobody listens any more: the tests notice the closed pipe as well
            }
            let text = String::from_utf8_lossy(&line);
            tally.lock().unwrap_or_else(PoisonError::into_inner).read_line(text.trim_end());
            line.clear();
        }
        let _ = closed.send(()); // the receiver may have stopped waiting
    });
    receiver
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic with its line is what a test is for")]

    use super::*;

    fn shell(script: &str, limit: Duration) -> Tally {
        // not to our own output: an xtask that runs these tests would count the verdicts in it
        run_echoing(Command::new("sh").args(["-c", script]), limit, std::io::sink()).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn verdicts_are_counted() {
        let tally = shell("echo 'test result: ok. 2 passed; 0 failed; 1 ignored'", LONG);
        assert_eq!(tally, Tally { passed: 2, ignored: 1, ..Tally::default() });
    }

    #[test]
    fn a_crash_without_a_verdict_is_a_failure() {
        let tally = shell("exit 101", LONG);
        assert_eq!(tally.failed, 1);
    }

    #[test]
    fn failed_tests_are_not_counted_twice() {
        let tally =
            shell("echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored'; exit 101", LONG);
        assert_eq!(tally.failed, 1);
    }

    #[test]
    fn a_hung_command_is_ended_with_its_children() {
        let started = Instant::now();
        let tally = shell("sleep 600 & wait", Duration::from_millis(200));
        assert!(started.elapsed() < Duration::from_secs(30));
        assert_eq!(tally.failed, 1, "{:?}", tally.failures); // a living child would be a second one
    }
}
