//! Cuts the power at each change of the disk while occurrences are submitted, and lets several processes submit them at once. Each
//! occurrence is one task afterwards.

use std::{path::Path, time::Duration};

use chrono::TimeDelta;
use tracker_core::{
    Tasks, Tracker,
    file::Sharing,
    redb_store::OptionsExt,
    schedule::{CatchUp, Overlap, Schedule},
    time::ManualClock,
};

use crate::support::{
    child_process,
    disk_image::{DiskImage, Keep},
    kinds::{Job, job, sound},
    random::Random,
    test_disk::Disk,
};

const HOUR: Duration = Duration::from_secs(3600);
const HOURS: u32 = 3;

/// Registers an hourly schedule that submits every occurrence.
fn register(tracker: &Tracker) -> Tasks<Job> {
    let jobs: Tasks<Job> = tracker.tasks().unwrap();
    let every = Schedule::every(HOUR).unwrap().catch_up(CatchUp::All { max: 100 }).unwrap();
    jobs.schedule("hourly", &every.overlap(Overlap::CancelEarlier), |occurrence| job(&occurrence.id())).unwrap();
    jobs
}

fn open(disk: &Disk, clock: &ManualClock) -> Tracker {
    let disk = disk.clone();
    let options = Tracker::options().clock(clock.clone()).prune_every(None).sharing(Sharing::Exclusive);
    options.open_backend(move || disk.open()).unwrap()
}

#[test]
fn power_cut_during_an_advance_loses_and_doubles_nothing() {
    let (disk, clock) = (Disk::default(), ManualClock::new());
    let tracker = open(&disk, &clock);
    register(&tracker);
    let registered = disk.changes();
    // The numbers of changes after which each occurrence was acknowledged.
    let mut acknowledged = Vec::new();
    for _ in 0..HOURS {
        clock.advance(HOUR);
        tracker.submit_due_occurrences().unwrap();
        acknowledged.push(disk.changes());
    }
    let (log, mut random, mut image) = (disk.log(), Random::new(7), DiskImage::new(Vec::new(), None));
    let mut cuts = 0;
    for (point, change) in log.iter().enumerate() {
        if point >= registered {
            let keep = Keep::ALL[point % Keep::ALL.len()];
            let tracker = open(&Disk::with_bytes(image.image(change, keep, &mut random)), &clock);
            let info = tracker.schedule("hourly").unwrap().unwrap().info().unwrap();
            let stored = acknowledged.iter().filter(|changes| **changes <= point).count() as u64;
            assert!(info.submitted >= stored, "{point} {keep:?}: {info:?}");
            let jobs = register(&tracker);
            tracker.submit_due_occurrences().unwrap();
            let info = tracker.schedule("hourly").unwrap().unwrap().info().unwrap();
            assert_eq!((info.submitted, info.missed), (u64::from(HOURS), 0), "{point} {keep:?}");
            assert_eq!(jobs.query().total().unwrap(), u64::from(HOURS), "{point} {keep:?}");
            sound(&tracker);
            cuts += 1;
        }
        image.apply(change);
    }
    assert!(cuts > 20, "{cuts}");
}

/// The role of a process that submits all occurrences of a day.
pub const SUBMITTER: &str = "submits occurrences";
const PROCESSES: usize = 4;
const DAY: u64 = 24;

/// Passes a day hour by hour on a clock of its own.
pub fn play(file: &Path) {
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).sharing(Sharing::Writers).open(file).unwrap();
    register(&tracker);
    for _ in 0..DAY {
        clock.advance(HOUR);
        tracker.submit_due_occurrences().unwrap();
    }
}

#[test]
fn processes_submit_each_occurrence_once_also_if_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let clock = ManualClock::new();
    let open = || Tracker::options().clock(clock.clone()).sharing(Sharing::Writers).open(&file).unwrap();
    let tracker = open();
    let jobs = register(&tracker);
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| child_process::start(&[], SUBMITTER, &file)).collect();
    let submitted = || tracker.schedule("hourly").unwrap().unwrap().info().unwrap().submitted;
    // The first one dies at some moment of its work.
    while submitted() == 0 {
        std::thread::yield_now();
    }
    processes[0].kill().unwrap();
    for (number, mut process) in processes.into_iter().enumerate() {
        let status = process.wait().unwrap();
        assert!(number == 0 || status.success(), "{}", child_process::errors(&file));
    }
    clock.advance(HOUR * u32::try_from(DAY).unwrap());
    tracker.submit_due_occurrences().unwrap();
    // The clocks of the processes add up, so that more than a day has passed in the file.
    let info = tracker.schedule("hourly").unwrap().unwrap().info().unwrap();
    assert!(info.recent.windows(2).all(|pair| pair[1] - pair[0] == TimeDelta::hours(1)), "{info:?}");
    assert!(info.submitted >= DAY, "{info:?}");
    assert_eq!((info.submitted, info.missed), (jobs.query().total().unwrap(), 0));
    sound(&tracker);
}
