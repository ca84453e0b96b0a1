//! Gathers a report from the tasks of a file. Called by `tracker report`; reads the tracker.

use tracker_core::{
    Tasks, Tracker,
    record::{Attempt, AttemptStatus},
    untyped::{Payload, Untyped},
};

use super::{Attempts, Durations, KindReport, OftenFailed, Report, SlowTask, Timeline};
use crate::{
    error::CliError,
    output::{number, warn_unreadable},
    task::UntypedRecord,
};

/// The number of tasks in a list.
const LISTED: usize = 10;
/// The number of tasks that are read at once.
const PAGE: usize = 1_000;
/// The part of a payload that is shown, in bytes.
const PAYLOAD: usize = 4_000;

impl Report {
    /// Reads at most `limit` tasks of each kind, the latest first.
    pub fn gather(tracker: &Tracker, file: &str, limit: usize) -> Result<Self, CliError> {
        let kinds = tracker.kinds()?;
        let kinds = kinds.iter().map(|name| kind(&tracker.untyped(name)?, limit)).collect::<Result<_, CliError>>()?;
        Ok(Self { file: file.to_owned(), at: tracker.now(), kinds })
    }
}

fn kind(tasks: &Tasks<Untyped>, limit: usize) -> Result<KindReport, CliError> {
    let info = tasks.info()?;
    let counts = tasks.counts()?;
    let counts: Vec<_> = info.statuses.iter().map(|status| (status.clone(), counts.of_code(status.code))).collect();
    let mut kind = KindReport {
        ended: number::sum(counts.iter().filter(|(status, _)| info.has_ended(status)).map(|(_, count)| *count)),
        name: info.name,
        paused: info.paused,
        counts,
        examined: 0,
        attempts: Attempts::default(),
        durations: Durations::default(),
        timeline: Timeline::default(),
        slowest: Vec::new(),
        most_failed: Vec::new(),
        errors: tasks.errors(limit)?,
    };
    let mut after = None;
    let mut left = limit;
    while left > 0 {
        let mut query = tasks.query().newest_first().limit(left.min(PAGE));
        if let Some(cursor) = after {
            query = query.after(cursor);
        }
        let page = query.page()?;
        warn_unreadable(&page.unreadable);
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
    fn add(&mut self, task: &UntypedRecord) {
        self.examined += 1;
        for attempt in &task.history {
            match attempt.status {
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
                AttemptStatus::Interrupted => self.attempts.interrupted += 1,
                _ => self.attempts.other += 1,
            }
        }
        self.add_slow(task);
        self.add_often_failed(task);
    }

    fn add_slow(&mut self, task: &UntypedRecord) {
        let Some(longest) = task.history.iter().max_by_key(|attempt| attempt.duration) else { return };
        insert_largest(
            &mut self.slowest,
            &longest.duration,
            |slow| slow.duration,
            || SlowTask {
                id: task.id.to_string(),
                status: task.status.clone(),
                duration: longest.duration,
                worker: longest.worker.clone(),
                ended_at: longest.ended_at,
                payload: payload_text(&task.task),
            },
        );
    }

    fn add_often_failed(&mut self, task: &UntypedRecord) {
        let failed = |attempt: &&Attempt| {
            matches!(attempt.status, AttemptStatus::Failed | AttemptStatus::GaveUp | AttemptStatus::Crashed)
        };
        let failures = task.history.iter().filter(failed).count() as u64;
        if failures == 0 {
            return;
        }
        let error = task.history.iter().rev().find_map(|attempt| attempt.failure.as_ref());
        insert_largest(
            &mut self.most_failed,
            &failures,
            |task| task.failures,
            || OftenFailed {
                id: task.id.to_string(),
                status: task.status.clone(),
                failures,
                attempts: task.attempts,
                error: error.map(|failure| failure.error.clone()).unwrap_or_default(),
                payload: payload_text(&task.task),
            },
        );
    }
}

/// Inserts an entry into a list of the largest entries, if it is one of them.
fn insert_largest<E, K: Ord>(list: &mut Vec<E>, key: &K, key_of: impl Fn(&E) -> K, entry: impl FnOnce() -> E) {
    let at = list.partition_point(|other| key_of(other) >= *key);
    if at < LISTED {
        list.insert(at, entry());
        list.truncate(LISTED);
    }
}

/// Returns a payload as JSON, cut to [`PAYLOAD`] bytes.
fn payload_text(payload: &Payload) -> String {
    let mut json = serde_json::to_string_pretty(payload).unwrap_or_else(|error| error.to_string());
    if json.len() > PAYLOAD {
        let end = (0..=PAYLOAD).rev().find(|end| json.is_char_boundary(*end)).unwrap_or(0);
        json.truncate(end);
        json.push_str(" …");
    }
    json
}
