//! `ValueType` detects the type of an id or an indexed value from its encoded bytes, so that a query with another type can be refused. Called by
//! `storage/read/type_check`, `engine/action/register`, `api/open_kinds`, `api/schedule` and error messages of `model`; pure.

use super::id::{TAG_BYTES, TAG_INT, TAG_STR, TAG_UUID};

/// The type of the bytes of an id or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum ValueType {
    Text,
    Integer,
    Uuid,
    Bytes,
    /// A value of a field that is an `Option`.
    Optional,
}

impl ValueType {
    /// The type of an encoded id.
    pub(crate) fn of_id(bytes: &[u8]) -> Option<Self> {
        match *bytes.first()? {
            TAG_STR => Some(Self::Text),
            TAG_INT => Some(Self::Integer),
            TAG_UUID => Some(Self::Uuid),
            TAG_BYTES => Some(Self::Bytes),
            _ => None,
        }
    }

    /// The type of an encoded value of an index or a unique key; `None` for a custom encoding.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match *bytes.first()? {
            // A single byte may be a custom encoding.
            0 if bytes.len() == 1 => Some(Self::Optional),
            1 if Self::of_id(bytes.get(1..)?).is_some() => Some(Self::Optional),
            _ if bytes.len() < 2 => None,
            _ => Self::of_id(bytes),
        }
    }

    pub(crate) const fn one(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "an integer",
            Self::Uuid => "a UUID",
            Self::Bytes => "a byte string",
            Self::Optional => "an optional value (`Some` or `None`)",
        }
    }

    pub(crate) const fn many(self) -> &'static str {
        match self {
            Self::Text => "texts",
            Self::Integer => "integers",
            Self::Uuid => "UUIDs",
            Self::Bytes => "byte strings",
            Self::Optional => "optional: give `Some(value)` or `None`",
        }
    }
}

/// Whether two encoded values of one index or one unique key have different types. A custom encoding counts as the type of any value, and
/// the encoding of `None` as that of any optional value.
pub(crate) fn has_other_type(one: &[u8], other: &[u8]) -> bool {
    match (key_values(one), key_values(other)) {
        (Some(ones), Some(others)) => {
            ones.len() != others.len() || ones.into_iter().zip(others).any(|(one, other)| differ(one, other))
        }
        (None, None) => differ(one, other),
        // A composite key, compared with a key of one field.
        _ => !one.is_empty() && !other.is_empty(),
    }
}

fn differ(one: &[u8], other: &[u8]) -> bool {
    match (ValueType::of(one), ValueType::of(other)) {
        (Some(ValueType::Optional), Some(ValueType::Optional)) => {
            let inner = |value: &[u8]| value.get(1..).and_then(ValueType::of_id);
            matches!((inner(one), inner(other)), (Some(one), Some(other)) if one != other)
        }
        (Some(one), Some(other)) => one != other,
        _ => false,
    }
}

/// Splits a composite key into its length-prefixed values. `None` if the key has one field.
pub(crate) fn key_values(mut key: &[u8]) -> Option<Vec<&[u8]>> {
    let mut values = Vec::new();
    while let Some((length, rest)) = key.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        values.push(value);
        key = rest;
    }
    (key.is_empty() && values.len() > 1).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        __private::join_encoded,
        model::task::{IndexValue, TaskId},
    };

    #[test]
    fn types_follow_from_encoded_values() {
        let ids = [
            (7_u64.to_key(), ValueType::Integer),
            ("7".to_key(), ValueType::Text),
            (uuid::Uuid::nil().to_key(), ValueType::Uuid),
            (b"7".as_slice().to_key(), ValueType::Bytes),
        ];
        for (id, expected) in ids {
            assert_eq!(ValueType::of_id(id.as_bytes()), Some(expected));
            assert_eq!(ValueType::of(id.as_bytes()), Some(expected));
        }
        assert_eq!(ValueType::of(&Some("x").encoded()), Some(ValueType::Optional));
        assert_eq!(ValueType::of(&None::<u8>.encoded()), Some(ValueType::Optional));
        assert_eq!(ValueType::of(&true.encoded()), Some(ValueType::Integer));
        // Custom encodings.
        for own in [&[3][..], b"s", b"b", &[1, 2], &[]] {
            assert_eq!(ValueType::of(own), None, "{own:?}");
        }
    }

    #[test]
    fn values_of_one_field_differ_by_their_types_alone() {
        let uuid = uuid::Uuid::nil();
        let differing = [
            ("a".encoded(), 1.encoded()),
            ("a".encoded(), Some("a").encoded()),
            ("a".encoded(), None::<&str>.encoded()),
            (Some("a").encoded(), Some(1).encoded()),
            (uuid.encoded(), uuid.to_string().encoded()),
            ("a".encoded(), std::path::Path::new("a").encoded()),
        ];
        for (one, other) in differing {
            assert!(has_other_type(&one, &other) && has_other_type(&other, &one), "{one:?} {other:?}");
        }
        let alike = [
            ("a".encoded(), "b".encoded()),
            (1.encoded(), u64::MAX.encoded()),
            (Some("a").encoded(), None::<&str>.encoded()),
            (Some(1).encoded(), None::<&str>.encoded()),
            (vec![7], "a".encoded()),
            (Vec::new(), "a".encoded()),
        ];
        for (one, other) in alike {
            assert!(!has_other_type(&one, &other) && !has_other_type(&other, &one), "{one:?} {other:?}");
        }
    }

    #[test]
    fn keys_of_several_fields_differ_by_the_type_of_any() {
        // The length prefixes equal the tags of an integer and of a text.
        let (long, longer) = ("x".repeat(104), "x".repeat(114));
        let key = |text: &str| join_encoded(&[text.encoded(), 1.encoded()]);
        assert!(!has_other_type(&key(&long), &key(&longer)));
        assert!(has_other_type(&key("a"), &join_encoded(&["a".encoded(), "1".encoded()])));
        assert!(has_other_type(&key("a"), &join_encoded(&["a".encoded(), 1.encoded(), 1.encoded()])));
        assert!(has_other_type(&key("a"), &"a".encoded()));
        assert!(!has_other_type(&key("a"), &join_encoded(&["a".encoded(), None::<u8>.encoded()])), "no key");
    }
}
