//! How large things may be.

use crate::{
    error::{Error, Result},
    store::KindSpec,
    task::TaskKey,
};

/// The longest id, in bytes of its encoded form.
const ID: usize = 1024;
/// The longest value of an index or a unique key.
const VALUE: usize = 1024;
/// The largest payload: 16 MiB.
const PAYLOAD: usize = 16 << 20;

/// The longest error text, cause, debug form, note, reason, message: 16 KiB. Longer ones are cut.
pub(crate) const TEXT: usize = 16 << 10;
/// The longest name of a worker or a metric. Longer ones are cut.
pub(crate) const NAME: usize = 128;
/// How many causes, notes and metrics an attempt keeps.
pub(crate) const MANY: usize = 100;
/// The longest name of a kind, a status, a step or a field.
const KIND_NAME: usize = 128;
/// The most kinds in a file.
const KINDS: usize = 1_000;
/// The most statuses of a kind.
const STATUSES: usize = 256;
/// The most indexes of a kind, and the most unique keys.
const INDEXES: usize = 64;
/// The most tasks that follow from one success.
const FOLLOWERS: usize = 1_000;
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

/// Refuses a kind with more, or longer names, than a kind may have.
pub(super) fn check_kind(spec: &KindSpec) -> Result<()> {
    let name = &spec.name;
    if name.is_empty() || name.len() > KIND_NAME {
        return Err(Error::invalid(format!("the kind's name {name:?} must have 1 to {KIND_NAME} bytes")));
    }
    let counts = [
        ("statuses", spec.graph.statuses().len(), STATUSES),
        ("indexes", spec.indexes.len(), INDEXES),
        ("unique keys", spec.uniques.len(), INDEXES),
    ];
    if let Some((what, count, most)) = counts.into_iter().find(|(_, count, most)| count > most) {
        return Err(Error::too_many(&format!("kind {name:?}"), what, count, most));
    }
    let statuses = spec.graph.statuses().iter().map(|status| status.name.as_str());
    let keys = spec.uniques.iter().map(|(key, _)| key.as_str());
    let names = statuses.chain(spec.graph.steps()).chain(spec.indexes.iter().map(String::as_str)).chain(keys);
    match names.into_iter().find(|name| name.len() > KIND_NAME) {
        Some(long) => Err(Error::too_large(&format!("kind {name:?}: the name {long:?}"), long.len(), KIND_NAME)),
        None => Ok(()),
    }
}

/// Refuses one more kind in a file that has many.
pub(crate) fn check_kinds(kinds: usize) -> Result<()> {
    if kinds < KINDS { Ok(()) } else { Err(Error::too_many("the file", "kinds", kinds + 1, KINDS)) }
}

/// Refuses one more task that follows from a success.
pub(crate) fn check_followers(followers: usize) -> Result<()> {
    if followers < FOLLOWERS {
        Ok(())
    } else {
        Err(Error::too_many("a success", "tasks that follow", followers + 1, FOLLOWERS))
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
