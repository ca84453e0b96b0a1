//! Submits and the calls of an operator in the model.

use super::{Answer, MAX_WAIT, Policy, ReferenceModel, State, Task, Time, order::place_of_submission, startable};

impl ReferenceModel {
    pub(super) fn submit(&mut self, kind: u8, id: u8, etag: u8, due: Option<Time>, priority: Option<u8>) -> Answer {
        self.submit_with(kind, id, etag, due, priority, None)
    }

    pub(super) fn submit_debounced(&mut self, kind: u8, id: u8, etag: u8, due: Time) -> Answer {
        let max_wait = Time::try_from(MAX_WAIT.as_micros()).unwrap();
        self.submit_with(kind, id, etag, Some(due), None, Some(max_wait))
    }

    /// Only a submit that brings work takes the key, or is dropped for it.
    pub(super) fn submit_throttled(&mut self, kind: u8, id: u8, etag: u8, key: u8, end: Time) -> Answer {
        let brings_work = self.tasks[usize::from(kind)].get(&id).is_none_or(|task| task.fingerprint != etag);
        if brings_work && self.throttled.get(&(kind, key)).is_some_and(|end| self.now < *end) {
            return Answer::Submitted("Throttled");
        }
        let answer = self.submit(kind, id, etag, None, None);
        if brings_work && matches!(answer, Answer::Submitted(_)) {
            self.throttled.insert((kind, key), end);
        }
        answer
    }

    fn submit_with(
        &mut self,
        kind: u8,
        id: u8,
        etag: u8,
        due: Option<Time>,
        priority: Option<u8>,
        max_wait: Option<Time>,
    ) -> Answer {
        let now = self.now;
        let tasks = &mut self.tasks[usize::from(kind)];
        let waiting = tasks.values().filter(|task| startable(task.state, false)).count();
        let Some(task) = tasks.get_mut(&id) else {
            if self.policies[usize::from(kind)].max_waiting.is_some_and(|most| waiting >= most) {
                return Answer::Refused("Full");
            }
            if self.budget.is_some_and(|budget| self.policies[usize::from(kind)].amount(0) > budget) {
                return Answer::Refused("ExceedsBudget");
            }
            self.seq += 1;
            let task = Task {
                state: State::Pending,
                priority: priority.unwrap_or(id % 2),
                due: due.unwrap_or(now),
                updated: now,
                seq: self.seq,
                place: place_of_submission(self.seq),
                paused: false,
                attempts: 0,
                failures: 0,
                crashes: 0,
                ended: 0,
                history: Vec::new(),
                lease: None,
                cancel: false,
                etag,
                value: 0,
                fingerprint: etag,
                successor: None,
                next_due: None,
            };
            tasks.insert(id, task);
            return Answer::Submitted("New");
        };
        let debounced = |since: Time| Some(due?.min(since + max_wait?));
        let is_pending = task.state == State::Pending && task.lease.is_none();
        if task.fingerprint == etag && !(max_wait.is_some() && is_pending) {
            return Answer::Submitted("Existing");
        }
        task.fingerprint = etag;
        task.priority = priority.unwrap_or(id % 2);
        if let Some(lease) = &task.lease {
            if let Some(due) = debounced(task.updated) {
                task.next_due = Some(if due == lease.due { due + 1 } else { due });
            }
            task.successor = Some((etag, 0));
            return Answer::Submitted("Existing");
        }
        (task.etag, task.value) = (etag, 0);
        if let Some(due) = debounced(task.updated).filter(|_| is_pending) {
            task.set_due(due);
        }
        if task.state == State::Pending || task.state == State::Shelf {
            return Answer::Submitted("Existing");
        }
        task.restart(due.unwrap_or(now), now);
        Answer::Submitted("Requeued")
    }

    /// An admin call on a task without a lease.
    pub(super) fn admin_call(
        &mut self,
        kind: u8,
        id: u8,
        act: impl FnOnce(&mut Task, &Policy) -> Result<(), &'static str>,
    ) -> Answer {
        let (now, policy) = (self.now, self.policies[usize::from(kind)]);
        let Some(old) = self.tasks[usize::from(kind)].get_mut(&id) else { return Answer::Refused("NotFound") };
        // The end of an expired lease is stored, also if the call is then refused.
        if old.expired(now) {
            policy.rescue(old, now, self.instance);
        }
        if old.lease.is_some() {
            return Answer::Refused("Leased");
        }
        let mut task = old.clone();
        match act(&mut task, &policy) {
            Ok(()) => {
                task.end_pause();
                *old = task;
                Answer::Done
            }
            Err(why) => Answer::Refused(why),
        }
    }

    pub(super) fn prune(&mut self, kind: u8) -> Answer {
        let (now, tasks) = (self.now, &mut self.tasks[usize::from(kind)]);
        let before = tasks.len();
        if let Some(keep) = self.policies[usize::from(kind)].keeps_succeeded {
            tasks.retain(|_, task| task.state != State::Succeeded || task.updated >= now - keep);
        }
        Answer::Count((before - tasks.len()) as u64)
    }

    pub(super) fn cancel(&mut self, kind: u8, id: u8) -> Answer {
        let now = self.now;
        let running =
            self.tasks[usize::from(kind)].get_mut(&id).filter(|task| task.lease.is_some() && !task.expired(now));
        if let Some(task) = running {
            task.cancel = true;
            return Answer::Done;
        }
        self.admin_call(kind, id, |task, policy| {
            task.closed().map_or(Ok(()), Err)?;
            task.enter(policy.cancelled(), now, now);
            Ok(())
        })
    }
}
