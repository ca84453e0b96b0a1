use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use redb::WriteTransaction;
use uuid::Uuid;

use super::{
    event::{Event, Happening},
    held::Held,
};
use crate::{
    disk::keys::{CountKey, TaskRef},
    error::{Error, ErrorKind, Reason, Result},
    rules::{BodyChange, Command, Decision, Ended, Header, Lease, Told},
    status::Role,
    store::{Body, Change, Handles, Kind, Kinds, Progress, Pulse},
    task::TaskKey,
    time::{Micros, utc},
};

/// How many expired leases one claim frees on its way.
const SWEEP: usize = 256;

/// What a transaction needs to know of the engine.
#[derive(Clone)]
pub(crate) struct Context {
    pub instance: Uuid,
    pub held: Arc<Held>,
    /// Whether anybody wants to hear of events.
    pub watched: bool,
}

/// One write transaction: runs actions, and knows what they changed.
pub(crate) struct Writer<'t> {
    rows: Handles<&'t WriteTransaction>,
    context: Context,
    pulse: Pulse,
    kinds: Arc<Kinds>,
    now: Micros,
    counts: HashMap<CountKey, i64>,
    swept: HashSet<u32>,
    undo: Option<Vec<Undo>>,
    effects: Effects,
    /// Writes so far, whatever became of them: an action that failed after some has spoilt the transaction.
    writes: u64,
    dirty: bool,
}

/// What a transaction has changed, to be told once it is durable.
#[derive(Default)]
pub(crate) struct Effects {
    pub events: Vec<Event>,
    /// Something may be startable now that was not.
    pub woke: bool,
    /// The kinds after it, if they changed.
    pub kinds: Option<Arc<Kinds>>,
}

/// What a command did.
pub(crate) struct Done {
    pub header: Option<Header>,
    pub told: Told,
    pub body: BodyChange,
}

/// How to take a write back.
struct Undo {
    kind: Arc<Kind>,
    task: TaskRef,
    old: Option<Header>,
    new: Option<Header>,
    old_body: Option<Body>,
    new_body: Option<Body>,
    #[expect(clippy::option_option, reason = "outside: whether it changes; inside: what it becomes")]
    successor: Option<Option<Body>>,
}

impl<'t> Writer<'t> {
    /// Begins with what the file says; nothing is trusted from memory but the kinds of an unchanged schema.
    pub(crate) fn begin(
        txn: &'t WriteTransaction,
        context: Context,
        known: &Arc<Kinds>,
        time: impl FnOnce(Micros) -> Micros,
    ) -> Result<Self> {
        let mut rows = Handles::new(txn);
        let pulse = rows.pulse()?;
        let kinds = if pulse.schema == known.schema { known.clone() } else { Arc::new(rows.all_kinds()?) };
        let now = time(pulse.mark);
        let effects = Effects { kinds: (pulse.schema != known.schema).then(|| kinds.clone()), ..Effects::default() };
        Ok(Self {
            rows,
            context,
            pulse,
            kinds,
            now,
            counts: HashMap::new(),
            swept: HashSet::new(),
            undo: None,
            effects,
            writes: 0,
            dirty: false,
        })
    }

    /// Writes what is written once per commit; true if there is anything to commit.
    pub(crate) fn finish(mut self, batch: u64) -> Result<(bool, Effects)> {
        if self.dirty {
            self.counts.retain(|_, difference| *difference != 0);
            self.rows.add_counts(&self.counts)?;
            self.pulse.mark = self.pulse.mark.max(self.now);
            self.pulse.instance = self.context.instance;
            self.pulse.batch = batch;
            self.pulse.change += 1;
            self.rows.put_pulse(&self.pulse)?;
        }
        Ok((self.dirty, self.effects))
    }

    /// The same for a transaction that commits in any case.
    pub(crate) fn finish_marked(mut self, batch: u64) -> Result<(bool, Effects)> {
        self.dirty = true;
        self.finish(batch)
    }

    pub(crate) fn rows(&mut self) -> &mut Handles<&'t WriteTransaction> {
        &mut self.rows
    }

    pub(crate) fn now(&self) -> Micros {
        self.now
    }

    pub(crate) fn instance(&self) -> Uuid {
        self.context.instance
    }

    /// How many writes there have been.
    pub(crate) fn writes(&self) -> u64 {
        self.writes
    }

    pub(crate) fn holds(&self, lease: &Lease) -> bool {
        lease.instance == self.context.instance && self.context.held.has(lease.fence)
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = Arc<Kind>> + use<> {
        self.kinds.all().cloned().collect::<Vec<_>>().into_iter()
    }

    pub(crate) fn kind(&self, id: u32) -> Result<Arc<Kind>> {
        self.kinds.get(id).cloned().ok_or_else(|| Error::corrupted("tracker.kinds", id, "the kind is gone"))
    }

    pub(crate) fn put_kind(&mut self, kind: Kind) -> Result<Arc<Kind>> {
        self.touch();
        self.rows.put_kind(&kind)?;
        self.pulse.schema += 1;
        let mut kinds = (*self.kinds).clone();
        kinds.schema = self.pulse.schema;
        let id = kind.id;
        kinds.insert(kind);
        self.kinds = Arc::new(kinds);
        self.effects.kinds = Some(self.kinds.clone());
        self.effects.woke = true;
        self.kind(id)
    }

    /// A number for a new task.
    pub(crate) fn new_seq(&mut self) -> u64 {
        let seq = self.pulse.next_seq;
        self.pulse.next_seq += 1;
        seq
    }

    /// The fence of the next claim; [`Self::use_fence`] takes it once the claim stands.
    pub(crate) fn next_fence(&self) -> u64 {
        self.pulse.next_fence
    }

    pub(crate) fn use_fence(&mut self) {
        self.pulse.next_fence += 1;
    }

    pub(crate) fn take_fence(&mut self) -> u64 {
        self.use_fence();
        self.pulse.next_fence - 1
    }

    /// A number between 0 and 1, for jitter.
    pub(crate) fn chance() -> f32 {
        f32::from(u16::from_le_bytes([Uuid::new_v4().as_bytes()[0], Uuid::new_v4().as_bytes()[1]]))
            / f32::from(u16::MAX)
    }

    pub(crate) fn header(&mut self, task: TaskRef) -> Result<Option<Header>> {
        self.rows.header(task)
    }

    /// The header of a task that an index names.
    pub(crate) fn known(&mut self, task: TaskRef) -> Result<Header> {
        self.header(task)?.ok_or_else(|| Error::corrupted("tracker.headers", task, "an index names it, but it is gone"))
    }

    /// Decides a command and writes what it makes of the task.
    pub(crate) fn decide(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        header: Option<&Header>,
        command: &Command,
        body: Option<&Body>,
        id: &TaskKey,
    ) -> Result<Done> {
        let renewed = self.renewed(kind, header, command);
        let header = renewed.as_ref().or(header);
        let decision =
            kind.rules(self.now).decide(header, command).map_err(|reason| kind.refuse(id.clone(), reason))?;
        let (told, change) = (decision.told, decision.body);
        if decision.header.as_ref() == header && change == BodyChange::Keep {
            return Ok(Done { header: decision.header, told, body: change });
        }
        self.write(kind, task, header, &decision, body, id)?;
        self.tell(kind, id, header, &decision, command);
        Ok(Done { header: decision.header, told, body: change })
    }

    /// A lease that ran out while its worker in this process lives is renewed before anything else is decided: time
    /// jumped, or this process slept.
    fn renewed(&self, kind: &Kind, header: Option<&Header>, command: &Command) -> Option<Header> {
        let header = header?;
        let lease = header.lease.as_ref().filter(|lease| lease.is_over(self.now) && self.holds(lease))?;
        let owner = crate::rules::Owner { fence: lease.fence, token: lease.token };
        if matches!(command, Command::Rescue { .. }) {
            return None;
        }
        let renew = Command::Renew { owner, lease: None, begin: false };
        kind.rules(self.now).decide(Some(header), &renew).ok()?.header
    }

    fn write(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        old: Option<&Header>,
        decision: &Decision,
        body: Option<&Body>,
        id: &TaskKey,
    ) -> Result<()> {
        // The row on disk is what the indexes were made from, whatever was renewed in memory since.
        let stored = if old.is_some() { self.rows.header(task)? } else { None };
        let old = stored.as_ref();
        let new = decision.header.as_ref();
        let waiting = if decision.body == BodyChange::TakeSuccessor { self.rows.successor(task)? } else { None };
        let mut new_body = match decision.body {
            BodyChange::Keep | BodyChange::PutSuccessor => None,
            BodyChange::Put => body,
            BodyChange::TakeSuccessor => waiting.as_ref(),
        };
        let needs = Change::needs_old_body(kind, old, new, new_body.is_some());
        let old_body = if needs { Some(self.rows.body_of(task)?) } else { None };
        let successor = match decision.body {
            BodyChange::PutSuccessor => Some(body),
            BodyChange::TakeSuccessor => Some(None),
            _ if new.is_none() && old.is_some_and(|header| header.successor) => Some(None),
            _ => None,
        };
        let change = |new_body| Change {
            old,
            new,
            old_body: old_body.as_ref(),
            new_body,
            history: &decision.history,
            successor,
        };
        if let Some(rival) = self.rows.rival(kind, task, &change(new_body))? {
            if decision.body != BodyChange::TakeSuccessor {
                let other = self.rows.body_of(rival)?.id;
                return Err(kind.refuse(id.clone(), Reason::Conflict { other }));
            }
            tracing::warn!(kind = kind.name, %id, "the changed task that waited has the unique key of another one: dropped");
            new_body = None;
        }
        if self.undo.is_some() {
            self.remember(kind, task, &change(new_body))?;
        }
        self.touch();
        let counted = self.rows.apply(kind, task, &change(new_body))?;
        self.count(counted);
        self.effects.woke |= new.is_some_and(|header| header.lease.is_none() && !kind.is_finished(header));
        Ok(())
    }

    fn touch(&mut self) {
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

    fn remember(&mut self, kind: &Kind, task: TaskRef, change: &Change) -> Result<()> {
        let successor = match change.successor {
            Some(_) => Some(self.rows.successor(task)?),
            None => None,
        };
        let undo = Undo {
            kind: Arc::new(kind.clone()),
            task,
            old: change.old.cloned(),
            new: change.new.cloned(),
            old_body: change.old_body.cloned(),
            new_body: change.new_body.cloned(),
            successor,
        };
        self.undo.get_or_insert_default().push(undo);
        Ok(())
    }

    /// Runs several actions of which either all stand or none. They may submit tasks; the last one may do anything.
    pub(crate) fn all_or_nothing<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let (woke, events, writes) = (self.effects.woke, self.effects.events.len(), self.writes);
        self.undo = Some(Vec::new());
        let result = work(self);
        let undo = self.undo.take().unwrap_or_default();
        if result.is_err() {
            for step in undo.into_iter().rev() {
                self.take_back(&step)?;
            }
            self.effects.woke = woke;
            self.effects.events.truncate(events);
            self.writes = writes;
        }
        result
    }

    /// Writes the reverse of a submit: what was new is gone, what was changed is as before.
    fn take_back(&mut self, step: &Undo) -> Result<()> {
        let gone = step.old.is_none();
        let change = Change {
            old: step.new.as_ref(),
            new: step.old.as_ref(),
            old_body: step.new_body.as_ref(),
            new_body: if gone { None } else { step.old_body.as_ref() },
            history: &[],
            successor: step.successor.as_ref().map(Option::as_ref),
        };
        let counted = self.rows.apply(&step.kind, step.task, &change)?;
        self.count(counted);
        Ok(())
    }

    /// Ends the leases of a kind that ran out. Those that live in this process are renewed instead.
    pub(crate) fn sweep(&mut self, kind: &Arc<Kind>) -> Result<()> {
        if !self.swept.insert(kind.id) {
            return Ok(());
        }
        for status in kind.graph.statuses().iter().filter(|status| status.role == Role::InProgress) {
            let mut after = None;
            for _ in 0..SWEEP {
                let Some(key) = self.rows.first_expiring(kind.id, status.code, after)? else { break };
                if key.at > self.now {
                    break;
                }
                after = Some(key);
                let header = self.known(key.task())?;
                let Some(lease) = &header.lease else { continue };
                if self.holds(lease) {
                    let owner = crate::rules::Owner { fence: lease.fence, token: lease.token };
                    let renew = Command::Renew { owner, lease: None, begin: false };
                    let id = self.rows.body_of(key.task())?.id;
                    self.decide(kind, key.task(), Some(&header), &renew, None, &id)?;
                } else {
                    self.rescue(kind, key.task(), &header, lease)?;
                }
            }
        }
        Ok(())
    }

    /// Ends one lease, and says whose.
    pub(crate) fn rescue(&mut self, kind: &Kind, task: TaskRef, header: &Header, lease: &Lease) -> Result<TaskKey> {
        let id = self.rows.body_of(task)?.id;
        let command = Command::Rescue { fence: lease.fence, chance: Self::chance() };
        self.decide(kind, task, Some(header), &command, None, &id)?;
        tracing::info!(kind = kind.name, %id, worker = lease.worker, "rescued a task whose lease ended without an outcome");
        Ok(id)
    }

    /// Puts a task out of the line whose body cannot be read.
    pub(crate) fn strand(&mut self, kind: &Kind, task: TaskRef, header: &Header) -> Result<()> {
        let stranded = Header { unreadable: true, ..header.clone() };
        self.touch();
        let counted =
            self.rows.apply(kind, task, &Change { old: Some(header), new: Some(&stranded), ..Change::default() })?;
        self.count(counted);
        Ok(())
    }

    /// Writes a task as another file had it.
    pub(crate) fn restore(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        header: &Header,
        body: &Body,
        past: &[Ended],
    ) -> Result<()> {
        let header = Header { successor: false, ..header.clone() };
        let fences = past.iter().chain(&header.last).map(|ended| ended.fence);
        let fence = fences.chain(header.lease.as_ref().map(|lease| lease.fence)).max().unwrap_or(0);
        self.pulse.next_seq = self.pulse.next_seq.max(task.seq + 1);
        self.pulse.next_fence = self.pulse.next_fence.max(fence + 1);
        self.pulse.mark = self.pulse.mark.max(header.updated);
        self.touch();
        let change = Change { new: Some(&header), new_body: Some(body), history: past, ..Change::default() };
        let counted = self.rows.apply(kind, task, &change)?;
        self.count(counted);
        Ok(())
    }

    /// Moves a task from the indexes of one definition of its kind to those of another.
    pub(crate) fn rebuild(
        &mut self,
        old: &Kind,
        new: &Kind,
        task: TaskRef,
        header: &Header,
        body: &Body,
        rebuilt: &Body,
    ) -> Result<()> {
        let bare = Body { indexes: Vec::new(), uniques: Vec::new(), ..body.clone() };
        self.touch();
        let leave = Change {
            old: Some(header),
            new: Some(header),
            old_body: Some(body),
            new_body: Some(&bare),
            ..Change::default()
        };
        self.rows.apply(old, task, &leave)?;
        self.rows.reposition(old, new, task, header)?;
        let enter = Change { old_body: Some(&bare), new_body: Some(rebuilt), ..leave };
        if let Some(rival) = self.rows.rival(new, task, &enter)? {
            let other = self.rows.body_of(rival)?.id;
            return Err(Error::new(
                ErrorKind::SchemaMismatch,
                format!(
                    "kind {:?}: a unique key cannot be added, \"{}\" and \"{other}\" share its value",
                    new.name, body.id
                ),
            ));
        }
        self.rows.apply(new, task, &enter)?;
        Ok(())
    }

    pub(crate) fn put_progress(&mut self, kind: &Kind, task: TaskRef, id: &TaskKey, progress: &Progress) -> Result<()> {
        self.touch();
        self.rows.put_progress(task, progress)?;
        if self.context.watched {
            let what =
                Happening::Progress { done: progress.done, total: progress.total, message: progress.message.clone() };
            let event =
                Event { kind: kind.name.as_str().into(), id: id.clone(), at: utc(self.now), status: None, what };
            self.effects.events.push(event);
        }
        Ok(())
    }

    fn tell(&mut self, kind: &Kind, id: &TaskKey, old: Option<&Header>, decision: &Decision, command: &Command) {
        if !self.context.watched {
            return;
        }
        let ended = decision.history.last().or(decision.header.as_ref().and_then(|header| header.last.as_ref()));
        let what = match command {
            Command::Renew { .. } | Command::Checkpoint { .. } | Command::Detach { .. } => return,
            Command::Submit(_) if old.is_none() => Happening::Submitted,
            Command::Delete => Happening::Deleted,
            Command::Start(start) => Happening::Claimed { worker: start.worker.clone() },
            Command::Finish(_) | Command::Rescue { .. } => match ended {
                Some(ended) => Happening::Ended { ending: ended.ending },
                None => Happening::Changed,
            },
            _ => Happening::Changed,
        };
        let status = decision.header.as_ref().map(|header| header.code);
        self.effects.events.push(Event {
            kind: kind.name.as_str().into(),
            id: id.clone(),
            at: utc(self.now),
            status,
            what,
        });
    }
}
