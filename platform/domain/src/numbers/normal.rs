//! From the spellings that people use to bare digits.

use super::NumberError;

/// Longer than any number with its country code and punctuation.
const MAX_CHARS: usize = 40;
/// A closing parenthesis must leave this many digits behind it: less would be an extension.
const MIN_DIGITS_AFTER_PARENTHESES: usize = 7;
/// Area and subscriber: a hyphen group more would be an extension.
const MAX_HYPHEN_GROUPS: usize = 2;

/// A number without punctuation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Digits {
    /// Whether a + stood in front.
    pub(super) plus: bool,
    /// ASCII digits only, at least one.
    pub(super) digits: String,
}

/// Drops spaces, hyphens and parentheses, folds full-width forms, and refuses whatever could hide
/// an extension (RESOLUTIONS, Numbers: refused, never swallowed).
pub(super) fn normalise(text: &str) -> Result<Digits, NumberError> {
    let text = text.trim();
    if text.chars().count() > MAX_CHARS {
        return Err(NumberError::TooLong { limit: MAX_CHARS });
    }
    let folded: String = text.chars().map(fold).collect();
    let lower = folded.to_lowercase();
    if lower.contains('转') || lower.contains('轉') || lower.contains("ext") || lower.contains('x')
    {
        return Err(NumberError::Extension);
    }
    let (plus, body) = match folded.strip_prefix('+') {
        Some(body) => (true, body),
        None => (false, folded.as_str()),
    };
    if let Some(found) = body.chars().find(|c| !matches!(c, '0'..='9' | ' ' | '-' | '(' | ')')) {
        return Err(NumberError::Character { found });
    }
    check_parentheses(body)?;
    let digits: String = body.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return Err(NumberError::Empty);
    }
    check_hyphens(body, plus)?;
    Ok(Digits { plus, digits })
}

/// Full-width and typographic forms to ASCII.
fn fold(c: char) -> char {
    match c {
        // the full-width forms of ASCII: １, ＋, －, （, ｘ
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        // hyphens and dashes of text processors
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        // ideographic, no-break and narrow no-break space
        '\u{3000}' | '\u{00A0}' | '\u{202F}' | '\t' => ' ',
        other => other,
    }
}

fn check_parentheses(body: &str) -> Result<(), NumberError> {
    let mut rest = body;
    while let Some(open) = rest.find(['(', ')']) {
        let (_, from_open) = rest.split_at(open);
        let inside = from_open.strip_prefix('(').ok_or(NumberError::Parentheses)?;
        let (content, after) = inside.split_once(')').ok_or(NumberError::Parentheses)?;
        let digits_after = after.bytes().filter(u8::is_ascii_digit).count();
        if content.contains('(') || digits_after < MIN_DIGITS_AFTER_PARENTHESES {
            return Err(NumberError::Parentheses);
        }
        rest = after;
    }
    Ok(())
}

/// Counts the groups between hyphens behind a country code that stands in a group of its own.
fn check_hyphens(body: &str, plus: bool) -> Result<(), NumberError> {
    let group_digits =
        |group: &str| -> String { group.chars().filter(char::is_ascii_digit).collect() };
    let groups: Vec<String> = body.split('-').map(group_digits).collect();
    let country_code = match groups.first().map(String::as_str) {
        Some("86") | Some("0086") => 1,
        // a foreign country code; how many groups follow is that country's custom
        Some(first) if plus || first.starts_with("00") => {
            let mainland = first.starts_with("86") || first.starts_with("0086");
            if mainland { 0 } else { groups.len() }
        }
        _ => 0,
    };
    if groups.len() > country_code + MAX_HYPHEN_GROUPS {
        return Err(NumberError::Extension);
    }
    Ok(())
}
