/// Of how many digits of eleven the beginning stays.
const HEAD: usize = 3;
/// And the end.
const TAIL: usize = 4;
/// A mobile's digits.
const MOBILE: usize = 11;

/// A number for those who may not see it: `138****0001`. Shorter and longer ones keep the same
/// shares, rounded down and at most as much.
pub fn masked(shown: &str) -> String {
    let count = shown.chars().count();
    let share = |of: usize| (count * of / MOBILE).min(of);
    let (head, tail) = (share(HEAD), share(TAIL));
    let hidden = |index: usize| index >= head && index < count - tail;
    shown.chars().enumerate().map(|(index, c)| if hidden(index) { '*' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn the_middle_is_hidden() {
        for (shown, expected) in [
            ("13800000001", "138****0001"),
            ("057112345678", "057*****5678"),
            ("0085221234567", "008******4567"),
            ("95588", "9***8"),
            ("1", "*"),
            ("", ""),
        ] {
            assert_eq!(masked(shown), expected, "{shown}");
        }
    }
}
