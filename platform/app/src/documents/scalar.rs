//! The small grammars of resource documents. Each refusal says what was expected.

use std::fmt;
use std::str::FromStr;

macro_rules! text_like {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

text_like! {
    /// A name that stands in keys, logs and URLs: letters, digits, `.`, `_`, `-`, at most 64.
    Name
    /// An account's or an application's identifier: letters, digits, `_`, `-`, at most 64.
    Sid
    /// A media file's name as `contents` gives it: at most 128 characters, no slash, no control
    /// character.
    MediaName
    /// A user's address, lower case.
    Email
    /// Where callbacks go: an http or https URL without user information.
    CallbackUrl
    /// The origin of web pages as browsers name it: scheme, host, and the port where it is not the
    /// usual one (RFC 6454 §6.1).
    WebOrigin
}

fn all_of(text: &str, most: usize, allowed: &str) -> bool {
    !text.is_empty()
        && text.len() <= most
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || allowed.as_bytes().contains(&byte))
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if all_of(text, 64, "._-") {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "expected a name of 1 to 64 letters, digits, dots, underscores and hyphens, found {text:?}"
            ))
        }
    }
}

impl FromStr for Sid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if all_of(text, 64, "_-") {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "expected an identifier of 1 to 64 letters, digits, underscores and hyphens, found {text:?}"
            ))
        }
    }
}

impl FromStr for MediaName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = text.is_empty()
            || text.chars().count() > 128
            || text.chars().any(|c| c.is_control() || c == '/' || c == '\\');
        if wrong {
            Err(format!(
                "expected a file name of 1 to 128 characters without slashes, found {text:?}"
            ))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl FromStr for Email {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim().to_lowercase();
        let sound = text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || c.is_control())
            && matches!(text.split_once('@'), Some((user, host)) if !user.is_empty() && !host.is_empty() && !host.contains('@'));
        if sound {
            Ok(Self(text))
        } else {
            Err(format!("expected an e-mail address, found {text:?}"))
        }
    }
}

impl FromStr for CallbackUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let expected = || {
            "expected an http:// or https:// URL of at most 2048 characters, without user or password".to_owned()
        };
        let url = url::Url::parse(text).map_err(|_| expected())?;
        let sound = matches!(url.scheme(), "http" | "https")
            && text.len() <= 2048
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none();
        if sound { Ok(Self(text.to_owned())) } else { Err(expected()) }
    }
}

impl FromStr for WebOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let expected = || {
            format!(
                "expected an origin such as https://crm.example.com, without a path, found {text:?}"
            )
        };
        let url = url::Url::parse(text).map_err(|_| expected())?;
        let origin = url.origin().ascii_serialization();
        let bare = text.trim_end_matches('/').eq_ignore_ascii_case(&origin);
        // A port that is the scheme's own is not written by browsers, so it would never match.
        let sound = matches!(url.scheme(), "http" | "https") && text.len() <= 256 && bare;
        if sound { Ok(Self(origin)) } else { Err(expected()) }
    }
}

/// A count or a rate that must be at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positive(u32);

impl Positive {
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Positive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> serde::Deserialize<'de> for Positive {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Number;
        impl serde::de::Visitor<'_> for Number {
            type Value = Positive;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 1 to 1000000")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Positive, E> {
                match u32::try_from(number) {
                    Ok(number @ 1..=1_000_000) => Ok(Positive(number)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Unsigned(number), &self)),
                }
            }
        }
        reader.deserialize_u64(Number)
    }
}

impl serde::Serialize for Positive {
    fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_u32(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_and_what_is_not() {
        let long = "x".repeat(65);
        for name in ["carrier-a", "A.b_c-9", &long[1..]] {
            assert!(name.parse::<Name>().is_ok(), "{name:?}");
        }
        for name in ["", "a b", "铃", "a/b", &long] {
            assert!(name.parse::<Name>().is_err(), "{name:?}");
        }
        assert!("abcdefghijklmnopqrstuvwxyz012345".parse::<Sid>().is_ok());
        assert!("a:b".parse::<Sid>().is_err(), "a colon ends the user of Basic authorization");
        for name in ["prompt1.wav", "提示 1.wav"] {
            assert!(name.parse::<MediaName>().is_ok(), "{name:?}");
        }
        for name in ["", "../x.wav", "a\\b", "a\nb"] {
            assert!(name.parse::<MediaName>().is_err(), "{name:?}");
        }
        assert_eq!(
            "Admin@Example.COM".parse::<Email>().map(|email| email.to_string()),
            Ok("admin@example.com".into())
        );
        for email in ["", "admin", "@x", "a@", "a@b@c", "a b@c"] {
            assert!(email.parse::<Email>().is_err(), "{email:?}");
        }
        for url in ["http://127.0.0.1:9000/cdr", "https://x.example/a?b=c"] {
            assert!(url.parse::<CallbackUrl>().is_ok(), "{url:?}");
        }
        for (text, origin) in [
            ("https://crm.example.com", Some("https://crm.example.com")),
            ("HTTPS://CRM.example.com/", Some("https://crm.example.com")),
            ("http://127.0.0.1:3000", Some("http://127.0.0.1:3000")),
            ("https://crm.example.com:443", None),
            ("https://crm.example.com/path", None),
            ("https://u@crm.example.com", None),
            ("*", None),
            ("null", None),
            ("file:///x", None),
        ] {
            let read = text.parse::<WebOrigin>().ok().map(|origin| origin.to_string());
            assert_eq!(read.as_deref(), origin, "{text}");
        }
        for url in ["", "x.example/cdr", "ftp://x", "http://u:p@x/", "http://u@x/", "http://"] {
            assert!(url.parse::<CallbackUrl>().is_err(), "{url:?}");
        }
    }
}
