//! Tests of claims in a file of a few tasks of several priorities.

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{
    Tracker,
    engine::{Register, Target, TaskCommand},
    model::{
        kind::{Kind, KindSpec},
        new_task::{DependencyRef, NewDependency, NewTask},
        task::{IndexLimit, Policy, TaskId, TaskRef},
        time::{ManualClock, Micros},
        transition::{Command, LATEST, NEVER, OnDependencyFailure, Submit},
    },
    storage::{
        keys::{self, ClaimKey},
        tables::{Reading, Tables},
    },
};

const PENDING: i32 = 1;
const CANCELLED: i32 = 5;

/// A tracker with one kind, of which two of a host may run at a time if there is a limit.
struct File {
    clock: ManualClock,
    tracker: Tracker,
    kind: Arc<Kind>,
}

impl File {
    fn new(limited: bool) -> Self {
        let clock = ManualClock::new();
        let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
        let limits = limited.then_some(IndexLimit { index: Cow::Borrowed("host"), most: 2 }).into_iter().collect();
        let policy = Policy { limits, ..Policy::DEFAULT };
        let spec = KindSpec { indexes: vec!["host".to_owned()], policy, ..KindSpec::sample() };
        let kind = tracker.shared.engine.call(Register { spec, id_type: None, values: Box::new(|_| None) }).unwrap();
        Self { clock, tracker, kind }
    }

    fn submit(&self, id: &str, priority: u8, due: Option<Micros>, after: &[&str]) -> TaskRef {
        let on = |id: &&str| DependencyRef::Task { kind: self.kind.id, id: id.to_key() };
        let new = NewTask {
            indexes: vec![b"\x01a".to_vec()],
            submit: Submit {
                due,
                priority,
                sets_priority: false,
                fingerprint: None,
                batch: None,
                scheduled_at: None,
                max_wait: None,
                trace: None,
            },
            dependencies: after
                .iter()
                .map(|id| NewDependency { on: on(id), on_failure: OnDependencyFailure::Wait })
                .collect(),
            ..NewTask::sample(self.kind.id, id)
        };
        self.tracker.shared.engine.call(new).unwrap().task
    }

    fn act(&self, task: TaskRef, command: Command) {
        let target = Target::Known(task, "".to_key());
        self.tracker.shared.engine.call(TaskCommand::new(self.kind.id, target, command)).unwrap();
    }

    fn read<R>(&self, work: impl Fn(&mut Tables<Reading<'_>>) -> crate::Result<R>) -> R {
        self.tracker.shared.engine.read(work).unwrap()
    }

    fn now(&self) -> Micros {
        self.tracker.shared.engine.now()
    }

    /// Two tasks of each of three priorities; the lower ones are there before.
    fn with_priorities(&self) -> Vec<TaskRef> {
        let new = |priority: u8| ["a", "b"].map(|id| self.submit(&format!("{id}{priority}"), priority, None, &[]));
        [0, 5, 9].into_iter().flat_map(new).collect()
    }
}

fn tasks(claim_keys: Vec<ClaimKey>) -> Vec<TaskRef> {
    claim_keys.into_iter().map(ClaimKey::task).collect()
}

#[test]
fn due_tasks_are_found_by_priority_up_to_the_limit() {
    let file = File::new(false);
    let all = file.with_priorities();
    let (kind, now) = (file.kind.id, file.now());
    file.submit("later", 9, Some(now + 1), &[]);
    let due = |most: usize| tasks(file.read(|rows| rows.due_first(kind, PENDING, now, most)));
    let order = [4, 5, 2, 3, 0, 1].map(|at: usize| all[at]);
    assert_eq!(due(3), order[..3]);
    assert_eq!(due(100), order);
}

#[test]
fn pending_tasks_are_counted_up_to_the_bound() {
    let file = File::new(false);
    let all = file.with_priorities();
    let (kind, now) = (file.kind.id, file.now());
    for (id, priority) in [("c", 0), ("d", 9), ("e", 9)] {
        file.submit(id, priority, None, &["a0"]);
    }
    let soon = file.submit("soon", 0, Some(now + 1), &[]);
    file.submit("later", 9, Some(now + 2), &[]);
    let waiting = |most: u64| file.read(|rows| rows.waiting(kind, PENDING, now, most));
    for (most, due, behind) in [(2, 2, 2), (3, 3, 3), (100, 6, 3)] {
        let found = waiting(most);
        assert_eq!((found.due.count, found.behind.count, found.never.count), (due, behind, 0));
        assert_eq!(found.due.first.map(ClaimKey::task), Some(all[4]));
        assert_eq!(found.behind.first.map(|key| key.rank), Some(u8::MAX - 9));
        assert_eq!(found.later.first.map(ClaimKey::task), Some(soon), "the first to come, whatever its priority");
        assert!(found.never.first.is_none());
    }
}

#[test]
fn ended_tasks_are_found_by_priority_up_to_the_limit() {
    let file = File::new(false);
    let all = file.with_priorities();
    for task in &all {
        file.act(*task, Command::Cancel);
    }
    file.clock.advance(Duration::from_secs(1));
    let before = file.now();
    file.act(file.submit("late", 9, None, &[]), Command::Cancel);
    let ended = |before: Micros, most: usize| file.read(|rows| rows.ended_before(&file.kind, CANCELLED, before, most));
    let order = [4, 5, 2, 3, 0, 1].map(|at: usize| all[at]);
    for most in 0..=order.len() {
        assert_eq!(ended(before, most), order[..most]);
    }
    assert_eq!(ended(before, 100), order, "what ended at that time is kept");
    assert_eq!(ended(before + 1, 100).len(), order.len() + 1);
    assert_eq!(file.read(|rows| rows.ended_before(&file.kind, PENDING, NEVER, 100)), []);
}

#[test]
fn limit_queue_holds_due_tasks_but_not_those_with_dependencies() {
    let file = File::new(true);
    let first = file.submit("first", 0, None, &[]);
    let last = file.submit("at the end of time", 0, Some(NEVER), &[]);
    file.submit("waits", 0, None, &["first"]);
    let queued = file.read(|rows| {
        let keys = rows.limit_queues()?.rows()?;
        keys.map(|row| Ok(keys::limit_queue_claim_key(file.kind.id, row?.0.value()).unwrap()))
            .collect::<crate::Result<Vec<_>>>()
    });
    let queued: Vec<_> = queued.into_iter().map(|key| (key.task(), key.at)).collect();
    assert_eq!(queued, [(first, file.now()), (last, LATEST)]);
    assert_eq!(file.tracker.verify().unwrap(), []);
}
