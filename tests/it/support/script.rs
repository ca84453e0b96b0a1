//! A script that uses every feature, step by step, for the sweeps of power cuts and disk faults. A new feature needs a
//! step here.

mod steps;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, Execution, TaskStatus, Tasks, TrackedTask, Tracker, batch::Batch, dependency::OnDependencyFailure,
    execution::Ticket, file::Sharing, redb_store::redb::TableDefinition, schedule::ScheduleHandle,
    submit::SubmitOptions, time::ManualClock,
};

use crate::support::{snapshot::Snapshot, test_disk::Disk};
pub use steps::SCRIPT;

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
    Cancelled = 70,
    #[status(parked)]
    Shelf = 80,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 2, history = 2, lease = "1m", backoff = "fixed(1s)")]
#[task(retention(cancelled = "1h"))]
pub struct Job {
    #[task(id)]
    name: String,
    #[task(index)]
    host: String,
    #[task(unique)]
    key: u32,
    #[task(fingerprint)]
    etag: u32,
    step: u32,
}

/// [`Job`] in a later program: a field more, another index, other numbers.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 5, history = 3, lease = "2m")]
pub struct LaterJob {
    #[task(id)]
    name: String,
    host: String,
    #[task(index)]
    step: u32,
    #[task(unique)]
    key: u32,
    #[serde(default)]
    colour: Option<String>,
}

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageStatus {
    #[status(step = "fetch")]
    FetchPending = 10,
    FetchInProgress = 11,
    FetchFailed = 12,
    FetchSucceeded = 13,
    FetchIgnored = 14,
    #[status(step = "load")]
    LoadInProgress = 20,
    LoadFailed = 21,
    LoadSucceeded = 22,
    LoadIgnored = 23,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "stage", status = StageStatus)]
pub struct Stage {
    #[task(id)]
    number: u64,
    rows: Vec<u32>,
}

/// One of a host at a time, and three an hour in all.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "visit", status = Status, rate = "3/1h", lease = "1m", backoff = "fixed(1s)")]
#[task(retention(succeeded = "1h"))]
pub struct Visit {
    #[task(id)]
    number: u32,
    #[task(index, limit = 1)]
    host: Option<String>,
}

/// Needs as much memory as its size.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "load", status = Status, needs(mem = "size"), lease = "1m", backoff = "fixed(1s)")]
pub struct Load {
    #[task(id)]
    number: u32,
    #[task(index)]
    size: u64,
}

/// Done by a worker that works ahead, within a budget of the file.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "chore", status = Status, needs(seats = 1), lease = "1m", backoff = "fixed(1s)")]
pub struct Chore {
    #[task(id)]
    number: u32,
    done: bool,
}

pub const TOTALS: TableDefinition<&str, u64> = TableDefinition::new("totals");

fn job(number: u32) -> Job {
    Job { name: format!("job {number}"), host: format!("host {}", number % 3), key: number, etag: 0, step: 0 }
}

fn visit(number: u32) -> Visit {
    let host = (number > 0).then(|| format!("host {}", number % 2));
    Visit { number, host }
}

/// The program that plays the script.
pub struct Script {
    pub tracker: Tracker,
    pub clock: ManualClock,
    /// Whether the tracker is a file, with tables of the program.
    is_file: bool,
    jobs: Option<Tasks<Job>>,
    later: Option<Tasks<LaterJob>>,
    stages: Tasks<Stage>,
    visits: Tasks<Visit>,
    chores: Tasks<Chore>,
    loads: Tasks<Load>,
    hands: BTreeMap<&'static str, Execution<Job>>,
    stage: Option<Execution<Stage>>,
    visiting: BTreeMap<&'static str, Execution<Visit>>,
    loading: BTreeMap<u32, Execution<Load>>,
    ticket: Option<Ticket>,
}

/// How a step is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// In one commit: the file is as before it or as after it.
    Whole,
    /// In several: each task is as before or as after.
    InParts,
    /// Runs the script with a worker that dies and leaves its claimed tasks.
    ByWorker,
}

pub struct Step {
    pub name: &'static str,
    pub stored: Stored,
    /// Can be asked for again after an error.
    pub act: fn(&mut Script) -> Result<(), Error>,
}

const fn whole(name: &'static str, act: fn(&mut Script) -> Result<(), Error>) -> Step {
    Step { name, stored: Stored::Whole, act }
}

const fn in_parts(name: &'static str, act: fn(&mut Script) -> Result<(), Error>) -> Step {
    Step { name, stored: Stored::InParts, act }
}

/// The step from which on [`LaterJob`] is the type of the kind.
pub const LATER: &str = "a later program opens the kind";

impl Script {
    pub fn open(disk: &Disk, sharing: Sharing, clock: &ManualClock) -> Result<Self, Error> {
        Self::over(open(disk, sharing, clock)?, true, clock)
    }

    /// The program over a tracker that is open.
    pub fn over(tracker: Tracker, is_file: bool, clock: &ManualClock) -> Result<Self, Error> {
        Ok(Self {
            clock: clock.clone(),
            is_file,
            jobs: Some(tracker.tasks()?),
            later: None,
            stages: tracker.tasks()?,
            visits: tracker.tasks()?,
            chores: tracker.tasks()?,
            loads: tracker.tasks()?,
            hands: BTreeMap::new(),
            stage: None,
            visiting: BTreeMap::new(),
            loading: BTreeMap::new(),
            ticket: None,
            tracker,
        })
    }

    fn jobs(&self) -> &Tasks<Job> {
        self.jobs.as_ref().expect("the later program has not come yet")
    }

    fn hand(&mut self, name: &str) -> &mut Execution<Job> {
        self.hands.get_mut(name).expect("a step before this one has claimed it")
    }

    fn claim(&mut self, name: &'static str) -> Result<(), Error> {
        let claimed = self.jobs().claim()?.expect("one is due");
        self.hands.insert(name, claimed);
        Ok(())
    }

    fn start(&mut self, name: &'static str, number: u32) -> Result<(), Error> {
        let started = self.jobs().start(job(number).name)?;
        self.hands.insert(name, started);
        Ok(())
    }

    fn night(&self) -> Result<Batch, Error> {
        Ok(self.tracker.batch("night")?.expect("a step before this one has opened it"))
    }

    fn submit_to_night(&self, number: u32, after: &[u32], on_failure: OnDependencyFailure) -> Result<(), Error> {
        let options = SubmitOptions::new().batch(&self.night()?);
        let options = after.iter().fold(options, |options, on| options.after(self.jobs(), job(*on).name, on_failure));
        self.jobs().submit_with(&job(number), &options).map(drop)
    }

    fn submit_throttled(&self, number: u32) -> Result<(), Error> {
        let options = SubmitOptions::new().throttle("hourly", Duration::from_secs(3_600));
        self.jobs().submit_with(&job(number), &options).map(drop)
    }

    fn schedule(&self) -> Result<ScheduleHandle, Error> {
        Ok(self.tracker.schedule("distant")?.expect("a step before this one has added it"))
    }

    fn stage(&mut self) -> Result<&mut Execution<Stage>, Error> {
        Ok(self.stage.as_mut().expect("one is due"))
    }

    fn visit(&mut self, name: &'static str) -> Result<(), Error> {
        let claimed = self.visits.claim()?.expect("one may start");
        self.visiting.insert(name, claimed);
        Ok(())
    }

    fn visiting(&mut self, name: &str) -> &mut Execution<Visit> {
        self.visiting.get_mut(name).expect("a step before this one has claimed it")
    }

    /// Claims the load that fits, which must have this number.
    fn load(&mut self, number: u32) -> Result<(), Error> {
        let claimed = self.loads.claim()?.expect("one fits");
        assert_eq!(claimed.number, number, "the first that fits");
        self.loading.insert(number, claimed);
        Ok(())
    }

    fn loading(&mut self, number: u32) -> &mut Execution<Load> {
        self.loading.get_mut(&number).expect("a step before this one has claimed it")
    }

    fn pass(&self, seconds: u64) -> Result<(), Error> {
        self.clock.advance(Duration::from_secs(seconds));
        Ok(())
    }

    pub fn is_later(&self) -> bool {
        self.later.is_some()
    }

    /// Writes something.
    pub fn touch(&self) -> Result<(), Error> {
        self.stages.submit(&Stage { number: 1_000, rows: Vec::new() }).map(drop)
    }

    /// A snapshot of all tasks, batches, schedules and budgets.
    pub fn look(&self) -> Result<Snapshot, Error> {
        let mut look = Snapshot::default();
        if let Some(jobs) = &self.jobs {
            look.add(jobs)?;
        }
        if let Some(later) = &self.later {
            look.add(later)?;
        }
        look.add(&self.stages)?;
        look.add(&self.visits)?;
        look.add(&self.chores)?;
        look.add(&self.loads)?;
        look.add_batches(&self.tracker)?;
        look.add_schedules(&self.tracker)?;
        look.add_budgets(&self.tracker)?;
        Ok(look)
    }
}

/// Opens it; nothing is deleted by itself, since what was acknowledged is looked for later.
pub fn open(disk: &Disk, sharing: Sharing, clock: &ManualClock) -> Result<Tracker, Error> {
    disk.open_tracker(Tracker::options().sharing(sharing).clock(clock.clone()).prune_every(None))
}
