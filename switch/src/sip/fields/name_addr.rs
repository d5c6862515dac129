//! `name-addr` and `addr-spec` (RFC 3261 §25.1): From, To, Contact, Route, Record-Route.

use super::params;

/// `"Display" <uri>;params`, or a bare `uri;params`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameAddr<'a> {
    /// The URI with its own parameters, without brackets.
    pub uri: &'a str,
    /// The header's parameters: `;tag=…`.
    pub params: &'a str,
}

impl<'a> NameAddr<'a> {
    /// Reads one entry; nothing if there is no URI in it.
    pub(crate) fn parse(value: &'a str) -> Option<Self> {
        let value = value.trim();
        let start = unquoted_bracket(value);
        let (uri, params) = match start {
            Some(open) => {
                let after = &value[open + 1..];
                let close = after.find('>')?;
                (&after[..close], &after[close + 1..])
            }
            // RFC 3261 §20: without brackets, parameters belong to the header.
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        let uri = uri.trim();
        (!uri.is_empty()).then_some(Self { uri, params: params.trim() })
    }

    /// A parameter of the header, not of the URI.
    pub(crate) fn param(&self, name: &str) -> Option<&'a str> {
        params::param(self.params, name)
    }

    /// The `tag` parameter, if it has one.
    pub(crate) fn tag(&self) -> Option<&'a str> {
        self.param("tag").filter(|tag| !tag.is_empty())
    }
}

/// Where the `<` stands that opens the URI: the first one outside a quoted display name.
fn unquoted_bracket(value: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let rows = [
            ("<sip:a@b>;tag=1", Some(("sip:a@b", Some("1")))),
            (r#""x <y> \" z" <sip:a@b;lr>;tag=2"#, Some(("sip:a@b;lr", Some("2")))),
            ("sip:a@b;tag=3", Some(("sip:a@b", Some("3")))),
            ("Display <sip:a@b>", Some(("sip:a@b", None))),
            ("<sip:a@b>;tag=", Some(("sip:a@b", None))),
            ("<>", None),
            ("", None),
            ("<sip:a@b", None),
        ];
        for (text, expected) in rows {
            let read = NameAddr::parse(text).map(|n| (n.uri, n.tag()));
            assert_eq!(read, expected, "{text}");
        }
    }
}
