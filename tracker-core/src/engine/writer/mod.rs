//! `Writer` is one write transaction: it finds tasks, calls the rules, writes their decisions, and gathers the effects that are published after
//! the commit. Made by `engine/group_commit` and `engine/free_leases`; used by `engine/action`, `engine/user_transaction`, and the transactions
//! of `api`, `portable` and `maintenance/recover`. Reads and writes rows through `Tables`.

mod batches;
mod bulk;
mod dependencies;
mod effects;
mod leases;
mod numbers;
mod propagation;
mod rebuild;
mod schedules;
mod throttles;
mod undo;

use batches::BatchDeltas;
pub(crate) use effects::CommitEffects;
use numbers::after;
use propagation::Propagation;
pub(crate) use rebuild::Redefined;
use undo::Undo;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use uuid::Uuid;

use super::{
    ends::Ends,
    held_leases::HeldLeases,
    run_log::{RunLogEvent, RunLogLevel},
};
use crate::{
    model::{
        error::{Error, Reason, Result},
        file_state::FileState,
        kind::Kind,
        kinds::Kinds,
        panics,
        status::StatusInfo,
        task::{TaskKey, TaskRef},
        task_row::{Progress, TaskRow},
        time::Micros,
        transition::{Command, CommandResult, Decision, Header, PayloadChange, Rules},
    },
    storage::{
        keys::CountKey,
        tables::{Tables, Writing},
        write::change::TaskChange,
    },
};

/// The parts of the engine that a transaction reads.
#[derive(Clone)]
pub(crate) struct Context {
    pub instance: Uuid,
    pub held: Arc<HeldLeases>,
    /// Whether there is a subscription.
    pub is_subscribed: bool,
    /// Whether a call waits for the end of a task, or a callback for tasks that are given up.
    pub lists_ends: bool,
    /// Which events of runs the log asks for.
    pub run_log_enabled: RunLogLevel,
    /// The change number up to which this process knows the file.
    pub known: u64,
}

/// One write transaction.
pub(crate) struct Writer<'t> {
    rows: Tables<Writing<'t>>,
    context: Context,
    file_state: FileState,
    kinds: Arc<Kinds>,
    now: Micros,
    /// Differences of the counters of tasks by status. They are written at the end.
    counts: HashMap<CountKey, i64>,
    /// The kinds whose expired leases this transaction has ended.
    swept: HashSet<u32>,
    /// The changes of the steps that take effect together, while such steps run.
    undo: Option<Vec<Undo>>,
    batches: BatchDeltas,
    /// Ends that are still to be propagated.
    propagations: VecDeque<Propagation>,
    propagating: bool,
    effects: CommitEffects,
    /// Number of writes so far: if an action fails after some, the transaction is rolled back.
    writes: u64,
    /// A fence that a store has assigned for the next claim.
    reserved_fence: Option<u64>,
    /// Why the transaction cannot be committed any more.
    poisoned: Option<Error>,
    /// Whether the transaction has changed a row.
    dirty: bool,
}

/// The decision on a command, after it was written.
pub(crate) struct Decided {
    pub header: Option<Header>,
    pub result: CommandResult,
    pub payload: PayloadChange,
}

impl<'t> Writer<'t> {
    /// Reads the state of the file. Only the kinds of an unchanged schema are taken from memory.
    pub(crate) fn begin(
        source: Writing<'t>,
        context: Context,
        known: &Arc<Kinds>,
        time: impl FnOnce(Micros) -> Micros,
    ) -> Result<Self> {
        let mut rows = Tables::new(source);
        let file_state = rows.file_state()?;
        let kinds = if file_state.schema == known.schema {
            known.clone()
        } else {
            // The begin and the end of a move change the schema, so an open tracker notices before it writes.
            rows.refuse_while_moving()?;
            Arc::new(rows.all_kinds()?)
        };
        let now = time(file_state.clock_floor);
        // A task that another process has changed since may be startable now.
        let others_committed = file_state.change != context.known;
        let kinds_now = (file_state.schema != known.schema).then(|| kinds.clone());
        let ends = if context.lists_ends { Ends::Listed(Vec::new()) } else { Ends::Unlisted };
        let effects = CommitEffects {
            kinds: kinds_now,
            others_committed,
            ends,
            change: file_state.change,
            ..CommitEffects::default()
        };
        Ok(Self {
            rows,
            context,
            file_state,
            kinds,
            now,
            counts: HashMap::new(),
            swept: HashSet::new(),
            undo: None,
            batches: BatchDeltas::default(),
            propagations: VecDeque::new(),
            propagating: false,
            effects,
            writes: 0,
            reserved_fence: None,
            poisoned: None,
            dirty: false,
        })
    }

    /// Writes batches, counters and the file state. True if there is anything to commit.
    pub(crate) fn finish(mut self, batch: u64) -> Result<(bool, CommitEffects)> {
        if let Some(error) = self.poisoned {
            return Err(error);
        }
        self.apply_batch_deltas()?;
        if self.dirty {
            self.counts.retain(|_, difference| *difference != 0);
            self.rows.add_counts(&self.counts)?;
            self.push_empty_queues()?;
            self.file_state.clock_floor = self.file_state.clock_floor.max(self.now);
            self.file_state.instance = self.context.instance;
            self.file_state.batch = batch;
            self.file_state.change = after(self.file_state.change)?;
            self.rows.put_file_state(&self.file_state)?;
            self.effects.change = self.file_state.change;
            if let Some(set) = self.working_set() {
                set.set_now(self.now);
                if self.effects.may_start {
                    set.wake_workers();
                }
            }
        }
        Ok((self.dirty, self.effects))
    }

    /// [`Self::finish`] for a transaction that commits in any case.
    pub(crate) fn finish_as_dirty(mut self, batch: u64) -> Result<(bool, CommitEffects)> {
        self.dirty = true;
        self.finish(batch)
    }

    pub(crate) fn rows(&mut self) -> &mut Tables<Writing<'t>> {
        &mut self.rows
    }

    pub(crate) fn now(&self) -> Micros {
        self.now
    }

    pub(crate) fn instance(&self) -> Uuid {
        self.context.instance
    }

    /// Number of writes so far.
    pub(crate) fn writes(&self) -> u64 {
        self.writes
    }

    /// Lets the transaction end with this error.
    pub(crate) fn poison(&mut self, error: &Error) {
        self.poisoned.get_or_insert_with(|| error.share());
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = Arc<Kind>> + use<> {
        self.kinds.all().cloned().collect::<Vec<_>>().into_iter()
    }

    pub(crate) fn kind(&self, id: u32) -> Result<Arc<Kind>> {
        self.kinds.get(id).cloned().ok_or_else(|| Error::corrupted("tracker.kinds", id, "the kind is gone"))
    }

    pub(crate) fn put_kind(&mut self, kind: Kind) -> Result<Arc<Kind>> {
        self.mark_dirty();
        self.rows.put_kind(&kind)?;
        self.file_state.schema = after(self.file_state.schema)?;
        let mut kinds = (*self.kinds).clone();
        kinds.schema = self.file_state.schema;
        let id = kind.id;
        kinds.insert(kind);
        self.kinds = Arc::new(kinds);
        self.effects.kinds = Some(self.kinds.clone());
        self.effects.may_start = true;
        self.kind(id)
    }

    /// A random number from 0 to 1, for jitter.
    pub(crate) fn random_fraction() -> f32 {
        Self::fraction_of(Uuid::new_v4())
    }

    /// A number from 0 to 1 that follows from random bytes.
    pub(crate) fn fraction_of(random: Uuid) -> f32 {
        let [one, other, ..] = random.into_bytes();
        f32::from(u16::from_le_bytes([one, other])) / f32::from(u16::MAX)
    }

    pub(crate) fn header(&mut self, task: TaskRef) -> Result<Option<Header>> {
        self.rows.header(task)
    }

    /// The header of a task that an index names.
    pub(crate) fn indexed_header(&mut self, task: TaskRef) -> Result<Header> {
        self.header(task)?.ok_or_else(|| Error::corrupted("tracker.headers", task, "an index names it, but it is gone"))
    }

    /// Decides a command and writes what it makes of the task.
    pub(crate) fn decide(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        header: Option<&Header>,
        command: &Command,
        row: Option<&TaskRow>,
        id: &TaskKey,
    ) -> Result<Decided> {
        // The indexes follow from the row on disk, not from the lease that is renewed in memory now.
        let stored = header;
        let renewed = self.renewed(kind, header, command);
        let header = renewed.as_ref().or(header);
        let decided = Rules { instance: self.context.instance, ..kind.rules(self.now) }.decide(header, command);
        if let Err(reason) = &decided
            && self.context.run_log_enabled == RunLogLevel::All
        {
            self.effects.run_log.extend(RunLogEvent::of_refusal(kind, id, command, reason));
        }
        let decision = decided.map_err(|reason| kind.refuse(id.clone(), reason))?;
        let (result, change) = (decision.result, decision.payload);
        if decision.header.as_ref() == header && change == PayloadChange::Keep {
            return Ok(Decided { header: decision.header, result, payload: change });
        }
        self.write(kind, task, stored, &decision, row, id)?;
        self.measure(kind, header, &decision);
        if self.context.run_log_enabled > RunLogLevel::Nothing {
            let enabled = self.context.run_log_enabled;
            let event = RunLogEvent::of(kind, id, header, &decision, command, enabled);
            self.effects.run_log.extend(event);
        }
        self.push_event(kind, task, id, header, &decision, command);
        self.propagate()?;
        Ok(Decided { header: decision.header, result, payload: change })
    }

    fn write(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        old: Option<&Header>,
        decision: &Decision,
        row: Option<&TaskRow>,
        id: &TaskKey,
    ) -> Result<()> {
        debug_assert_eq!(self.rows.header(task)?.as_ref(), old, "the header is the one on disk");
        let new = decision.header.as_ref();
        let waiting = if decision.payload == PayloadChange::TakeSuccessor { self.rows.successor(task)? } else { None };
        let new_row = match decision.payload {
            PayloadChange::Keep | PayloadChange::PutSuccessor => None,
            PayloadChange::Put => row,
            PayloadChange::TakeSuccessor => waiting.as_ref(),
        };
        let needs = TaskChange::needs_old_row(kind, task, old, new, new_row.is_some());
        let old_row = if needs { Some(self.rows.task_row(task)?) } else { None };
        let successor = match decision.payload {
            PayloadChange::PutSuccessor => Some(row),
            // It has become the payload, or its task is deleted or starts anew with another payload.
            _ if old.is_some_and(|old| old.successor) && !new.is_some_and(|new| new.successor) => Some(None),
            _ => None,
        };
        let history = &decision.history[..];
        let mut change = TaskChange { old, new, old_row: old_row.as_ref(), new_row, history, successor };
        if let Some(rival) = self.rival(kind, task, &change)? {
            if decision.payload != PayloadChange::TakeSuccessor {
                let other = self.rows.task_row(rival)?.id;
                return Err(kind.refuse(id.clone(), Reason::KeyTaken { other }));
            }
            panics::log_catching_panics(
                || tracing::warn!(kind = kind.name, %id, "the changed task that waited has the unique key of another one: dropped"),
            );
            change.new_row = None;
        }
        if self.undo.is_some() {
            self.remember(kind, task, &change)?;
        }
        self.mark_dirty();
        let counted = self.rows.apply(kind, task, &change)?;
        self.count(counted);
        self.batches.count(kind, old, new, 1);
        if let Some(new) = new
            && new.cancel
            && old.is_some_and(|old| !old.cancel)
            && let Some(lease) = &new.lease
            && lease.instance == self.context.instance
            && !lease.detached
        {
            self.effects.cancelled.push(lease.fence);
        }
        self.update_dependencies(kind, task, id, old, new)?;
        self.record_end(kind, task, old, new);
        // In a kind with several limits, a value can be reserved for a waiting task.
        let holds = |header: &Header| header.lease.is_some() || kind.has_limit_lists();
        let frees = kind.has_concurrency_limit() && old.is_some_and(holds);
        self.effects.may_start |=
            new.is_some_and(|header| header.lease.is_none() && (frees || !kind.is_finished(header)));
        Ok(())
    }

    /// The task that holds a unique key which a change would enter.
    fn rival(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange<'_>) -> Result<Option<TaskRef>> {
        if kind.uniques.is_empty() {
            return Ok(None);
        }
        let (before, after) = change.rows(kind, task);
        self.rows.rival(kind.id, task, before.as_ref(), after.as_ref())
    }

    fn mark_dirty(&mut self) {
        self.dirty = true;
        self.writes += 1;
    }

    fn count(&mut self, [left, entered]: [Option<CountKey>; 2]) {
        if left != entered {
            for (key, difference) in left.map(|key| (key, -1)).into_iter().chain(entered.map(|key| (key, 1))) {
                *self.counts.entry(key).or_default() += difference;
            }
        }
    }

    /// How many tasks of a kind are in the statuses that `includes` accepts, with the changes of this transaction.
    pub(crate) fn count_where(&mut self, kind: &Kind, includes: impl Fn(&StatusInfo) -> bool) -> Result<u64> {
        let mut tasks = 0_u64;
        for status in kind.graph.statuses().iter().filter(|status| includes(status)) {
            let key = CountKey { kind: kind.id, code: status.code };
            let difference = self.counts.get(&key).copied().unwrap_or(0);
            tasks = tasks.saturating_add(self.rows.count(kind.id, status.code)?.saturating_add_signed(difference));
        }
        Ok(tasks)
    }

    pub(crate) fn put_progress(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        id: &TaskKey,
        header: Option<&Header>,
        progress: &Progress,
    ) -> Result<()> {
        self.mark_dirty();
        self.rows.put_progress(task, progress)?;
        self.push_progress(kind, task, id, header, progress);
        Ok(())
    }
}
