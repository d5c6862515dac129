//! How the published surface's scalars are described: strings that may as well be written as
//! numbers. They only describe; the use case reads the values.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::{Value, json};

macro_rules! scalars {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub(super) struct $name(Value);

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
    /// A key, or any.
    KeyRule = either(
        MetaSchema { pattern: Some("^([0-9*#]|any)$".to_owned()), ..MetaSchema::new("string") },
        MetaSchema { minimum: Some(0.0), maximum: Some(9.0), ..MetaSchema::new("integer") },
    );
}

fn either(string: MetaSchema, number: MetaSchema) -> MetaSchema {
    let inline = |schema| MetaSchemaRef::Inline(Box::new(schema));
    MetaSchema { any_of: vec![inline(string), inline(number)], ..MetaSchema::ANY }
}
