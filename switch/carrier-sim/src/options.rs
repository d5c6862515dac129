//! What the command line can ask for.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::g711::Law;

/// How the fake telephone network is to behave.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Address for SIP, over UDP and TCP alike; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:5070", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Ports for RTP; even ones are used
    #[arg(long, default_value = "40000-49999", value_parser = port_range, value_name = "FIRST-LAST")]
    pub rtp: RangeInclusive<u16>,

    /// Folder for what each call heard, as `<to>-<call-id>.wav` (8 kHz, 16 bits, mono)
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,

    /// Beside each recording, `.packets` with a line for each audio packet: arrival (µs UTC),
    /// sequence number, timestamp, payload in hexadecimal
    #[arg(long, requires = "record")]
    pub packets: bool,

    /// File (appended to) for JSON Lines of everything that happens, or `-` for standard output
    #[arg(long, value_name = "FILE|-")]
    pub events: Option<PathBuf>,

    /// How handsets send their keys
    #[arg(long, value_enum, default_value_t = Keys::Rfc4733)]
    pub keys: Keys,

    /// Milliseconds of ringing before an answer, instead of each number's own (18 keeps its 8 s)
    #[arg(long, value_name = "MS")]
    pub answer_after_ms: Option<u64>,

    /// Press keys so many milliseconds after the answer (and after each key), instead of when the
    /// prompt has fallen silent
    #[arg(long, value_name = "MS")]
    pub press_after_ms: Option<u64>,

    /// Share of RTP packets lost in every call, both ways; numbers ending in 20 lose at least 5
    #[arg(long, default_value_t = 0.0, value_parser = percent, value_name = "PERCENT")]
    pub loss_percent: f32,

    /// Codecs that handsets speak
    #[arg(long, value_enum, value_delimiter = ',', default_value = "pcma,pcmu")]
    pub codecs: Vec<Law>,

    /// Refuse telephone-event even where it is offered
    #[arg(long)]
    pub no_telephone_event: bool,

    /// An answered handset hangs up after so many seconds without RTP
    #[arg(long, default_value_t = 60, value_name = "S")]
    pub media_timeout_s: u64,

    /// User that must prove its password to register; without it everybody may
    #[arg(long, value_name = "USER", requires = "register_password")]
    pub register_user: Option<String>,

    /// The password of --register-user
    #[arg(long, value_name = "PASSWORD", requires = "register_user")]
    pub register_password: Option<String>,

    /// Shortest registration that is taken, seconds; shorter ones get 423
    #[arg(long = "min-expires", default_value_t = 60, value_name = "S")]
    pub min_expires_s: u32,

    /// What becomes of OPTIONS
    #[arg(long = "options", value_enum, default_value_t = Mood::Answer)]
    pub to_options: Mood,

    /// What becomes of INVITEs, whatever the number
    #[arg(long = "invites", value_enum, default_value_t = Mood::Answer)]
    pub to_invites: Mood,

    /// Makes tags, streams and losses repeatable
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// How the network treats requests of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mood {
    /// As it should
    Answer,
    /// It never replies
    Silent,
    /// With 503
    Refuse,
}

/// How a pressed key travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Keys {
    /// telephone-event packets (RFC 4733), in-band where the offer has none
    Rfc4733,
    /// SIP INFO with application/dtmf-relay
    Info,
    /// The tones themselves (ITU-T Q.23)
    Inband,
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').ok_or("expected FIRST-LAST, such as 40000-49999")?;
    let port = |text: &str| {
        text.trim().parse::<u16>().map_err(|_| format!("{text:?} is not a port (1 to 65535)"))
    };
    let (first, last) = (port(first)?, port(last)?);
    if first == 0 || last <= first {
        return Err(format!("{first}-{last} is empty: the last port must be above the first"));
    }
    Ok(first..=last)
}

fn percent(text: &str) -> Result<f32, String> {
    let percent: f32 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (0.0..=100.0).contains(&percent) { Ok(percent) } else { Err("expected 0 to 100".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_ranges() {
        assert_eq!(port_range("40000-49999"), Ok(40000..=49999));
        for wrong in ["", "40000", "0-10", "50-40", "1-70000", "a-b"] {
            assert!(port_range(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn percents() {
        assert_eq!(percent("5"), Ok(5.0));
        for wrong in ["-1", "101", "NaN", "x"] {
            assert!(percent(wrong).is_err(), "{wrong:?}");
        }
    }
}
