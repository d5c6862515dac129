//! The Reason header (RFC 3326): why a call really failed, in the words of the telephone network.

use yunling_switch_contract::HangUpWhy;

use super::params;

/// What a Reason header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reason<'a> {
    /// The Q.850 cause.
    pub q850: Option<u8>,
    /// The text beside it.
    pub text: Option<&'a str>,
}

impl<'a> Reason<'a> {
    /// Reads all Reason headers of a message: the Q.850 cause wherever it stands, its text, else
    /// the first text of another protocol.
    pub(crate) fn from_headers(values: impl Iterator<Item = &'a str>) -> Self {
        let mut found = Self::default();
        for entry in values.flat_map(params::list) {
            let (protocol, rest) = entry.split_at(entry.find(';').unwrap_or(entry.len()));
            let text = params::param(rest, "text").filter(|text| !text.is_empty());
            if protocol.trim().eq_ignore_ascii_case("Q.850") && found.q850.is_none() {
                found.q850 = params::param(rest, "cause").and_then(|cause| cause.parse().ok());
                found.text = text.or(found.text);
            } else if found.text.is_none() {
                found.text = text;
            }
        }
        found
    }
}

/// Somebody was waited for in vain (ITU-T Q.850 §2.2.5, cause 102).
pub(crate) const TIMER_EXPIRY: &str = "Q.850;cause=102;text=\"Recovery on timer expiry\"";

/// The Reason header of a CANCEL or BYE of ours. Where the network has no better word for it the
/// cause is 16, normal clearing (ITU-T Q.850 §2.2.5).
pub(crate) fn of_hang_up(why: HangUpWhy) -> &'static str {
    match why {
        HangUpWhy::Normal | HangUpWhy::Requested | HangUpWhy::OtherPartyLeft => {
            "Q.850;cause=16;text=\"Normal call clearing\""
        }
        HangUpWhy::RingTimeout => "Q.850;cause=19;text=\"No answer from user\"",
        HangUpWhy::NoReply => TIMER_EXPIRY,
        HangUpWhy::MaxDuration => "Q.850;cause=16;text=\"Call duration limit\"",
        HangUpWhy::PlatformFault => "Q.850;cause=41;text=\"Temporary failure\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_q850_cause_is_found() {
        let rows: [(&[&str], Option<u8>, Option<&str>); 6] = [
            (&["Q.850;cause=17;text=\"User busy\""], Some(17), Some("User busy")),
            (&["SIP;cause=486;text=\"Busy\", q.850 ;cause=18"], Some(18), Some("Busy")),
            (&["SIP;cause=200;text=x", "Q.850;cause=19;text=\"y\""], Some(19), Some("y")),
            (&["Q.850;cause=999"], None, None),
            (&["SIP;cause=480"], None, None),
            (&[], None, None),
        ];
        for (values, q850, text) in rows {
            let reason = Reason::from_headers(values.iter().copied());
            assert_eq!((reason.q850, reason.text), (q850, text), "{values:?}");
        }
    }
}
