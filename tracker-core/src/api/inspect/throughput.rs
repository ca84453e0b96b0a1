//! `Throughput` measures how fast attempts ended lately, and how long they ran. Called by users, `tracker-cli`, `tracker-web` and
//! `metrics`; reads the file, and writes nothing.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};

use crate::{
    api::{
        query::{Search, StatusFilter},
        schema::Schema,
        tasks::Tasks,
    },
    model::{
        error::Result,
        status::{Graph, Role},
        time::{Micros, between, micros_of, utc},
        transition::{AttemptStatus, StoredAttempt},
    },
};

/// How fast tasks have ended lately, and how long they ran.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Throughput {
    /// The time from which attempts were counted: the requested one, or a later one if there were too many.
    pub since: DateTime<Utc>,
    /// Until when: now.
    pub until: DateTime<Utc>,
    /// Attempts that succeeded.
    pub succeeded: u64,
    /// Attempts that failed, were given up, or crashed.
    pub failed: u64,
    /// Attempts that ended otherwise: ignored, snoozed, parked, taken over, cancelled …
    pub other: u64,
    /// When the first of the attempts that succeeded ended.
    pub first_success: Option<DateTime<Utc>>,
    /// All of these attempts by how they ended, in the order of [`AttemptStatus::ALL`], without statuses that no attempt has.
    pub statuses: Vec<(AttemptStatus, u64)>,
    /// The minutes of the period in which attempts ended, oldest first. Each begins with a full minute of UTC.
    pub minutes: Vec<ThroughputMinute>,
    /// How long the attempts that succeeded ran, shortest first.
    pub durations: Vec<Duration>,
}

/// The attempts that ended within a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThroughputMinute {
    /// When the minute began.
    pub start: DateTime<Utc>,
    /// Attempts that succeeded.
    pub succeeded: u64,
    /// Attempts that failed, were given up, or crashed.
    pub failed: u64,
    /// Attempts that ended otherwise.
    pub other: u64,
}

impl Throughput {
    /// Attempts that succeeded per second since the first of them, which is not counted itself: so a run that began within the
    /// time has the rate of the run. 0 for fewer than two.
    #[must_use]
    pub fn succeeded_per_second(&self) -> f64 {
        let first = self.first_success.unwrap_or(self.until);
        let seconds = (self.until - first).to_std().unwrap_or_default().as_secs_f64();
        if seconds > 0.0 { float(self.succeeded.saturating_sub(1)) / seconds } else { 0.0 }
    }

    /// Returns the time in which so many attempts succeed at this rate, for example [`KindInfo::attempts_left`](super::KindInfo::attempts_left).
    /// `None` for no attempts, and without a rate.
    #[must_use]
    pub fn time_for(&self, attempts: u64) -> Option<Duration> {
        let rate = self.succeeded_per_second();
        if attempts == 0 || rate <= 0.0 { None } else { Duration::try_from_secs_f64(float(attempts) / rate).ok() }
    }

    /// Returns the duration that `percent` (0 to 100) of the attempts that succeeded did not exceed; `None` if none did.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Option<Duration> {
        let rank = (self.durations.len() * usize::from(percent.min(100))).div_ceil(100);
        self.durations.get(rank.saturating_sub(1)).copied()
    }
}

const MINUTE: Micros = 60_000_000;

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn float(count: u64) -> f64 {
    count as f64
}

impl<T: Schema> Tasks<T> {
    /// Returns how fast tasks have ended within the last `window`, and how long they ran, from their histories. Looks at no more
    /// than `most` tasks, the latest first, and then tells of the shorter time in which these ended.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn throughput(&self, window: Duration, most: usize) -> Result<Throughput> {
        let now = self.shared.engine.now();
        let mut since = now.saturating_sub(micros_of(window));
        let mut search = Search { newest_first: true, since: Some(since), limit: most, ..Search::new() };
        let mut attempts = Vec::new();
        while search.limit > 0 {
            let (ended, read, next) = self.shared.engine.read(|rows| {
                let kind = self.kind_in(rows)?;
                let statuses = Some(ended_in(&kind.graph));
                let chunk = Search { statuses, limit: search.limit.min(1_000), ..search.clone() };
                let (found, next) = chunk.page(rows, &kind)?;
                let (mut ended, read) = (Vec::new(), found.len());
                for (_, task) in found {
                    let Some(header) = rows.header(task)? else { continue };
                    // The history has no row if the only attempt that ended is the one in the header.
                    if header.ended > u32::from(header.last.is_some()) {
                        ended.extend(rows.past_attempts(task)?.iter().map(ended_attempt));
                    }
                    ended.extend(header.last.as_ref().map(ended_attempt));
                }
                Ok((ended, read, next))
            })?;
            attempts.extend(ended);
            search.limit -= read;
            match next {
                Some((at, _)) if search.limit == 0 => since = since.max(at),
                Some(next) => search.after = Some(next),
                None => break,
            }
        }
        attempts.retain(|(at, ..)| *at >= since);
        Ok(throughput_of(&attempts, since, now))
    }
}

/// The statuses that tasks have after an attempt. A retry waits in a pending status only if its step has no failed one.
fn ended_in(graph: &Graph) -> Vec<StatusFilter> {
    let wanted = |status: &&crate::model::status::StatusInfo| {
        status.role != Role::Pending || graph.code(status.step, Role::Failed).is_none()
    };
    graph.statuses().iter().filter(wanted).map(|status| StatusFilter::Code(status.code)).collect()
}

/// The end, the status and the run time of an attempt.
type EndedAttempt = (Micros, AttemptStatus, Duration);

fn ended_attempt(ended: &StoredAttempt) -> EndedAttempt {
    let measured = ended.run.map(Duration::from_micros);
    (ended.ended, ended.status, measured.unwrap_or_else(|| between(ended.started, ended.ended)))
}

fn statuses_of(attempts: &[EndedAttempt]) -> Vec<(AttemptStatus, u64)> {
    let mut counts = AttemptStatus::ALL.map(|status| (status, 0));
    for (_, status, _) in attempts {
        for (counted, count) in &mut counts {
            *count += u64::from(counted == status);
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn throughput_of(attempts: &[EndedAttempt], since: Micros, now: Micros) -> Throughput {
    let mut minutes: BTreeMap<Micros, ThroughputMinute> = BTreeMap::new();
    let succeeded = attempts.iter().filter(|(_, status, _)| *status == AttemptStatus::Succeeded).map(|(at, ..)| *at);
    let mut throughput = Throughput {
        since: utc(since),
        until: utc(now),
        succeeded: 0,
        failed: 0,
        other: 0,
        first_success: succeeded.min().map(utc),
        statuses: statuses_of(attempts),
        minutes: Vec::new(),
        durations: Vec::new(),
    };
    for (at, status, run) in attempts {
        let start = at.div_euclid(MINUTE) * MINUTE;
        let minute =
            minutes.entry(start).or_insert(ThroughputMinute { start: utc(start), succeeded: 0, failed: 0, other: 0 });
        match status {
            AttemptStatus::Succeeded => {
                minute.succeeded += 1;
                throughput.succeeded += 1;
                throughput.durations.push(*run);
            }
            AttemptStatus::Failed | AttemptStatus::GaveUp | AttemptStatus::Crashed => {
                minute.failed += 1;
                throughput.failed += 1;
            }
            _ => {
                minute.other += 1;
                throughput.other += 1;
            }
        }
    }
    throughput.durations.sort_unstable();
    throughput.minutes = minutes.into_values().collect();
    throughput
}

#[cfg(test)]
mod tests {
    use super::*;

    fn successes(at: &[i64], now: i64) -> Throughput {
        let attempts: Vec<_> = at.iter().map(|at| (at * 1_000_000, AttemptStatus::Succeeded, Duration::ZERO)).collect();
        throughput_of(&attempts, 0, now * 1_000_000)
    }

    #[test]
    fn rate_begins_with_the_first_success() {
        for (at, now, expected) in [
            (&[][..], 10, 0.0),
            (&[5], 10, 0.0),
            (&[50, 52, 54, 56, 58, 60], 60, 0.5),
            (&[60, 50], 60, 0.1),
            (&[5, 5], 5, 0.0),
        ] {
            let rate = successes(at, now).succeeded_per_second();
            assert!((rate - expected).abs() < 1e-9, "{at:?}: {rate}");
        }
    }

    #[test]
    fn time_for_attempts_needs_attempts_and_a_rate() {
        let found = successes(&[50, 52, 54, 56, 58, 60], 60);
        assert_eq!(found.time_for(30), Some(Duration::from_secs(60)));
        assert_eq!((found.time_for(0), successes(&[5], 10).time_for(30)), (None, None));
        assert_eq!(successes(&[0, 1_000_000], 1_000_000).time_for(u64::MAX), None, "it exceeds a duration");
    }
}
