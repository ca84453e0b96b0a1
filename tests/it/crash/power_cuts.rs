//! Cuts the power at every write, resize and flush of a script that uses everything. Nothing acknowledged may be lost,
//! nothing may be half stored, and the file must be consistent.
//!
//! `TRACKER_SWEEP=1` tries each point with each way to lose data, and a second power cut at each point of the recovery.
//! `TRACKER_SEED=n` changes what chance keeps (each failure names its seed), `TRACKER_POINT=n` tries one point only.

use std::{collections::BTreeSet, time::Duration};

use tracker_core::{ErrorKind, Tracker, file::Sharing, time::ManualClock};

use crate::support::{
    disk_image::{DiskImage, Keep},
    random::{Random, setting},
    script::{LATER, SCRIPT, Script, Stored, open},
    snapshot::Snapshot,
    test_disk::{Change, Disk},
};

/// A moment at which a step had returned.
struct Acknowledged {
    /// How many changes the disk had seen.
    changes: usize,
    step: &'static str,
    stored: Stored,
    /// Whether the later program was there.
    later: bool,
    bytes: Vec<u8>,
    live: Snapshot,
}

struct Recording {
    log: Vec<Change>,
    acknowledged: Vec<Acknowledged>,
}

fn record(sharing: Sharing, log: Option<u32>) -> Recording {
    let (disk, clock) = (Disk::default().with_log(log), ManualClock::new());
    let mut script = Script::open(&disk, sharing, &clock).unwrap();
    let mut acknowledged = Vec::new();
    let mut later = false;
    let mut note = |script: &Script, step, stored, later| {
        let live = script.look().unwrap();
        acknowledged.push(Acknowledged { changes: disk.changes(), step, stored, later, bytes: disk.bytes(), live });
    };
    note(&script, "opened", Stored::Whole, false);
    for step in SCRIPT {
        (step.act)(&mut script).unwrap_or_else(|error| panic!("{}: {error}", step.name));
        later |= step.name == LATER;
        note(&script, step.name, step.stored, later);
    }
    assert_eq!(script.tracker.verify().unwrap(), []);
    Recording { log: disk.log(), acknowledged }
}

/// The clock at the open after the power cut: some hours later.
fn afterwards() -> ManualClock {
    let clock = ManualClock::new();
    clock.advance(Duration::from_secs(4 * 3_600));
    clock
}

/// How a sweep goes over the points.
#[derive(Clone, Copy)]
struct Plan {
    sharing: Sharing,
    /// The length of the redo log, in bytes.
    log: Option<u32>,
    seed: u64,
    /// One of so many points is tried.
    stride: usize,
    /// Each point with each way to lose data; otherwise the ways take turns.
    every_way: bool,
    /// A second power cut at each point of the recovery; otherwise at one.
    every_recovery: bool,
    lies_every: Option<u64>,
}

#[derive(Default)]
struct Found {
    cuts: u64,
    second_cuts: u64,
    wrong: Vec<String>,
}

impl Plan {
    fn sweep(self, recording: &Recording) -> Found {
        let mut found = Found::default();
        let mut image = DiskImage::new(Vec::new(), self.lies_every);
        let mut looks: [Option<(usize, Snapshot)>; 2] = [None, None];
        let only = setting("TRACKER_POINT");
        let mut next = 0;
        for (point, change) in recording.log.iter().enumerate() {
            while next < recording.acknowledged.len() && recording.acknowledged[next].changes <= point {
                next += 1;
            }
            let is_chosen = only.map_or((point + 1).is_multiple_of(self.stride), |only| only == point as u64);
            if is_chosen {
                let turn = (point + usize::try_from(self.seed).unwrap_or(0)) % 4;
                let ways = Keep::ALL.into_iter().enumerate().filter(|(way, _)| self.every_way || *way == turn);
                for (_, keep) in ways {
                    let mut random = Random::new(self.seed ^ (point as u64) << 3 ^ keep as u64);
                    let image = image.image(change, keep, &mut random);
                    found.cuts += 1;
                    let checked = if next == 0 {
                        self.check_creation(image)
                    } else {
                        self.check(recording, next, image, &mut looks, &mut random, &mut found.second_cuts)
                    };
                    if let Err(what) = checked {
                        let step = recording.acknowledged.get(next).map_or("the end", |step| step.step);
                        found.wrong.push(format!(
                            "TRACKER_SEED={} TRACKER_POINT={point}, {:?}, in {step:?}, keeping {keep:?}: {what}",
                            self.seed, self.sharing
                        ));
                    }
                }
            }
            image.apply(change);
        }
        found
    }

    /// Whether what is left holds what was acknowledged, and of the step under way all or nothing; also after a second
    /// power cut while the first one is recovered from.
    fn check(
        self,
        recording: &Recording,
        next: usize,
        image: Vec<u8>,
        looks: &mut [Option<(usize, Snapshot)>; 2],
        random: &mut Random,
        second_cuts: &mut u64,
    ) -> Result<(), String> {
        let last = recording.acknowledged.len() - 1;
        let (before, after) = (&recording.acknowledged[next - 1], &recording.acknowledged[next.min(last)]);
        let [old, new] = looks;
        // Each is opened as the program under way would.
        for (look, number) in [(&mut *old, next - 1), (&mut *new, next.min(last))] {
            if look.as_ref().is_none_or(|(of, _)| *of != number) {
                let bytes = recording.acknowledged[number].bytes.clone();
                let clean = Snapshot::at(&Disk::with_bytes(bytes), self.sharing, &afterwards(), after.later)?;
                *look = Some((number, clean));
            }
        }
        let (Some((_, old)), Some((_, new))) = (old, new) else { return Ok(()) };
        acknowledged_is_stored(&before.live, old)?;
        // The next program applies the log of the one that crashed, also if it writes none.
        let disk = Disk::with_bytes(image.clone()).with_log(self.log.filter(|_| next.is_multiple_of(2)));
        let seen = Snapshot::at(&disk, self.sharing, &afterwards(), after.later)?;
        seen.is_between(old, new, after.stored)?;

        let log = disk.log();
        let points = if self.every_recovery { 0..log.len() } else { pick(random, log.len()) };
        let mut image = DiskImage::new(image, None);
        for (point, change) in log.iter().enumerate() {
            if points.contains(&point) {
                *second_cuts += 1;
                let keep = Keep::ALL[random.below(4)];
                let disk = Disk::with_bytes(image.image(change, keep, random)).with_log(self.log);
                let again = Snapshot::at(&disk, self.sharing, &afterwards(), after.later)
                    .map_err(|what| format!("after a second cut at {point}, keeping {keep:?}: {what}"))?;
                // The look has worked on one task, which may have got lost again with the cut.
                let differing =
                    again.0.keys().chain(seen.0.keys()).filter(|name| again.0.get(*name) != seen.0.get(*name));
                let differing: BTreeSet<_> = differing.collect();
                if differing.len() > 1 {
                    return Err(format!("after a second cut at {point}, keeping {keep:?}: {differing:?} have changed"));
                }
            }
            image.apply(change);
        }
        Ok(())
    }

    /// Before the file is complete it may be no tracker file, which is reported. Otherwise it is empty and consistent.
    fn check_creation(self, image: Vec<u8>) -> Result<(), String> {
        let disk = Disk::with_bytes(image);
        match open(&disk, self.sharing, &afterwards()) {
            Ok(tracker) => match tracker.verify() {
                Ok(differences) if differences.is_empty() => Ok(()),
                other => Err(format!("verifying: {other:?}")),
            },
            Err(error) if matches!(error.kind(), ErrorKind::Foreign | ErrorKind::Corrupted) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// One of so many, if there is one.
fn pick(random: &mut Random, of: usize) -> std::ops::Range<usize> {
    let at = random.below(of.max(1));
    at..at + 1
}

/// The reopened file equals the acknowledged state, except that running tasks were freed.
fn acknowledged_is_stored(live: &Snapshot, stored: &Snapshot) -> Result<(), String> {
    for (name, seen) in &live.0 {
        let Some(found) = stored.0.get(name) else { return Err(format!("{name} was acknowledged and is gone")) };
        if !seen.running && seen.standing != found.standing {
            return Err(format!("{name} is {found:?} and was acknowledged as {seen:?}"));
        }
    }
    Ok(())
}

fn sweep(sharing: Sharing, log: Option<u32>) {
    let everything = setting("TRACKER_SWEEP").is_some();
    let seed = setting("TRACKER_SEED").unwrap_or(1);
    let recording = record(sharing, log);
    // Three and the four ways have no common divisor, so that every way is tried.
    let stride = if everything { 1 } else { 3 };
    let plan = Plan { sharing, log, seed, stride, every_way: everything, every_recovery: everything, lies_every: None };
    let found = plan.sweep(&recording);
    println!(
        "{sharing:?}, log {log:?}, seed {seed}: {} points, {} power cuts, {} more during recovery",
        recording.log.len(),
        found.cuts,
        found.second_cuts
    );
    let records = recording.log.iter().filter(|change| matches!(change, Change::WriteThrough(..))).count();
    assert!(log.is_none() || records > 60, "only {records} records were written");
    assert!(found.wrong.is_empty(), "{} are wrong, the first: {}", found.wrong.len(), found.wrong[0]);
}

#[test]
fn power_cuts_lose_nothing_acknowledged_in_exclusive_mode() {
    sweep(Sharing::Exclusive, None);
}

#[test]
fn power_cuts_lose_nothing_acknowledged_in_readers_mode() {
    sweep(Sharing::Readers, None);
}

#[test]
fn power_cuts_lose_nothing_acknowledged_in_writers_mode() {
    sweep(Sharing::Writers, None);
}

/// The length of the redo log, in bytes: some commits fill it, so that it begins anew again and again, and some are too large for it.
const LOG: Option<u32> = Some(384 << 10);

#[test]
fn power_cuts_lose_nothing_with_a_log_exclusively() {
    sweep(Sharing::Exclusive, LOG);
}

#[test]
fn power_cuts_lose_nothing_with_a_log_beside_readers() {
    sweep(Sharing::Readers, LOG);
}

#[test]
fn lying_disk_is_caught_by_the_same_checks() {
    let recording = record(Sharing::Exclusive, None);
    let plan = Plan {
        sharing: Sharing::Exclusive,
        log: None,
        seed: 4,
        stride: 1,
        every_way: false,
        every_recovery: false,
        lies_every: Some(10),
    };
    let found = plan.sweep(&recording);
    println!("{} of {} lies were noticed", found.wrong.len(), found.cuts);
    assert!(found.wrong.len() > 30, "only {} of {} were noticed", found.wrong.len(), found.cuts);
}

#[test]
fn power_cut_in_the_first_open_leaves_a_usable_folder() {
    let recording = record(Sharing::Exclusive, None);
    let creation = &recording.log[..recording.acknowledged[0].changes];
    let mut image = DiskImage::new(Vec::new(), None);
    for (point, change) in creation.iter().enumerate() {
        for keep in Keep::ALL {
            // A file is made under another name, and gets its own when it is whole.
            let folder = tempfile::tempdir().unwrap();
            let name = format!(".jobs.redb.{}.new", uuid::Uuid::new_v4());
            let image = image.image(change, keep, &mut Random::new(point as u64));
            std::fs::write(folder.path().join(name), image).unwrap();
            let path = folder.path().join("jobs.redb");
            let tracker = Tracker::open(&path).unwrap_or_else(|error| panic!("{point}, {keep:?}: {error}"));
            assert_eq!(tracker.verify().unwrap(), [], "{point}, {keep:?}");
        }
        image.apply(change);
    }
    assert!(creation.len() > 20, "creation makes {} changes", creation.len());
}
