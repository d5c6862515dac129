//! Chinese readings, by the school rule: sections of four digits, one 零 for any run of zeros inside.

use super::names::{DAYS, FEN, HUNDREDS, INNER_TEENS, JIAO, LETTERS, MONTHS, N, THOUSANDS};
use super::token::{Gap, Token};
use super::value::{Amount, Clock, Day, Decimal, Sign, Time};

const WAN: u64 = 10_000;
const YI: u64 = 100_000_000;

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
    if amount.yuan > 0 || amount.fen == 0 {
        match amount.yuan {
            2 => said.push(Token::join("liang")),
            yuan => cardinal(&mut said, yuan),
        }
        close_with(&mut said, Token::part("yuan"));
    }
    let (jiao, fen) = (place(amount.fen, 10), place(amount.fen, 1));
    if jiao > 0 {
        said.push(Token::join(JIAO[jiao - 1]));
    } else if fen > 0 && amount.yuan > 0 {
        said.push(Token::join(N[0]));
    }
    if fen > 0 {
        said.push(Token::join(FEN[fen - 1]));
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

pub(super) fn digits(code: Vec<Sign>, yao_for_one: bool) -> Vec<Token> {
    let mut said = Vec::new();
    for sign in code {
        match sign {
            Sign::Digit(1) if yao_for_one => said.push(Token::digit("yao")),
            Sign::Digit(digit) => said.push(Token::digit(N[digit])),
            Sign::Letter(letter) => {
                said.push(Token::join("letter"));
                said.push(Token::digit(LETTERS[letter]));
            }
        }
    }
    said
}

/// Years are read digit by digit: 二零一三年.
fn date(said: &mut Vec<Token>, day: &Day) {
    for power in [1000, 100, 10, 1] {
        said.push(Token::join(N[place(day.year.into(), power)]));
    }
    said.push(Token::part("year"));
    said.push(Token::part(MONTHS[day.month as usize - 1]));
    said.push(Token::part(DAYS[day.day as usize - 1]));
}

/// 两点整, 八点零五分, 十四点三十分零九秒.
fn time_of_day(said: &mut Vec<Token>, clock: &Clock) {
    said.push(Token::join(match clock.hour {
        2 => "liang",
        hour => N[hour as usize],
    }));
    if clock.minute == 0 && clock.second == 0 {
        said.push(Token::join("hour"));
        said.push(Token::join("sharp"));
        return;
    }
    said.push(Token::part("hour"));
    two_places(said, clock.minute);
    said.push(Token::part("minute"));
    if clock.second > 0 {
        two_places(said, clock.second);
        said.push(Token::join("second"));
    }
}

/// 五 of minutes or seconds is 零五, and none is 零.
fn two_places(said: &mut Vec<Token>, number: u32) {
    if (1..10).contains(&number) {
        said.push(Token::join(N[0]));
    }
    said.push(Token::join(N[number as usize]));
}

/// A whole number of at most 10^16.
fn cardinal(said: &mut Vec<Token>, number: u64) {
    if number == 0 {
        said.push(Token::join(N[0]));
    } else {
        with_yi(said, number);
    }
}

fn with_yi(said: &mut Vec<Token>, number: u64) {
    if number < YI {
        return below_yi(said, number, true);
    }
    // 10^16 is 一亿亿, hence the recursion.
    with_yi(said, number / YI);
    close_with(said, Token::part("yi"));
    if !number.is_multiple_of(YI) {
        below_yi(said, number % YI, false);
    }
}

fn below_yi(said: &mut Vec<Token>, number: u64, opens: bool) {
    let (high, low) = (number / WAN, number % WAN);
    if high > 0 {
        section(said, high, opens);
        close_with(said, Token::part("wan"));
    } else if !opens && low >= 1000 {
        // The empty 万 section is heard as 零, which a low section below 1000 says by itself.
        said.push(Token::join(N[0]));
    }
    if low > 0 {
        section(said, low, opens && high == 0);
    }
}

/// 1 to 9999. `opens`: nothing was said before, so 12 is 十二 and no 零 leads.
fn section(said: &mut Vec<Token>, number: u64, opens: bool) {
    let mut begun = !opens;
    let mut zeros = false;
    for (power, row) in [(1000, &THOUSANDS), (100, &HUNDREDS)] {
        match place(number, power) {
            0 => zeros = true,
            digit => {
                if begun && zeros {
                    said.push(Token::join(N[0]));
                }
                said.push(Token::join(row[digit - 1]));
                begun = true;
                zeros = false;
            }
        }
    }
    let rest = below_hundred(number);
    if rest == 0 {
        return;
    }
    if begun && (zeros || rest < 10) {
        said.push(Token::join(N[0]));
    }
    said.push(Token::join(match rest {
        10..20 if begun => INNER_TEENS[rest - 10],
        _ => N[rest],
    }));
}

/// Adds a closing word (亿, 元) that belongs closely to what it follows.
fn close_with(said: &mut Vec<Token>, word: Token) {
    if let Some(last) = said.last_mut() {
        *last = last.followed_by(Gap::Join);
    }
    said.push(word);
}

/// The decimal digit at a power of ten.
fn place(number: u64, power: u64) -> usize {
    (number / power % 10) as usize
}

fn below_hundred(number: u64) -> usize {
    (number % 100) as usize
}
