//! Whether the grammar agrees with CLDR, on many numbers.

use super::oracle::Spellout;
use super::{Kind, Lang, Settings, say, written};

fn in_words(kind: Kind, value: &str, lang: Lang) -> String {
    match say(kind, value, lang, &Settings::default()) {
        Ok(tokens) => written(&tokens, lang),
        Err(error) => format!("{error:?}"),
    }
}

/// Numbers of every length, the same in each run.
fn numbers(count: usize, most_digits: u32) -> impl Iterator<Item = u64> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        // splitmix64
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    (0..count).map(move |_| {
        let digits = 1 + (next() % u64::from(most_digits)) as u32;
        let number = next() % 10_u64.pow(digits);
        // Every second number gets runs of zeros, where the rules are hard.
        let hole = 10_u64.pow((next() % 9) as u32);
        let width = 10_u64.pow((next() % 7) as u32);
        match next() % 2 {
            0 => number,
            _ => number - number / hole % width * hole,
        }
    })
}

#[test]
fn english_numbers_agree_with_cldr() {
    let cldr = Spellout::of("en");
    for number in numbers(40_000, 16) {
        let ours = in_words(Kind::Number, &number.to_string(), Lang::En);
        let theirs = cldr.say("%spellout-cardinal-verbose", number);
        assert_eq!(ours, theirs.replace('-', " ").replace(',', ""), "{number}");
    }
}

#[test]
fn english_years_agree_with_cldr() {
    let cldr = Spellout::of("en");
    for year in 1..=9999 {
        let ours = in_words(Kind::Time, &format!("{year:04}-01-01"), Lang::En);
        let ours = ours.strip_prefix("January first ").expect("both begin alike");
        // CLDR's plain numbers leave out the "and" of its verbose ones.
        let theirs = cldr.say("%spellout-numbering-year", year).replace('-', " ");
        assert_eq!(ours.replace(" and ", " "), theirs, "{year}");
    }
}

#[test]
fn english_days_agree_with_cldr() {
    let cldr = Spellout::of("en");
    for day in 1..=31 {
        let ours = in_words(Kind::Time, &format!("2000-01-{day:02}"), Lang::En);
        let theirs = cldr.say("%spellout-ordinal", day).replace('-', " ");
        assert_eq!(ours, format!("January {theirs} two thousand"));
    }
}

/// Below 10^12 we differ from CLDR in one point, by choice: after 亿, an empty thousand of the 万
/// section is said as 零 (一亿零一万零一, where CLDR says 一亿一万零一).
#[test]
fn chinese_numbers_agree_with_cldr_but_for_one_zero() {
    const YI: u64 = 100_000_000;
    let cldr = Spellout::of("zh");
    let mut differing = 0;
    for number in numbers(40_000, 12) {
        let ours = in_words(Kind::Number, &number.to_string(), Lang::Zh);
        let theirs = cldr.say("%spellout-cardinal", number);
        let (high, low) = (number / YI, number % YI);
        if high > 0 && (10_000..10_000_000).contains(&low) {
            differing += 1;
            let high = cldr.say("%spellout-cardinal", high);
            let low = cldr.say("%spellout-cardinal", low);
            let inner_ten = if low.starts_with('十') { "一" } else { "" };
            assert_eq!(ours, format!("{high}亿零{inner_ten}{low}"), "{number}");
            assert_ne!(ours, theirs, "{number}: no difference to explain");
        } else {
            assert_eq!(ours, theirs, "{number}");
        }
    }
    assert!(differing > 100, "the numbers do not reach the difference");
}

/// From 10^12 CLDR counts in 兆, which mainland China does not: there the part above 亿 is a number
/// of its own (一万亿), and the part below reads as after any other 亿.
#[test]
fn chinese_numbers_from_a_trillion_count_in_yi() {
    const YI: u64 = 100_000_000;
    for number in numbers(20_000, 16).filter(|&number| number >= 10_000 * YI) {
        let ours = in_words(Kind::Number, &number.to_string(), Lang::Zh);
        let high = in_words(Kind::Number, &(number / YI).to_string(), Lang::Zh);
        let after_one_yi = in_words(Kind::Number, &(YI + number % YI).to_string(), Lang::Zh);
        let low = after_one_yi.strip_prefix("一亿").expect("both begin alike");
        assert_eq!(ours, format!("{high}亿{low}"), "{number}");
    }
}
