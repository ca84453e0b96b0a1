//! Submits and the calls of an operator in the model.

use super::{Answer, Policy, ReferenceModel, State, Task, Time, order::place_of_submission};

impl ReferenceModel {
    pub(super) fn submit(&mut self, kind: u8, id: u8, etag: u8, due: Option<Time>, priority: Option<u8>) -> Answer {
        let now = self.now;
        let tasks = &mut self.tasks[usize::from(kind)];
        let Some(task) = tasks.get_mut(&id) else {
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
            };
            tasks.insert(id, task);
            return Answer::Submitted("New");
        };
        if task.fingerprint == etag {
            return Answer::Submitted("Existing");
        }
        task.fingerprint = etag;
        task.priority = priority.unwrap_or(id % 2);
        if task.lease.is_some() {
            task.successor = Some((etag, 0));
            return Answer::Submitted("Existing");
        }
        (task.etag, task.value) = (etag, 0);
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
            policy.rescue(old, now);
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
