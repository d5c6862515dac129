//! Finds the line and column of a field by reading the text again and failing on purpose when the
//! field is reached: the reader then says where it stood. Only done when there is an error to show.

use super::{FieldPath, Step};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Line and column, 1-based, of the field, or of the nearest field above it that is there.
pub(super) fn locate(text: &str, path: &FieldPath) -> Option<(usize, usize)> {
    let reader = serde_yaml::Deserializer::from_str(text);
    let stopped = Probe { steps: path.steps() }.deserialize(reader).err()?;
    stopped.location().map(|at| (at.line(), at.column()))
}

struct Probe<'p> {
    steps: &'p [Step],
}

/// The text of the failure on purpose; nobody sees it.
const HERE: &str = "here";

impl<'de> DeserializeSeed<'de> for Probe<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Probe<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HERE)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if let Some((Step::Key(wanted), rest)) = self.steps.split_first() {
            while let Some(key) = map.next_key::<String>()? {
                if key == *wanted {
                    map.next_value_seed(Probe { steps: rest })?;
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Err(de::Error::custom(HERE))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if let Some((Step::Index(wanted), rest)) = self.steps.split_first() {
            for _ in 0..*wanted {
                seq.next_element::<IgnoredAny>()?;
            }
            seq.next_element_seed(Probe { steps: rest })?;
        }
        Err(de::Error::custom(HERE))
    }
}
