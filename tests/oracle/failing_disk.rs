//! Makes a disk fail under several threads, once or for good, before or after an operation takes effect. Then the disk
//! works again, and the file is read by the same tracker and by a new one.

use std::{thread, time::Duration};

use tracker_core::{Error, Tracker, file::Sharing, time::ManualClock};

use crate::{
    checker::{self, Figures},
    client::{AllTasks, Client, Held, Plan},
    log::{self, Answer, Event, Log},
    random::{Random, seed, setting},
    test_disk::{Disk, Fault, Operation},
};

const THREADS: u64 = 3;
const CALLS: u64 = 30;
const TASKS: u32 = 8;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

fn open(disk: &Disk, sharing: Sharing, cache: usize) -> Result<Tracker, Error> {
    disk.open_tracker(Tracker::options().sharing(sharing).clock(ManualClock::new()).cache_bytes(cache))
}

fn random_fault(random: &mut Random) -> Fault {
    let operation = Operation::ALL[random.weighted(&[1, 4, 2, 1, 2])];
    let most = match operation {
        Operation::Read | Operation::Write => 400,
        Operation::Resize => 2,
        Operation::WriteThrough | Operation::Sync => 100,
    };
    Fault {
        operation,
        nth: 1 + random.below(most) as u64,
        error: [EIO, ENOSPC][random.below(2)],
        done: operation != Operation::Read && random.below(2) == 0,
        lasting: random.below(3) == 0,
    }
}

/// Plays one run. Returns its log, and whether the fault came.
fn play(run: u64) -> (Vec<log::Entry>, bool) {
    let mut random = Random::new(seed() << 32 | run);
    let sharing = [Sharing::Exclusive, Sharing::Readers, Sharing::Writers][random.below(3)];
    // Without a cache, reads come to the disk.
    let cache = [0, 1 << 20][random.below(2)];
    let redo_log = [None, Some(256 << 10)][random.below(2)];
    let (disk, log) = (Disk::default().with_log(redo_log), Log::memory(|| 0));
    let tracker = open(&disk, sharing, cache).unwrap();
    let tasks = AllTasks::open(&tracker).unwrap();
    let fault = random_fault(&mut random);
    disk.fail(fault);
    let plan = Plan { first: 0, tasks: TASKS, lease: Duration::from_secs(60), contended: false };
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (log, tasks, plan) = (&log, &tasks, &plan);
            let random = Random::new(random.number());
            scope.spawn(move || {
                let mut client = Client { log, name: format!("first.{number}"), random };
                let mut held = Held::default();
                for _ in 0..CALLS {
                    client.step(tasks, &mut held, plan);
                }
                client.release_all(held);
            });
        }
    });
    let came = disk.heal();
    let reader = Client { log: &log, name: "first.reader".to_owned(), random: Random::new(0) };
    if !fault.lasting {
        assert_eq!(tracker.verify().unwrap(), [], "run {run}, {fault:?}");
        reader.get_all(&tasks, 0..TASKS);
    }
    drop((tasks, tracker));
    log.write(Event::Dying { process: "first".to_owned() });
    log.write(Event::Dead { process: "first".to_owned() });
    let tracker = open(&disk, sharing, cache).unwrap();
    let tasks = AllTasks::open(&tracker).unwrap();
    assert_eq!(tracker.verify().unwrap(), [], "run {run}, {fault:?}, opened again");
    Client { name: "second.reader".to_owned(), ..reader }.get_all(&tasks, 0..TASKS);
    (log.entries(), came)
}

#[test]
fn failing_disk_loses_nothing_acknowledged() {
    let (runs, mut figures, mut faults) = (setting("TRACKER_ROUNDS", 40), Figures::default(), 0);
    let (mut failed, mut unknown) = (0, 0);
    for run in 0..runs {
        let (entries, came) = play(run);
        for entry in &entries {
            match &entry.event {
                Event::Answered { answer: Answer::Failed, .. } => failed += 1,
                Event::Answered { answer: Answer::Unknown, .. } => unknown += 1,
                _ => {}
            }
        }
        match checker::check(&entries) {
            Ok(checked) => figures += checked,
            Err(what) => panic!("seed {}, run {run}: {what}{}", seed(), log::kept(&entries)),
        }
        faults += u64::from(came);
    }
    println!("{runs} runs, {faults} faults, {failed} calls failed, {unknown} unknown: {figures:?}");
    assert!(faults > runs / 4 && failed > 0, "too few faults came: {faults}");
}
