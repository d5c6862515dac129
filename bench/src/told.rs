//! How these programs are spoken to: lines in, JSON out.

use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

/// The lines of standard input, read on a thread of their own. The channel closes at its end, which
/// is how a program learns that whoever started it has gone.
pub(crate) fn lines() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Prints one line. A reader that has gone is nobody's loss.
pub(crate) fn tell(value: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}
