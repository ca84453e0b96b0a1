//! `Value` and `PortableId` convert keys and ids to JSON and back. Integers, bytes and other values that JSON lacks have a documented form.
//! Used by `task`, `batch`, `payload`, `dependency` and `throttle`; pure.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{
    bounds::check_id,
    error::{Error, Result},
    payload::{Node, base64_serde},
    task::{IndexValue, TaskKey},
};

/// An id, or the value of an index or a unique key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "an id or a key is text, a whole number, {\"$uuid\": \"…\"} or {\"$bytes\": \"base64\"}")]
pub(super) enum Value {
    Text(String),
    Unsigned(u64),
    Signed(i64),
    /// The value of an index. No id.
    Bool(bool),
    /// An option without a value.
    None,
    /// The values of a unique key of several fields.
    List(Vec<Value>),
    Escape(Escape),
}

/// A value that JSON lacks, as an object with one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Escape {
    #[serde(rename = "$uuid")]
    Uuid(Uuid),
    #[serde(rename = "$bytes", with = "base64_serde")]
    Bytes(Vec<u8>),
    /// An option with a value.
    #[serde(rename = "$some")]
    Some(Box<Value>),
    /// The encoded bytes of anything else.
    #[serde(rename = "$raw", with = "base64_serde")]
    Raw(Vec<u8>),
}

/// The id of a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub(super) struct PortableId(pub TaskKey);

impl From<PortableId> for Value {
    fn from(id: PortableId) -> Self {
        Self::of(id.0.as_bytes())
    }
}

impl TryFrom<Value> for PortableId {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        let id = match value {
            Value::None | Value::List(_) | Value::Bool(_) | Value::Escape(Escape::Some(_) | Escape::Raw(_)) => None,
            value => TaskKey::from_bytes(&value.encoded()),
        };
        let id =
            id.ok_or_else(|| Error::invalid("its id is none: null, true, false, a list and raw bytes are no ids"))?;
        check_id(&id)?;
        Ok(Self(id))
    }
}

impl Value {
    /// The value of encoded bytes; `$raw` if its own encoding differs from them.
    pub(super) fn of(encoded: &[u8]) -> Self {
        let value = Self::read(encoded).filter(|value| value.encoded() == encoded);
        value.unwrap_or_else(|| Self::Escape(Escape::Raw(encoded.to_vec())))
    }

    fn read(encoded: &[u8]) -> Option<Self> {
        match encoded {
            [0] => return Some(Self::None),
            [1, inner @ ..] => return Some(Self::Escape(Escape::Some(Box::new(Self::read(inner)?)))),
            _ => {}
        }
        let Some(key) = TaskKey::from_bytes(encoded) else { return Self::read_list(encoded) };
        let int = |int: i128| match u64::try_from(int) {
            Ok(unsigned) => Some(Self::Unsigned(unsigned)),
            Err(_) => i64::try_from(int).ok().map(Self::Signed),
        };
        (key.as_str().map(|text| Self::Text(text.to_owned())))
            .or_else(|| key.as_int().and_then(int))
            .or_else(|| key.as_uuid().map(|uuid| Self::Escape(Escape::Uuid(uuid))))
            .or_else(|| key.as_byte_string().map(|bytes| Self::Escape(Escape::Bytes(bytes.to_vec()))))
    }

    /// The values of a unique key of several fields: each after its length.
    fn read_list(mut encoded: &[u8]) -> Option<Self> {
        let mut values = Vec::new();
        while let Some((length, rest)) = encoded.split_first_chunk() {
            let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            values.push(Self::read(value)?);
            encoded = rest;
        }
        (encoded.is_empty() && values.len() > 1).then_some(Self::List(values))
    }

    /// The bytes that represent it in the file.
    pub(super) fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.encoded(),
            Self::Unsigned(int) => int.encoded(),
            Self::Signed(int) => int.encoded(),
            Self::Bool(value) => value.encoded(),
            Self::Escape(Escape::Uuid(uuid)) => uuid.encoded(),
            Self::Escape(Escape::Bytes(bytes)) => bytes.encoded(),
            Self::None => vec![0],
            Self::Escape(Escape::Some(value)) => [&[1], value.encoded().as_slice()].concat(),
            Self::List(values) => crate::__private::join_encoded(&values.iter().map(Self::encoded).collect::<Vec<_>>()),
            Self::Escape(Escape::Raw(bytes)) => bytes.clone(),
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
            Some(Node::Bytes(bytes)) => Some(Self::Escape(Escape::Bytes(bytes.clone()))),
            Some(_) => None,
        }
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
