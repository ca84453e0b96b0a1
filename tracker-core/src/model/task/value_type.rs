//! The type of an id or of an indexed value, as its encoded bytes tell.

use super::id::{TAG_BYTES, TAG_INT, TAG_STR, TAG_UUID};

/// What the bytes of an id or a value are.
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

    /// The type of an encoded value of an index or a unique key; `None` for bytes that only a user's own type knows.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match *bytes.first()? {
            // One byte alone may be the encoding of a user's own type.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IndexValue, TaskId};

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
        // Encodings of a user's own.
        for own in [&[3][..], b"s", b"b", &[1, 2], &[]] {
            assert_eq!(ValueType::of(own), None, "{own:?}");
        }
    }
}
