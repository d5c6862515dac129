//! Lists and parameters, the two shapes that most header values share (RFC 3261 §7.3.1).

/// The parts of `text` between `separator`s that stand outside quotes and angle brackets, trimmed.
pub(crate) fn split_outside(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let mut quoted = false;
        let mut bracketed = false;
        let mut escaped = false;
        for (at, byte) in current.bytes().enumerate() {
            if escaped {
                escaped = false;
                continue;
            }
            match byte {
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'<' if !quoted => bracketed = true,
                b'>' if !quoted => bracketed = false,
                _ if byte == separator && !quoted && !bracketed => {
                    rest = Some(&current[at + 1..]);
                    return Some(current[..at].trim());
                }
                _ => {}
            }
        }
        rest = None;
        Some(current.trim())
    })
}

/// The entries of a comma-separated header value; empty ones are left out.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    split_outside(value, b',').filter(|entry| !entry.is_empty())
}

/// The value of a parameter in `;name=value;flag`, its quotes removed. A parameter without a value
/// gives `""`. Names are compared without case.
pub(crate) fn param<'a>(params: &'a str, name: &str) -> Option<&'a str> {
    split_outside(params, b';').find_map(|piece| {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        key.trim().eq_ignore_ascii_case(name).then(|| unquote(value.trim()))
    })
}

/// A quoted string without its quotes (escapes stay as they are), anything else as it is.
pub(crate) fn unquote(value: &str) -> &str {
    value.strip_prefix('"').map_or(value, |inner| inner.strip_suffix('"').unwrap_or(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_inside_quotes_and_brackets_do_not_split() {
        let value = r#""Doe, J" <sip:a@b;x=1,2>;q=1, <sip:c@d>,, sip:e@f"#;
        let entries: Vec<&str> = list(value).collect();
        assert_eq!(entries, [r#""Doe, J" <sip:a@b;x=1,2>;q=1"#, "<sip:c@d>", "sip:e@f"]);
    }

    #[test]
    fn parameters_are_found_without_case() {
        let params = r#";lr;TAG=ab"c;text="a;b";rport"#;
        assert_eq!(param(";lr;TAG=abc", "tag"), Some("abc"));
        assert_eq!(param(r#";text="a;b";rport"#, "text"), Some("a;b"));
        assert_eq!(param(r#";text="a;b";rport"#, "rport"), Some(""));
        assert_eq!(param(params, "lr"), Some(""));
        assert_eq!(param("", "lr"), None);
    }
}
