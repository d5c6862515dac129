//! What RTCP tells about our own stream: the peer's loss and the round trip.

use super::rtcp::AboutUs;

/// The peer's last report on our stream.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct PeerView {
    /// 0 to 1.
    pub(super) loss: Option<f32>,
    /// Milliseconds.
    pub(super) round_trip_ms: Option<f32>,
}

impl PeerView {
    /// Takes a report. `now` is the middle 32 bits of the NTP time of its arrival, `sent` the
    /// packets that we have sent, which bounds what a peer can truly have missed.
    pub(super) fn report(&mut self, about_us: &AboutUs, now: u32, sent: u64, first_sequence: u16) {
        let expected = u64::from(
            about_us.extended_highest.wrapping_sub(u32::from(first_sequence)).wrapping_add(1),
        )
        .min(sent);
        if expected > 0 {
            let lost = u64::try_from(about_us.cumulative_lost).unwrap_or(0).min(expected);
            self.loss = Some(lost as f32 / expected as f32);
        }
        if about_us.last_report != 0 {
            // RFC 3550 §6.4.1, figure 2. A negative time is a peer's coarse clock.
            let round_trip =
                now.wrapping_sub(about_us.last_report).wrapping_sub(about_us.delay).cast_signed();
            self.round_trip_ms = Some(round_trip.max(0) as f32 * 1_000.0 / 65_536.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_round_trip_follow_from_a_report() {
        let about_us = |cumulative_lost, extended_highest, last_report, delay| AboutUs {
            cumulative_lost,
            extended_highest,
            last_report,
            delay,
        };
        let second = 65_536;
        for (name, report, now, sent, loss, round_trip_ms) in [
            ("no report of ours seen", about_us(25, 1099, 0, 0), 9, 100, Some(0.25), None),
            ("duplicates", about_us(-4, 1099, 0, 0), 9, 100, Some(0.0), None),
            ("nothing sent", about_us(0, 5, 0, 0), 9, 0, None, None),
            ("more lost than sent", about_us(900, 1099, 0, 0), 9, 100, Some(1.0), None),
            (
                "half a second",
                about_us(0, 1099, second, second),
                5 * second / 2,
                100,
                Some(0.0),
                Some(500.0),
            ),
            (
                "a clock that runs ahead",
                about_us(0, 1099, second, second),
                2 * second - 1,
                100,
                Some(0.0),
                Some(0.0),
            ),
            (
                "NTP seconds wrap",
                about_us(0, 1099, u32::MAX, 0),
                second - 1,
                100,
                Some(0.0),
                Some(1_000.0),
            ),
        ] {
            let mut view = PeerView::default();
            view.report(&report, now, sent, 1000);
            assert_eq!(view, PeerView { loss, round_trip_ms }, "{name}");
        }
    }
}
