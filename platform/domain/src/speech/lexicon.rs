//! Every word that the grammar can use: what a pack must hold.

use super::Lang;
use super::names::{DAYS, FEN, HUNDREDS, INNER_TEENS, JIAO, LETTERS, MONTHS, N, THOUSANDS};

/// A token that a pack must hold, with the words that its recording says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The token's name.
    pub token: &'static str,
    /// What a speaker reads when recording it.
    pub text: String,
}

/// Every word that the grammar can use in a language, in a fixed order: the script for whoever
/// records a pack.
pub fn lexicon(lang: Lang) -> Vec<Word> {
    match lang {
        Lang::Zh => chinese(),
        Lang::En => english(),
    }
}

/// The tokens that a pack of this language must hold, so that every value can be read out.
pub fn required_tokens(lang: Lang) -> Vec<&'static str> {
    lexicon(lang).into_iter().map(|word| word.token).collect()
}

const ZH_DIGITS: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];

const ZH_SINGLE: [(&str, &str); 13] = [
    ("wan", "万"),
    ("yi", "亿"),
    ("minus", "负"),
    ("point", "点"),
    ("liang", "两"),
    ("yao", "幺"),
    ("yuan", "元"),
    ("year", "年"),
    ("hour", "点"),
    ("sharp", "整"),
    ("minute", "分"),
    ("second", "秒"),
    ("letter", "字母"),
];

fn chinese() -> Vec<Word> {
    let below_hundred = |number: usize| match (number / 10, number % 10) {
        (0, ones) => ZH_DIGITS[ones].to_owned(),
        (tens, ones) => {
            let tens = if tens == 1 { "" } else { ZH_DIGITS[tens] };
            let ones = if ones == 0 { "" } else { ZH_DIGITS[ones] };
            format!("{tens}十{ones}")
        }
    };
    let mut words = Vec::new();
    row(&mut words, &N, below_hundred);
    row(&mut words, &INNER_TEENS, |i| format!("一{}", below_hundred(10 + i)));
    for (tokens, unit) in [(&HUNDREDS, "百"), (&THOUSANDS, "千"), (&JIAO, "角"), (&FEN, "分")] {
        row(&mut words, tokens, |i| format!("{}{unit}", ZH_DIGITS[i + 1]));
    }
    row(&mut words, &MONTHS, |i| format!("{}月", below_hundred(i + 1)));
    row(&mut words, &DAYS, |i| format!("{}日", below_hundred(i + 1)));
    single(&mut words, &ZH_SINGLE);
    letters(&mut words);
    words
}

const EN_BELOW_TWENTY: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

const EN_TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

const EN_DAYS: [&str; 31] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
    "twenty first",
    "twenty second",
    "twenty third",
    "twenty fourth",
    "twenty fifth",
    "twenty sixth",
    "twenty seventh",
    "twenty eighth",
    "twenty ninth",
    "thirtieth",
    "thirty first",
];

const EN_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const EN_SINGLE: [(&str, &str); 19] = [
    ("hundred", "hundred"),
    ("thousand", "thousand"),
    ("million", "million"),
    ("billion", "billion"),
    ("trillion", "trillion"),
    ("quadrillion", "quadrillion"),
    ("and", "and"),
    ("minus", "minus"),
    ("point", "point"),
    ("yuan", "yuan"),
    ("fen", "fen"),
    ("oh", "oh"),
    ("oclock", "o'clock"),
    ("am", "a.m."),
    ("pm", "p.m."),
    ("noon", "noon"),
    ("midnight", "midnight"),
    ("second", "second"),
    ("seconds", "seconds"),
];

fn english() -> Vec<Word> {
    let mut words = Vec::new();
    row(&mut words, &N, |number| match (number / 10, number % 10) {
        (0 | 1, _) => EN_BELOW_TWENTY[number].to_owned(),
        (tens, 0) => EN_TENS[tens].to_owned(),
        (tens, ones) => format!("{} {}", EN_TENS[tens], EN_BELOW_TWENTY[ones]),
    });
    row(&mut words, &MONTHS, |i| EN_MONTHS[i].to_owned());
    row(&mut words, &DAYS, |i| EN_DAYS[i].to_owned());
    single(&mut words, &EN_SINGLE);
    letters(&mut words);
    words
}

/// The letters are the same 26 in both languages, and read as in English.
fn letters(words: &mut Vec<Word>) {
    let word = |(&token, letter): (&&'static str, char)| Word { token, text: letter.to_string() };
    words.extend(LETTERS.iter().zip('A'..='Z').map(word));
}

fn row(words: &mut Vec<Word>, tokens: &[&'static str], text: impl Fn(usize) -> String) {
    let word = |(i, &token)| Word { token, text: text(i) };
    words.extend(tokens.iter().enumerate().map(word));
}

fn single(words: &mut Vec<Word>, pairs: &[(&'static str, &str)]) {
    let word = |&(token, text): &(&'static str, &str)| Word { token, text: text.to_owned() };
    words.extend(pairs.iter().map(word));
}
