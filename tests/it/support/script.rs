//! A script that uses every feature, step by step, for the sweeps of power cuts and disk faults. A new feature needs a
//! step here.

use std::{collections::BTreeMap, io, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, ErrorKind, Execution, TaskStatus, Tasks, TrackedTask, Tracker,
    batch::{Batch, BatchOptions},
    dependency::OnDependencyFailure,
    execution::{StartOptions, Ticket},
    file::Sharing,
    redb_store::{OptionsExt, TransactionExt, redb::TableDefinition},
    submit::SubmitOptions,
    time::ManualClock,
};

use crate::support::{snapshot::Snapshot, test_disk::Disk};

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

/// Done by a worker that works ahead.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "chore", status = Status, lease = "1m", backoff = "fixed(1s)")]
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
    jobs: Option<Tasks<Job>>,
    later: Option<Tasks<LaterJob>>,
    stages: Tasks<Stage>,
    visits: Tasks<Visit>,
    chores: Tasks<Chore>,
    hands: BTreeMap<&'static str, Execution<Job>>,
    stage: Option<Execution<Stage>>,
    visiting: BTreeMap<&'static str, Execution<Visit>>,
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

pub const SCRIPT: &[Step] = &[
    whole("submit", |script| script.jobs().submit(&job(0)).map(drop)),
    whole("submit once more", |script| script.jobs().submit(&job(0)).map(drop)),
    whole("submit with a delay", |script| {
        let options = SubmitOptions::new().delay(Duration::from_secs(10)).priority(9);
        script.jobs().submit_with(&job(1), &options).map(drop)
    }),
    in_parts("submit many", |script| script.jobs().submit_all((0..12).map(job)).map(drop)),
    in_parts("submit stages", |script| {
        let stages = (0..2).map(|number| Stage { number, rows: vec![7; 300] });
        script.stages.submit_all(stages).map(drop)
    }),
    whole("claim", |script| script.claim("first")),
    whole("renew", |script| script.hand("first").renew()),
    whole("checkpoint", |script| {
        script.hand("first").step = 1;
        script.hand("first").checkpoint()
    }),
    in_parts("progress", |script| {
        script.hand("first").progress(3, Some(9), "on the way");
        script.tracker.flush()
    }),
    whole("succeed with a follow-up", |script| {
        let jobs = script.jobs().clone();
        let hand = script.hand("first");
        hand.note("a note");
        hand.metric("rows", 7.5);
        if hand.step == 1 {
            hand.step = 2;
            hand.submit_next(&jobs, &job(20))?;
        }
        hand.succeed()
    }),
    whole("submit with another fingerprint", |script| script.jobs().submit(&Job { etag: 1, ..job(0) }).map(drop)),
    whole("start by id", |script| script.start("second", 2)),
    whole("fail", |script| script.hand("second").fail("no luck")),
    whole("2 s pass", |script| script.pass(2)),
    whole("start again", |script| script.start("second", 2)),
    whole("fail for the last time", |script| script.hand("second").fail("still no luck")),
    whole("requeue", |script| script.jobs().requeue("job 2")),
    whole("start to snooze", |script| script.start("third", 3)),
    whole("snooze", |script| script.hand("third").snooze(Duration::from_secs(600))),
    whole("start to park", |script| script.start("fourth", 4)),
    whole("park", |script| script.hand("fourth").park(Status::Shelf)),
    whole("move", |script| script.jobs().move_to("job 4", Status::Pending)),
    whole("start to release", |script| script.start("fifth", 5)),
    whole("release", |script| script.hand("fifth").release()),
    whole("cancel", |script| script.jobs().cancel("job 5")),
    whole("start to give up", |script| script.start("sixth", 6)),
    whole("give up", |script| script.hand("sixth").give_up("never")),
    whole("force", |script| {
        let forced = script.jobs().start_with("job 6", &StartOptions::new().force())?;
        script.hands.insert("sixth", forced);
        Ok(())
    }),
    whole("a submit waits for the end of the run", |script| {
        script.jobs().submit(&Job { etag: 5, step: 5, ..job(6) }).map(drop)
    }),
    whole("succeed before the one that waits", |script| script.hand("sixth").succeed()),
    whole("ignore by hand", |script| script.jobs().ignore("job 6", "not now")),
    whole("update", |script| script.jobs().update("job 7", |job| "elsewhere".clone_into(&mut job.host))),
    whole("start to be cancelled", |script| script.start("eighth", 8)),
    whole("cancel a running one", |script| script.jobs().cancel("job 8")),
    in_parts("drop an execution", |script| {
        drop(script.hands.remove("eighth"));
        script.tracker.flush()
    }),
    whole("start to detach", |script| script.start("ninth", 9)),
    whole("detach", |script| {
        // The execution goes with the call, even if that fails: then the task is given back.
        if !script.hands.contains_key("ninth") {
            script.start("ninth", 9)?;
        }
        script.ticket = script.hands.remove("ninth").map(Execution::detach).transpose()?;
        Ok(())
    }),
    whole("resume", |script| {
        let Some(ticket) = &script.ticket else { return Ok(()) };
        let resumed = script.jobs().resume_ticket(ticket)?;
        script.hands.insert("ninth", resumed);
        Ok(())
    }),
    whole("succeed in a transaction", |script| {
        let jobs = script.jobs().clone();
        let Some(ticket) = &script.ticket else { return Ok(()) };
        let mut hand = match script.hands.remove("ninth") {
            Some(resumed) => resumed,
            None => jobs.resume_ticket(ticket)?,
        };
        let succeeded = script.tracker.transaction(|tx| {
            tx.table(TOTALS)?.insert("done", 1)?;
            tx.submit(&jobs, &job(21))?;
            tx.succeed(&mut hand)
        });
        if succeeded.is_err() {
            std::mem::forget(hand);
        }
        succeeded
    }),
    whole("a transaction rolls back", |script| {
        let rolled_back: Result<(), Error> = script.tracker.transaction(|tx| {
            tx.table(TOTALS)?.insert("done", 2)?;
            tx.submit(script.jobs(), &job(22))?;
            tx.cancel(script.jobs(), "nobody")
        });
        match rolled_back {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }),
    whole("start to be left alone", |script| script.start("tenth", 10)),
    whole("100 s pass", |script| script.pass(100)),
    in_parts("rescue", |script| script.tracker.rescue().map(drop)),
    whole("pause", |script| script.jobs().pause()),
    whole("resume", |script| script.jobs().resume()),
    whole("claim a stage", |script| {
        script.stage = script.stages.step("fetch")?.claim()?;
        Ok(())
    }),
    whole("fetched", |script| script.stage()?.succeed()),
    whole("claim the next stage", |script| {
        script.stage = script.stages.step("load")?.claim()?;
        Ok(())
    }),
    whole("loaded", |script| {
        let stage = script.stage()?;
        stage.rows.clear();
        stage.succeed_with(|tx| {
            tx.table(TOTALS)?.insert("loaded", 300)?;
            Ok::<_, Error>(())
        })
    }),
    whole("remove", |script| script.jobs().remove("job 11")),
    whole("open a batch with a follow-up", |script| {
        let options = BatchOptions::new().then(script.jobs(), &job(40))?;
        script.tracker.open_batch("night", &options).map(drop)
    }),
    whole("submit into the batch", |script| script.submit_to_night(30, &[], OnDependencyFailure::Wait)),
    whole("submit one that waits for it", |script| script.submit_to_night(31, &[30], OnDependencyFailure::Skip)),
    whole("submit together, each waits for the next", |script| {
        let after = |number| SubmitOptions::new().after(script.jobs(), job(number).name, OnDependencyFailure::Cancel);
        let mut group = script.tracker.group();
        group.add(script.jobs(), &job(33), &after(34))?;
        group.add(script.jobs(), &job(34), &after(30))?;
        group.submit().map(drop)
    }),
    whole("submit what waits for the batch", |script| {
        let night = script.night()?;
        let options = SubmitOptions::new().after_batch(&night, OnDependencyFailure::Run);
        script.jobs().submit_with(&job(32), &options).map(drop)
    }),
    whole("seal the batch", |script| script.night()?.seal()),
    whole("start the first of the batch", |script| script.start("first", 30)),
    whole("its success lets others start", |script| script.hand("first").succeed()),
    whole("start the last of the batch", |script| script.start("last", 31)),
    whole("its end is that of the batch", |script| script.hand("last").give_up("never")),
    whole("cancel what another one waits for", |script| script.jobs().cancel("job 34")),
    in_parts("submit visits", |script| script.visits.submit_all((0..7).map(visit)).map(drop)),
    whole("claim one without a limit", |script| script.visit("unlimited")),
    whole("claim one under a limit", |script| script.visit("limited")),
    whole("its failure frees the slot", |script| script.visiting("limited").fail("nobody there")),
    whole("claim past it", |script| script.visit("other")),
    whole("the rate holds back", |script| match script.visits.claim()? {
        None => Ok(()),
        Some(visit) => panic!("the fourth of an hour is {}", visit.number),
    }),
    whole("a visit succeeds", |script| script.visiting("unlimited").succeed()),
    whole("2 h pass", |script| script.pass(7_200)),
    whole("a claim frees what ran out, and its slot", |script| script.visit("late")),
    whole("a late visit succeeds", |script| script.visiting("late").succeed()),
    in_parts("prune", |script| script.jobs().prune().map(drop)),
    in_parts("prune visits", |script| script.visits.prune().map(drop)),
    in_parts("remove the tasks of the batch", |script| {
        let night = script.night()?;
        script.jobs().query().batch(&night).remove().map(drop)
    }),
    whole("nothing is left of the batch", |script| {
        script.tracker.prune_batches(Duration::ZERO)?;
        Ok(())
    }),
    in_parts("compact", |script| script.tracker.compact().map(drop)),
    in_parts(LATER, |script| {
        script.hands.clear();
        script.visiting.clear();
        script.jobs = None;
        script.later = Some(script.tracker.tasks_as("job")?);
        Ok(())
    }),
    whole("the later program submits", |script| {
        let job = LaterJob { name: "late".into(), host: "x".into(), step: 1, key: 99, colour: Some("red".into()) };
        script.later.as_ref().map_or(Ok(()), |later| later.submit(&job).map(drop))
    }),
    in_parts("submit chores", |script| {
        script.chores.submit_all((0..20).map(|number| Chore { number, done: false })).map(drop)
    }),
    // The last: how many commits it makes is up to chance, and the points before it have the same numbers each time.
    Step {
        name: "a worker works ahead",
        stored: Stored::ByWorker,
        act: |script| {
            let work = |chore: &mut Execution<Chore>| {
                chore.done = true;
                Ok::<_, io::Error>(())
            };
            script.chores.worker().prefetch(6).run(work).map(drop)
        },
    },
    in_parts("the end", |script| script.tracker.flush()),
];

impl Script {
    pub fn open(disk: &Disk, sharing: Sharing, clock: &ManualClock) -> Result<Self, Error> {
        let tracker = open(disk, sharing, clock)?;
        Ok(Self {
            clock: clock.clone(),
            jobs: Some(tracker.tasks()?),
            later: None,
            stages: tracker.tasks()?,
            visits: tracker.tasks()?,
            chores: tracker.tasks()?,
            hands: BTreeMap::new(),
            stage: None,
            visiting: BTreeMap::new(),
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

    /// A snapshot of all tasks and batches.
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
        look.add_batches(&self.tracker)?;
        Ok(look)
    }
}

/// Opens it; nothing is deleted by itself, since what was acknowledged is looked for later.
pub fn open(disk: &Disk, sharing: Sharing, clock: &ManualClock) -> Result<Tracker, Error> {
    let disk = disk.clone();
    Tracker::options().sharing(sharing).clock(clock.clone()).prune_every(None).open_backend(move || disk.open())
}
