//! A payload's value as JSON, and back. Integers, bytes and other values that JSON lacks have a documented form. Pure.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};
use uuid::Uuid;

use crate::model::{
    payload::{Node, base64, from_base64},
    task::{IndexValue, TaskKey},
};

/// An id, or the value of an index or a unique key, as JSON keeps it apart from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `"text"`
    Text(String),
    /// `7`
    Unsigned(u64),
    /// `-7`
    Signed(i64),
    /// `true`: the value of an index, and no id.
    Bool(bool),
    /// `{"$uuid": "…"}`
    Uuid(Uuid),
    /// `{"$bytes": "base64"}`
    Bytes(Vec<u8>),
    /// `null`: an option without a value.
    None,
    /// `{"$some": value}`: an option with a value.
    Some(Box<Value>),
    /// `[value, …]`: the values of a unique key of several fields.
    List(Vec<Value>),
    /// `{"$raw": "base64"}`: the encoded bytes of every other value.
    Raw(Vec<u8>),
}

impl Value {
    pub(super) fn of_id(id: &TaskKey) -> Self {
        Self::of(id.as_bytes())
    }

    /// The value of encoded bytes. Bytes that do not encode to the same bytes again are raw.
    pub(super) fn of(encoded: &[u8]) -> Self {
        let value = Self::read(encoded);
        value.filter(|value| value.encoded() == encoded).unwrap_or_else(|| Self::Raw(encoded.to_vec()))
    }

    fn read(encoded: &[u8]) -> Option<Self> {
        match encoded {
            [0] => return Some(Self::None),
            [1, inner @ ..] => return Some(Self::Some(Box::new(Self::read(inner)?))),
            _ => {}
        }
        let Some(key) = TaskKey::from_bytes(encoded) else { return Self::read_list(encoded) };
        let int = |int: i128| match u64::try_from(int) {
            Ok(unsigned) => Some(Self::Unsigned(unsigned)),
            Err(_) => i64::try_from(int).ok().map(Self::Signed),
        };
        (key.as_str().map(|text| Self::Text(text.to_owned())))
            .or_else(|| key.as_int().and_then(int))
            .or_else(|| key.as_uuid().map(Self::Uuid))
            .or_else(|| key.as_byte_string().map(|bytes| Self::Bytes(bytes.to_vec())))
    }

    /// The values of a unique key of several fields: each behind its length.
    fn read_list(mut encoded: &[u8]) -> Option<Self> {
        let mut values = Vec::new();
        while let Some((length, rest)) = encoded.split_first_chunk() {
            let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            values.push(Self::read(value)?);
            encoded = rest;
        }
        (encoded.is_empty() && values.len() > 1).then_some(Self::List(values))
    }

    /// The bytes that stand for it in the file.
    pub(super) fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.encoded(),
            Self::Unsigned(int) => int.encoded(),
            Self::Signed(int) => int.encoded(),
            Self::Bool(value) => value.encoded(),
            Self::Uuid(uuid) => uuid.encoded(),
            Self::Bytes(bytes) => bytes.encoded(),
            Self::None => vec![0],
            Self::Some(value) => [&[1], value.encoded().as_slice()].concat(),
            Self::List(values) => crate::__private::join_encoded(&values.iter().map(Self::encoded).collect::<Vec<_>>()),
            Self::Raw(bytes) => bytes.clone(),
        }
    }

    /// The id; `None` where it is none.
    pub(super) fn id(&self) -> Option<TaskKey> {
        match self {
            Self::None | Self::Some(_) | Self::List(_) | Self::Raw(_) | Self::Bool(_) => None,
            value => TaskKey::from_bytes(&value.encoded()),
        }
    }

    /// The probable type of a field of a payload; only the Rust type determines it.
    pub(super) fn guess(node: Option<&Node>) -> Option<Self> {
        match node {
            None | Some(Node::Nil) => Some(Self::None),
            Some(Node::Text(text)) => Some(Self::Text(text.clone())),
            Some(Node::Unsigned(int)) => Some(Self::Unsigned(*int)),
            Some(Node::Signed(int)) => Some(Self::Signed(*int)),
            Some(Node::Bool(value)) => Some(Self::Bool(*value)),
            Some(Node::Bytes(bytes)) => Some(Self::Bytes(bytes.clone())),
            Some(_) => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        fn escape<S: Serializer>(to: S, key: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
            let mut map = to.serialize_map(Some(1))?;
            map.serialize_entry(key, value)?;
            map.end()
        }
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::Unsigned(int) => to.serialize_u64(*int),
            Self::Signed(int) => to.serialize_i64(*int),
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Uuid(uuid) => escape(to, "$uuid", &uuid.to_string()),
            Self::Bytes(bytes) => escape(to, "$bytes", &base64(bytes)),
            Self::None => to.serialize_unit(),
            Self::Some(value) => escape(to, "$some", value),
            Self::List(values) => values.serialize(to),
            Self::Raw(bytes) => escape(to, "$raw", &base64(bytes)),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::of_node(&Node::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Value {
    fn of_node(node: &Node) -> Result<Self, String> {
        let bytes = |value: &Node| match value {
            Node::Text(text) => from_base64(text),
            _ => None,
        };
        let value = match (node.escaped(), node) {
            (Some(("$uuid", Node::Text(text))), _) => text.parse().ok().map(Self::Uuid),
            (Some(("$bytes", value)), _) => bytes(value).map(Self::Bytes),
            (Some(("$raw", value)), _) => bytes(value).map(Self::Raw),
            (Some(("$some", value)), _) => Some(Self::Some(Box::new(Self::of_node(value)?))),
            (_, Node::Nil) => Some(Self::None),
            (_, Node::Text(text)) => Some(Self::Text(text.clone())),
            (_, Node::Unsigned(int)) => Some(Self::Unsigned(*int)),
            (_, Node::Signed(int)) => Some(Self::Signed(*int)),
            (_, Node::Bool(value)) => Some(Self::Bool(*value)),
            (_, Node::List(items)) => Some(Self::List(items.iter().map(Self::of_node).collect::<Result<_, _>>()?)),
            _ => None,
        };
        value.ok_or_else(|| {
            "an id or a key is text, a whole number, {\"$uuid\": \"…\"} or {\"$bytes\": \"base64\"}".to_owned()
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::__private::join_encoded;

    fn round(encoded: &[u8]) -> String {
        let text = serde_json::to_string(&Value::of(encoded)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap().encoded(), encoded, "{text}");
        text
    }

    #[test]
    fn values_of_all_types_are_kept_apart() {
        let uuid = Uuid::from_u128(7);
        for (encoded, text) in [
            ("7".encoded(), r#""7""#),
            (7_u64.encoded(), "7"),
            (i64::MIN.encoded(), "-9223372036854775808"),
            (u64::MAX.encoded(), "18446744073709551615"),
            (b"7"[..].encoded(), r#"{"$bytes":"Nw=="}"#),
            (uuid.encoded(), r#"{"$uuid":"00000000-0000-0000-0000-000000000007"}"#),
            (None::<u8>.encoded(), "null"),
            (Some("x").encoded(), r#"{"$some":"x"}"#),
            (Some(None::<u8>).encoded(), r#"{"$some":null}"#),
            (join_encoded(&["a".encoded(), 5.encoded()]), r#"["a",5]"#),
            (Vec::new(), r#"{"$raw":""}"#),
            (chrono::DateTime::<chrono::Utc>::MAX_UTC.encoded(), r#"{"$raw":"#),
        ] {
            assert!(round(&encoded).starts_with(text), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(prop_oneof![0_u8..4, Just(b's'), Just(b'i'), any::<u8>()], 0..24)) {
            round(&bytes);
        }
    }
}
