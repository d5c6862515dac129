//! How the published surface's scalars are described: strings that may as well be written as
//! numbers. They only describe; the use cases read the values.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::{Value, json};

macro_rules! scalars {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub(in crate::api) struct $name(Value);

        impl Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_ref() -> MetaSchemaRef {
                MetaSchemaRef::Inline(Box::new($schema))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(self.as_raw_value().into_iter())
            }
        }

        impl ParseFromJSON for $name {
            fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
                match value {
                    Some(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) => Ok(Self(value)),
                    other => Err(ParseError::expected_type(other.unwrap_or_default())),
                }
            }
        }

        impl ToJSON for $name {
            fn to_json(&self) -> Option<Value> {
                Some(self.0.clone())
            }
        }
    )+};
}

scalars! {
    /// A text that may be written as a number.
    Text = either(MetaSchema::new("string"), MetaSchema::new("number"));
    /// 1 to 3.
    Times = MetaSchema {
        default: Some(json!(2)),
        ..either(
            MetaSchema { enum_items: vec![json!("1"), json!("2"), json!("3")], ..MetaSchema::new("string") },
            MetaSchema { minimum: Some(1.0), maximum: Some(3.0), ..MetaSchema::new("integer") },
        )
    };
    /// 0, 1 or 2, or a boolean, of which `true` is 2.
    Record = MetaSchema {
        default: Some(json!(0)),
        any_of: vec![
            inline(MetaSchema {
                enum_items: ["0", "1", "2", "true", "false"].map(|text| json!(text)).to_vec(),
                ..MetaSchema::new("string")
            }),
            inline(MetaSchema { minimum: Some(0.0), maximum: Some(2.0), ..MetaSchema::new("integer") }),
            inline(MetaSchema::new("boolean")),
        ],
        ..MetaSchema::ANY
    };
    /// 0 or 1.
    Mode = MetaSchema {
        default: Some(json!(0)),
        ..either(
            MetaSchema { enum_items: vec![json!("0"), json!("1")], ..MetaSchema::new("string") },
            MetaSchema { minimum: Some(0.0), maximum: Some(1.0), ..MetaSchema::new("integer") },
        )
    };
    /// A number of seconds.
    Seconds = either(
        MetaSchema { pattern: Some("^[0-9]+$".to_owned()), ..MetaSchema::new("string") },
        MetaSchema { minimum: Some(0.0), ..MetaSchema::new("integer") },
    );
    /// A boolean that may be written as a text.
    Flag = either(
        MetaSchema { enum_items: vec![json!("true"), json!("false")], ..MetaSchema::new("string") },
        MetaSchema::new("boolean"),
    );
    /// A key, or any.
    KeyRule = either(
        MetaSchema { pattern: Some("^([0-9*#]|any)$".to_owned()), ..MetaSchema::new("string") },
        MetaSchema { minimum: Some(0.0), maximum: Some(9.0), ..MetaSchema::new("integer") },
    );
}

fn either(string: MetaSchema, number: MetaSchema) -> MetaSchema {
    MetaSchema { any_of: vec![inline(string), inline(number)], ..MetaSchema::ANY }
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}
