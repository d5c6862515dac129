//! Keys in SIP INFO bodies. No standard describes them; these two forms are what gateways send.

/// The key in an INFO body, upper case, or nothing if the body is not one of the two forms.
pub(crate) fn key_of_info(content_type: &str, body: &[u8]) -> Option<char> {
    let media_type = content_type.split(';').next()?.trim();
    let text = std::str::from_utf8(body).ok()?;
    if media_type.eq_ignore_ascii_case("application/dtmf-relay") {
        // `Signal=5` and `Duration=160`, one a line, in any order, spaces round the sign.
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(['=', ':'])?;
            name.trim().eq_ignore_ascii_case("signal").then(|| key(value))?
        })
    } else if media_type.eq_ignore_ascii_case("application/dtmf") {
        key(text)
    } else {
        None
    }
}

/// A key by its sign, or by its RFC 4733 event number where one sends `10` for `*` and so on.
fn key(text: &str) -> Option<char> {
    match text.trim() {
        "10" => Some('*'),
        "11" => Some('#'),
        "12" => Some('A'),
        "13" => Some('B'),
        "14" => Some('C'),
        "15" => Some('D'),
        single => {
            let mut chars = single.chars();
            let key = chars.next()?.to_ascii_uppercase();
            (chars.next().is_none() && matches!(key, '0'..='9' | '*' | '#' | 'A'..='D'))
                .then_some(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let rows = [
            ("application/dtmf-relay", "Signal=1\r\nDuration=160\r\n", Some('1')),
            ("Application/DTMF-Relay; charset=x", "Duration = 100\nsignal = *", Some('*')),
            ("application/dtmf-relay", "Signal=11", Some('#')),
            ("application/dtmf-relay", "Signal=d", Some('D')),
            ("application/dtmf-relay", "Signal=", None),
            ("application/dtmf-relay", "Signal=99", None),
            ("application/dtmf", "5\r\n", Some('5')),
            ("application/dtmf", "", None),
            ("text/plain", "5", None),
        ];
        for (content_type, body, expected) in rows {
            assert_eq!(key_of_info(content_type, body.as_bytes()), expected, "{body:?}");
        }
    }
}
