//! Tests of the times of a task and a batch after a repair of the clock.

use crate::model::{
    status::Role,
    time::Micros,
    transition::{
        Batch, BatchDelta, Command, Outcome, TimeShift,
        tests::{
            machines::full,
            task_fixture::{LEASE, TaskFixture},
        },
        times_of, times_of_batch,
    },
};

const SECOND: Micros = 1_000_000;

/// The right time: 500 seconds before the submit of each task.
const NOW: Micros = 500 * SECOND;

#[test]
fn released_task_keeps_its_delay_from_its_submit() {
    let mut fixture = TaskFixture::of(full());
    fixture.apply(&Command::SetDue(fixture.now + 10 * SECOND));
    fixture.pass(LEASE);
    fixture.run(Outcome::Release);
    let shifted = TimeShift::to(NOW).header(fixture.task());
    assert_eq!((shifted.created, shifted.updated, shifted.due), (NOW, NOW, NOW + 10 * SECOND));
}

#[test]
fn lease_lasts_its_whole_length_after_a_repair() {
    let mut fixture = TaskFixture::of(full());
    let due = fixture.now + 30 * SECOND;
    fixture.apply(&Command::SetDue(due));
    fixture.start(|_| ()).expect("before its time");
    let (first, second) = (fixture.now - SECOND, fixture.now);
    let shifted = TimeShift::keeping_order(NOW, [first, second]).header(fixture.task());
    let lease = shifted.lease.expect("it runs");
    assert_eq!((lease.started, lease.expires), (NOW + 1, NOW + 1 + 60 * SECOND));
    assert_eq!(lease.due, NOW + 1 + 30 * SECOND, "its delay counts from the start");
}

#[test]
fn repair_reads_and_corrects_every_time_of_a_task() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.pass(LEASE / 2);
    fixture.end(owner, Outcome::Succeed);
    fixture.pass(LEASE);
    fixture.requeue(false);
    fixture.claim();
    let start = fixture.now - 90 * SECOND;
    let times: Vec<_> = times_of(fixture.task()).collect();
    assert_eq!(times, [0, 90, 90, 0, 30].map(|seconds| start + seconds * SECOND), "created to the end of the attempt");
    let shifted = TimeShift::keeping_order(NOW, times).header(fixture.task());
    assert_eq!(times_of(&shifted).collect::<Vec<_>>(), [0, 2, 2, 0, 1].map(|after| NOW + after));
}

#[test]
fn repair_reads_and_corrects_every_time_of_a_batch() {
    let mut batch = Batch::new("night", NOW + 70);
    let mut delta = BatchDelta { ends: 1, seal: Some(true), ..BatchDelta::default() };
    delta.count(None, Some(Role::Succeeded), 1);
    batch.apply(&delta, NOW + 80);
    let times: Vec<_> = times_of_batch(&batch).collect();
    assert_eq!(times, [70, 80, 80].map(|after| NOW + after));
    let shifted = TimeShift::keeping_order(NOW, times).batch(&batch);
    assert_eq!(times_of_batch(&shifted).collect::<Vec<_>>(), [NOW, NOW + 1, NOW + 1]);
}
