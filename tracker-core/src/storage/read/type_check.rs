//! Refuses look-ups by an id or a key whose type differs from the stored ones, with an error that names both types. Called by `api`,
//! `engine/action`, `engine/writer/dependencies` and `portable/imported_task`, after a look-up has found nothing or when a type opens a
//! kind. Reads the first and the last row of a kind or an index.

use redb::{ReadableTable, Value};

use crate::{
    model::{
        error::{Error, ErrorKind, Result},
        kind::Kind,
        task::{TaskKey, TaskRef, ValueType, key_values},
    },
    storage::{
        keys,
        store::StoredTable,
        tables::{Source, Tables},
    },
};

impl<S: Source> Tables<S> {
    /// Finds a task by its id. An id of another type than those of the kind's tasks is an error.
    pub(crate) fn look_up(&mut self, kind: &Kind, id: &TaskKey) -> Result<Option<TaskRef>> {
        if let Some(task) = self.with_id(kind.id, id)? {
            return Ok(Some(task));
        }
        match self.id_type(kind.id)? {
            Some(stored) => check_id("look up", kind, id, stored).map(|()| None),
            None => Ok(None),
        }
    }

    /// Refuses a type whose ids are not of the type of those that the kind has.
    pub(crate) fn check_id_type(&mut self, kind: &Kind, declared: ValueType) -> Result<()> {
        match self.id_type(kind.id)? {
            Some(stored) if stored != declared => Err(Error::new(
                ErrorKind::SchemaMismatch,
                format!(
                    "cannot open kind {:?}: its stored ids are {}, and the type declares {}; use another kind name, or export the tasks, change their ids and import them",
                    kind.name,
                    stored.many(),
                    declared.many(),
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The type of all ids of a kind; `None` if it has no task, or ids of several types.
    fn id_type(&mut self, kind: u32) -> Result<Option<ValueType>> {
        let prefix = kind.to_be_bytes();
        common_type(self.ids()?, &prefix, ValueType::of_id)
    }

    /// Returns a task for each index and unique key of a kind: the task of the last row. `Register` compares its stored keys with those
    /// that the type computes. `None` sorts first and has no type, so the last value has a type if any value has one.
    pub(crate) fn last_keyed(&mut self, kind: &Kind) -> Result<Vec<TaskRef>> {
        let mut tasks = Vec::new();
        for (number, _) in (0..).zip(&kind.indexes) {
            let prefix = prefix(kind.id, number);
            if let Some(end) = end_of(&prefix)
                && let Some(row) = self.indexes()?.range::<&[u8]>(prefix.as_slice()..end.as_slice())?.next_back()
            {
                tasks.extend(keys::index_seq(row?.0.value()).map(|seq| kind.task(seq)));
            }
        }
        for (number, _) in (0..).zip(&kind.uniques) {
            let prefix = prefix(kind.id, number);
            if let Some(end) = end_of(&prefix)
                && let Some(row) = self.unique_keys()?.range::<&[u8]>(prefix.as_slice()..end.as_slice())?.next_back()
            {
                tasks.push(kind.task(row?.1.value()));
            }
        }
        Ok(tasks)
    }

    /// Refuses a value that has another type than all values of an index.
    pub(crate) fn check_index_type(&mut self, kind: &Kind, field: &str, number: u16, value: &[u8]) -> Result<()> {
        // The value follows its length.
        let stored = common_type(self.indexes()?, &prefix(kind.id, number), |key| ValueType::of(key.get(4..)?))?;
        check_value(kind, "index", field, stored, value)
    }

    /// Refuses a key that has another number of values, or values of another type, than all stored values of a unique key.
    /// No key, because a value of it is `None`, is accepted.
    pub(crate) fn check_unique_type(&mut self, kind: &Kind, name: &str, number: u16, key: &[u8]) -> Result<()> {
        let prefix = prefix(kind.id, number);
        let Some((first, last)) = first_and_last(self.unique_keys()?, &prefix)? else { return Ok(()) };
        let (Some(first), Some(last)) = (key_values(&first), key_values(&last)) else {
            let stored = ValueType::of(&first).filter(|first| Some(*first) == ValueType::of(&last));
            return check_value(kind, "unique key", name, stored, key);
        };
        let values = key_values(key).unwrap_or_else(|| vec![key]);
        if key.is_empty() || first.len() != last.len() {
            return Ok(());
        }
        if values.len() != first.len() {
            return Err(Error::invalid(format!(
                "cannot search the unique key {name:?} of kind {:?} for {}: it has {} fields",
                kind.name,
                if values.len() == 1 { "1 value".to_owned() } else { format!("{} values", values.len()) },
                first.len(),
            )));
        }
        for ((first, last), value) in first.into_iter().zip(last).zip(values) {
            let stored = ValueType::of(first).filter(|first| Some(*first) == ValueType::of(last));
            check_value(kind, "unique key", name, stored, value)?;
        }
        Ok(())
    }
}

/// Refuses an id of another type than `own`, the type of the ids of a kind. `verb` is the call, for the message.
pub(crate) fn check_id(verb: &str, kind: &Kind, id: &TaskKey, own: ValueType) -> Result<()> {
    match ValueType::of_id(id.as_bytes()) {
        Some(given) if given != own => Err(Error::invalid(format!(
            "cannot {verb} \"{id}\" in kind {:?}: it is {}, and the ids of this kind are {}",
            kind.name,
            given.one(),
            own.many(),
        ))),
        _ => Ok(()),
    }
}

fn prefix(kind: u32, number: u16) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &number.to_be_bytes()].concat()
}

fn check_value(kind: &Kind, what: &str, name: &str, stored: Option<ValueType>, value: &[u8]) -> Result<()> {
    match (stored, ValueType::of(value)) {
        (Some(stored), Some(given)) if stored != given => Err(Error::invalid(format!(
            "cannot search the {what} {name:?} of kind {:?} for {}: its values are {}",
            kind.name,
            given.one(),
            stored.many(),
        ))),
        _ => Ok(()),
    }
}

/// The type of the values whose keys have a prefix. `None` if the types of the first and the last value differ.
fn common_type<V: Value + 'static>(
    table: &StoredTable<impl ReadableTable<&'static [u8], V>, &'static [u8], V>,
    prefix: &[u8],
    type_of: impl Fn(&[u8]) -> Option<ValueType>,
) -> Result<Option<ValueType>> {
    let ends = first_and_last(table, prefix)?;
    Ok(ends.and_then(|(first, last)| type_of(&first).filter(|first| Some(*first) == type_of(&last))))
}

/// The first key after all keys with a prefix.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

/// Returns the rest of the first and of the last key with a prefix.
fn first_and_last<V: Value + 'static>(
    table: &StoredTable<impl ReadableTable<&'static [u8], V>, &'static [u8], V>,
    prefix: &[u8],
) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let Some(end) = end_of(prefix) else { return Ok(None) };
    let mut range = table.range::<&[u8]>(prefix..end.as_slice())?;
    let rest = |key: &[u8]| key.get(prefix.len()..).unwrap_or_default().to_vec();
    let first = match range.next() {
        Some(row) => rest(row?.0.value()),
        None => return Ok(None),
    };
    let last = match range.next_back() {
        Some(row) => rest(row?.0.value()),
        None => first.clone(),
    };
    Ok(Some((first, last)))
}
