use std::path::Path;

use tracker_core::{
    Record, Tasks, Tracker,
    record::{Attempt, AttemptStatus},
    status::StatusInfo,
    untyped::{Payload, Untyped},
};

use super::{Attempts, Durations, KindReport, Report, Slow, Timeline, Unlucky};
use crate::{
    failure::Failure,
    output::{number, report_unreadable},
    task::has_ended,
};

/// How many tasks a list names.
const LISTED: usize = 10;
/// How many tasks are read at a time.
const PAGE: usize = 1_000;
/// How much of a payload is shown.
const PAYLOAD: usize = 4_000;

type Task = Record<Payload, StatusInfo>;

impl Report {
    /// Looks at `most` tasks of each kind, the latest first.
    pub fn gather(tracker: &Tracker, file: &Path, most: usize) -> Result<Self, Failure> {
        let kinds = tracker.kinds()?;
        let kinds = kinds.iter().map(|name| kind(&tracker.untyped(name)?, most)).collect::<Result<_, Failure>>()?;
        Ok(Self { file: file.to_owned(), at: tracker.now(), kinds })
    }
}

fn kind(tasks: &Tasks<Untyped>, most: usize) -> Result<KindReport, Failure> {
    let info = tasks.info()?;
    let counts = tasks.counts()?;
    let counts: Vec<_> = info.statuses.iter().map(|status| (status.clone(), counts.of_code(status.code))).collect();
    let mut kind = KindReport {
        ended: number::sum(counts.iter().filter(|(status, _)| has_ended(status, &info)).map(|(_, count)| *count)),
        name: info.name,
        paused: info.paused,
        counts,
        looked_at: 0,
        attempts: Attempts::default(),
        durations: Durations::default(),
        timeline: Timeline::default(),
        slowest: Vec::new(),
        most_failed: Vec::new(),
        errors: tasks.errors(most)?,
    };
    let mut after = None;
    let mut left = most;
    while left > 0 {
        let mut query = tasks.query().newest_first().limit(left.min(PAGE));
        if let Some(cursor) = after {
            query = query.after(cursor);
        }
        let page = query.page()?;
        report_unreadable(&page.unreadable);
        left = left.saturating_sub(page.items.len() + page.unreadable.len());
        page.items.iter().for_each(|task| kind.add(task));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    kind.durations = kind.durations.sorted();
    Ok(kind)
}

impl KindReport {
    fn add(&mut self, task: &Task) {
        self.looked_at += 1;
        for attempt in &task.history {
            match attempt.ending {
                AttemptStatus::Succeeded => {
                    self.attempts.succeeded += 1;
                    self.durations.add(attempt.duration);
                    self.timeline.add(attempt.ended_at, true);
                }
                AttemptStatus::Failed | AttemptStatus::GaveUp => {
                    self.attempts.failed += 1;
                    self.timeline.add(attempt.ended_at, false);
                }
                AttemptStatus::Crashed => {
                    self.attempts.crashed += 1;
                    self.timeline.add(attempt.ended_at, false);
                }
                _ => self.attempts.other += 1,
            }
        }
        self.add_slow(task);
        self.add_unlucky(task);
    }

    fn add_slow(&mut self, task: &Task) {
        let Some(longest) = task.history.iter().max_by_key(|attempt| attempt.duration) else { return };
        enter(
            &mut self.slowest,
            &longest.duration,
            |slow| slow.duration,
            || Slow {
                id: task.id.to_string(),
                status: task.status.clone(),
                duration: longest.duration,
                worker: longest.worker.clone(),
                ended_at: longest.ended_at,
                payload: shown(&task.task),
            },
        );
    }

    fn add_unlucky(&mut self, task: &Task) {
        let failed = |attempt: &&Attempt| {
            matches!(attempt.ending, AttemptStatus::Failed | AttemptStatus::GaveUp | AttemptStatus::Crashed)
        };
        let failures = task.history.iter().filter(failed).count() as u64;
        if failures == 0 {
            return;
        }
        let error = task.history.iter().rev().find_map(|attempt| attempt.failure.as_ref());
        enter(
            &mut self.most_failed,
            &failures,
            |unlucky| unlucky.failures,
            || Unlucky {
                id: task.id.to_string(),
                status: task.status.clone(),
                failures,
                attempts: task.attempts,
                error: error.map(|failure| failure.error.clone()).unwrap_or_default(),
                payload: shown(&task.task),
            },
        );
    }
}

/// Enters something into a list of the largest ones, if it is one of them.
fn enter<E, K: Ord>(list: &mut Vec<E>, key: &K, key_of: impl Fn(&E) -> K, entry: impl FnOnce() -> E) {
    let at = list.partition_point(|other| key_of(other) >= *key);
    if at < LISTED {
        list.insert(at, entry());
        list.truncate(LISTED);
    }
}

/// A payload as JSON, as much of it as a page can bear.
fn shown(payload: &Payload) -> String {
    let mut json = serde_json::to_string_pretty(payload).unwrap_or_else(|error| error.to_string());
    if json.len() > PAYLOAD {
        let end = (0..=PAYLOAD).rev().find(|end| json.is_char_boundary(*end)).unwrap_or(0);
        json.truncate(end);
        json.push_str(" …");
    }
    json
}
