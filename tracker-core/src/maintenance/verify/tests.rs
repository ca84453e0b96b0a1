//! Tests that `verify` reports rows that contradict the header of their task, and tasks with one id.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    Tracker,
    engine::{Action, Register, Writer},
    model::{
        error::Result,
        kind::KindSpec,
        new_task::NewTask,
        task::TaskRef,
        transition::{Header, Lease},
    },
};

type TaskChange = fn(&mut Header);

/// Gives a task another header, past the rules.
struct Put(TaskRef, TaskChange);

impl Action for Put {
    type Out = ();

    fn run(&self, writer: &mut Writer<'_>) -> Result<()> {
        let kind = writer.kind(self.0.kind)?;
        let old = writer.indexed_header(self.0)?;
        let mut new = old.clone();
        (self.1)(&mut new);
        // Says that there is something to commit.
        writer.put_kind((*kind).clone())?;
        writer
            .rows()
            .apply(
                &kind,
                self.0,
                &crate::storage::write::change::TaskChange {
                    old: Some(&old),
                    new: Some(&new),
                    ..crate::storage::write::change::TaskChange::default()
                },
            )
            .map(drop)
    }
}

fn lease() -> Lease {
    let (token, instance) = (uuid::Uuid::nil(), uuid::Uuid::nil());
    let worker = String::new();
    let (started, expires, length, due) = (0, 1, 1, 0);
    Lease { token, fence: 1, worker, instance, started, expires, length, from: 1, due, begun: true, detached: false }
}

#[test]
fn verify_reports_misplaced_leases_and_statuses() {
    let wrong: [(&str, TaskChange); 3] = [
        ("pending, and somebody's", |header| header.lease = Some(lease())),
        ("in progress, and nobody's", |header| header.code = 2),
        ("in a status that the kind does not have", |header| header.code = 77),
    ];
    for (what, change) in wrong {
        let tracker = Tracker::in_memory().unwrap();
        let engine = &tracker.shared.engine;
        let kind =
            engine.call(Register { spec: KindSpec::sample(), id_type: None, values: Box::new(|_| None) }).unwrap().id;
        let task = engine.call(NewTask::sample(kind, "a")).unwrap().task;
        assert_eq!(tracker.verify().unwrap(), []);
        engine.call(Put(task, change)).unwrap();
        let found: Vec<_> = tracker.verify().unwrap().iter().map(ToString::to_string).collect();
        let names_status = |difference: &String| difference.starts_with(&format!("tracker.headers: {task}: status "));
        assert!(found.iter().any(names_status), "{what}: {found:?}");
    }
}

/// Stores the payload row of the second task for the first one too, and with it the id.
struct CopyRow(TaskRef, TaskRef);

impl Action for CopyRow {
    type Out = ();

    fn run(&self, writer: &mut Writer<'_>) -> Result<()> {
        let kind = writer.kind(self.0.kind)?;
        writer.put_kind((*kind).clone())?;
        let row = writer.rows().task_row(self.1)?;
        writer.rows().put_row(self.0, &row, false)
    }
}

#[test]
fn verify_reports_both_tasks_with_one_id() {
    for (to, from) in [(0, 1), (1, 0)] {
        let tracker = Tracker::in_memory().unwrap();
        let engine = &tracker.shared.engine;
        let kind =
            engine.call(Register { spec: KindSpec::sample(), id_type: None, values: Box::new(|_| None) }).unwrap().id;
        let tasks = ["a", "b"].map(|id| engine.call(NewTask::sample(kind, id)).unwrap().task);
        engine.call(CopyRow(tasks[to], tasks[from])).unwrap();
        let found: Vec<_> = tracker.verify().unwrap().iter().map(ToString::to_string).collect();
        let (owner, rival) = (tasks[from].seq, tasks[to].seq);
        let names_both = format!("is Some({owner}) and should be {rival}");
        assert!(found.iter().any(|what| what.starts_with("tracker.ids: ") && what.ends_with(&names_both)), "{found:?}");
    }
}
