//! Makes the first, the second, the third … read, write, resize and flush of a script fail. Each call must report the
//! truth, nothing acknowledged may be lost, and the tracker must work on or report that it must be reopened.
//!
//! `TRACKER_SWEEP=1` tries each operation; otherwise every 23rd, with others in each mode and for each error.
//! `TRACKER_POINT=n` tries one.

use tracker_core::{
    ErrorKind, Tracker,
    file::{Durability, Sharing},
    redb_store::OptionsExt,
    submit::SubmitOptions,
    time::ManualClock,
};

use crate::support::{
    kinds::{Job, job, sound},
    random::setting,
    script::{SCRIPT, Script, Step, Stored},
    snapshot::{Seen, Snapshot, was_left},
    test_disk::{Disk, Fault, Operation},
};

/// Whether the error is one that a tracker returns while its disk is away.
const SAYS_SO: [ErrorKind; 4] = [ErrorKind::Io, ErrorKind::NoSpace, ErrorKind::Closed, ErrorKind::OutcomeUnknown];
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Whether the error of a closed file says which error of the operating system closed it.
fn names_fault(error: &tracker_core::Error, number: i32) -> bool {
    let message = error.to_string();
    message.contains("could not be opened again") && message.contains(&format!("(os error {number})"))
}

/// The state after each step when nothing fails.
fn undisturbed(sharing: Sharing) -> Vec<Snapshot> {
    let mut script = Script::open(&Disk::default(), sharing, &ManualClock::new()).unwrap();
    let mut looks = vec![script.look().unwrap()];
    for step in SCRIPT {
        (step.act)(&mut script).unwrap();
        looks.push(script.look().unwrap());
    }
    looks
}

/// A step whose execution goes with the call, so that asking again is another attempt.
fn is_another_attempt(step: &Step) -> bool {
    step.name == "detach" || step.stored == Stored::ByWorker
}

struct Case<'l> {
    sharing: Sharing,
    log: Option<u32>,
    fault: Fault,
    looks: &'l [Snapshot],
}

#[derive(Default)]
struct Tally {
    faults: u64,
    told: u64,
    unknown: u64,
}

impl Case<'_> {
    /// Plays the script; whether the fault came.
    fn play(&self, tally: &mut Tally) -> Result<bool, String> {
        let (disk, clock) = (Disk::default().with_log(self.log), ManualClock::new());
        let mut script = Script::open(&disk, self.sharing, &clock).map_err(|error| error.to_string())?;
        disk.fail(self.fault);
        for (number, step) in SCRIPT.iter().enumerate() {
            let (before, after) = (&self.looks[number], &self.looks[number + 1]);
            let answer = (step.act)(&mut script);
            if !disk.has_failed() {
                answer.map_err(|error| format!("{}: {error}, without a fault", step.name))?;
                continue;
            }
            let at = |what: String| format!("in {:?}, answered {answer:?}: {what}", step.name);
            tally.faults += 1;
            tally.told += u64::from(answer.is_err());
            let unknown = match &answer {
                Ok(()) => false,
                Err(error) => match error.kind() {
                    ErrorKind::Io if self.fault.error == EIO || self.fault.done => false,
                    ErrorKind::NoSpace if self.fault.error == ENOSPC => false,
                    ErrorKind::OutcomeUnknown => true,
                    // Another thread has met the fault.
                    ErrorKind::Closed if self.fault.lasting && names_fault(error, self.fault.error) => false,
                    other => return Err(at(format!("{other:?} does not say what happened"))),
                },
            };
            tally.unknown += u64::from(unknown);
            if self.fault.lasting {
                return self.open_again(&disk, script, before, (after, step.stored)).map(|()| true).map_err(at);
            }
            disk.heal();
            let look = script.look().map_err(|error| at(error.to_string()))?;
            let expected = match (&answer, step.stored) {
                (Ok(()), _) => look.is_between(after, after, Stored::Whole),
                (Err(_), Stored::Whole) if !unknown && !is_another_attempt(step) => {
                    look.is_between(before, before, Stored::Whole)
                }
                (Err(_), _) if is_another_attempt(step) => Ok(()),
                (Err(_), stored) => look.is_between(before, after, stored),
            };
            expected.map_err(at)?;
            return self.go_on(script, &answer, number).map(|()| true).map_err(at);
        }
        Ok(false)
    }

    /// The disk is well again: what has failed is asked for again, and the rest of the script runs as ever.
    fn go_on(&self, mut script: Script, answer: &Result<(), tracker_core::Error>, from: usize) -> Result<(), String> {
        let first = if answer.is_err() { from } else { from + 1 };
        for step in &SCRIPT[first..] {
            (step.act)(&mut script).map_err(|error| format!("{} afterwards: {error}", step.name))?;
        }
        let differences = script.tracker.verify().map_err(|error| error.to_string())?;
        if !differences.is_empty() {
            return Err(format!("{differences:?}"));
        }
        if is_another_attempt(&SCRIPT[from]) {
            return Ok(());
        }
        let (end, look) = (&self.looks[SCRIPT.len()], script.look().map_err(|error| error.to_string())?);
        look.is_between(end, end, Stored::Whole).map_err(|what| format!("at the end: {what}"))
    }

    /// The disk is away permanently: every call fails, and none hangs. Once it is back, the file opens.
    fn open_again(
        &self,
        disk: &Disk,
        script: Script,
        before: &Snapshot,
        (after, stored): (&Snapshot, Stored),
    ) -> Result<(), String> {
        for answer in [script.touch(), script.tracker.flush(), script.tracker.compact().map(drop)] {
            match answer {
                Ok(()) => return Err("a write went well on a disk that is gone".to_owned()),
                Err(error) if SAYS_SO.contains(&error.kind()) => {}
                Err(error) => return Err(format!("afterwards: {error}")),
            }
        }
        let (clock, later) = (script.clock.clone(), script.is_later());
        drop(script);
        disk.heal();
        let look = Snapshot::at(disk, self.sharing, &clock, later)?;
        for (name, seen) in &before.0 {
            let found = look.0.get(name);
            // What ran was freed.
            let is = |seen: Option<&Seen>| found == seen || seen.is_some_and(|seen| seen.running);
            let left = stored == Stored::ByWorker && was_left(found, Some(seen));
            if !is(Some(seen)) && !is(after.0.get(name)) && !left {
                return Err(format!("{name} is {found:?} and was acknowledged as {seen:?}"));
            }
        }
        Ok(())
    }
}

fn sweep(sharing: Sharing, log: Option<u32>, phase: u64) {
    let looks = undisturbed(sharing);
    let stride = if setting("TRACKER_SWEEP").is_some() { 1 } else { 23 };
    let only = setting("TRACKER_POINT");
    let mut tally = Tally::default();
    let mut wrong = Vec::new();
    for operation in Operation::ALL {
        let ways =
            [(EIO, false, false), (EIO, true, false), (ENOSPC, false, false), (EIO, false, true), (ENOSPC, true, true)];
        for (number, (error, done, lasting)) in (0..).zip(ways) {
            if operation == Operation::Read && (done || error == ENOSPC) {
                continue;
            }
            let mut nth = only.unwrap_or(1 + (number * 2 + phase) % stride);
            loop {
                let fault = Fault { operation, nth, error, done, lasting };
                match (Case { sharing, log, fault, looks: &looks }).play(&mut tally) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(what) => wrong.push(format!("TRACKER_POINT={nth}, {sharing:?}, {fault:?}, {what}")),
                }
                if only.is_some() {
                    break;
                }
                nth += stride;
            }
        }
    }
    println!("{sharing:?}: {} faults, {} told, {} of them as unknown", tally.faults, tally.told, tally.unknown);
    assert!(wrong.is_empty(), "{} are wrong, the first: {}", wrong.len(), wrong[0]);
    assert!(tally.faults > 80 || only.is_some(), "only {} faults came", tally.faults);
}

#[test]
fn disk_faults_are_reported_truly_in_exclusive_mode() {
    sweep(Sharing::Exclusive, None, 0);
}

#[test]
fn disk_faults_are_reported_truly_in_readers_mode() {
    sweep(Sharing::Readers, None, 3);
}

#[test]
fn disk_faults_are_reported_truly_in_writers_mode() {
    sweep(Sharing::Writers, None, 5);
}

/// The length of the redo log, in bytes. Some commits fill it, and some are too large for it.
const LOG: Option<u32> = Some(384 << 10);

#[test]
fn disk_faults_are_reported_truly_with_a_log_exclusively() {
    sweep(Sharing::Exclusive, LOG, 7);
}

#[test]
fn disk_faults_are_reported_truly_with_a_log_beside_readers() {
    sweep(Sharing::Readers, LOG, 11);
}

/// A read outside a transaction once left the tracker refusing every further one.
#[test]
fn failed_read_does_not_stop_later_reads_in_writers_mode() {
    let sharing = Sharing::Writers;
    let looks = undisturbed(sharing);
    let mut tally = Tally::default();
    for nth in 1.. {
        let fault = Fault { operation: Operation::Read, nth, error: EIO, done: false, lasting: false };
        match (Case { sharing, log: None, fault, looks: &looks }).play(&mut tally) {
            Ok(true) => {}
            Ok(false) => break,
            Err(what) => panic!("read {nth}: {what}"),
        }
    }
    assert!(tally.faults > 20, "only {} faults came", tally.faults);
}

#[test]
fn fault_during_repair_is_reported_and_next_open_works() {
    let modes = [Sharing::Exclusive, Sharing::Readers, Sharing::Writers].map(|sharing| (sharing, None));
    for (sharing, log) in modes.into_iter().chain([(Sharing::Exclusive, LOG), (Sharing::Readers, LOG)]) {
        let (disk, clock) = (Disk::default().with_log(log), ManualClock::new());
        let mut script = Script::open(&disk, sharing, &clock).unwrap();
        for step in &SCRIPT[..20] {
            (step.act)(&mut script).unwrap();
        }
        let unclean = disk.bytes();
        assert_eq!(log.is_some(), unclean[512..].starts_with(b"trk.redo"), "{sharing:?}, {log:?}");
        let whole = Snapshot::at(&Disk::with_bytes(unclean.clone()), sharing, &clock, false).unwrap();
        let mut faults = 0;
        for operation in Operation::ALL {
            for error in [EIO, ENOSPC] {
                for nth in 1.. {
                    let disk = Disk::with_bytes(unclean.clone()).with_log(log);
                    disk.fail(Fault { operation, nth, error, done: false, lasting: false });
                    let opened = Script::open(&disk, sharing, &clock);
                    if !disk.heal() {
                        break;
                    }
                    faults += 1;
                    if let Err(error) = opened.map(drop) {
                        let said = matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace);
                        assert!(said, "{sharing:?}, {operation:?} {nth}: {error:?}");
                    }
                    let look = Snapshot::at(&disk, sharing, &clock, false).unwrap();
                    assert_eq!(look, whole, "{sharing:?}, {operation:?} {nth}");
                }
            }
        }
        assert!(faults > 20, "{sharing:?}: only {faults} faults came");
    }
}

#[test]
fn detach_that_fails_on_disk_costs_no_attempt() {
    let disk = Disk::default();
    let mut script = Script::open(&disk, Sharing::Exclusive, &ManualClock::new()).unwrap();
    for step in SCRIPT {
        if step.name == "detach" {
            disk.fail(Fault { operation: Operation::Write, nth: 1, error: EIO, done: false, lasting: false });
            assert_eq!((step.act)(&mut script).unwrap_err().kind(), ErrorKind::Io);
            break;
        }
        (step.act)(&mut script).unwrap();
    }
    script.tracker.flush().unwrap();
    let standing = &script.look().unwrap().0["job/job 9"].standing;
    assert!(standing.starts_with("10 ") && standing.contains("attempts 0 failures 0 crashes 0"), "{standing}");
}

/// A claim that cannot read the task returns the disk error, and does not mark the task as damaged.
#[test]
fn failed_read_in_a_claim_leaves_the_task_claimable() {
    let disk = Disk::default();
    let tracker = uncached(&disk);
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit(&job("a")).unwrap();
    let mut faults = 0;
    let held = loop {
        disk.fail(Fault { operation: Operation::Read, nth: faults + 1, error: EIO, done: false, lasting: false });
        match tasks.claim() {
            Ok(held) => break held,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Io, "{error}"),
        }
        assert!(disk.heal());
        faults += 1;
    };
    assert!(held.is_some_and(|held| held.name == "a") && faults > 5, "{faults} faults came");
    sound(&tracker);
}

/// A tracker without a cache: every read goes to the disk.
fn uncached(disk: &Disk) -> Tracker {
    let disk = disk.clone();
    let options = Tracker::options().sharing(Sharing::Exclusive).clock(ManualClock::new()).cache_bytes(0);
    options.open_backend(move || disk.open()).unwrap()
}

/// The call of a shared commit is tried again alone. By then the file could not be opened again: that
/// is what came of it, and not why.
#[test]
fn every_caller_of_a_failed_commit_gets_the_disk_error() {
    let disk = Disk::default();
    let tracker = uncached(&disk);
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit_all(["a", "b"].map(job)).unwrap();
    disk.fail(Fault { operation: Operation::Read, nth: 1, error: EIO, done: false, lasting: true });
    tasks.submit_with(&job("c"), &SubmitOptions::new().durability(Durability::Relaxed)).unwrap();
    assert_eq!(tasks.submit(&job("d")).unwrap_err().kind(), ErrorKind::Io);
    assert!(disk.heal());
    let closed = tasks.submit(&job("e")).unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Closed, "from then on it must be opened again");
    assert!(names_fault(&closed, EIO), "{closed}");
    drop((tasks, tracker));
    let tracker = uncached(&disk);
    assert_eq!(tracker.tasks::<Job>().unwrap().counts().unwrap().total(), 2);
    sound(&tracker);
}
