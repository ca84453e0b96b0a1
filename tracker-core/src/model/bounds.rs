//! Limits the sizes and counts of payloads, texts, names and kinds, and shortens texts to them. Used by `model`, and by `api`, `portable` and
//! `engine/writer/rebuild`, where a value is created or read from outside. Pure.

use crate::model::{
    error::{Error, Result},
    kind::KindSpec,
    task::{LONGEST as ID, TaskKey},
};

/// The longest value of an index or a unique key.
const VALUE: usize = 1024;
/// The largest payload: 16 MiB.
const PAYLOAD: usize = 16 << 20;

/// The longest error text, cause, debug form, note, reason, message: 16 KiB. Longer ones are cut.
pub(crate) const TEXT: usize = 16 << 10;
/// The longest name of a worker or a metric, which are cut, and of a schedule or a resource.
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
pub(crate) const RATE: u32 = 10_000;

/// Refuses ids that are empty or too long.
pub(crate) fn check_id(id: &TaskKey) -> Result<()> {
    check_key("the task's id", id)
}

/// Refuses throttle keys that are empty or too long.
pub(crate) fn check_throttle_key(key: &TaskKey) -> Result<()> {
    check_key("the throttle key", key)
}

/// Refuses names of schedules that are empty or too long.
#[cfg(feature = "json")]
pub(crate) fn check_schedule_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > NAME {
        return Err(Error::invalid(format!("the schedule's name {name:?} must have 1 to {NAME} bytes")));
    }
    Ok(())
}

fn check_key(what: &str, key: &TaskKey) -> Result<()> {
    if key.is_empty() && key.as_int().is_none() {
        return Err(Error::invalid(format!("{what} is empty: give it at least one character")));
    }
    match key.as_bytes().len() {
        long if long > ID => Err(Error::too_large(what, long, ID)),
        _ => Ok(()),
    }
}

/// Refuses a kind with more, or longer names, than a kind may have.
pub(crate) fn check_kind(spec: &KindSpec) -> Result<()> {
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

/// Cuts a text to at most `limit` bytes. A text that was cut ends with a note of that.
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::model::{
        error::ErrorKind,
        status::{Graph, Role, StatusInfo},
        task::{Policy, TaskId},
    };

    /// A value of the largest size is accepted; one unit more is refused with its size and the limit.
    fn edge(most: usize, check: impl Fn(usize) -> Result<()>) {
        check(most).unwrap_or_else(|error| panic!("{error}"));
        let error = check(most + 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        let words = error.to_string();
        assert!(words.contains(&(most + 1).to_string()) && words.contains(&most.to_string()), "{words}");
    }

    fn spec(name: &str, statuses: usize, status: &str, indexes: usize, uniques: usize) -> KindSpec {
        let roles = [Role::Pending, Role::InProgress, Role::Failed, Role::Succeeded];
        let roles = roles.into_iter().chain(std::iter::repeat(Role::Parked));
        let info = |(code, role)| StatusInfo { code, name: format!("{code}{status}"), role, step: 0 };
        let statuses = (0..).zip(roles).take(statuses).map(info).collect();
        KindSpec {
            name: name.to_owned(),
            graph: Graph::new(vec![String::new()], statuses).unwrap_or_else(|error| panic!("{error}")),
            indexes: (0..indexes).map(|number| number.to_string()).collect(),
            priority_field: None,
            uniques: (0..uniques).map(|number| (number.to_string(), false)).collect(),
            policy: Policy::DEFAULT,
        }
    }

    #[test]
    fn parts_of_a_task_are_accepted_up_to_their_limit() {
        // One byte is the type of the id.
        edge(1_024, |long| check_id(&"x".repeat(long - 1).to_key()));
        edge(16 << 20, |long| check_payload(&vec![0; long]));
        edge(1_024, |long| check_values(&[Vec::new(), vec![0; long]]));
        edge(1_000, |followers| check_followers(followers - 1));
    }

    #[test]
    fn parts_of_a_kind_are_accepted_up_to_their_limit() {
        edge(256, |statuses| check_kind(&spec("job", statuses, "", 0, 0)));
        edge(64, |indexes| check_kind(&spec("job", 4, "", indexes, 0)));
        edge(64, |uniques| check_kind(&spec("job", 4, "", 0, uniques)));
        edge(128, |long| check_kind(&spec("job", 4, &"x".repeat(long - 1), 0, 0)));
        edge(1_000, |kinds| check_kinds(kinds - 1));
        check_kind(&spec(&"x".repeat(128), 4, "", 0, 0)).unwrap_or_else(|error| panic!("{error}"));
        for name in [String::new(), "x".repeat(129)] {
            assert_eq!(check_kind(&spec(&name, 4, "", 0, 0)).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters_and_states_its_length() {
        assert_eq!(shorten("ééé".to_owned(), 6), "ééé");
        assert_eq!(shorten("ééé".to_owned(), 5), "éé … [6 bytes, cut]");
        assert_eq!(shorten("ééé".to_owned(), 0), " … [6 bytes, cut]");
        assert_eq!((cut(vec![1, 2, 3], 3), cut(vec![1, 2, 3], 2)), (vec![1, 2, 3], vec![1, 2]));
    }
}
