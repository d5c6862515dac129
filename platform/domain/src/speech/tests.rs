#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const PLAIN: Settings = Settings { yao_for_one: false };
const YAO: Settings = Settings { yao_for_one: true };

fn in_words(kind: Kind, value: &str, lang: Lang) -> String {
    match say(kind, value, lang, &PLAIN) {
        Ok(tokens) => written(&tokens, lang),
        Err(error) => format!("{error:?}"),
    }
}

/// kind, value, Chinese, English.
const READINGS: &[(Kind, &str, &str, &str)] = &[
    (Kind::Number, "0", "零", "zero"),
    (Kind::Number, "10", "十", "ten"),
    (Kind::Number, "12", "十二", "twelve"),
    (Kind::Number, "21", "二十一", "twenty one"),
    (Kind::Number, "100", "一百", "one hundred"),
    (Kind::Number, "105", "一百零五", "one hundred and five"),
    (Kind::Number, "110", "一百一十", "one hundred and ten"),
    (Kind::Number, "112", "一百一十二", "one hundred and twelve"),
    (Kind::Number, "1001", "一千零一", "one thousand and one"),
    (Kind::Number, "1010", "一千零一十", "one thousand and ten"),
    (Kind::Number, "2222", "二千二百二十二", "two thousand two hundred and twenty two"),
    (Kind::Number, "10010", "一万零一十", "ten thousand and ten"),
    (Kind::Number, "10110", "一万零一百一十", "ten thousand one hundred and ten"),
    (Kind::Number, "100000", "十万", "one hundred thousand"),
    (Kind::Number, "100010", "十万零一十", "one hundred thousand and ten"),
    (Kind::Number, "101000", "十万一千", "one hundred and one thousand"),
    (Kind::Number, "1002003", "一百万二千零三", "one million two thousand and three"),
    (Kind::Number, "20000000", "二千万", "twenty million"),
    (
        Kind::Number,
        "100001234",
        "一亿零一千二百三十四",
        "one hundred million one thousand two hundred and thirty four",
    ),
    (Kind::Number, "100010001", "一亿零一万零一", "one hundred million ten thousand and one"),
    (Kind::Number, "1200000012", "十二亿零一十二", "one billion two hundred million and twelve"),
    (Kind::Number, "1000000000000", "一万亿", "one trillion"),
    (Kind::Number, "2000300000000", "二万零三亿", "two trillion three hundred million"),
    (Kind::Number, "10000000000000000", "一亿亿", "ten quadrillion"),
    (Kind::Number, "-10000000000000000.00", "负一亿亿", "minus ten quadrillion"),
    (Kind::Number, "-5", "负五", "minus five"),
    (Kind::Number, "+5", "五", "five"),
    (Kind::Number, "007", "七", "seven"),
    (Kind::Number, "2.14", "二点一四", "two point one four"),
    (Kind::Number, "0.50", "零点五零", "zero point five zero"),
    (Kind::Number, "-0.01", "负零点零一", "minus zero point zero one"),
    (Kind::Number, "3.00", "三", "three"),
    (Kind::Number, "-0", "零", "zero"),
    (Kind::Money, "2.14", "两元一角四分", "two yuan and fourteen fen"),
    (Kind::Money, "2", "两元", "two yuan"),
    (Kind::Money, "1", "一元", "one yuan"),
    (Kind::Money, "10.05", "十元零五分", "ten yuan and five fen"),
    (Kind::Money, "0.30", "三角", "thirty fen"),
    (Kind::Money, "0.3", "三角", "thirty fen"),
    (Kind::Money, "0.05", "五分", "five fen"),
    (Kind::Money, "0", "零元", "zero yuan"),
    (Kind::Money, "-0.00", "零元", "zero yuan"),
    (Kind::Money, "1010", "一千零一十元", "one thousand and ten yuan"),
    (Kind::Money, "-3.5", "负三元五角", "minus three yuan and fifty fen"),
    (
        Kind::Money,
        "12345.67",
        "一万二千三百四十五元六角七分",
        "twelve thousand three hundred and forty five yuan and sixty seven fen",
    ),
    (Kind::Time, "2013-07-30", "二零一三年七月三十日", "July thirtieth twenty thirteen"),
    (Kind::Time, "2000-10-10", "二零零零年十月十日", "October tenth two thousand"),
    (
        Kind::Time,
        "2005-02-21",
        "二零零五年二月二十一日",
        "February twenty first two thousand and five",
    ),
    (
        Kind::Time,
        "2024-02-29",
        "二零二四年二月二十九日",
        "February twenty ninth twenty twenty four",
    ),
    (Kind::Time, "1905-01-01", "一九零五年一月一日", "January first nineteen oh five"),
    (
        Kind::Time,
        "1900-12-31",
        "一九零零年十二月三十一日",
        "December thirty first nineteen hundred",
    ),
    (Kind::Time, "0987-05-03", "零九八七年五月三日", "May third nine hundred and eighty seven"),
    (
        Kind::Time,
        "2013-07-30 14:30",
        "二零一三年七月三十日十四点三十分",
        "July thirtieth twenty thirteen two thirty p.m.",
    ),
    (
        Kind::Time,
        "2013-07-30T08:05:09",
        "二零一三年七月三十日八点零五分零九秒",
        "July thirtieth twenty thirteen eight oh five and nine seconds a.m.",
    ),
    (
        Kind::Time,
        "2013-07-30 00:00:01",
        "二零一三年七月三十日零点零分零一秒",
        "July thirtieth twenty thirteen twelve o'clock and one second a.m.",
    ),
    (
        Kind::Time,
        "2013-07-30 09:00:00",
        "二零一三年七月三十日九点整",
        "July thirtieth twenty thirteen nine a.m.",
    ),
    (Kind::Time, "02:00", "两点整", "two a.m."),
    (Kind::Time, "02:02", "两点零二分", "two oh two a.m."),
    (Kind::Time, "00:00", "零点整", "midnight"),
    (Kind::Time, "00:05", "零点零五分", "twelve oh five a.m."),
    (Kind::Time, "12:00", "十二点整", "noon"),
    (Kind::Time, "23:59", "二十三点五十九分", "eleven fifty nine p.m."),
    (Kind::Digits, "123", "一二三", "one two three"),
    (Kind::Digits, "a1b2", "字母A一字母B二", "A one B two"),
    (Kind::Digits, "Zz0", "字母Z字母Z零", "Z Z zero"),
];

#[test]
fn reads_values_as_people_say_them() {
    for &(kind, value, zh, en) in READINGS {
        assert_eq!(in_words(kind, value, Lang::Zh), zh, "{kind:?} {value}");
        assert_eq!(in_words(kind, value, Lang::En), en, "{kind:?} {value}");
    }
}

#[test]
fn refuses_what_it_cannot_read() {
    use SpeechError::*;
    let decimals = TooManyDecimals { limit: 16 };
    let digits = TooManyDigits { limit: 100 };
    let long_code = "7".repeat(101);
    let cases: &[(Kind, &str, SpeechError)] = &[
        (Kind::Number, "", NotANumber),
        (Kind::Number, "-", NotANumber),
        (Kind::Number, ".5", NotANumber),
        (Kind::Number, "5.", NotANumber),
        (Kind::Number, "1.2.3", NotANumber),
        (Kind::Number, "1e3", NotANumber),
        (Kind::Number, "1,000", NotANumber),
        (Kind::Number, "--1", NotANumber),
        (Kind::Number, "１２", NotANumber),
        (Kind::Number, "一", NotANumber),
        (Kind::Number, "10000000000000001", NumberTooLarge),
        (Kind::Number, "-10000000000000000.1", NumberTooLarge),
        (Kind::Number, "99999999999999999999999999999999", NumberTooLarge),
        (Kind::Number, "0.12345678901234567", decimals),
        (Kind::Money, "2.145", NotMoney),
        (Kind::Money, "2.140", NotMoney),
        (Kind::Money, "¥2", NotMoney),
        (Kind::Money, "", NotMoney),
        (Kind::Money, "20000000000000000", NumberTooLarge),
        (Kind::Time, "2013-02-29", NoSuchDate),
        (Kind::Time, "2013-13-01", NoSuchDate),
        (Kind::Time, "2013-04-31", NoSuchDate),
        (Kind::Time, "2013-00-10", NoSuchDate),
        (Kind::Time, "0000-01-01", NoSuchDate),
        (Kind::Time, "2013-7-3", NotATime),
        (Kind::Time, "20130730", NotATime),
        (Kind::Time, "2013/07/30", NotATime),
        (Kind::Time, "2013-07-30  14:30", NotATime),
        (Kind::Time, "2013-07-30 24:00", NoSuchTimeOfDay),
        (Kind::Time, "2013-07-30 14:30:60", NoSuchTimeOfDay),
        (Kind::Time, "2013-07-30T14:30Z", NotATime),
        (Kind::Time, "14:30:00", NotATime),
        (Kind::Time, "14:60", NoSuchTimeOfDay),
        (Kind::Time, "1:30", NotATime),
        (Kind::Time, "", NotATime),
        (Kind::Digits, "", NotDigits),
        (Kind::Digits, "12 34", NotDigits),
        (Kind::Digits, "12-34", NotDigits),
        (Kind::Digits, "１", NotDigits),
        (Kind::Digits, "é", NotDigits),
        (Kind::Digits, &long_code, digits),
    ];
    for &(kind, value, error) in cases {
        for lang in Lang::ALL {
            assert_eq!(say(kind, value, lang, &PLAIN), Err(error), "{kind:?} {value:?}");
        }
    }
}

#[test]
fn one_is_yao_only_in_chinese_codes() {
    let zh = say_digits("1A10", Lang::Zh, &YAO).unwrap();
    assert_eq!(written(&zh, Lang::Zh), "幺字母A幺零");
    let en = say_digits("11", Lang::En, &YAO).unwrap();
    assert_eq!(written(&en, Lang::En), "one one");
}

#[test]
fn pauses_follow_the_sense() {
    use Gap::{Digit, Join, Part};
    type Said = &'static [(&'static str, Gap)];
    let cases: [(Kind, &str, Lang, Said); 6] = [
        (Kind::Number, "112", Lang::Zh, &[("h1", Join), ("i12", Join)]),
        (
            Kind::Number,
            "1000000010000",
            Lang::Zh,
            &[("n1", Join), ("wan", Join), ("yi", Part), ("n0", Join), ("n1", Join), ("wan", Part)],
        ),
        (
            Kind::Money,
            "20000.3",
            Lang::Zh,
            &[("n2", Join), ("wan", Join), ("yuan", Part), ("jiao3", Join)],
        ),
        (Kind::Digits, "7Q", Lang::Zh, &[("n7", Digit), ("letter", Join), ("letter-q", Digit)]),
        (Kind::Digits, "7Q", Lang::En, &[("n7", Digit), ("letter-q", Digit)]),
        (
            Kind::Number,
            "2021",
            Lang::En,
            &[("n2", Join), ("thousand", Part), ("and", Join), ("n21", Join)],
        ),
    ];
    for (kind, value, lang, expected) in cases {
        let tokens = say(kind, value, lang, &PLAIN).unwrap();
        let said: Vec<_> = tokens.iter().map(|t| (t.name(), t.gap())).collect();
        assert_eq!(said, expected, "{kind:?} {value} {lang}");
    }
}

#[test]
fn lexicon_is_unambiguous_and_fit_for_file_names() {
    for lang in Lang::ALL {
        let words = lexicon(lang);
        let names: HashSet<&str> = words.iter().map(|word| word.token).collect();
        assert_eq!(names.len(), words.len(), "{lang}: a token is listed twice");
        for word in &words {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(word.token.chars().all(plain), "{lang} {}", word.token);
            assert!(!word.text.is_empty(), "{lang} {}", word.token);
        }
    }
}

/// Every word of the lexicon is needed: a studio records nothing in vain.
#[test]
fn every_word_of_the_lexicon_is_said_by_some_value() {
    for lang in Lang::ALL {
        let mut said: HashSet<&str> = HashSet::new();
        let mut note = |kind, value: &str, settings| {
            said.extend(say(kind, value, lang, settings).unwrap().iter().map(|t| t.name()));
        };
        for n in 0..100 {
            note(Kind::Number, &n.to_string(), &PLAIN);
            note(Kind::Number, &(n * 100 + 10 + n % 10).to_string(), &PLAIN);
            note(Kind::Money, &format!("2.{n:02}"), &PLAIN);
        }
        note(Kind::Number, "-1001001001001001.5", &PLAIN);
        for day in 1..=31 {
            note(Kind::Time, &format!("2005-{:02}-01", (day - 1) % 12 + 1), &PLAIN);
            note(Kind::Time, &format!("1905-01-{day:02}"), &PLAIN);
        }
        for clock in ["02:00:00", "12:00:00", "00:00:00", "13:05:01", "14:00:09"] {
            note(Kind::Time, &format!("2000-01-01 {clock}"), &PLAIN);
        }
        let alphabet: String = ('a'..='z').chain(['1']).collect();
        note(Kind::Digits, &alphabet, &YAO);
        for token in required_tokens(lang) {
            assert!(said.contains(token), "{lang}: {token} is never said");
        }
    }
}

proptest! {
    #[test]
    fn never_panics_and_says_only_known_words(value in "\\PC*|[-+]?[0-9.:T -]{0,24}|[0-9a-zA-Z]*") {
        for lang in Lang::ALL {
            let known: HashSet<&str> = required_tokens(lang).into_iter().collect();
            for kind in [Kind::Number, Kind::Money, Kind::Time, Kind::Digits] {
                if let Ok(tokens) = say(kind, &value, lang, &YAO) {
                    prop_assert!(!tokens.is_empty());
                    prop_assert!(tokens.iter().all(|token| known.contains(token.name())));
                }
            }
        }
    }

    #[test]
    fn different_numbers_are_read_differently(a in 0..=value::LARGEST, b in 0..=value::LARGEST) {
        for lang in Lang::ALL {
            let read = |n: u64| in_words(Kind::Number, &n.to_string(), lang);
            prop_assert_eq!(a == b, read(a) == read(b));
        }
    }
}
