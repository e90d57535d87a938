//! The uids of Kubernetes objects.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The uid of an object (`metadata.uid`). API servers make UUIDs, of which a plan holds one for each of 300,000 objects;
/// as bytes they take a quarter of the memory of their text. Any other text is kept as it is: an aggregated API may use
/// its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Form);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    /// The text is that of this UUID in lower case with hyphens (RFC 9562, section 4).
    Uuid(Uuid),
    Text(Box<str>),
}

impl Uid {
    /// Returns the uid that a text is, in any case of its letters, if it has the form in which API servers make them.
    #[must_use]
    pub fn of_uuid(text: &str) -> Option<Self> {
        let is_hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
        let uuid = is_hyphenated.then(|| Uuid::try_parse(text).ok())??;
        Some(Self(Form::Uuid(uuid)))
    }

    /// Returns whether the object has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Form::Text(text) if text.is_empty())
    }
}

impl Default for Uid {
    fn default() -> Self {
        Self(Form::Text(Box::default()))
    }
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        let uuid = Uuid::try_parse(text).ok();
        let same = uuid.filter(|uuid| *uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == *text);
        Self(match same {
            Some(uuid) => Form::Uuid(uuid),
            None => Form::Text(text.into()),
        })
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Uuid(uuid) => uuid.hyphenated().fmt(f),
            Form::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Uid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Cow::<str>::deserialize(deserializer)?.as_ref().into())
    }
}

impl JsonSchema for Uid {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Uid".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_uid_keeps_its_text() {
        for text in [
            "0a1b2c3d-0000-4000-8000-00000000beef",
            "0A1B2C3D-0000-4000-8000-00000000BEEF",
            "0a1b2c3d00004000800000000000beef",
            "{0a1b2c3d-0000-4000-8000-00000000beef}",
            "uid-shop",
            "",
        ] {
            let uid = Uid::from(text);
            assert_eq!(uid.to_string(), text);
            let json = serde_json::to_string(&uid).unwrap();
            assert_eq!(serde_json::from_str::<Uid>(&json).unwrap(), uid);
        }
    }

    #[test]
    fn a_uuid_is_known_in_any_case() {
        let uid = Uid::from("0a1b2c3d-0000-4000-8000-00000000beef");
        assert_eq!(Uid::of_uuid("0A1B2C3D-0000-4000-8000-00000000BEEF"), Some(uid));
        for text in [
            "",
            "0a1b2c3d00004000800000000000beef",
            "0a1b2c3d_0000-4000-8000-00000000beef",
        ] {
            assert_eq!(Uid::of_uuid(text), None, "{text}");
        }
    }

    #[test]
    fn a_uuid_takes_no_memory_of_its_own() {
        let uid = Uid::from("0a1b2c3d-0000-4000-8000-00000000beef");
        assert!(matches!(uid.0, Form::Uuid(_)));
        assert_eq!(size_of::<Uid>(), 24);
    }
}
