//! How large things may be.

use crate::{
    error::{Error, Result},
    task::TaskKey,
};

/// The longest id, in bytes of its encoded form.
const ID: usize = 1024;
/// The longest value of an index or a unique key.
const VALUE: usize = 1024;
/// The largest payload: 16 MiB.
const PAYLOAD: usize = 16 << 20;

/// The most starts in the period of a rate: so many times are kept.
pub(super) const RATE: u32 = 10_000;

/// Refuses ids that are empty or too long.
pub(crate) fn check_id(id: &TaskKey) -> Result<()> {
    if id.is_empty() && id.as_int().is_none() {
        return Err(Error::invalid("the task's id is empty: give it at least one character"));
    }
    match id.as_bytes().len() {
        long if long > ID => Err(Error::too_large("the task's id", long, ID)),
        _ => Ok(()),
    }
}

/// Refuses payloads that are too large.
pub(crate) fn check_payload(payload: &[u8]) -> Result<()> {
    match payload.len() {
        large if large > PAYLOAD => Err(Error::too_large("the task's payload", large, PAYLOAD)),
        _ => Ok(()),
    }
}

/// Refuses values of indexes and unique keys that are too long.
pub(crate) fn check_values(values: &[Vec<u8>]) -> Result<()> {
    match values.iter().map(Vec::len).find(|length| *length > VALUE) {
        Some(long) => Err(Error::too_large("the value of an index or a unique key", long, VALUE)),
        None => Ok(()),
    }
}

/// A text of at most `limit` bytes; one that was cut says so.
pub(crate) fn shorten(mut text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let all = text.len();
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text + &format!(" … [{all} bytes, cut]")
}

/// A list of at most `limit` entries.
pub(crate) fn cut<T>(mut list: Vec<T>, limit: usize) -> Vec<T> {
    list.truncate(limit);
    list
}
