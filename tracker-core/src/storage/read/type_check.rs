//! Look-ups by an id or a key of another type than the stored ones: an error that names both, instead of "not found". Called
//! only after a miss, so that a hit costs nothing more.

use redb::ReadableTable;

use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        task::{TaskKey, TaskRef, ValueType},
    },
    storage::tables::{Source, Tables},
};

impl<S: Source> Tables<S> {
    /// Finds a task by its id. An id of another type than those of the kind's tasks is an error.
    pub(crate) fn look_up(&mut self, kind: &Kind, id: &TaskKey) -> Result<Option<TaskRef>> {
        if let Some(task) = self.with_id(kind.id, id)? {
            return Ok(Some(task));
        }
        let given = ValueType::of_id(id.as_bytes());
        match self.id_type(kind.id)? {
            Some(stored) if given.is_some_and(|given| given != stored) => Err(Error::invalid(format!(
                "cannot look up {id:?} in kind {:?}: it is {}, and the ids of this kind are {}",
                kind.name,
                given.map_or("of another type", ValueType::one),
                stored.many(),
            ))),
            _ => Ok(None),
        }
    }

    /// The type of all ids of a kind; `None` if it has no task, or ids of several types.
    fn id_type(&mut self, kind: u32) -> Result<Option<ValueType>> {
        let prefix = kind.to_be_bytes();
        common_type(self.ids()?, &prefix, ValueType::of_id)
    }

    /// Refuses a value that has another type than all values of an index.
    pub(crate) fn check_index_type(&mut self, kind: &Kind, field: &str, number: u16, value: &[u8]) -> Result<()> {
        // The value stands behind its length.
        let stored = common_type(self.indexes()?, &prefix(kind.id, number), |key| ValueType::of(key.get(4..)?))?;
        check_value(kind, "index", field, stored, value)
    }

    /// Refuses a value that has another type than all values of a unique key.
    pub(crate) fn check_unique_type(&mut self, kind: &Kind, name: &str, number: u16, value: &[u8]) -> Result<()> {
        let stored = common_type(self.uniques()?, &prefix(kind.id, number), ValueType::of)?;
        check_value(kind, "unique key", name, stored, value)
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

/// The type of the values behind a prefix, where the first and the last one have the same.
fn common_type<V: redb::Value + 'static>(
    table: &impl ReadableTable<&'static [u8], V>,
    prefix: &[u8],
    type_of: impl Fn(&[u8]) -> Option<ValueType>,
) -> Result<Option<ValueType>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    if end.is_empty() {
        return Ok(None);
    }
    let mut range = table.range::<&[u8]>(prefix..end.as_slice())?;
    let of = |key: &[u8]| key.get(prefix.len()..).and_then(&type_of);
    let first = match range.next() {
        Some(row) => of(row?.0.value()),
        None => return Ok(None),
    };
    let last = match range.next_back() {
        Some(row) => of(row?.0.value()),
        None => first,
    };
    Ok(first.filter(|first| Some(*first) == last))
}
