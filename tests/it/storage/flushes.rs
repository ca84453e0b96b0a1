//! Counts the flushes of each call in each sharing mode, and compares them with the table in `docs/operations.md`.

use std::{fmt::Write as _, io, time::Duration};

use tracker_core::{
    Execution, Tasks, Tracker,
    file::{Durability, Sharing},
    schedule::{Occurrence, Schedule},
    submit::SubmitOptions,
    time::ManualClock,
};

use crate::support::{
    kinds::{Job, fine, job},
    script::open,
    test_disk::{Change, Disk},
};

/// How often each call is counted. The background thread may add a flush to one of them, never to all.
const ROUNDS: usize = 6;

struct Case {
    call: &'static str,
    commits: usize,
    /// Prepares the call with new tasks, then makes it within `counted`.
    act: fn(&Bench, round: usize) -> usize,
}

struct Bench {
    disk: Disk,
    tracker: Tracker,
    jobs: Tasks<Job>,
}

impl Bench {
    fn new(sharing: Sharing, log: Option<u32>) -> Self {
        let disk = Disk::default().with_log(log);
        let tracker = open(&disk, sharing, &ManualClock::new()).unwrap();
        let jobs = tracker.tasks().unwrap();
        // Until the log has begun.
        for number in 0..20 {
            jobs.submit(&job(&format!("before {number}"))).unwrap();
            jobs.remove(format!("before {number}")).unwrap();
        }
        Self { disk, tracker, jobs }
    }

    /// Counts the flushes of a call; `usize::MAX` if the file grew, which flushes once more.
    fn counted<R>(&self, call: impl FnOnce() -> R) -> usize {
        let before = self.disk.changes();
        let result = call();
        let log = self.disk.log();
        drop(result);
        if log[before..].iter().any(|change| matches!(change, Change::Resize(_))) {
            return usize::MAX;
        }
        log[before..].iter().filter(|change| matches!(change, Change::Sync | Change::WriteThrough(..))).count()
    }

    fn started(&self, round: usize) -> Execution<Job> {
        let name = format!("started {round}");
        self.jobs.submit(&job(&name)).unwrap();
        self.jobs.start(name).unwrap()
    }
}

const CASES: &[Case] = &[
    Case {
        call: "`submit` of one task",
        commits: 1,
        act: |bench, round| bench.counted(|| bench.jobs.submit(&job(&format!("one {round}"))).unwrap()),
    },
    Case {
        call: "`submit` with `Durability::Relaxed` (committed within 100 ms)",
        commits: 0,
        act: |bench, round| {
            let relaxed = SubmitOptions::new().durability(Durability::Relaxed);
            bench.counted(|| bench.jobs.submit_with(&job(&format!("relaxed {round}")), &relaxed).unwrap())
        },
    },
    Case {
        call: "`submit_all`, for each 4,096 tasks or 8 MiB",
        commits: 1,
        act: |bench, round| {
            let jobs: Vec<Job> = (0..50).map(|number| job(&format!("{round}/{number}"))).collect();
            bench.counted(|| bench.jobs.submit_all(jobs).unwrap())
        },
    },
    Case {
        call: "`claim`, `start`",
        commits: 1,
        act: |bench, round| {
            bench.jobs.submit(&job(&format!("claimed {round}"))).unwrap();
            bench.counted(|| bench.jobs.claim().unwrap().unwrap())
        },
    },
    Case {
        call: "`submit_and_start`",
        commits: 1,
        act: |bench, round| bench.counted(|| bench.jobs.submit_and_start(&job(&format!("both {round}"))).unwrap()),
    },
    Case {
        call: "`claim` with nothing to claim, a refused call",
        commits: 0,
        act: |bench, _| {
            bench.counted(|| (bench.jobs.claim().unwrap().is_none(), bench.jobs.start("missing").unwrap_err()))
        },
    },
    Case {
        call: "`succeed`, `fail` and every other outcome, with follow-up tasks",
        commits: 1,
        act: |bench, round| {
            let mut started = bench.started(round);
            started.submit_next(&bench.jobs, &job(&format!("next {round}"))).unwrap();
            bench.counted(|| started.succeed().unwrap())
        },
    },
    Case {
        call: "`checkpoint`, `renew`, `detach`",
        commits: 1,
        act: |bench, round| {
            let mut started = bench.started(round);
            bench.counted(|| started.checkpoint().unwrap())
        },
    },
    Case {
        call: "`progress`, `note`, `metric` (stored with a later commit)",
        commits: 0,
        act: |bench, round| {
            let mut started = bench.started(round);
            bench.counted(|| {
                started.progress(1, Some(2), "half");
                started.note("text");
                started.metric("rows", 1.0);
            })
        },
    },
    Case {
        call: "`run` of one task: start and outcome",
        commits: 2,
        act: |bench, round| {
            let name = format!("run {round}");
            bench.jobs.submit(&job(&name)).unwrap();
            bench.counted(|| bench.jobs.run(name, |_| fine()).unwrap())
        },
    },
    Case {
        call: "`update`, `cancel`, `requeue`, `ignore`, `move_to`, `remove`, `pause`",
        commits: 1,
        act: |bench, round| {
            let name = format!("changed {round}");
            bench.jobs.submit(&job(&name)).unwrap();
            bench.counted(|| bench.jobs.cancel(name).unwrap())
        },
    },
    Case {
        call: "`set_priority`, `set_due`, `move_to_front`, `move_before`, `pause_task`, `resume_task`",
        commits: 1,
        act: |bench, round| {
            let name = format!("moved {round}");
            bench.jobs.submit(&job(&name)).unwrap();
            bench.counted(|| bench.jobs.set_priority(name, 7).unwrap())
        },
    },
    Case {
        call: "`set_budget`, `remove_budget`",
        commits: 1,
        act: |bench, round| {
            let amount = u64::try_from(round).unwrap() + 1;
            bench.counted(|| bench.tracker.set_budget("mem", amount).unwrap())
        },
    },
    Case {
        call: "`schedule` of a new or changed schedule; its `pause`, `resume`, `remove`, `run_now`; all occurrences that are due at once, up to 1,000 schedules",
        commits: 1,
        act: |bench, round| {
            let yearly = Schedule::cron("@yearly").unwrap();
            let build = |occurrence: &Occurrence| job(&occurrence.id());
            bench.counted(|| bench.jobs.schedule(&format!("new {round}"), &yearly, build).unwrap())
        },
    },
    Case {
        call: "`schedule` of a schedule that is stored already",
        commits: 0,
        act: |bench, _| {
            let yearly = Schedule::cron("@yearly").unwrap();
            let build = |occurrence: &Occurrence| job(&occurrence.id());
            bench.jobs.schedule("stored", &yearly, build).unwrap();
            bench.counted(|| bench.jobs.schedule("stored", &yearly, build).unwrap())
        },
    },
    Case {
        call: "`Tracker::transaction` with any number of calls",
        commits: 1,
        act: |bench, round| {
            bench.counted(|| {
                bench
                    .tracker
                    .transaction(|turn| {
                        turn.submit(&bench.jobs, &job(&format!("first {round}")))?;
                        turn.submit(&bench.jobs, &job(&format!("second {round}")))
                    })
                    .map(drop)
                    .unwrap();
            })
        },
    },
    Case {
        call: "`get`, `query`, `counts`, `explain`, `check_start`, `wait` and every other read",
        commits: 0,
        act: |bench, _| {
            bench.counted(|| {
                bench.jobs.query().fetch().unwrap();
                bench.jobs.counts().unwrap();
                assert!(bench.jobs.get("no").unwrap().is_none());
                bench.jobs.wait("no", Duration::ZERO).unwrap_err();
            })
        },
    },
    Case {
        call: "a worker of one thread, strict, 10 tasks: the first claim, then each outcome with the next claim",
        commits: 11,
        act: |bench, round| {
            let jobs: Vec<Job> = (0..10).map(|number| job(&format!("worked {round}/{number}"))).collect();
            bench.jobs.submit_all(jobs).unwrap();
            bench.counted(|| bench.jobs.worker().threads(1).run(|_| Ok::<_, io::Error>(())).unwrap())
        },
    },
];

#[test]
fn flushes_per_call_match_the_docs() {
    // Two-phase commits flush twice, unless a redo log takes both flushes.
    let log = Some(8 << 20);
    let modes = [
        (Sharing::Exclusive, log, 1),
        (Sharing::Readers, log, 1),
        (Sharing::Exclusive, None, 1),
        (Sharing::Readers, None, 2),
        (Sharing::Writers, log, 2),
    ];
    let mut table =
        String::from("| call | with the log, and `Exclusive` | without: `Readers`, `Writers` |\n|---|---:|---:|\n");
    for case in CASES {
        for (sharing, log, flushes) in modes {
            let bench = Bench::new(sharing, log);
            let counted = (0..ROUNDS).map(|round| (case.act)(&bench, round)).min();
            assert_eq!(counted, Some(flushes * case.commits), "{} in {sharing:?}, log {log:?}", case.call);
        }
        writeln!(table, "| {} | {} | {} |", case.call, case.commits, 2 * case.commits).unwrap();
    }
    let document = include_str!("../../../docs/operations.md");
    assert!(document.contains(&table), "docs/operations.md lacks this table:\n{table}");
}
