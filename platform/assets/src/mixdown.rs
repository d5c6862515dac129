//! From any number of channels to one.

/// Channels that are mixed by their mean, and how much of them that leaves.
#[derive(Debug)]
pub(crate) struct Mixdown {
    channels: usize,
    of_channels: f64,
    of_mix: f64,
}

/// A mix with less of its channels' power than this was made of channels that cancel each other.
const CANCELLED: f64 = 0.05;

impl Mixdown {
    pub(crate) fn of(channels: u16) -> Self {
        Self { channels: usize::from(channels.max(1)), of_channels: 0.0, of_mix: 0.0 }
    }

    /// Mixes frames of interleaved samples into `mono`, in place of what is in it. What is no number
    /// is silence, and nothing is absurdly loud.
    pub(crate) fn mix(&mut self, interleaved: &[f32], mono: &mut Vec<f32>) {
        mono.clear();
        let share = 1.0 / self.channels as f64;
        for frame in interleaved.chunks_exact(self.channels) {
            let sum: f32 = frame.iter().map(|sample| finite(*sample)).sum();
            let mixed = sum / self.channels as f32;
            let power: f64 = frame.iter().map(|sample| f64::from(finite(*sample)).powi(2)).sum();
            self.of_channels += power * share;
            self.of_mix += f64::from(mixed).powi(2);
            mono.push(mixed);
        }
    }

    /// Whether the channels were each other's opposite, so that little is left.
    pub(crate) fn cancelled(&self) -> bool {
        self.channels > 1 && self.of_mix < self.of_channels * CANCELLED
    }
}

fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-16.0, 16.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposite_channels_are_noticed() {
        for (right, cancelled) in [(0.5, false), (0.0, false), (-0.5, true)] {
            let (mut mixdown, mut mono) = (Mixdown::of(2), Vec::new());
            mixdown.mix(&[0.5, right].repeat(10), &mut mono);
            assert_eq!(mono, [(0.5 + right) / 2.0; 10]);
            assert_eq!(mixdown.cancelled(), cancelled, "{right}");
        }
        let (mut mixdown, mut mono) = (Mixdown::of(1), Vec::new());
        mixdown.mix(&[0.0, f32::NAN, f32::INFINITY, 1e30], &mut mono);
        assert_eq!(mono, [0.0, 0.0, 0.0, 16.0]);
        assert!(!mixdown.cancelled());
    }
}
