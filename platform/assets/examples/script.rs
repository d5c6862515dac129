//! Prints what a speaker must record for a pack: `token TAB text`, a line a unit.
//!
//! `cargo run -p yunling-assets --example script -- zh`

use std::process::ExitCode;

use yunling_domain::Lang;
use yunling_domain::speech::lexicon;

fn main() -> ExitCode {
    let Some(lang) = std::env::args().nth(1).and_then(|code| code.parse::<Lang>().ok()) else {
        eprintln!("expected a language: zh or en");
        return ExitCode::FAILURE;
    };
    for word in lexicon(lang) {
        println!("{}\t{}", word.token, word.text);
    }
    ExitCode::SUCCESS
}
