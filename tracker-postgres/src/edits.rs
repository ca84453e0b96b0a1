//! `Edits`: the changes of a unit of work as edits of rows of the server, and `Known`, the rows that the unit has loaded. Made by `unit`, sent
//! by `commit`; pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tracker_core::{
    Error,
    store::{RowChange, RowKey, StoreTable},
};

use crate::{
    keys::{self, Place, Task, TaskMap},
    sql::{Plain, TaskKey},
};

/// The keys and columns of a task that a unit has loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownTask {
    pub id_key: Option<RowKey>,
    pub claim_key: Option<RowKey>,
    pub updated_key: Option<RowKey>,
    /// Which of [`Column::ALL`] have a value.
    pub columns: [bool; 4],
}

/// The tasks and ids that a unit has loaded. Its locks keep them as they are until the unit ends.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// `None` for a task that does not exist.
    pub tasks: TaskMap<Option<KnownTask>>,
    /// Of the ids that were named. [`Self::add_ids`] adds those of `tasks`.
    pub ids: HashMap<RowKey, Option<Task>>,
    /// Sequence numbers that the unit has taken: no task has them.
    pub taken: Vec<std::ops::Range<i64>>,
}

impl Known {
    /// Adds the ids of the tasks, if a row of an id changes.
    fn add_ids(&mut self, rows: &[RowChange]) {
        if rows.iter().any(|row| row.table == StoreTable::Ids) {
            let ids =
                self.tasks.iter().filter_map(|(task, known)| Some((known.as_ref()?.id_key.clone()?, Some(*task))));
            self.ids.extend(ids);
        }
    }

    #[expect(clippy::option_option, reason = "a task may be unknown, or known not to exist")]
    fn task(&self, task: Task) -> Option<Option<&KnownTask>> {
        let is_new = || self.taken.iter().any(|range| range.contains(&task.1));
        self.tasks.get(&task).map(Option::as_ref).or_else(|| is_new().then_some(None))
    }
}

/// A change of a column: keep it, or replace it by a value or by nothing.
type Edit<'r> = Option<Option<&'r [u8]>>;

/// The changes of one task.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskEdit<'r> {
    pub id_key: Edit<'r>,
    pub claim_key: Edit<'r>,
    pub updated_key: Edit<'r>,
    pub columns: [Edit<'r>; 4],
}

/// The changes of tasks.
#[derive(Debug, Default)]
pub(crate) struct TaskEdits<'r> {
    pub inserted: Vec<(Task, TaskEdit<'r>)>,
    pub updated: Vec<(Task, TaskEdit<'r>)>,
    pub deleted: Vec<Task>,
}

/// Rows of the tables of key and value.
#[derive(Debug, Default)]
pub(crate) struct PlainEdits<'r> {
    /// Rows that were looked for and not there.
    pub inserted: Vec<(i16, &'r [u8], &'r [u8])>,
    pub put: Vec<(i16, &'r [u8], &'r [u8])>,
    pub deleted: Vec<(i16, &'r [u8])>,
}

/// All changes of a unit.
#[derive(Debug, Default)]
pub(crate) struct Edits<'r> {
    pub tasks: TaskEdits<'r>,
    pub plain: BTreeMap<usize, PlainEdits<'r>>,
    /// Counts that get a value, or are removed.
    pub counts: Vec<(&'r [u8], Option<i64>)>,
}

pub(crate) const PLAIN: [Plain; 4] = [Plain::Rows, Plain::History, Plain::Indexes, Plain::UniqueKeys];

/// The tasks and ids that must be loaded before the changes can be grouped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    pub tasks: BTreeSet<Task>,
    pub ids: BTreeSet<Vec<u8>>,
}

/// The task that a changed row belongs to; `None` for another table, and for an id that is removed.
fn task_of(row: &RowChange) -> Result<Option<Task>, Error> {
    Ok(match keys::place(row.table)? {
        Place::Column(_) => Some(keys::task(row.table, &row.key)?),
        Place::Key(TaskKey::Claim) => Some(keys::claimed_task(&row.key)?.0),
        Place::Key(TaskKey::Updated) => Some(keys::updated_task(&row.key)?),
        Place::Key(TaskKey::Id) => match &row.value {
            Some(value) => Some((keys::kind_of(row.table, &row.key)?, keys::number_of(row.table, &row.key, value)?)),
            None => None,
        },
        Place::Counts | Place::Plain(..) => None,
    })
}

/// The tasks and ids of changed rows of which nothing is known.
pub(crate) fn missing(rows: &[RowChange], known: &mut Known) -> Result<Missing, Error> {
    known.add_ids(rows);
    let mut missing = Missing::default();
    for row in rows {
        match task_of(row)? {
            Some(task) if known.task(task).is_none() => drop(missing.tasks.insert(task)),
            None if row.table == StoreTable::Ids && !known.ids.contains_key(&row.key) => {
                missing.ids.insert(row.key.to_vec());
            }
            _ => {}
        }
    }
    Ok(missing)
}

/// Groups changed rows. Nothing that they change is [`missing`].
pub(crate) fn group<'r>(rows: &'r [RowChange], known: &mut Known) -> Result<Edits<'r>, Error> {
    known.add_ids(rows);
    let mut tasks: BTreeMap<Task, TaskEdit<'r>> = BTreeMap::new();
    let mut edits = Edits::default();
    // Values first: a removed key is ignored if the task has got another one.
    for row in rows.iter().filter(|row| row.value.is_some()) {
        let value = row.value.as_deref();
        let Some(task) = task_of(row)? else { continue };
        let edit = tasks.entry(task).or_default();
        match keys::place(row.table)? {
            Place::Column(column) => edit.columns[column as usize] = Some(value),
            Place::Key(key) => *edit.key(key) = Some(Some(&*row.key)),
            Place::Counts | Place::Plain(..) => {}
        }
        // The insert of a new id that a rival has taken since fails, which is a conflict. Otherwise the id moves from the task that had it.
        if row.table == StoreTable::Ids
            && !row.is_new
            && let Some(Some(owner)) = known.ids.get(&row.key)
            && *owner != task
        {
            tasks.entry(*owner).or_default().id_key.get_or_insert(None);
        }
    }
    for row in rows {
        match (keys::place(row.table)?, &row.value) {
            (Place::Column(column), None) => {
                let task = keys::task(row.table, &row.key)?;
                tasks.entry(task).or_default().columns[column as usize] = Some(None);
            }
            (Place::Key(key), None) => {
                let owner = match task_of(row)? {
                    Some(task) => Some(task),
                    None => known.ids.get(&row.key).copied().flatten(),
                };
                let Some(owner) = owner else { continue };
                let stored = known.task(owner).flatten().and_then(|task| task.key(key));
                if stored == Some(&*row.key) {
                    tasks.entry(owner).or_default().key(key).get_or_insert(None);
                }
            }
            (Place::Counts, value) => {
                let number = value.as_ref().map(|value| keys::number_of(row.table, &row.key, value)).transpose()?;
                edits.counts.push((&row.key, number));
            }
            (Place::Plain(plain, number), value) => {
                if plain == Plain::Indexes {
                    // The commit splits the key.
                    keys::index_value(&row.key)?;
                }
                let edits = edits.plain.entry(plain as usize).or_default();
                match value {
                    None => edits.deleted.push((number, &row.key)),
                    Some(value) if row.is_new => {
                        edits.inserted.push((number, &row.key, value));
                    }
                    Some(value) => edits.put.push((number, &row.key, value)),
                }
            }
            (Place::Column(_) | Place::Key(_), Some(_)) => {}
        }
    }
    for (task, edit) in tasks {
        match known.task(task).flatten() {
            Some(stored) if edit.leaves_nothing(stored) => edits.tasks.deleted.push(task),
            Some(_) if edit == TaskEdit::default() => {}
            Some(_) => edits.tasks.updated.push((task, edit)),
            None if edit.leaves_nothing(&KnownTask::default()) => {}
            None => edits.tasks.inserted.push((task, edit)),
        }
    }
    Ok(edits)
}

impl<'r> TaskEdit<'r> {
    fn key(&mut self, key: TaskKey) -> &mut Edit<'r> {
        match key {
            TaskKey::Id => &mut self.id_key,
            TaskKey::Claim => &mut self.claim_key,
            TaskKey::Updated => &mut self.updated_key,
        }
    }

    /// Whether a task has no value left.
    fn leaves_nothing(&self, stored: &KnownTask) -> bool {
        let is_left = |edit: Edit, was: bool| edit.map_or(was, |value| value.is_some());
        !is_left(self.id_key, stored.id_key.is_some())
            && !is_left(self.claim_key, stored.claim_key.is_some())
            && !is_left(self.updated_key, stored.updated_key.is_some())
            && !self.columns.iter().zip(stored.columns).any(|(edit, was)| is_left(*edit, was))
    }
}

impl KnownTask {
    fn key(&self, key: TaskKey) -> Option<&[u8]> {
        match key {
            TaskKey::Id => self.id_key.as_deref(),
            TaskKey::Claim => self.claim_key.as_deref(),
            TaskKey::Updated => self.updated_key.as_deref(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn change(table: StoreTable, key: &[u8], value: Option<u64>) -> RowChange {
        RowChange {
            table,
            key: RowKey::from(key),
            value: value.map(|number| number.to_le_bytes().to_vec()),
            is_new: false,
        }
    }

    /// Kind 1, then the text of an id.
    fn id(text: &str) -> Vec<u8> {
        [&1_u32.to_be_bytes()[..], text.as_bytes()].concat()
    }

    fn updated(time: i64, seq: u64) -> Vec<u8> {
        [&1_u32.to_be_bytes()[..], &10_i32.to_be_bytes(), &time.to_be_bytes(), &seq.to_be_bytes()].concat()
    }

    fn known(tasks: impl IntoIterator<Item = (i64, KnownTask)>) -> Known {
        let tasks = tasks.into_iter().map(|(seq, task)| ((1, seq), Some(task))).collect();
        Known { tasks, ..Known::default() }
    }

    fn stored() -> KnownTask {
        KnownTask { columns: [true; 4], ..KnownTask::default() }
    }

    #[test]
    fn id_that_goes_to_another_task_leaves_its_owner() {
        let id = id("a");
        let owner = KnownTask { id_key: Some(RowKey::from(&*id)), ..stored() };
        let mut known = known([(7, owner), (8, stored()), (9, stored())]);
        let rows = [change(StoreTable::Ids, &id, Some(8))];
        let edits = group(&rows, &mut known).unwrap();
        let id_keys: Vec<_> = edits.tasks.updated.iter().map(|(task, edit)| (task.1, edit.id_key)).collect();
        assert_eq!(id_keys, [(7, Some(None)), (8, Some(Some(&*id)))]);
        assert!(edits.tasks.inserted.is_empty() && edits.tasks.deleted.is_empty());
    }

    #[test]
    fn removed_key_clears_only_the_stored_key() {
        let (earlier, later) = (updated(1, 7), updated(2, 7));
        let stored = KnownTask { updated_key: Some(RowKey::from(&*later)), ..stored() };
        for (removed, cleared) in [(&earlier, false), (&later, true)] {
            let mut known = known([(7, stored.clone())]);
            let rows = [change(StoreTable::Updated, removed, None)];
            let edits = group(&rows, &mut known).unwrap();
            let updated: Vec<_> = edits.tasks.updated.iter().map(|(task, edit)| (task.1, edit.updated_key)).collect();
            assert_eq!(updated, if cleared { vec![(7, Some(None))] } else { Vec::new() });
            assert!(edits.tasks.deleted.is_empty());
        }
    }

    #[test]
    fn task_without_a_value_left_is_deleted() {
        let id = id("a");
        let task = KnownTask { id_key: Some(RowKey::from(&*id)), ..KnownTask::default() };
        let mut known = known([(7, task)]);
        let rows = [change(StoreTable::Ids, &id, None)];
        let edits = group(&rows, &mut known).unwrap();
        assert_eq!(edits.tasks.deleted, [(1, 7)]);
        assert!(edits.tasks.updated.is_empty());
    }
}
