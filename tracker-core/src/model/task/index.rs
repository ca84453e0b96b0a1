//! `IndexValue` is implemented by the types that an index accepts, and writes their bytes in order. Called by the code that the derive
//! generates, and by `api/query`, `api/inspect`, `api/tasks/lookup` and `portable/value`. Pure, except for the `IndexValue` of the user's own types.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::id::{encode_bytes, encode_int, encode_str, encode_uuid};

/// A value that an index or a unique key can hold: different values have different bytes.
///
/// Integers of every width encode by value, and in numeric order.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of an index or a unique key",
    label = "not a string, an integer, a `bool`, a `Uuid`, a time, a byte string, a path or an `Option` of one",
    note = "a newtype implements `IndexValue` by its value: `fn encode(&self, out: &mut Vec<u8>) {{ self.0.encode(out) }}`"
)]
pub trait IndexValue {
    /// Appends the encoded value.
    fn encode(&self, out: &mut Vec<u8>);

    /// The encoded value.
    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

impl IndexValue for str {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_str(self, out);
    }
}

impl IndexValue for String {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_str(self, out);
    }
}

impl IndexValue for [u8] {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_bytes(self, out);
    }
}

impl IndexValue for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_bytes(self, out);
    }
}

impl IndexValue for Path {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_bytes(self.as_os_str().as_encoded_bytes(), out);
    }
}

impl IndexValue for PathBuf {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_path().encode(out);
    }
}

impl IndexValue for Uuid {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_uuid(*self, out);
    }
}

impl IndexValue for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_int(i128::from(*self), out);
    }
}

impl IndexValue for DateTime<Utc> {
    fn encode(&self, out: &mut Vec<u8>) {
        let nanos = i128::from(self.timestamp()) * 1_000_000_000 + i128::from(self.timestamp_subsec_nanos());
        encode_int(nanos, out);
    }
}

impl<T: IndexValue> IndexValue for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.encode(out);
            }
        }
    }
}

impl<T: IndexValue + ?Sized> IndexValue for &T {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl IndexValue for $int {
            fn encode(&self, out: &mut Vec<u8>) {
                encode_int(i128::from(*self), out);
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64);
