//! Defines the entry points of the fuzz targets, and of the bounded tests here: the decoders of bytes that come from a damaged or hostile file,
//! or from another process. Called by the crate in `fuzz/`; compiled for tests and fuzzing only. Touches no file.

use crate::{
    api::live::frame,
    model::{
        codec::{self, PayloadCodecs},
        file_state::FileState,
        kind::Kind,
        new_task::NewTask,
        task::{TaskId, TaskKey, TaskRef, TrackedTask},
        task_row::{Progress, TaskRow},
        transition::{Batch, Header, StoredAttempt},
    },
    storage::{encoding, keys},
};

/// How many sorts of records there are.
const SORTS: u8 = 8;

/// Decodes a record of one of the types, and checks that its value is encoded to bytes that decode to the same value.
///
/// # Panics
/// If that does not hold.
pub fn record(sort: u8, bytes: &[u8]) {
    fn both<T: encoding::Encodable>(bytes: &[u8]) {
        let Ok(value) = encoding::decode::<T>(bytes) else { return };
        let first = encoding::encode(&value).expect("what was read can be written");
        let again = encoding::decode::<T>(&first).expect("what was written can be read");
        assert!(encoding::encode(&again).is_ok_and(|second| first == second), "a record changes by being read");
    }
    match sort % SORTS {
        0 => both::<Header>(bytes),
        1 => both::<TaskRow>(bytes),
        2 => both::<StoredAttempt>(bytes),
        3 => both::<Kind>(bytes),
        4 => both::<FileState>(bytes),
        5 => both::<Batch>(bytes),
        6 => both::<NewTask>(bytes),
        _ => both::<Progress>(bytes),
    }
}

/// The bytes of a record around these fields, with a version and a checksum that fit: past the first two checks.
#[must_use]
pub fn record_of(fields: &[u8]) -> Vec<u8> {
    encoding::record_of(fields)
}

/// Takes keys apart and puts them together again.
///
/// # Panics
/// If they are not the same then.
pub fn keys(bytes: &[u8]) {
    macro_rules! both {
        ($($key:ident),*) => {$(
            if let Some(chunk) = bytes.first_chunk::<{ keys::$key::LEN }>() {
                assert_eq!(keys::$key::unpack(chunk).pack(), *chunk, "a key changes by being read");
            }
        )*};
    }
    if let Some(chunk) = bytes.first_chunk::<{ TaskRef::LEN }>() {
        assert_eq!(TaskRef::unpack(chunk).pack(), *chunk, "a key changes by being read");
    }
    both!(AttemptKey, ClaimKey, UpdatedKey, CountKey);
    if let Some(seq) = keys::index_seq(bytes) {
        assert!(bytes.ends_with(&seq.to_be_bytes()));
    }
    if let Some(key) = TaskKey::from_bytes(bytes) {
        assert_eq!(key.as_bytes(), bytes);
        let forms =
            [key.as_str().is_some(), key.as_int().is_some(), key.as_uuid().is_some(), key.as_byte_string().is_some()];
        assert_eq!(forms.iter().filter(|form| **form).count(), 1, "an id has one form");
        assert!(key.is_empty() || !key.to_string().is_empty());
        assert_eq!(keys::id_key(7, &key)[4..], *bytes);
    }
}

/// Decodes a payload as a type, and checks that the value can be encoded and decoded again.
///
/// # Panics
/// If it is not.
pub fn payload<T: TrackedTask>(bytes: &[u8]) {
    let Ok(task) = codec::decode::<T>(&PayloadCodecs::default(), "fuzz", &"id".to_key(), bytes) else { return };
    // A value that is too large is refused.
    let Ok(first) = codec::encode(&task) else { return };
    let again = codec::decode::<T>(&PayloadCodecs::default(), "fuzz", &"id".to_key(), &first)
        .expect("what was written can be read");
    assert!(codec::encode(&again).is_ok_and(|second| first == second), "a payload changes by being read");
}

/// Decodes a live command and an answer, and checks that a decoded value is encoded and decoded again.
///
/// # Panics
/// If it is not.
pub fn live_command(bytes: &[u8]) {
    fn both<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
        let Ok(value) = frame::decode::<T>(bytes) else { return };
        let encoded = frame::encode(&value, usize::MAX).expect("what was read can be written");
        let (length, encoded) = encoded.split_at(4);
        assert_eq!(length, u32::try_from(encoded.len()).expect("it fits").to_be_bytes());
        assert_eq!(frame::decode::<T>(encoded).expect("what was written can be read"), value);
    }
    both::<frame::Call>(bytes);
    both::<frame::Answer>(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

        #[test]
        fn records_of_any_bytes_are_read_or_refused(sort in 0..SORTS, bytes: Vec<u8>) {
            record(sort, &bytes);
            record(sort, &record_of(&bytes));
        }

        #[test]
        fn live_commands_of_any_bytes_are_read_or_refused(start: u8, bytes: Vec<u8>) {
            live_command(&bytes);
            // A map or a string, as in most values.
            live_command(&[&[0x80 | start & 0x3f], bytes.as_slice()].concat());
        }

        #[test]
        fn keys_of_any_bytes_are_taken_apart_or_refused(tag in prop::sample::select(&b"bisu\0"[..]), mut bytes: Vec<u8>) {
            keys(&bytes);
            bytes.insert(0, tag);
            keys(&bytes);
        }
    }
}
