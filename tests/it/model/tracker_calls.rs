//! The calls of the model on the kinds of a tracker.

use std::{collections::BTreeMap, time::Duration};

use chrono::DateTime;
use tracker_core::{
    Error, Execution, Submission, TaskStatus, Tasks,
    execution::{StartOptions, Ticket},
    submit::SubmitOptions,
};

use super::{
    call::{Call, End},
    kinds::Task,
    reference::{Answer, EPOCH, MAX_WAIT, ReferenceModel, State},
};

/// An execution of any kind.
pub trait AnyExecution {
    fn end(&mut self, end: End) -> Result<(), Error>;
    fn renew(&mut self) -> Result<(), Error>;
    fn checkpoint(&mut self, value: u8) -> Result<(), Error>;
    fn detach(self: Box<Self>) -> Result<Ticket, Error>;
    fn fence(&self) -> u64;
}

impl<T: Task + 'static> AnyExecution for Execution<T> {
    fn end(&mut self, end: End) -> Result<(), Error> {
        match end {
            End::Succeed { value } => {
                *self.task_mut().value() = value;
                self.succeed()
            }
            End::Fail { value } => {
                *self.task_mut().value() = value;
                self.fail("no luck")
            }
            End::FailKeeping { value } => {
                *self.task_mut().value() = value;
                self.fail_with_changes("no luck")
            }
            End::FailRetryIn { seconds } => self.fail_retry_in("no luck", Duration::from_secs(seconds.into())),
            End::GiveUp => self.give_up("never"),
            End::Ignore => self.ignore("not now"),
            End::Snooze { seconds } => self.snooze(Duration::from_secs(seconds.into())),
            End::Park => self.park(T::SHELF),
            End::Release => self.release(),
            End::Drop => Ok(()),
        }
    }

    fn renew(&mut self) -> Result<(), Error> {
        self.renew()
    }

    fn checkpoint(&mut self, value: u8) -> Result<(), Error> {
        *self.task_mut().value() = value;
        self.checkpoint()
    }

    fn detach(self: Box<Self>) -> Result<Ticket, Error> {
        (*self).detach()
    }

    fn fence(&self) -> u64 {
        self.fence()
    }
}

/// The claimed task: its id and the execution.
pub type ClaimedTask = Option<(u8, Box<dyn AnyExecution>)>;

/// A kind of any type.
pub trait Kind {
    fn call(&self, call: Call) -> Result<Answer, Error>;
    fn take(&self, call: Call) -> Result<ClaimedTask, Error>;
    fn resume(&self, ticket: &Ticket) -> Result<Box<dyn AnyExecution>, Error>;
    fn look(&self) -> Result<BTreeMap<u8, String>, Error>;
}

pub fn number(id: &tracker_core::task::TaskKey) -> u8 {
    id.as_int().and_then(|id| u8::try_from(id).ok()).expect("the ids are small numbers")
}

impl<T: Task + 'static> Kind for Tasks<T> {
    fn call(&self, call: Call) -> Result<Answer, Error> {
        let submission = |submission| match submission {
            Submission::New => Answer::Submitted("New"),
            Submission::Existing => Answer::Submitted("Existing"),
            Submission::Throttled => Answer::Submitted("Throttled"),
            _ => Answer::Submitted("Requeued"),
        };
        match call {
            Call::Submit { id, etag, .. } => Ok(submission(self.submit(&T::new(id, etag))?.submission)),
            Call::SubmitLater { id, seconds, priority, .. } => {
                let options = SubmitOptions::new().delay(Duration::from_secs(seconds.into())).priority(priority);
                Ok(submission(self.submit_with(&T::new(id, 0), &options)?.submission))
            }
            Call::SubmitDebounced { id, etag, seconds, .. } => {
                let delay = Duration::from_secs(seconds.into());
                let options = SubmitOptions::new().debounce(delay, MAX_WAIT);
                Ok(submission(self.submit_with(&T::new(id, etag), &options)?.submission))
            }
            Call::SubmitThrottled { id, etag, key, seconds, .. } => {
                let options = SubmitOptions::new().throttle(key, Duration::from_secs(seconds.into()));
                Ok(submission(self.submit_with(&T::new(id, etag), &options)?.submission))
            }
            Call::Requeue { id, .. } => self.requeue(id).map(|()| Answer::Done),
            Call::Cancel { id, .. } => self.cancel(id).map(|()| Answer::Done),
            Call::Ignore { id, .. } => self.ignore(id, "by an operator").map(|()| Answer::Done),
            Call::Move { id, to_shelf, .. } => {
                self.move_to(id, if to_shelf { T::SHELF } else { T::PENDING }).map(|()| Answer::Done)
            }
            Call::MoveToFront { id, .. } => self.move_to_front(id).map(|()| Answer::Done),
            Call::MoveBefore { id, other, .. } if id == other => Ok(Answer::Skipped),
            Call::MoveBefore { id, other, .. } => self.move_before(id, other).map(|()| Answer::Done),
            Call::SetPriority { id, priority, .. } => self.set_priority(id, priority).map(|()| Answer::Done),
            Call::SetDue { id, seconds, .. } => {
                let due = DateTime::from_timestamp(EPOCH + i64::from(seconds), 0).expect("it is a time");
                self.set_due(id, due).map(|()| Answer::Done)
            }
            Call::PauseTask { id, on, .. } => {
                if on { self.pause_task(id) } else { self.resume_task(id) }.map(|()| Answer::Done)
            }
            Call::Update { id, value, .. } => self.update(id, |task| *task.value() = value).map(|()| Answer::Done),
            Call::Remove { id, .. } => self.remove(id).map(|()| Answer::Done),
            Call::Prune { .. } => self.prune().map(Answer::Count),
            Call::RescueLong { seconds, .. } => {
                let rescued = self.rescue_running_longer_than(Duration::from_secs(seconds.into()))?;
                Ok(Answer::Count(rescued.len() as u64))
            }
            Call::Pause { on, .. } => if on { self.pause() } else { self.resume() }.map(|()| Answer::Done),
            _ => Ok(Answer::Skipped),
        }
    }

    fn take(&self, call: Call) -> Result<ClaimedTask, Error> {
        let extra = [T::SHELF, T::IGNORED];
        let taken = match call {
            Call::Claim { worker, .. } => self.worker_name(&format!("worker {worker}")).claim()?,
            Call::ClaimExtra { .. } => self.worker_name("unnamed").claim_with(&StartOptions::new().startable(extra))?,
            Call::Start { id, force, steal_lease, extra: with, short, .. } => {
                let mut options = StartOptions::new();
                if force {
                    options = options.force();
                }
                if steal_lease {
                    options = options.steal_lease();
                }
                if with {
                    options = options.startable(extra);
                }
                if short {
                    options = options.lease(Duration::from_secs(2));
                }
                Some(self.worker_name("unnamed").start_with(id, &options)?)
            }
            _ => None,
        };
        Ok(taken.map(|execution| (number(execution.id()), Box::new(execution) as Box<dyn AnyExecution>)))
    }

    fn resume(&self, ticket: &Ticket) -> Result<Box<dyn AnyExecution>, Error> {
        Ok(Box::new(self.resume_ticket(ticket)?))
    }

    fn look(&self) -> Result<BTreeMap<u8, String>, Error> {
        let mut found = BTreeMap::new();
        for mut record in self.query().fetch()? {
            let code = record.status.code();
            let state = [
                State::Pending,
                State::InProgress,
                State::Failed,
                State::Succeeded,
                State::Exhausted,
                State::Ignored,
                State::Cancelled,
                State::Shelf,
            ][usize::try_from(code).unwrap_or(0) - 1];
            let lease = record
                .lease
                .as_ref()
                .map(|lease| (lease.worker.clone(), lease.until.timestamp_micros(), lease.detached));
            let words = words(
                state,
                record.priority,
                record.due_at.timestamp_micros(),
                record.updated_at.timestamp_micros(),
                [record.attempts, record.failures, record.crashes, record.ended],
                &record.history.iter().map(|past| past.status.name()).collect::<Vec<_>>(),
                lease.as_ref(),
                [record.cancel_requested, record.paused],
                [record.task.etag(), *record.task.value()],
            );
            found.insert(number(&record.id), words);
        }
        assert_eq!(found.len() as u64, self.counts()?.total());
        Ok(found)
    }
}

/// A task in words that the tracker's and the model's can be held against each other by.
#[expect(clippy::too_many_arguments, reason = "all that is known of a task")]
fn words(
    state: State,
    priority: u8,
    due: i64,
    updated: i64,
    counters: [u32; 4],
    history: &[&str],
    lease: Option<&(String, i64, bool)>,
    [cancel, paused]: [bool; 2],
    payload: [u8; 2],
) -> String {
    // A running task has no due time.
    let due = if lease.is_some() { 0 } else { due };
    format!(
        "{state:?} priority {priority} due {due} updated {updated} counters {counters:?} {history:?} {lease:?} cancel {cancel} paused {paused} payload {payload:?}"
    )
}

impl ReferenceModel {
    pub fn look(&self, kind: usize) -> BTreeMap<u8, String> {
        let words = |task: &super::reference::Task| {
            let lease = task.lease.as_ref().map(|lease| (lease.worker.clone(), lease.expires, lease.detached));
            words(
                task.state,
                task.priority,
                task.due,
                task.updated,
                [task.attempts, task.failures, task.crashes, task.ended],
                &task.history,
                lease.as_ref(),
                [task.cancel, task.paused],
                [task.etag, task.value],
            )
        };
        self.tasks[kind].iter().map(|(id, task)| (*id, words(task))).collect()
    }
}
