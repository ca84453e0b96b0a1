//! The executions of the model: claims, starts, resumes and the calls of an owner.

use super::{
    super::call::{Call, End},
    Answer, HeldLease, Lease, ReferenceModel, SECOND, State, Task, Time, startable,
};

impl ReferenceModel {
    fn grant(&mut self, kind: u8, id: u8, worker: String, length: Time, from: State, due: Time) -> Answer {
        let now = self.now;
        self.owner += 1;
        let Some(task) = self.tasks[usize::from(kind)].get_mut(&id) else { return Answer::Refused("NotFound") };
        task.attempts += 1;
        (task.state, task.updated) = (State::InProgress, now);
        let owner = self.owner;
        task.lease = Some(Lease {
            owner,
            worker,
            expires: now + length,
            started: now,
            length,
            from,
            due,
            detached: false,
            instance: self.instance,
        });
        self.held.push(HeldLease { kind, id, owner, etag: task.etag, instance: self.instance });
        Answer::Claimed(id)
    }

    pub(super) fn claim(&mut self, kind: u8, worker: Option<u8>, extra: bool) -> Answer {
        let (now, policy) = (self.now, self.policies[usize::from(kind)]);
        if self.paused[usize::from(kind)] {
            return Answer::NoTask;
        }
        let tasks = &mut self.tasks[usize::from(kind)];
        for task in tasks.values_mut().filter(|task| task.expired(now)) {
            policy.rescue(task, now, self.instance);
        }
        let in_progress = tasks.values().filter(|task| task.lease.is_some()).count();
        if policy.max_in_progress.is_some_and(|most| in_progress >= most) {
            return Answer::NoTask;
        }
        let Some(id) = self.choose(kind, extra) else { return Answer::NoTask };
        let task = &self.tasks[usize::from(kind)][&id];
        let (from, due) = (task.state, task.due);
        // A released task never returns to a terminal status.
        let (from, due) = if from == State::Ignored { (State::Pending, now) } else { (from, due) };
        let worker = worker.map_or_else(|| "unnamed".to_owned(), |worker| format!("worker {worker}"));
        self.grant(kind, id, worker, policy.lease, from, due)
    }

    pub(super) fn start(&mut self, call: Call) -> Answer {
        let Call::Start { kind, id, force, steal_lease, extra, short } = call else { return Answer::Skipped };
        let (now, policy) = (self.now, self.policies[usize::from(kind)]);
        let length = if short { 2 * SECOND } else { policy.lease };
        let Some(old) = self.tasks[usize::from(kind)].get(&id) else { return Answer::Refused("NotFound") };
        let mut task = old.clone();
        if task.expired(now) {
            // A crash that is found stands, also where the start is then refused.
            policy.rescue(&mut task, now, self.instance);
            self.tasks[usize::from(kind)].insert(id, task.clone());
        }
        let (from, due);
        if let Some(lease) = task.lease.clone() {
            if !steal_lease {
                return Answer::Refused("Leased");
            }
            task.end("taken_over");
            (from, due) = (lease.from, lease.due);
        } else if startable(task.state, extra) {
            (from, due) = if task.closed().is_some() { (State::Pending, now) } else { (task.state, task.due) };
        } else if let Some(why) = task.closed() {
            if !force {
                return Answer::Refused(why);
            }
            (task.failures, task.crashes) = (0, 0);
            (from, due) = (State::Pending, now);
        } else {
            return Answer::Refused("NotStartable");
        }
        self.tasks[usize::from(kind)].insert(id, task);
        self.grant(kind, id, "unnamed".to_owned(), length, from, due)
    }

    /// Something that only the owner may do.
    pub(super) fn owned(&mut self, held: u8, act: impl FnOnce(&mut Task, u8)) -> Answer {
        if self.held.is_empty() {
            return Answer::Skipped;
        }
        let held = self.held[usize::from(held) % self.held.len()];
        let task = self.tasks[usize::from(held.kind)].get_mut(&held.id);
        match task.filter(|task| task.lease.as_ref().is_some_and(|lease| lease.owner == held.owner)) {
            Some(task) => {
                act(task, held.etag);
                Answer::Done
            }
            None => Answer::Refused("LeaseLost"),
        }
    }

    pub(super) fn resume(&mut self, ticket: u8) -> Answer {
        if self.tickets.is_empty() {
            return Answer::Skipped;
        }
        let now = self.now;
        let mut held = self.tickets[usize::from(ticket) % self.tickets.len()];
        let Some(task) = self.tasks[usize::from(held.kind)].get_mut(&held.id) else {
            return Answer::Refused("NotFound");
        };
        let Some(lease) = task.lease.as_mut().filter(|lease| lease.owner == held.owner) else {
            return Answer::Refused("LeaseLost");
        };
        (lease.detached, lease.instance) = (false, self.instance);
        held.instance = self.instance;
        lease.expires = lease.expires.max(now + lease.length);
        held.etag = task.etag;
        self.held.push(held);
        Answer::Claimed(held.id)
    }

    pub(super) fn end(&mut self, held: u8, end: End) -> Answer {
        if self.held.is_empty() {
            return Answer::Skipped;
        }
        let number = usize::from(held) % self.held.len();
        let (now, policy) = (self.now, self.policies[usize::from(self.held[number].kind)]);
        let answer = self.owned(held, |task, etag| {
            let Some(lease) = task.lease.clone() else { return };
            let cancelled = task.cancel && !matches!(end, End::Succeed { .. });
            let counts = !matches!(end, End::Snooze { .. } | End::Release);
            let ending = match end {
                End::Succeed { .. } => "succeeded",
                End::Fail { .. } | End::FailKeeping { .. } | End::FailRetryIn { .. } | End::Drop => "failed",
                End::GiveUp => "gave_up",
                End::Ignore => "ignored",
                End::Snooze { .. } => "snoozed",
                End::Park => "parked",
                End::Release => "released",
            };
            if counts || cancelled {
                task.end(if cancelled { "cancelled" } else { ending });
            }
            if !counts {
                task.attempts -= 1;
            }
            let succeeded = matches!(end, End::Succeed { .. });
            // The changes of the execution are stored, unless it failed or was released.
            if let End::Succeed { value } | End::FailKeeping { value } = end {
                (task.value, task.etag) = (value, etag);
            }
            if cancelled {
                task.enter(policy.cancelled(), now, now);
            } else if succeeded {
                (task.failures, task.crashes) = (0, 0);
                task.enter(State::Succeeded, now, now);
            } else {
                match end {
                    End::GiveUp => {
                        task.failures += 1;
                        task.enter(policy.given_up(), now, now);
                    }
                    End::Ignore => task.enter(State::Ignored, now, now),
                    End::Snooze { seconds } => task.enter(lease.from, now + Time::from(seconds) * SECOND, now),
                    End::Park => task.enter(State::Shelf, now, now),
                    End::Release => task.enter(lease.from, lease.due, now),
                    _ => {
                        task.failures += 1;
                        if policy.max_attempts.is_some_and(|most| task.failures >= most) {
                            task.enter(policy.given_up(), now, now);
                        } else {
                            let delay = match end {
                                End::FailRetryIn { seconds } => Time::from(seconds) * SECOND,
                                _ => (policy.delay)(task.failures),
                            };
                            task.enter(policy.retry(), now + delay, now);
                        }
                    }
                }
            }
            task.take_successor(now);
        });
        // A refused outcome keeps the execution; the model drops it.
        self.held.remove(number);
        if end == End::Drop { Answer::Done } else { answer }
    }

    /// A program dies and starts again.
    pub(super) fn restart(&mut self, tracker: usize) -> Answer {
        let (now, gone) = (self.now, self.instance);
        self.held.retain(|held| held.instance != gone);
        self.last_instance += 1;
        self.instance = self.last_instance;
        self.instances[tracker] = self.instance;
        // The new program's time begins with its wall clock, which is set to what the last one had.
        self.wall = now;
        let frees = self.frees_at_open;
        let is_freed = |lease: &Lease| frees && !lease.detached;
        self.rescue(None, |task| task.expired(now) || task.lease.as_ref().is_some_and(is_freed));
        Answer::Done
    }

    pub(super) fn rescue(&mut self, only: Option<u8>, which: impl Fn(&Task) -> bool) -> Answer {
        let mut count = 0;
        for (kind, tasks) in (0..).zip(&mut self.tasks) {
            for task in tasks.values_mut().filter(|task| only.is_none_or(|only| only == kind) && which(task)) {
                self.policies[usize::from(kind)].rescue(task, self.now, self.instance);
                count += 1;
            }
        }
        Answer::Count(count)
    }
}
