mod batches;
mod bulk;
mod leases;
mod needs;
mod numbers;
mod rebuild;
mod undo;

use batches::Batches;
use needs::Tidings;
use numbers::after;
use undo::Undo;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use redb::WriteTransaction;
use uuid::Uuid;

use super::{
    account::{Account, Wanted},
    event::{Event, Happening},
    held::Held,
};
use crate::{
    contain,
    disk::keys::{CountKey, TaskRef},
    error::{Error, Reason, Result},
    rules::{BodyChange, Command, Decision, Header, Told},
    store::{Body, Change, Handles, Kind, Kinds, Progress, Pulse},
    task::TaskKey,
    time::{Micros, utc},
};

/// What a transaction needs to know of the engine.
#[derive(Clone)]
pub(crate) struct Context {
    pub instance: Uuid,
    pub held: Arc<Held>,
    /// Whether anybody wants to hear of events.
    pub watched: bool,
    /// Whether anybody listens to the account of each run.
    pub accounted: Wanted,
    /// The change number up to which this process knows the file.
    pub known: u64,
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
    batches: Batches,
    /// What those are to be told that wait for others.
    tidings: VecDeque<Tidings>,
    spreading: bool,
    effects: Effects,
    /// Writes so far, whatever became of them: an action that failed after some has spoilt the transaction.
    writes: u64,
    /// Why the transaction cannot be committed any more.
    spoilt: Option<Error>,
    dirty: bool,
}

/// What a transaction has changed, to be told once it is durable.
#[derive(Default)]
pub(crate) struct Effects {
    pub events: Vec<Event>,
    pub accounts: Vec<Account>,
    /// The file's change number after it.
    pub change: u64,
    /// Something may be startable now that was not.
    pub woke: bool,
    /// Not all have heard yet what became of those they wait for: another commit must go on.
    pub untold: bool,
    /// Fences of attempts of this process that are cancelled now.
    pub cancelled: Vec<u64>,
    /// Leases by which workers of this process live now.
    pub held: Vec<u64>,
    /// The kinds after it, if they changed.
    pub kinds: Option<Arc<Kinds>>,
}

/// What a command did.
pub(crate) struct Done {
    pub header: Option<Header>,
    pub told: Told,
    pub body: BodyChange,
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
        // What another process has changed since may be startable now.
        let woke = pulse.change != context.known;
        let kinds_now = (pulse.schema != known.schema).then(|| kinds.clone());
        let effects = Effects { kinds: kinds_now, woke, change: pulse.change, ..Effects::default() };
        Ok(Self {
            rows,
            context,
            pulse,
            kinds,
            now,
            counts: HashMap::new(),
            swept: HashSet::new(),
            undo: None,
            batches: Batches::default(),
            tidings: VecDeque::new(),
            spreading: false,
            effects,
            writes: 0,
            spoilt: None,
            dirty: false,
        })
    }

    /// Writes what is written once per commit; true if there is anything to commit.
    pub(crate) fn finish(mut self, batch: u64) -> Result<(bool, Effects)> {
        if let Some(error) = self.spoilt {
            return Err(error);
        }
        self.settle()?;
        if self.dirty {
            self.counts.retain(|_, difference| *difference != 0);
            self.rows.add_counts(&self.counts)?;
            self.pulse.mark = self.pulse.mark.max(self.now);
            self.pulse.instance = self.context.instance;
            self.pulse.batch = batch;
            self.pulse.change = after(self.pulse.change)?;
            self.rows.put_pulse(&self.pulse)?;
            self.effects.change = self.pulse.change;
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

    /// Has the transaction end with this error.
    pub(crate) fn spoil(&mut self, error: &Error) {
        self.spoilt.get_or_insert_with(|| error.share());
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
        self.pulse.schema = after(self.pulse.schema)?;
        let mut kinds = (*self.kinds).clone();
        kinds.schema = self.pulse.schema;
        let id = kind.id;
        kinds.insert(kind);
        self.kinds = Arc::new(kinds);
        self.effects.kinds = Some(self.kinds.clone());
        self.effects.woke = true;
        self.kind(id)
    }

    /// A number between 0 and 1, for jitter.
    pub(crate) fn chance() -> f32 {
        Self::chance_of(Uuid::new_v4())
    }

    /// A number between 0 and 1 that follows from random bytes.
    pub(crate) fn chance_of(random: Uuid) -> f32 {
        let [one, other, ..] = random.into_bytes();
        f32::from(u16::from_le_bytes([one, other])) / f32::from(u16::MAX)
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
        // The row on disk is what the indexes were made from, whatever is renewed in memory now.
        let stored = header;
        let renewed = self.renewed(kind, header, command);
        let header = renewed.as_ref().or(header);
        let decided = kind.rules(self.now).decide(header, command);
        if let Err(reason) = &decided
            && self.context.accounted == Wanted::All
        {
            self.effects.accounts.extend(Account::of_refusal(kind, id, command, reason));
        }
        let decision = decided.map_err(|reason| kind.refuse(id.clone(), reason))?;
        let (told, change) = (decision.told, decision.body);
        if decision.header.as_ref() == header && change == BodyChange::Keep {
            return Ok(Done { header: decision.header, told, body: change });
        }
        self.write(kind, task, stored, &decision, body, id)?;
        self.clock(kind, header, &decision);
        if self.context.accounted > Wanted::Nothing {
            let wanted = self.context.accounted;
            let account = Account::of(kind, id, header, decision.header.as_ref(), command, wanted);
            self.effects.accounts.extend(account);
        }
        self.tell(kind, id, header, &decision, command);
        self.spread()?;
        Ok(Done { header: decision.header, told, body: change })
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
        debug_assert_eq!(self.rows.header(task)?.as_ref(), old, "the header is the one on disk");
        let new = decision.header.as_ref();
        let waiting = if decision.body == BodyChange::TakeSuccessor { self.rows.successor(task)? } else { None };
        let mut new_body = match decision.body {
            BodyChange::Keep | BodyChange::PutSuccessor => None,
            BodyChange::Put => body,
            BodyChange::TakeSuccessor => waiting.as_ref(),
        };
        let needs = Change::needs_old_body(kind, task, old, new, new_body.is_some());
        let old_body = if needs { Some(self.rows.body_of(task)?) } else { None };
        let successor = match decision.body {
            BodyChange::PutSuccessor => Some(body),
            // It has taken its place, or its task is gone, or starts anew with a payload from elsewhere.
            _ if old.is_some_and(|old| old.successor) && !new.is_some_and(|new| new.successor) => Some(None),
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
            contain::log(
                || tracing::warn!(kind = kind.name, %id, "the changed task that waited has the unique key of another one: dropped"),
            );
            new_body = None;
        }
        if self.undo.is_some() {
            self.remember(kind, task, &change(new_body))?;
        }
        self.touch();
        let counted = self.rows.apply(kind, task, &change(new_body))?;
        self.count(counted);
        self.batches.count(kind, old, new, 1);
        if let Some(new) = new
            && new.cancel
            && old.is_some_and(|old| !old.cancel)
            && let Some(lease) = &new.lease
            && lease.instance == self.context.instance
        {
            self.effects.cancelled.push(lease.fence);
        }
        self.mark(kind, task, id, old, new)?;
        let frees = kind.limit().is_some() && old.is_some_and(|header| header.lease.is_some());
        self.effects.woke |= new.is_some_and(|header| header.lease.is_none() && (frees || !kind.is_finished(header)));
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
        let still_waits = decision.header.as_ref().is_some_and(|header| header.waits > 0);
        let what = match command {
            Command::Hear(_) if still_waits && decision.history.is_empty() => return,
            Command::Renew { .. }
            | Command::Checkpoint { .. }
            | Command::Detach { .. }
            | Command::Await { .. }
            | Command::Watched(_)
            | Command::Join { .. } => return,
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
