//! A cursor over the items of one play: it hands out encoded samples frame by frame, with no seam
//! where items meet.

use yunling_switch_contract::{Codec, PlayId, PlayItem, SAMPLE_RATE_HZ};

/// Where a play stands.
#[derive(Debug)]
pub(super) struct Playout {
    play: PlayId,
    items: Vec<PlayItem>,
    /// The item under the cursor.
    index: usize,
    /// Samples of it that were handed out.
    taken: u64,
    /// It begins anew at its end.
    repeats: bool,
}

impl Playout {
    /// A play at its beginning.
    pub(super) fn new(play: PlayId, items: Vec<PlayItem>) -> Self {
        Self { play, items, index: 0, taken: 0, repeats: false }
    }

    /// The same again and again; one without a sample is over all the same.
    pub(super) fn repeated(play: PlayId, items: Vec<PlayItem>) -> Self {
        let sounds = items.iter().any(|item| match item {
            PlayItem::Prompt(prompt) => prompt.duration_ms() > 0,
            PlayItem::Silence { ms } => *ms > 0,
            PlayItem::Mark(_) => false,
        });
        Self { repeats: sounds, ..Self::new(play, items) }
    }

    /// Its name.
    pub(super) fn play(&self) -> PlayId {
        self.play
    }

    /// Whether every sample was handed out and every mark passed.
    pub(super) fn is_over(&self) -> bool {
        self.index == self.items.len()
    }

    /// Fills a frame, as far as samples are left, and gives their number; 0 means that the play is
    /// over and has been since the frame before. A mark is passed with the frame that holds the
    /// first sample after it, and one at the end with the frame that is no longer full.
    ///
    /// The codec may change between frames: both laws hold the same samples.
    pub(super) fn fill(
        &mut self,
        frame: &mut [u8],
        codec: Codec,
        mut on_mark: impl FnMut(u32),
    ) -> usize {
        let mut filled = 0;
        while filled < frame.len()
            && let Some(item) = self.items.get(self.index)
        {
            let room = frame.len() - filled;
            let (length, copied) = match item {
                PlayItem::Mark(mark) => {
                    on_mark(*mark);
                    (0, 0)
                }
                PlayItem::Silence { ms } => {
                    let length = u64::from(*ms) * u64::from(SAMPLE_RATE_HZ / 1_000);
                    let count =
                        usize::try_from(length - self.taken).unwrap_or(usize::MAX).min(room);
                    frame[filled..filled + count].fill(codec.silence());
                    (length, count)
                }
                PlayItem::Prompt(prompt) => {
                    let samples = prompt.samples(codec);
                    // A prompt was counted in `usize` to begin with.
                    let taken = usize::try_from(self.taken).unwrap_or(usize::MAX);
                    let left = samples.get(taken..).unwrap_or_default();
                    let count = left.len().min(room);
                    frame[filled..filled + count].copy_from_slice(&left[..count]);
                    (samples.len() as u64, count)
                }
            };
            filled += copied;
            self.taken += copied as u64;
            if self.taken >= length {
                self.index += 1;
                self.taken = 0;
                if self.repeats && self.is_over() {
                    self.index = 0;
                }
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use yunling_switch_contract::Prompt;

    use super::*;

    /// A prompt whose samples are told apart: in µ-law each is the A-law one's complement.
    fn prompt(samples: &[u8]) -> PlayItem {
        let ulaw: Arc<[u8]> = samples.iter().map(|sample| !sample).collect();
        PlayItem::Prompt(Prompt::new("test", Arc::from(samples), ulaw))
    }

    /// Plays to the end; gives all samples, and each mark with the number of whole frames before
    /// the one that it came with.
    fn play(items: Vec<PlayItem>, frame: usize) -> (Vec<u8>, Vec<(u32, usize)>) {
        let mut playout = Playout::new(PlayId(1), items);
        let (mut samples, mut marks) = (Vec::new(), Vec::new());
        let mut buffer = vec![0; frame];
        for number in 0.. {
            let filled = playout.fill(&mut buffer, Codec::Pcma, |mark| marks.push((mark, number)));
            samples.extend_from_slice(&buffer[..filled]);
            if filled == 0 {
                break;
            }
            assert!(filled == frame || playout.is_over(), "only the last frame may be short");
        }
        assert!(playout.is_over());
        (samples, marks)
    }

    #[test]
    fn items_join_within_a_frame() {
        let items = vec![prompt(&[1, 2, 3]), PlayItem::Silence { ms: 1 }, prompt(&[4, 5])];
        let silence = Codec::Pcma.silence();
        let mut expected = vec![1, 2, 3];
        expected.extend([silence; 8]);
        expected.extend([4, 5]);
        assert_eq!(play(items, 4).0, expected);
    }

    #[test]
    fn marks_come_with_the_sample_after_them() {
        let items = || {
            vec![
                PlayItem::Mark(0),
                prompt(&[1, 2, 3, 4]),
                PlayItem::Mark(1),
                PlayItem::Mark(2),
                prompt(&[5]),
                PlayItem::Mark(3),
            ]
        };
        assert_eq!(play(items(), 4).1, [(0, 0), (1, 1), (2, 1), (3, 1)]);
        assert_eq!(play(items(), 5).1, [(0, 0), (1, 0), (2, 0), (3, 1)]);
    }

    #[test]
    fn nothing_is_over_at_once() {
        for items in [vec![], vec![PlayItem::Silence { ms: 0 }], vec![prompt(&[])]] {
            assert_eq!(play(items, 160), (vec![], vec![]));
        }
        assert_eq!(play(vec![PlayItem::Mark(7)], 160), (vec![], vec![(7, 0)]));
    }

    #[test]
    fn a_repeated_play_has_no_seam_and_no_end() {
        let mut playout = Playout::repeated(PlayId(1), vec![prompt(&[1, 2, 3]), PlayItem::Mark(4)]);
        let mut marks = 0;
        let mut frame = [0; 5];
        assert_eq!(playout.fill(&mut frame, Codec::Pcma, |_| marks += 1), 5);
        assert_eq!((frame, marks), ([1, 2, 3, 1, 2], 1));
        assert!(!playout.is_over());
        for items in [vec![], vec![PlayItem::Mark(1)], vec![PlayItem::Silence { ms: 0 }]] {
            let mut nothing = Playout::repeated(PlayId(1), items);
            assert_eq!(nothing.fill(&mut frame, Codec::Pcma, |_| ()), 0);
            assert!(nothing.is_over());
        }
    }

    #[test]
    fn the_codec_may_change_on_the_way() {
        let mut playout = Playout::new(PlayId(1), vec![prompt(&[1, 2, 3, 4])]);
        let mut frame = [0; 2];
        playout.fill(&mut frame, Codec::Pcma, |_| ());
        assert_eq!(frame, [1, 2]);
        playout.fill(&mut frame, Codec::Pcmu, |_| ());
        assert_eq!(frame, [!3, !4]);
    }

    proptest! {
        #[test]
        fn every_sample_comes_once_in_order(
            lengths in prop::collection::vec(0usize..700, 0..12), frame in 1usize..481,
        ) {
            let all: Vec<u8> = (0u32..).map(|n| n.to_le_bytes()[0]).take(lengths.iter().sum()).collect();
            let mut rest = &all[..];
            let mut items = Vec::new();
            for (number, length) in (0u32..).zip(&lengths) {
                let (head, tail) = rest.split_at(*length);
                rest = tail;
                items.push(prompt(head));
                items.push(PlayItem::Mark(number));
            }
            let (samples, marks) = play(items, frame);
            prop_assert_eq!(samples, all);
            prop_assert!(marks.iter().map(|mark| mark.0).eq((0u32..).take(lengths.len())));
        }
    }
}
