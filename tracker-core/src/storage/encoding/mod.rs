//! Turns the records of the tables into bytes and back: a version byte, the record in bincode, a checksum. No other module does so; plain
//! numbers and keys are not records. Called by `storage`, which reads and writes rows, and by `engine/action/bulk`; pure.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod attempt;
mod batch;
mod dependency_end;
mod file_state;
mod follow_up;
mod header;
mod kind;
mod move_mark;
mod schedule;
mod task_row;
mod throttle;

pub(crate) use dependency_end::{end_code, end_of, on_failure_code, on_failure_of};
pub(crate) use header::times as header_times;
pub(crate) use kind::role_code;
pub(crate) use task_row::is_row_of;

use bincode::{Decode, Encode, config, error::EncodeError};
use xxhash_rust::xxh3::xxh3_64;

use crate::model::error::{Error, ErrorKind, Result};

/// The version of the records in the tables, and their first byte.
const VERSION: u8 = 1;
/// The longest record that is decoded: the largest payload and the largest fields beside it.
const LONGEST: usize = 64 << 20;

/// A domain type that is kept as a record.
pub(crate) trait Encodable: Sized {
    /// How the record looks on disk.
    type Encoded: Encode + Decode<()>;

    fn to_encoded(&self) -> Self::Encoded;

    /// Writes the record. Large values do it without a copy.
    fn encode_into(&self, bytes: &mut Vec<u8>) -> Result<usize, EncodeError> {
        bincode::encode_into_std_write(self.to_encoded(), bytes, config::standard())
    }

    /// The value of a record. The error names the field that is wrong.
    fn from_encoded(record: Self::Encoded) -> Result<Self, &'static str>;
}

/// The bytes of a value.
pub(crate) fn encode<T: Encodable>(value: &T) -> Result<Vec<u8>> {
    // Most records fit.
    let mut bytes = Vec::with_capacity(256);
    bytes.push(VERSION);
    value
        .encode_into(&mut bytes)
        .map_err(|error| Error::caused(ErrorKind::Invalid, "a record cannot be encoded", error))?;
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    Ok(bytes)
}

/// The bytes of a value in the row of this key. The checksum covers the key, so that a damaged key, or a value in another row, does not fit it.
pub(crate) fn encode_at<T: Encodable>(key: &[u8], value: &T) -> Result<Vec<u8>> {
    let mut bytes = encode(value)?;
    bind(&mut bytes, key);
    Ok(bytes)
}

/// Makes the checksum of a record cover the key of its row. A second call with the same key undoes that.
pub(crate) fn bind(record: &mut [u8], key: &[u8]) {
    if let Some(sum) = record.last_chunk_mut::<4>() {
        sum.iter_mut().zip(checksum(key)).for_each(|(byte, other)| *byte ^= other);
    }
}

/// A record of the fuzzer's bytes, with the right version and checksum.
#[cfg(any(fuzzing, test))]
pub(crate) fn record_of(fields: &[u8]) -> Vec<u8> {
    let mut bytes = [&[VERSION], fields].concat();
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

/// The value of bytes, after a check of their version and checksum. The error is the text of what is wrong with them.
pub(crate) fn decode<T: Encodable>(bytes: &[u8]) -> Result<T, String> {
    decode_bound(bytes, [0; 4])
}

/// [`decode`] for a record that is bound to the key of its row.
pub(crate) fn decode_at<T: Encodable>(key: &[u8], bytes: &[u8]) -> Result<T, String> {
    decode_bound(bytes, checksum(key))
}

fn decode_bound<T: Encodable>(bytes: &[u8], key_checksum: [u8; 4]) -> Result<T, String> {
    let (content, sum) = bytes.split_last_chunk::<4>().ok_or("it is cut short")?;
    if u32::from_le_bytes(checksum(content)) != u32::from_le_bytes(*sum) ^ u32::from_le_bytes(key_checksum) {
        return Err("its checksum does not fit".to_owned());
    }
    let record = match content.split_first() {
        Some((&VERSION, record)) => record,
        Some((version, _)) => return Err(format!("its version is {version}, this program knows {VERSION}")),
        None => return Err("it is cut short".to_owned()),
    };
    let limited = config::standard().with_limit::<LONGEST>();
    let (record, read) = bincode::decode_from_slice(record, limited).map_err(|error| error.to_string())?;
    if read + 1 != content.len() {
        return Err("it is longer than its content".to_owned());
    }
    T::from_encoded(record).map_err(str::to_owned)
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = xxh3_64(bytes).to_le_bytes();
    [a, b, c, d]
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::model::task_row::Progress;

    fn sample() -> Progress {
        Progress { done: 7, total: Some(300), message: "half way".to_owned(), at: -1 }
    }

    #[test]
    fn a_record_comes_back() {
        assert_eq!(decode::<Progress>(&encode(&sample()).unwrap()), Ok(sample()));
    }

    #[test]
    fn a_record_in_another_row_is_refused() {
        let bytes = encode_at(b"one", &sample()).unwrap();
        assert_eq!(decode_at::<Progress>(b"one", &bytes), Ok(sample()));
        assert!(decode_at::<Progress>(b"two", &bytes).is_err());
        assert!(decode::<Progress>(&bytes).is_err());
    }

    #[test]
    fn a_record_with_any_bit_flipped_is_refused() {
        let bytes = encode(&sample()).unwrap();
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(decode::<Progress>(&damaged).is_err(), "bit {at}");
        }
    }

    #[test]
    fn a_record_cut_anywhere_is_refused() {
        let bytes = encode(&sample()).unwrap();
        for length in 0..bytes.len() {
            assert!(decode::<Progress>(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_record_of_another_version_is_refused_by_its_version() {
        let mut bytes = encode(&sample()).unwrap();
        bytes.truncate(bytes.len() - 4);
        bytes[0] = VERSION + 1;
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        assert_eq!(
            decode::<Progress>(&bytes),
            Err(format!("its version is {}, this program knows {VERSION}", VERSION + 1))
        );
    }
}
