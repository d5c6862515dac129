//! Makes new inputs of old ones. The steps know bytes, numbers, lines and words, which is what the
//! formats of telephony and of configuration are made of.

use super::dice::Dice;

/// Steps of one mutation, at most.
const STEPS: usize = 6;

/// Bytes that mean something somewhere.
const MARKS: &[u8] = b"\0\r\n\t \"'<>;,:=@%\\/?&()[]{}|*#+-_.~\x7f\x80\xc3\xff";

/// Numbers at which arithmetic breaks.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "1",
    "00000000000001",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967296",
    "9223372036854775808",
    "18446744073709551616",
    "1e999",
    "99999999999999999999999999999999999999",
];

/// Makes inputs.
#[derive(Debug, Clone, Copy)]
pub struct Mutator<'a> {
    words: &'a [&'a str],
    longest: usize,
}

impl<'a> Mutator<'a> {
    /// With words to put in, and the length that no input exceeds.
    pub const fn new(words: &'a [&'a str], longest: usize) -> Self {
        Self { words, longest }
    }

    /// A new input, made of one of these and perhaps a piece of another.
    pub fn mutate(&self, pool: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
        let mut input = if pool.is_empty() { Vec::new() } else { dice.pick(pool).clone() };
        for _ in 0..=dice.below(STEPS) {
            self.step(&mut input, pool, dice);
            input.truncate(self.longest);
        }
        input
    }

    fn step(&self, input: &mut Vec<u8>, pool: &[Vec<u8>], dice: &mut Dice) {
        let (start, end) = range(input, dice);
        match dice.below(16) {
            0 => {
                if let Some(byte) = input.get_mut(start) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            1 => {
                if let Some(byte) = input.get_mut(start) {
                    *byte = dice.byte();
                }
            }
            2 => input.insert(start, *dice.pick(MARKS)),
            3 => {
                if let Some(byte) = input.get_mut(start) {
                    *byte = *dice.pick(MARKS);
                }
            }
            4 => drop(input.drain(start..end)),
            5 => {
                let piece = input[start..end].to_vec();
                input.splice(start..start, piece);
            }
            6 => input.truncate(start),
            7 | 8 if !self.words.is_empty() => {
                let word = dice.pick(self.words).bytes();
                let put_over = if dice.below(2) == 0 { start } else { end };
                input.splice(start..put_over, word);
            }
            9 if !pool.is_empty() => {
                let other = dice.pick(pool);
                let (from, to) = range(other, dice);
                input.splice(start..end, other[from..to].iter().copied());
            }
            10 => number(input, dice),
            11 | 12 => line(input, dice),
            13 => {
                // Much of one thing: what is quadratic shows.
                let piece = input[start..end.min(start + 16)].to_vec();
                if !piece.is_empty() {
                    let room = self.longest.saturating_sub(input.len()) / piece.len();
                    let times = dice.below(room.min(4_000) + 1);
                    input.splice(start..start, piece.repeat(times));
                }
            }
            14 => {
                let number = [0u32, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
                let bytes = dice.pick(&number).to_be_bytes();
                let width = *dice.pick(&[1, 2, 4]);
                for (place, byte) in input.iter_mut().skip(start).zip(&bytes[4 - width..]) {
                    *place = *byte;
                }
            }
            _ => {
                for place in &mut input[start..end.min(start + 8)] {
                    *place = dice.byte();
                }
            }
        }
    }
}

/// A place and some place behind it, rather near.
fn range(input: &[u8], dice: &mut Dice) -> (usize, usize) {
    let start = dice.below(input.len() + 1);
    let far = input.len() - start;
    let near = if dice.below(4) == 0 { far } else { far.min(24) };
    (start, start + dice.below(near + 1))
}

/// Replaces some decimal number by one at which arithmetic breaks.
fn number(input: &mut Vec<u8>, dice: &mut Dice) {
    let from = dice.below(input.len() + 1);
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = input[from..].iter().position(digit).map(|at| from + at) else { return };
    let length = input[start..].iter().take_while(|byte| digit(byte)).count();
    input.splice(start..start + length, dice.pick(&NUMBERS).bytes());
}

/// Deletes, doubles or moves a whole line, with its end.
fn line(input: &mut Vec<u8>, dice: &mut Dice) {
    let mut lines: Vec<Vec<u8>> =
        input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return;
    }
    let at = dice.below(lines.len());
    match dice.below(4) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let to = dice.below(lines.len());
            lines.swap(at, to);
        }
        _ => {
            // A folded line, or one that ends otherwise.
            let ends: [&[u8]; 4] = [b"\r\n ", b"\n", b"\r", b""];
            let line = &mut lines[at];
            let content = line.trim_ascii_end().len();
            line.truncate(content);
            line.extend_from_slice(ends[dice.below(ends.len())]);
        }
    }
    *input = lines.concat();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_none_is_too_long() {
        let pool = [b"one: 1\r\ntwo: 22\r\n".to_vec(), Vec::new()];
        let mutator = Mutator::new(&["three"], 64);
        let inputs = || {
            let mut dice = Dice::new(5);
            (0..20_000).map(|_| mutator.mutate(&pool, &mut dice)).collect::<Vec<_>>()
        };
        let (first, second) = (inputs(), inputs());
        assert_eq!(first, second);
        assert!(first.iter().all(|input| input.len() <= 64));
        let distinct: std::collections::HashSet<_> = first.iter().collect();
        assert!(distinct.len() > 10_000, "{}", distinct.len());
        assert!(first.iter().any(|input| input.windows(5).any(|five| five == b"three")));
    }
}
