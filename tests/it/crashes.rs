//! Power cuts and disk faults at every point of a script: nothing acknowledged is lost, and the file is always consistent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracker_core::{Error, ManualClock, Role, Sharing, StartOptions, TaskStatus, TrackedTask, Tracker};

use crate::disk::{Disk, Keep};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
    Cancelled = 70,
    #[status(parked)]
    Parked = 80,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 2, history = 2)]
struct Job {
    #[task(id)]
    name: String,
    #[task(index)]
    host: String,
    #[task(unique)]
    key: u32,
    step: u32,
}

fn job(number: u32) -> Job {
    Job { name: format!("job {number}"), host: format!("host {}", number % 3), key: number, step: 0 }
}

/// The status and staged value of each task that the tracker has acknowledged.
type Known = BTreeMap<String, (Status, u32)>;

fn open(disk: &Disk, clock: &ManualClock) -> Result<Tracker, Error> {
    let disk = disk.clone();
    Tracker::options().sharing(Sharing::Exclusive).clock(clock.clone()).open_backend(move || disk.open())
}

/// Does a bit of everything; `known` follows what was acknowledged, so that it stops where the first error comes.
/// `doubt` names the task whose last call failed: it may be before or after that call.
fn script(tracker: &Tracker, known: &mut Known, doubt: &mut Option<String>) -> Result<(), Error> {
    let jobs = tracker.tasks::<Job>()?;
    let mut sure = |name: &str, status, step, result: Result<(), Error>, known: &mut Known| {
        if result.is_err() {
            *doubt = Some(name.to_owned());
        } else {
            known.insert(name.to_owned(), (status, step));
        }
        result
    };
    for number in 0..8 {
        let task = job(number);
        sure(&task.name, Status::Pending, 0, jobs.submit(&task).map(drop), known)?;
    }
    for number in 0..8 {
        let name = format!("job {number}");
        let mut execution = match jobs.start(&name) {
            Ok(execution) => execution,
            Err(error) => return sure(&name, Status::InProgress, 0, Err(error), known),
        };
        known.insert(name.clone(), (Status::InProgress, 0));
        execution.step = 1;
        let (status, step, result) = match number {
            0 | 1 => (Status::Succeeded, 1, execution.succeed()),
            2 => (Status::Failed, 0, execution.fail("no luck")),
            3 => (Status::Exhausted, 0, execution.give_up("never")),
            4 => (Status::Parked, 1, execution.park(Status::Parked)),
            5 => (Status::InProgress, 1, execution.checkpoint()),
            6 => (Status::Pending, 0, execution.release()),
            _ => (Status::Ignored, 0, execution.ignore("not now")),
        };
        let result = sure(&name, status, step, result, known);
        if number == 5 || result.is_err() {
            // The owner is gone without a word.
            std::mem::forget(execution);
        }
        result?;
    }
    sure("job 4", Status::Pending, 1, jobs.move_to("job 4", Status::Pending), known)?;
    sure("job 3", Status::Pending, 0, jobs.requeue("job 3"), known)?;
    sure("job 6", Status::Cancelled, 0, jobs.cancel("job 6"), known)?;
    let renamed = jobs.update("job 2", |job| job.step = 9);
    sure("job 2", Status::Failed, 9, renamed, known)?;
    let options = StartOptions::new().force();
    let forced = jobs.start_with("job 0", &options).and_then(|mut execution| execution.fail("again"));
    sure("job 0", Status::Failed, 1, forced, known)?;
    Ok(())
}

/// Reopens what is left, and holds it against what was acknowledged.
fn check(bytes: Vec<u8>, clock: &ManualClock, known: &Known, doubt: Option<&String>, what: &str) -> Result<(), String> {
    let tracker = open(&Disk::with_bytes(bytes), clock).map_err(|error| format!("{what}: {error}"))?;
    let jobs = tracker.tasks::<Job>().map_err(|error| format!("{what}: {error}"))?;
    let differences = tracker.verify().map_err(|error| format!("{what}: {error}"))?;
    if !differences.is_empty() {
        return Err(format!("{what}: {differences:?}"));
    }
    for (name, (status, step)) in known {
        let record = jobs.get(name).map_err(|error| format!("{what}: {name}: {error}"))?;
        let Some(record) = record else { return Err(format!("{what}: {name} was submitted and is gone")) };
        if doubt == Some(name) {
            continue;
        }
        // Opening has rescued what was in progress.
        let expected = if *status == Status::InProgress { Status::Failed } else { *status };
        if (record.status, record.task.step) != (expected, *step) {
            let found = (record.status, record.task.step);
            return Err(format!("{what}: {name} is {found:?} and was acknowledged as {:?}", (expected, step)));
        }
    }
    let waiting = jobs.query().role(Role::Pending).role(Role::Failed).ids().map_err(|error| error.to_string())?;
    for id in waiting {
        let mut execution = jobs.start(&id).map_err(|error| format!("{what}: {error}"))?;
        execution.succeed().map_err(|error| format!("{what}: {error}"))?;
    }
    Ok(())
}

/// Runs the script on a disk that loses power at an operation; gives what is found wrong.
fn cut(operation: u64, keep: Keep, lies: Option<u64>) -> Result<bool, String> {
    let (disk, clock) = (Disk::default(), ManualClock::new());
    if let Some(every) = lies {
        disk.lies_every(every);
    }
    let (mut known, mut doubt) = (Known::new(), None);
    let created = open(&disk, &clock).map_err(|error| error.to_string())?;
    let first = disk.operations();
    disk.cut_at(first + operation);
    let through = script(&created, &mut known, &mut doubt).is_ok();
    let bytes = disk.after_cut(keep);
    drop(created);
    check(bytes, &clock, &known, doubt.as_ref(), &format!("cut at operation {operation}, keeping {keep:?}"))?;
    Ok(through)
}

#[test]
fn power_lost_at_every_operation_loses_nothing_that_was_acknowledged() {
    let mut points = 0;
    for keep in [Keep::Nothing, Keep::All, Keep::Some(7), Keep::Some(1_234_567)] {
        let mut operation = 1;
        while !cut(operation, keep, None).unwrap() {
            operation += 1;
        }
        assert!(operation > 100, "the script writes: {operation} operations");
        points += operation;
    }
    println!("{points} power cuts");
}

#[test]
fn a_disk_that_lies_is_caught_by_the_same_checks() {
    let found = (1..400).filter(|operation| cut(*operation, Keep::Nothing, Some(10)).is_err()).count();
    assert!(found > 10, "only {found} of the lies were noticed");
}

#[test]
fn after_a_fault_the_caller_knows_the_truth_and_the_tracker_works_on() {
    for done in [false, true] {
        let (mut operation, mut faults) = (1, 0);
        loop {
            let (disk, clock) = (Disk::default(), ManualClock::new());
            let tracker = open(&disk, &clock).unwrap();
            let first = disk.operations();
            disk.fail_at(first + operation, done);
            let (mut known, mut doubt) = (Known::new(), None);
            let stopped = script(&tracker, &mut known, &mut doubt).is_err();
            // One fault, and the disk is well again: the same tracker works on.
            let jobs = tracker.tasks::<Job>().unwrap_or_else(|error| panic!("fault {operation}: {error}"));
            assert_eq!(tracker.verify().unwrap(), [], "fault at operation {operation}");
            for (name, (status, step)) in &known {
                let record = jobs.get(name).unwrap().unwrap_or_else(|| panic!("fault {operation}: {name} is gone"));
                // A call that failed has changed nothing: its outcome was resolved, not guessed.
                if doubt.as_ref() != Some(name) || record.status != Status::InProgress {
                    assert_eq!((record.status, record.task.step), (*status, *step), "fault {operation}: {name}");
                }
            }
            faults += u64::from(stopped);
            if disk.operations() < first + operation {
                break;
            }
            operation += 1;
        }
        assert!(operation > 100, "the script writes: {operation} operations");
        println!("{operation} faults, {faults} of them told");
        assert!(done || faults > 100, "a write that was not done is told: {faults} of {operation}");
    }
}
