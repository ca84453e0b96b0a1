//! Serializes a `TaskKey` as its stored bytes, and reads only bytes that an id can have. Called by serde for `TaskKey`, and by
//! `model/payload/json` and `api/live/request`; pure.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};

use super::TaskKey;

impl Serialize for TaskKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_bytes())
    }
}

impl<'de> Deserialize<'de> for TaskKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = bytes_of(deserializer)?;
        Self::from_bytes(&bytes).ok_or_else(|| D::Error::custom("expected the bytes of a task's id"))
    }
}

/// Reads a byte string, or a list of bytes in formats without byte strings.
pub(crate) fn bytes_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_byte_buf(Bytes)
}

struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::model::task::TaskId as _;

    #[test]
    fn serialized_id_is_read_back_and_checked() {
        for key in ["text".to_key(), 7_u64.to_key(), uuid::Uuid::nil().to_key(), b"\xff\0".as_slice().to_key()] {
            let packed = rmp_serde::to_vec(&key).unwrap();
            assert_eq!(rmp_serde::from_slice::<TaskKey>(&packed).unwrap(), key);
            let json = serde_json::to_string(&key).unwrap();
            assert_eq!(serde_json::from_str::<TaskKey>(&json).unwrap(), key);
        }
        let unknown_tag = rmp_serde::to_vec(&TaskKeyBytes(b"x7")).unwrap();
        let error = rmp_serde::from_slice::<TaskKey>(&unknown_tag).unwrap_err();
        assert!(error.to_string().contains("expected the bytes of a task's id"), "{error}");
    }

    struct TaskKeyBytes(&'static [u8]);

    impl Serialize for TaskKeyBytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }
}
