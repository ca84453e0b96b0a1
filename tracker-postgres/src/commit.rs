//! The commit of a unit of work: all changes and the end of the transaction in one pipeline. If the connection breaks, asks the server on a new
//! one whether the commit is stored. Called by `unit`; `caller/unit` uses `statements`.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use tracker_core::{
    Error, ErrorKind,
    store::{Access, Changes, Committed, StoreState, TaskTimes, store_error},
};

use crate::{
    edits::{Edits, PLAIN, PlainEdits, TaskEdit},
    error,
    keys::{self, Column, Task},
    listener,
    load::index_values,
    pool::Slot,
    shared::{Pauses, Shared, change_number},
    sql::{Change, Columns, Mode, Plain, RowCount, Sql, TaskColumn},
    wire::{
        connection::{Answer, Connection, Failed, Step},
        error::WireError,
        params::{Params, Timestamp},
    },
};

/// Number of rows over which the counts of a kind and status are spread.
const SHARDS: u64 = 64;

/// How a commit ended.
pub(crate) enum End {
    /// The transaction is over.
    Committed(Committed),
    /// The transaction is still open, and has changed nothing.
    TakenBack(Result<Committed, Error>),
    /// The commit may take effect or not.
    Unknown(Error),
}

/// Commits a unit that began in this state of the store.
pub(crate) fn run(shared: &Shared, slot: &mut Slot, edits: &Edits<'_>, changes: &Changes, state: StoreState) -> End {
    let change = state.change;
    slot.batch += 1;
    let mut steps = Steps::default();
    steps.rows(edits, changes);
    let added = added_counts(&changes.counts, shard(shared, slot));
    let adds_counts = added.as_ref().map(|(rows, _)| *rows);
    let mark = added.map(|(_, params)| params).unwrap_or_default();
    // A change of the schema has checked its number, and raised it.
    let checks_schema = changes.schema.is_none();
    let mark = mark.value(shared.process).value(slot.number).value(slot.epoch).value(slot.batch);
    let mark = mark.value(i64::from(changes.enters_past));
    let mark = if checks_schema { mark.value(state.schema.cast_signed()) } else { mark };
    // A serializable transaction that counts the commits of others conflicts with each of them.
    let counts_commits = shared.mode(Access::Write) != Mode::Serializable;
    let asks_listeners = changes.wakes_workers && shared.options.notifies;
    steps.push(Sql::Mark { adds_counts, checks_schema, counts_commits, asks_listeners }, mark);
    let commit_at = steps.0.len();
    steps.push(Sql::Commit, Params::default());
    if !counts_commits {
        steps.push(Sql::ChangeNumber, Params::default());
    }
    steps.0.push(Step::Sync);

    let Some(connection) = slot.connection.as_mut() else { return End::TakenBack(Ok(Committed::Conflict)) };
    match connection.run(&steps.0) {
        Ok(mut answers) => {
            let after = answers.drain(commit_at + 1..).next();
            let marked = answers.drain(commit_at - 1..).next().map(Marked::read);
            let Some(Ok(marked)) = marked else { return End::Committed(Committed::Done { change: change + 1 }) };
            if marked.has_listeners {
                connection.send_only(&listener::notify(&shared.schema, shared.process));
            }
            // The count of the mark is that before it.
            let counted = if counts_commits { Ok(marked.commits + 1) } else { change_number(after) };
            End::Committed(Committed::Done { change: counted.unwrap_or(change + 1) })
        }
        Err(Failed { step, .. }) if step > commit_at && step < steps.0.len() => {
            End::Committed(Committed::Done { change: change + 1 })
        }
        Err(Failed { error, .. }) if !error.is_final() => End::TakenBack(refused(shared, error)),
        Err(Failed { error, .. }) => resolve(shared, slot, &error),
    }
}

/// The statements of the changes, without a mark and the commit.
pub(crate) fn statements(edits: &Edits<'_>, changes: &Changes, shard: i16) -> Vec<Step<Sql>> {
    let mut steps = Steps::default();
    steps.rows(edits, changes);
    if let Some((rows, params)) = added_counts(&changes.counts, shard) {
        steps.change(Change::AddCounts(rows), params);
    }
    steps.0
}

/// The differences of counts as parameters, if there are any. They are added last, since other connections may use the same shard.
fn added_counts(differences: &[(Vec<u8>, i64)], shard: i16) -> Option<(RowCount, Params)> {
    // In the order of their keys, so that two commits on one shard do not wait for each other in a circle; each key once.
    let mut sums = BTreeMap::<&[u8], i64>::new();
    for (key, difference) in differences {
        *sums.entry(key).or_default() += difference;
    }
    sums.retain(|_, difference| *difference != 0);
    let rows = RowCount::of(sums.len());
    let params = rows.params().list(sums.keys().copied()).list(sums.values().copied()).value(shard);
    (!sums.is_empty()).then_some((rows, params))
}

fn refused(shared: &Shared, error: WireError) -> Result<Committed, Error> {
    if error::is_conflict(&error) { Ok(Committed::Conflict) } else { Err(error::describe(&shared.name, error)) }
}

fn shard(shared: &Shared, slot: &Slot) -> i16 {
    shard_of(shared, slot.number.unsigned_abs().into())
}

/// The shard of a transaction of the caller, by the slot of its mark. It is none of those that connections of trackers use: the
/// transaction keeps its shard locked until the caller commits.
pub(crate) fn caller_shard(shared: &Shared, slot: i64) -> i16 {
    i16::try_from(SHARDS).unwrap_or(i16::MAX) + shard_of(shared, slot.unsigned_abs())
}

fn shard_of(shared: &Shared, number: u64) -> i16 {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(shared.process);
    i16::try_from(hash.wrapping_add(number) % SHARDS).unwrap_or(0)
}

/// Asks on a new connection whether the last commit of a slot took effect. The question raises the epoch of the slot: a server process that
/// still works on the commit either holds the lock on the mark, and is waited for, or finds the new epoch, and refuses. So a commit that
/// is reported as a conflict never takes effect later.
fn resolve(shared: &Shared, slot: &mut Slot, cause: &WireError) -> End {
    slot.connection = None;
    slot.epoch += 1;
    let deadline = shared.deadline();
    let mut pauses = Pauses::default();
    loop {
        let (process, number, epoch) = (shared.process, slot.number, slot.epoch);
        let result = shared.with_connection(slot, deadline, |connection| {
            last_mark(connection, Params::default().value(process).value(number).value(epoch))
        });
        match result {
            Ok((batch, change)) if batch == slot.batch => return End::Committed(Committed::Done { change }),
            Ok(_) => return End::Committed(Committed::Conflict),
            // Also after a refusal, such as by a statement timeout: the server may answer the next time.
            Err(_) if pauses.wait(deadline) => {}
            Err(error) => {
                let message = format!(
                    "{}: a commit failed ({cause}), and the server cannot tell whether it took effect ({error}); look whether the change is stored",
                    shared.name
                );
                return End::Unknown(store_error(ErrorKind::OutcomeUnknown, message, error));
            }
        }
    }
}

/// The answer to the mark of a commit.
struct Marked {
    /// Number of commits before it, if they were counted.
    commits: u64,
    /// Whether a process listens for the commit.
    has_listeners: bool,
}

impl Marked {
    fn read(answer: Answer) -> Result<Self, WireError> {
        let row = answer.rows.into_iter().next();
        let mut row = row.ok_or(WireError::Protocol("a row is missing"))?;
        row.int8()?;
        Ok(Self { commits: row.int8()?.cast_unsigned(), has_listeners: row.int8()? != 0 })
    }
}

fn last_mark(connection: &mut Connection<Sql>, params: Params) -> Result<(i64, u64), WireError> {
    let steps =
        [Step::Run(Sql::LastMark, params), Step::Sync, Step::Run(Sql::ChangeNumber, Params::default()), Step::Sync];
    let mut answers = connection.run(&steps).map_err(|failed| failed.error)?.into_iter();
    let row = answers.next().and_then(|answer| answer.rows.into_iter().next());
    let batch = row.ok_or(WireError::Protocol("a row is missing"))?.int8()?;
    Ok((batch, change_number(answers.nth(1))?))
}

#[derive(Default)]
struct Steps(Vec<Step<Sql>>);

impl Steps {
    fn push(&mut self, statement: Sql, params: Params) {
        self.0.push(Step::Run(statement, params));
    }

    fn change(&mut self, change: Change, params: Params) {
        self.push(Sql::Change(change), params);
    }

    /// All changes but those of counts by differences.
    fn rows(&mut self, edits: &Edits<'_>, changes: &Changes) {
        if changes.schema.is_some() {
            self.push(Sql::LockSchema, Params::default());
        }
        self.tasks(edits);
        for plain in PLAIN {
            if let Some(edits) = edits.plain.get(&(plain as usize)) {
                self.plain(plain, edits);
            }
        }
        if let Some(schema) = changes.schema {
            self.change(Change::RaiseSchema, Params::default().value(schema.cast_signed()));
        }
        self.counts(edits);
    }

    fn tasks(&mut self, edits: &Edits<'_>) {
        let tasks = &edits.tasks;
        // In this order: the id of a task that is deleted may belong to another one from now on.
        if !tasks.deleted.is_empty() {
            let ids = |part: fn(&Task) -> i64| tasks.deleted.iter().map(part);
            self.change(Change::DeleteTasks, Params::default().list(ids(|task| task.0)).list(ids(|task| task.1)));
        }
        // Tasks that lose an id come before those that may get it.
        let loses_id = |edit: &TaskEdit<'_>| edit.id_key == Some(None);
        for ((_, columns), tasks) in grouped(&tasks.updated, |edit| (!loses_id(edit), changed_columns(edit))) {
            self.change(Change::UpdateTasks(columns, RowCount::of(tasks.len())), values(columns, &tasks));
        }
        for (columns, tasks) in grouped(&tasks.inserted, changed_columns) {
            self.change(Change::InsertTasks(columns, RowCount::of(tasks.len())), values(columns, &tasks));
        }
    }

    fn plain(&mut self, plain: Plain, edits: &PlainEdits<'_>) {
        if !edits.deleted.is_empty() {
            let keys = || edits.deleted.iter().map(|(_, key)| *key);
            let tables = edits.deleted.iter().map(|(table, _)| *table);
            let params = match plain {
                Plain::Rows => Params::default().list(tables).list(keys()),
                Plain::Indexes => index_values(Params::default(), keys()),
                _ => Params::default().list(keys()),
            };
            self.change(Change::Delete(plain), params);
        }
        for (rows, is_insert) in [(&edits.inserted, true), (&edits.put, false)] {
            if rows.is_empty() {
                continue;
            }
            let count = RowCount::of(rows.len());
            let change = if is_insert { Change::Insert(plain, count) } else { Change::Put(plain, count) };
            let params = count.params();
            let keys = || rows.iter().map(|(_, key, _)| *key);
            let values = rows.iter().map(|(_, _, value)| *value);
            let params = match plain {
                Plain::Rows => params.list(rows.iter().map(|(table, _, _)| *table)).list(keys()).list(values),
                Plain::History => params.list(keys()).list(values),
                Plain::Indexes => index_values(params, keys()),
                Plain::UniqueKeys => {
                    let kinds =
                        keys().map(|key| keys::kind_of(tracker_core::store::StoreTable::UniqueKeys, key).unwrap_or(0));
                    let seqs = rows.iter().map(|(_, key, value)| {
                        keys::number_of(tracker_core::store::StoreTable::UniqueKeys, key, value).unwrap_or(0)
                    });
                    params.list(keys()).list(kinds).list(seqs)
                }
            };
            self.change(change, params);
        }
    }

    fn counts(&mut self, edits: &Edits<'_>) {
        if !edits.counts.is_empty() {
            let keys = edits.counts.iter().map(|(key, _)| *key);
            self.change(Change::DeleteCounts, Params::default().list(keys));
            let set = || edits.counts.iter().filter_map(|(key, value)| Some((*key, (*value)?)));
            let params = Params::default().list(set().map(|(key, _)| key)).list(set().map(|(_, value)| value));
            self.change(Change::SetCounts, params);
        }
    }
}

type EditedTask<'r> = (Task, TaskEdit<'r>);

/// Groups the tasks by a property of their edits.
fn grouped<'t, 'r, G: Ord>(
    tasks: &'t [EditedTask<'r>],
    of: impl Fn(&TaskEdit<'r>) -> G,
) -> BTreeMap<G, Vec<&'t EditedTask<'r>>> {
    let mut groups: BTreeMap<G, Vec<_>> = BTreeMap::new();
    for task in tasks {
        groups.entry(of(&task.1)).or_default().push(task);
    }
    groups
}

fn changed_columns(edit: &TaskEdit<'_>) -> Columns {
    let [header, payload, successor, progress] = edit.columns;
    let edits = [
        (edit.claim_key, Columns::CLAIM),
        (edit.id_key, Columns::ID),
        (edit.updated_key, Columns::UPDATED),
        (header, Columns::HEADER),
        (successor, Columns::SUCCESSOR),
        (progress, Columns::PROGRESS),
        (payload, Columns::PAYLOAD),
    ];
    let changed = edits.into_iter().filter(|(edit, _)| edit.is_some());
    changed.fold(Columns::default(), |changed, (_, columns)| changed.with(columns))
}

/// The values of the columns, in the order of the statements.
fn values(columns: Columns, tasks: &[&EditedTask<'_>]) -> Params {
    let edits = || tasks.iter().map(|(_, edit)| edit);
    let claims = || {
        let claim_key =
            |edit: &TaskEdit<'_>| edit.claim_key.flatten().and_then(|key| Some(keys::claimed_task(key).ok()?.1));
        edits().map(claim_key)
    };
    let stored = |column: Column| edits().map(move |edit| edit.columns[column as usize].flatten());
    let times = || stored(Column::Header).map(|header| header.and_then(TaskTimes::from_header));
    let mut params = RowCount::of(tasks.len())
        .params()
        .list(tasks.iter().map(|((kind, _), _)| *kind))
        .list(tasks.iter().map(|((_, seq), _)| *seq));
    for column in columns.list() {
        params = match column {
            TaskColumn::Status => params.optional_list(claims().map(|claim| claim.map(|claim| claim.status))),
            TaskColumn::Priority => {
                params.optional_list(claims().map(|claim| claim.map(|claim| i16::from(claim.priority))))
            }
            TaskColumn::At => params.optional_list(claims().map(|claim| claim.map(|claim| claim.at))),
            TaskColumn::ClaimKey => params.optional_list(edits().map(|edit| edit.claim_key.flatten())),
            TaskColumn::IdKey => params.optional_list(edits().map(|edit| edit.id_key.flatten())),
            TaskColumn::Id => {
                params.optional_list(edits().map(|edit| edit.id_key.flatten().and_then(keys::text_of_id)))
            }
            TaskColumn::UpdatedKey => params.optional_list(edits().map(|edit| edit.updated_key.flatten())),
            TaskColumn::Created => {
                params.optional_list(times().map(|times| times.map(|times| Timestamp(times.created))))
            }
            TaskColumn::Updated => {
                params.optional_list(times().map(|times| times.map(|times| Timestamp(times.updated))))
            }
            TaskColumn::Header => params.optional_list(stored(Column::Header)),
            TaskColumn::Successor => params.optional_list(stored(Column::Successor)),
            TaskColumn::Progress => params.optional_list(stored(Column::Progress)),
            TaskColumn::Payload => params.optional_list(stored(Column::Payload)),
        };
    }
    params
}
