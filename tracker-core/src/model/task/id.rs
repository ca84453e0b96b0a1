//! `TaskId` is the trait of types that an id may have, and `TaskKey` the bytes that order and identify an id. Used by all other folders
//! except `dispatch`; pure, except for the `TaskId` of the user's own types. `TaskKey::from_bytes` reads bytes that are not trusted, from disk,
//! tickets, imports and URLs, and accepts only the forms of text, integers, UUIDs and byte strings.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::ValueType;

/// A value that can be a task's id: injective bytes and a form for people.
///
/// Strings, integers, [`Uuid`], byte strings and paths have it. A newtype delegates to its value:
///
/// ```
/// use tracker_core::task::{TaskId, TaskKey};
///
/// struct Url(String);
///
/// impl TaskId for Url {
///     fn to_key(&self) -> TaskKey {
///         self.0.to_key()
///     }
/// }
/// ```
///
/// Integers of all widths share one form, so `5_i32` finds the task that `5_u64` made; a path is its bytes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a task's id",
    label = "not a string, an integer, a `Uuid`, a byte string or a path",
    note = "a newtype implements `TaskId` by its value: `fn to_key(&self) -> TaskKey {{ self.0.to_key() }}`"
)]
pub trait TaskId {
    /// The id as the file keeps it.
    fn to_key(&self) -> TaskKey;

    /// The type of all ids of this type, if the library knows it.
    #[doc(hidden)]
    #[must_use]
    fn value_type() -> Option<ValueType>
    where
        Self: Sized,
    {
        None
    }
}

/// A task's id as the file keeps it: a tag for its type, and its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey(Box<[u8]>);

/// The longest id, in bytes of its encoded form.
pub(crate) const LONGEST: usize = 1024;

pub(super) const TAG_BYTES: u8 = b'b';
pub(super) const TAG_INT: u8 = b'i';
pub(super) const TAG_STR: u8 = b's';
pub(super) const TAG_UUID: u8 = b'u';

impl TaskKey {
    /// Returns the stored bytes of the id: a tag, then the value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the id of bytes that [`Self::as_bytes`] gave.
    ///
    /// Returns `None` if no id has these bytes: an unknown tag, text that is not UTF-8, an integer that is not in its
    /// shortest form, more bytes than the 1,024 that an id may have.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > LONGEST {
            return None;
        }
        let (tag, rest) = bytes.split_first()?;
        let valid = match *tag {
            TAG_BYTES => true,
            TAG_INT => decode_int(rest).is_some(),
            TAG_STR => std::str::from_utf8(rest).is_ok(),
            TAG_UUID => rest.len() == 16,
            _ => false,
        };
        valid.then(|| Self(bytes.into()))
    }

    /// Returns whether the value after the tag is empty: the empty string, no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 1
    }

    /// Returns the text of an id that is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.tagged(TAG_STR).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Returns the bytes of an id that is a byte string or a path.
    #[must_use]
    pub fn as_byte_string(&self) -> Option<&[u8]> {
        self.tagged(TAG_BYTES)
    }

    /// Returns the number of an id that is an integer.
    #[must_use]
    pub fn as_int(&self) -> Option<i128> {
        self.tagged(TAG_INT).and_then(decode_int)
    }

    /// Returns the uuid of an id that is one.
    #[must_use]
    pub fn as_uuid(&self) -> Option<Uuid> {
        self.tagged(TAG_UUID).and_then(|bytes| Uuid::from_slice(bytes).ok())
    }

    fn tagged(&self, tag: u8) -> Option<&[u8]> {
        self.0.strip_prefix(&[tag])
    }

    fn build(encode: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = Vec::new();
        encode(&mut bytes);
        Self(bytes.into())
    }
}

/// The form for people: a string as it is, an integer in decimal, a uuid with hyphens, other bytes as text with `\xNN`
/// for what is not text.
impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.as_str() {
            f.write_str(text)
        } else if let Some(int) = self.as_int() {
            write!(f, "{int}")
        } else if let Some(uuid) = self.as_uuid() {
            write!(f, "{uuid}")
        } else {
            for chunk in self.as_byte_string().unwrap_or(&self.0).utf8_chunks() {
                f.write_str(&chunk.valid().replace('\\', "\\\\"))?;
                for byte in chunk.invalid() {
                    write!(f, "\\x{byte:02x}")?;
                }
            }
            Ok(())
        }
    }
}

impl fmt::Debug for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskKey({self})")
    }
}

impl TaskId for TaskKey {
    fn to_key(&self) -> TaskKey {
        self.clone()
    }
}

impl TaskId for str {
    fn to_key(&self) -> TaskKey {
        TaskKey::build(|out| encode_str(self, out))
    }
}

impl TaskId for String {
    fn to_key(&self) -> TaskKey {
        self.as_str().to_key()
    }

    fn value_type() -> Option<ValueType> {
        Some(ValueType::Text)
    }
}

impl TaskId for [u8] {
    fn to_key(&self) -> TaskKey {
        TaskKey::build(|out| encode_bytes(self, out))
    }
}

impl TaskId for Vec<u8> {
    fn to_key(&self) -> TaskKey {
        self.as_slice().to_key()
    }

    fn value_type() -> Option<ValueType> {
        Some(ValueType::Bytes)
    }
}

impl TaskId for Path {
    fn to_key(&self) -> TaskKey {
        self.as_os_str().as_encoded_bytes().to_key()
    }
}

impl TaskId for PathBuf {
    fn to_key(&self) -> TaskKey {
        self.as_path().to_key()
    }

    fn value_type() -> Option<ValueType> {
        Some(ValueType::Bytes)
    }
}

impl TaskId for Uuid {
    fn to_key(&self) -> TaskKey {
        TaskKey::build(|out| encode_uuid(*self, out))
    }

    fn value_type() -> Option<ValueType> {
        Some(ValueType::Uuid)
    }
}

impl<T: TaskId + ?Sized> TaskId for &T {
    fn to_key(&self) -> TaskKey {
        (**self).to_key()
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl TaskId for $int {
            fn to_key(&self) -> TaskKey {
                TaskKey::build(|out| encode_int(i128::from(*self), out))
            }

            fn value_type() -> Option<ValueType> {
                Some(ValueType::Integer)
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64);

pub(super) fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(TAG_BYTES);
    out.extend_from_slice(bytes);
}

pub(super) fn encode_str(text: &str, out: &mut Vec<u8>) {
    out.push(TAG_STR);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn encode_uuid(uuid: Uuid, out: &mut Vec<u8>) {
    out.push(TAG_UUID);
    out.extend_from_slice(uuid.as_bytes());
}

/// A length byte (biased by the sign) and the shortest big-endian form: bytes sort as the numbers do.
pub(super) fn encode_int(value: i128, out: &mut Vec<u8>) {
    out.push(TAG_INT);
    let bytes = value.unsigned_abs().to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros..];
    let length = u8::try_from(digits.len()).unwrap_or(16);
    if value < 0 {
        out.push(0x80 - length);
        out.extend(digits.iter().map(|byte| !byte));
    } else {
        out.push(0x80 + length);
        out.extend_from_slice(digits);
    }
}

/// `None` if [`encode_int`] does not write these bytes. A number has one form, so that no two ids are the same number.
pub(super) fn decode_int(bytes: &[u8]) -> Option<i128> {
    let (head, digits) = bytes.split_first()?;
    let negative = *head < 0x80;
    let zero = if negative { 0xff } else { 0 };
    if digits.len() != usize::from(head.abs_diff(0x80)) || digits.len() > 15 || digits.first() == Some(&zero) {
        return None;
    }
    let magnitude =
        digits.iter().fold(0_i128, |sum, byte| (sum << 8) | i128::from(if negative { !byte } else { *byte }));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_all_widths_share_one_key_and_sort_as_numbers() {
        assert_eq!(5_i8.to_key(), 5_u64.to_key());
        let numbers = [i64::MIN, -65_536, -256, -255, -1, 0, 1, 255, 256, 65_535, i64::MAX];
        let keys: Vec<_> = numbers.iter().map(TaskId::to_key).collect();
        assert!(keys.is_sorted());
        for (number, key) in numbers.iter().zip(&keys) {
            assert_eq!(key.as_int(), Some(i128::from(*number)));
            assert_eq!(key.to_string(), number.to_string());
        }
        assert_eq!(u64::MAX.to_key().as_int(), Some(i128::from(u64::MAX)));
    }

    #[test]
    fn ids_of_different_types_never_meet() {
        let uuid = Uuid::from_bytes([b'1'; 16]);
        let keys = ["1".to_key(), 1.to_key(), b"1"[..].to_key(), uuid.to_key(), "1".repeat(16).to_key()];
        for (at, key) in keys.iter().enumerate() {
            assert!(keys[..at].iter().all(|other| other != key));
            assert_eq!(TaskKey::from_bytes(key.as_bytes()).as_ref(), Some(key));
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_shown_escaped() {
        assert_eq!(b"a\\b\xff"[..].to_key().to_string(), "a\\\\b\\xff");
        assert_eq!("naïve".to_key().to_string(), "naïve");
    }

    #[test]
    fn integer_in_a_longer_form_is_refused() {
        for bytes in [
            &b"i\x81\x00"[..],
            b"i\x82\x00\x05",
            b"i\x7f\xff",
            b"i\x7e\xff\xfa",
            b"i\x8f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
        ] {
            assert_eq!(TaskKey::from_bytes(bytes), None, "{bytes:?}");
        }
        for number in [0_i64, 1, -1, 255, 256, -255, -256, -257, i64::MIN, i64::MAX] {
            let key = number.to_key();
            assert_eq!(TaskKey::from_bytes(key.as_bytes()), Some(key));
        }
    }

    #[test]
    fn bytes_longer_than_an_id_may_be_are_refused() {
        let of = |length: usize| [&b"s"[..], &vec![b'x'; length - 1]].concat();
        assert!(TaskKey::from_bytes(&of(LONGEST)).is_some());
        assert_eq!(TaskKey::from_bytes(&of(LONGEST + 1)), None);
        assert_eq!(TaskKey::from_bytes(&of(10 << 20)), None);
    }

    #[test]
    fn bytes_that_no_id_has_are_refused() {
        for bytes in [&b""[..], b"x1", b"u123", b"s\xff", b"i", b"i\x81", b"i\x7f\x01\x02"] {
            assert_eq!(TaskKey::from_bytes(bytes), None, "{bytes:?}");
        }
    }
}
