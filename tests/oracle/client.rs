//! A client that makes random calls and writes each into the log.

use std::time::Duration;

use tracker_core::{
    Error, ErrorKind, Execution, Record, Submission, Tasks, Tracker, error::Reason, execution::StartOptions,
    file::Durability, record::AttemptStatus, submit::SubmitOptions,
};

use crate::{
    kinds::{Endless, Kind, Named, Short, Status, Task},
    log::{Answer, Call, Event, Log, Refusal, Seen, Verb},
    random::Random,
};

/// The tasks of all kinds.
pub struct AllTasks {
    pub short: Tasks<Short>,
    pub named: Tasks<Named>,
    pub endless: Tasks<Endless>,
}

impl AllTasks {
    pub fn open(tracker: &Tracker) -> Result<Self, Error> {
        Ok(Self { short: tracker.tasks()?, named: tracker.tasks()?, endless: tracker.tasks()? })
    }
}

/// The calls of clients, and their tasks.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The tasks of each kind: this many, from this one.
    pub first: u32,
    pub tasks: u32,
    /// How long leases last.
    pub lease: Duration,
    /// Whether owners take tasks from each other, and ended tasks are started again.
    pub contended: bool,
}

/// The value of a payload that no client has stored.
const NO_VALUE: u64 = u64::MAX;

pub fn refusal(error: &Error) -> Option<Refusal> {
    Some(match error.refusal()?.reason {
        Reason::NotFound | Reason::MissingDependency { .. } => Refusal::NotFound,
        Reason::Leased { .. } => Refusal::Leased,
        Reason::AlreadySucceeded => Refusal::AlreadySucceeded,
        Reason::Exhausted { .. } => Refusal::Exhausted,
        Reason::Cancelled => Refusal::Cancelled,
        Reason::LeaseLost => Refusal::LeaseLost,
        _ => return None,
    })
}

/// The logged form of an error.
pub fn told(error: &Error) -> Answer {
    match error.kind() {
        ErrorKind::OutcomeUnknown => Answer::Unknown,
        ErrorKind::Io | ErrorKind::NoSpace | ErrorKind::Closed | ErrorKind::Busy => Answer::Failed,
        ErrorKind::Corrupted | ErrorKind::Unreadable | ErrorKind::SchemaMismatch => Answer::Damaged,
        other => refusal(error).map_or_else(|| Answer::Other(format!("{other:?}: {error}")), Answer::Refused),
    }
}

pub fn seen<T: Task>(record: &Record<T, Status>) -> Seen {
    Seen {
        status: record.status,
        value: record.task.value().unwrap_or(NO_VALUE),
        attempts: record.attempts,
        failures: record.failures,
        crashes: record.crashes,
        cancel: record.cancel_requested,
        fence: record.lease.as_ref().map(|lease| lease.fence),
        ended: record.ended,
        history: record.history.iter().map(|past| (past.fence, ending(past.status).to_owned())).collect(),
    }
}

/// How an attempt ended. Which process has seen a lease run out is not part of the model.
fn ending(status: AttemptStatus) -> &'static str {
    if status == AttemptStatus::Interrupted { AttemptStatus::Crashed.name() } else { status.name() }
}

pub fn owned<T: Task>(held: &Execution<T>) -> Answer {
    let value = held.task().value().unwrap_or(NO_VALUE);
    Answer::Owned { task: held.task().number(), fence: held.fence(), attempt: held.attempt(), value }
}

pub fn done(result: &Result<(), Error>) -> Answer {
    result.as_ref().map_or_else(told, |()| Answer::Done)
}

/// The executions that a client holds.
#[derive(Default)]
pub struct Held {
    short: Vec<Execution<Short>>,
    named: Vec<Execution<Named>>,
    endless: Vec<Execution<Endless>>,
}

pub struct Client<'l> {
    pub log: &'l Log,
    pub name: String,
    pub random: Random,
}

impl Client<'_> {
    /// Makes a call, between its two entries.
    pub fn call<R>(&self, call: Call, work: impl FnOnce() -> R, answer: impl FnOnce(&R) -> Answer) -> R {
        self.log.write(Event::Called { client: self.name.clone(), call });
        let result = work();
        self.log.write(Event::Answered { client: self.name.clone(), answer: answer(&result) });
        result
    }

    /// Makes one random call.
    pub fn step(&mut self, tasks: &AllTasks, held: &mut Held, plan: &Plan) {
        match Kind::ALL[self.random.below(Kind::ALL.len())] {
            Kind::Short => self.step_of(&tasks.short, &mut held.short, plan),
            Kind::Named => self.step_of(&tasks.named, &mut held.named, plan),
            Kind::Endless => self.step_of(&tasks.endless, &mut held.endless, plan),
        }
    }

    fn step_of<T: Task>(&mut self, tasks: &Tasks<T>, held: &mut Vec<Execution<T>>, plan: &Plan) {
        let task = plan.first + u32::try_from(self.random.below(plan.tasks as usize)).unwrap();
        if !held.is_empty() && (held.len() > 2 || self.random.below(2) == 0) {
            let index = self.random.below(held.len());
            let one = held.swap_remove(index);
            held.extend(self.proceed(one));
            return;
        }
        let verbs = [
            Verb::Submit,
            Verb::SubmitRelaxed,
            Verb::Claim,
            Verb::Start,
            Verb::Cancel,
            Verb::Get,
            Verb::Steal,
            Verb::Requeue,
        ];
        let weights = if plan.contended { [1, 0, 4, 4, 1, 1, 3, 2] } else { [6, 1, 4, 3, 1, 1, 0, 1] };
        match verbs[self.random.weighted(&weights)] {
            Verb::Submit => self.submit(tasks, task),
            Verb::SubmitRelaxed => self.submit_relaxed(tasks, task),
            Verb::Get => self.get(tasks, task),
            Verb::Cancel => {
                let call = Call::on(Verb::Cancel, T::LABEL, task);
                drop(self.call(call, || tasks.cancel(T::id_of(task)), done));
            }
            Verb::Requeue => {
                let call = Call::on(Verb::Requeue, T::LABEL, task);
                drop(self.call(call, || tasks.requeue(T::id_of(task)), done));
            }
            verb => held.extend(self.own(tasks, verb, task, plan.lease)),
        }
    }

    pub fn submit<T: Task>(&mut self, tasks: &Tasks<T>, task: u32) {
        let call = Call { value: self.random.number(), ..Call::on(Verb::Submit, T::LABEL, task) };
        let answer = |result: &Result<tracker_core::submit::Receipt, Error>| match result {
            Ok(receipt) if receipt.submission == Submission::New => Answer::New,
            Ok(_) => Answer::Existing,
            Err(error) => told(error),
        };
        drop(self.call(call, || tasks.submit(&T::new(task, call.value)), answer));
    }

    pub fn submit_relaxed<T: Task>(&mut self, tasks: &Tasks<T>, task: u32) {
        let call = Call { value: self.random.number(), ..Call::on(Verb::SubmitRelaxed, T::LABEL, task) };
        let options = SubmitOptions::new().durability(Durability::Relaxed);
        let work = || tasks.submit_with(&T::new(task, call.value), &options);
        drop(self.call(call, work, |result| result.as_ref().map_or_else(told, |_| Answer::Queued)));
    }

    pub fn get<T: Task>(&self, tasks: &Tasks<T>, task: u32) {
        let answer = |result: &Result<Option<Record<T, Status>>, Error>| match result {
            Ok(record) => Answer::Record(record.as_ref().map(seen)),
            Err(error) => told(error),
        };
        drop(self.call(Call::on(Verb::Get, T::LABEL, task), || tasks.get(T::id_of(task)), answer));
    }

    fn own<T: Task>(&self, tasks: &Tasks<T>, verb: Verb, task: u32, lease: Duration) -> Option<Execution<T>> {
        let options = StartOptions::new().lease(lease);
        let length = i64::try_from(lease.as_micros()).unwrap();
        let call = Call { lease: length, ..Call::new(verb, T::LABEL) };
        if verb == Verb::Claim {
            let answer = |result: &Result<Option<Execution<T>>, Error>| match result {
                Ok(Some(held)) => owned(held),
                Ok(None) => Answer::Nothing,
                Err(error) => told(error),
            };
            return self.call(call, || tasks.claim_with(&options), answer).ok().flatten();
        }
        let options = if verb == Verb::Steal { options.steal_lease().force() } else { options };
        let call = Call { task: Some(task), ..call };
        let work = || tasks.start_with(T::id_of(task), &options);
        self.call(call, work, |result| result.as_ref().map_or_else(told, owned)).ok()
    }

    /// Does something with an execution. Returns it if it is still open.
    fn proceed<T: Task>(&mut self, mut held: Execution<T>) -> Option<Execution<T>> {
        const VERBS: [Verb; 6] =
            [Verb::Renew, Verb::Checkpoint, Verb::Succeed, Verb::Fail, Verb::GiveUp, Verb::Release];
        let verb = VERBS[self.random.weighted(&[2, 2, 4, 4, 1, 1])];
        let call = Call {
            fence: held.fence(),
            value: self.random.number(),
            lease: i64::try_from(held.lease().as_micros()).unwrap(),
            ..Call::on(verb, T::LABEL, held.task().number())
        };
        if matches!(verb, Verb::Checkpoint | Verb::Succeed | Verb::Fail) {
            // A failure drops the change.
            held.task_mut().set_value(call.value);
        }
        let work = || match verb {
            Verb::Renew => held.renew(),
            Verb::Checkpoint => held.checkpoint(),
            Verb::Succeed => held.succeed(),
            Verb::Fail => held.fail("failed by the attack"),
            Verb::GiveUp => held.give_up("given up by the attack"),
            _ => held.release(),
        };
        let result = self.call(call, work, done);
        let open = match result {
            Ok(()) => matches!(verb, Verb::Renew | Verb::Checkpoint),
            // Refused by the storage: the lease stands, and another end can be asked for.
            Err(error) => refusal(&error).is_none() && error.kind() != ErrorKind::OutcomeUnknown,
        };
        open.then_some(held)
    }

    /// Gives back what the client holds.
    pub fn release_all(&self, held: Held) {
        held.short.into_iter().for_each(|held| self.release(held));
        held.named.into_iter().for_each(|held| self.release(held));
        held.endless.into_iter().for_each(|held| self.release(held));
    }

    fn release<T: Task>(&self, mut held: Execution<T>) {
        let call = Call { fence: held.fence(), ..Call::on(Verb::Release, T::LABEL, held.task().number()) };
        drop(self.call(call, || held.release(), done));
    }

    /// Reads all tasks.
    pub fn get_all(&self, tasks: &AllTasks, numbers: std::ops::Range<u32>) {
        for task in numbers {
            self.get(&tasks.short, task);
            self.get(&tasks.named, task);
            self.get(&tasks.endless, task);
        }
    }
}
