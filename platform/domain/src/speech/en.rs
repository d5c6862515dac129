//! English readings: CLDR's `%spellout-cardinal-verbose` and `%spellout-numbering-year`.

use super::names::{DAYS, LETTERS, MONTHS, N};
use super::token::{Gap, Token};
use super::value::{Amount, Clock, Day, Decimal, Sign, Time};

const SCALES: [(u64, &str); 5] = [
    (1_000_000_000_000_000, "quadrillion"),
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1000, "thousand"),
];

pub(super) fn number(number: &Decimal) -> Vec<Token> {
    let mut said = Vec::new();
    if number.negative {
        said.push(Token::join("minus"));
    }
    cardinal(&mut said, number.integer);
    if !number.decimals.is_empty() {
        said.push(Token::join("point"));
        said.extend(number.decimals.iter().map(|&d| Token::join(N[usize::from(d)])));
    }
    said
}

pub(super) fn money(amount: &Amount) -> Vec<Token> {
    let mut said = Vec::new();
    if amount.negative {
        said.push(Token::join("minus"));
    }
    let yuan_said = amount.yuan > 0 || amount.fen == 0;
    if yuan_said {
        cardinal(&mut said, amount.yuan);
        close_with(&mut said, Token::part("yuan"));
    }
    if amount.fen > 0 {
        if yuan_said {
            said.push(Token::join("and"));
        }
        cardinal(&mut said, amount.fen);
        said.push(Token::join("fen"));
    }
    said
}

pub(super) fn time(time: &Time) -> Vec<Token> {
    let mut said = Vec::new();
    if let Some(day) = &time.day {
        date(&mut said, day);
    }
    if let Some(clock) = &time.clock {
        time_of_day(&mut said, clock);
    }
    said
}

pub(super) fn digits(code: Vec<Sign>) -> Vec<Token> {
    let name = |sign| match sign {
        Sign::Digit(digit) => N[digit],
        Sign::Letter(letter) => LETTERS[letter],
    };
    code.into_iter().map(|sign| Token::digit(name(sign))).collect()
}

/// July thirtieth twenty thirteen.
fn date(said: &mut Vec<Token>, day: &Day) {
    said.push(Token::join(MONTHS[day.month as usize - 1]));
    said.push(Token::part(DAYS[day.day as usize - 1]));
    year(said, day.year);
    close_part(said);
}

/// Two halves (twenty thirteen, nineteen oh five, nineteen hundred), but a plain number below 1000
/// and in the first ten years of a millennium (two thousand and five).
fn year(said: &mut Vec<Token>, year: u32) {
    let (high, low) = (year / 100, year % 100);
    if year < 1000 || year % 1000 < 10 {
        return cardinal(said, year.into());
    }
    said.push(Token::join(N[high as usize]));
    match low {
        0 => said.push(Token::join("hundred")),
        _ => two_places(said, low),
    }
}

/// The 12-hour clock: noon, two p.m., two thirty p.m., twelve oh five a.m., two o'clock and nine
/// seconds p.m.
fn time_of_day(said: &mut Vec<Token>, clock: &Clock) {
    match (clock.hour, clock.minute, clock.second) {
        (0, 0, 0) => return said.push(Token::join("midnight")),
        (12, 0, 0) => return said.push(Token::join("noon")),
        _ => {}
    }
    let hour = match clock.hour % 12 {
        0 => 12,
        hour => hour,
    };
    said.push(Token::join(N[hour as usize]));
    match (clock.minute, clock.second) {
        (0, 0) => {}
        (0, _) => said.push(Token::part("oclock")),
        (minute, _) => two_places(said, minute),
    }
    if clock.second > 0 {
        close_part(said);
        said.push(Token::join("and"));
        said.push(Token::join(N[clock.second as usize]));
        said.push(Token::join(match clock.second {
            1 => "second",
            _ => "seconds",
        }));
    }
    said.push(Token::join(if clock.hour < 12 { "am" } else { "pm" }));
}

/// 5 of minutes or of a year's last half is "oh five".
fn two_places(said: &mut Vec<Token>, number: u32) {
    if number < 10 {
        said.push(Token::join("oh"));
    }
    said.push(Token::join(N[number as usize]));
}

/// A whole number of at most 10^16.
fn cardinal(said: &mut Vec<Token>, number: u64) {
    match number {
        0..100 => said.push(Token::join(N[number as usize])),
        100..1000 => {
            said.push(Token::join(N[(number / 100) as usize]));
            said.push(Token::join("hundred"));
            if !number.is_multiple_of(100) {
                said.push(Token::join("and"));
                cardinal(said, number % 100);
            }
        }
        _ => scales(said, number),
    }
}

/// 1000 and more: one group of up to three digits a scale word, "and" before a last group below 100.
fn scales(said: &mut Vec<Token>, number: u64) {
    let mut rest = number;
    for (scale, word) in SCALES {
        if rest >= scale {
            cardinal(said, rest / scale);
            close_with(said, Token::part(word));
            rest %= scale;
        }
    }
    if rest > 0 {
        if rest < 100 {
            said.push(Token::join("and"));
        }
        cardinal(said, rest);
    }
}

/// Adds a closing word (thousand, yuan) that belongs closely to what it follows.
fn close_with(said: &mut Vec<Token>, word: Token) {
    set_last_gap(said, Gap::Join);
    said.push(word);
}

fn close_part(said: &mut [Token]) {
    set_last_gap(said, Gap::Part);
}

fn set_last_gap(said: &mut [Token], gap: Gap) {
    if let Some(last) = said.last_mut() {
        *last = last.followed_by(gap);
    }
}
