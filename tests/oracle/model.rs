//! A model of one task: what a call makes of it, and what the call returns.

use crate::{
    kinds::{HISTORY, Kind, Status},
    log::{Answer, Call, Refusal, Seen, Verb},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// `None` if no caller received it.
    pub fence: Option<u64>,
    /// The number of the client that owns it.
    pub owner: usize,
    /// The earliest moment at which it may run out.
    pub ends: i64,
    /// The status to which a release leads back.
    from: Status,
    /// The future that asked for it was dropped: it is given back without being used.
    pub abandoned: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    status: Status,
    value: u64,
    attempts: u32,
    failures: u32,
    crashes: u32,
    cancel: bool,
    pub lease: Option<Lease>,
    ended: u32,
    history: Vec<(Option<u64>, &'static str)>,
    /// The highest fence of the task so far.
    highest: u64,
    /// Attempts by claims whose answer is not known.
    pub unanswered_claims: u32,
}

/// `None` before the task is submitted.
pub type State = Option<Task>;

/// A call with what is known of its caller.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub client: usize,
    /// When the call was made.
    pub time: i64,
    /// The future of the call was dropped.
    pub dropped: bool,
}

impl Task {
    fn new(value: u64) -> Self {
        Self {
            status: Status::Pending,
            value,
            attempts: 0,
            failures: 0,
            crashes: 0,
            cancel: false,
            lease: None,
            ended: 0,
            history: Vec::new(),
            highest: 0,
            unanswered_claims: 0,
        }
    }

    fn enter(&mut self, status: Status) {
        (self.status, self.lease, self.cancel) = (status, None, false);
    }

    fn end(&mut self, ending: &'static str) {
        let fence = self.lease.as_ref().and_then(|lease| lease.fence);
        self.history.push((fence, ending));
        self.ended += 1;
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
    }

    fn give_back(&mut self) {
        let from = self.lease.as_ref().map_or(Status::Pending, |lease| lease.from);
        self.attempts -= 1;
        if self.cancel {
            self.end("cancelled");
            self.enter(Status::Cancelled);
        } else {
            self.enter(from);
        }
    }

    /// The lease has ended without an outcome.
    pub fn crashed(&self) -> Self {
        let mut task = self.clone();
        task.crashes += 1;
        task.end("crashed");
        let status = if task.cancel { Status::Cancelled } else { Status::Failed };
        task.enter(status);
        task
    }

    /// The lease is given back, as if there had been no claim.
    pub fn given_back(&self) -> Self {
        let mut task = self.clone();
        task.give_back();
        task
    }

    fn start(&mut self, call: &Call, caller: Caller, answer: Option<&Answer>) -> Option<Answer> {
        let from = match &self.lease {
            Some(lease) => {
                let from = lease.from;
                self.end("taken_over");
                from
            }
            None if matches!(self.status, Status::Pending | Status::Failed) => self.status,
            None => {
                (self.failures, self.crashes) = (0, 0);
                Status::Pending
            }
        };
        self.attempts += 1;
        self.status = Status::InProgress;
        let (fence, task) = match answer {
            Some(Answer::Owned { fence, task, .. }) => (Some(*fence), Some(*task)),
            _ => (None, None),
        };
        if let Some(fence) = fence {
            if fence <= self.highest {
                return None;
            }
            self.highest = fence;
        }
        let ends = caller.time.saturating_add(call.lease);
        self.lease = Some(Lease { fence, owner: caller.client, ends, from, abandoned: caller.dropped });
        Some(Answer::Owned {
            task: call.task.or(task).unwrap_or_default(),
            fence: fence.unwrap_or_default(),
            attempt: self.attempts,
            value: self.value,
        })
    }

    /// Ends the attempt of the owner.
    fn finish(&mut self, call: &Call, kind: Kind) {
        if call.verb == Verb::Release {
            return self.give_back();
        }
        if call.verb == Verb::Succeed {
            self.end("succeeded");
            (self.value, self.failures, self.crashes) = (call.value, 0, 0);
            return self.enter(Status::Succeeded);
        }
        if self.cancel {
            self.end("cancelled");
            return self.enter(Status::Cancelled);
        }
        self.failures += 1;
        self.end(if call.verb == Verb::GiveUp { "gave_up" } else { "failed" });
        let spent = kind.max_attempts().is_some_and(|most| self.failures >= most);
        self.enter(if spent || call.verb == Verb::GiveUp { Status::Exhausted } else { Status::Failed });
    }

    fn refusal(&self) -> Option<Refusal> {
        match self.status {
            _ if self.lease.is_some() => Some(Refusal::Leased),
            Status::Succeeded => Some(Refusal::AlreadySucceeded),
            Status::Exhausted => Some(Refusal::Exhausted),
            Status::Cancelled => Some(Refusal::Cancelled),
            Status::Pending | Status::Failed | Status::InProgress => None,
        }
    }

    /// Whether the task is as a call has read it. Adopts fences that no caller received.
    fn is_seen_as(&mut self, seen: &Seen) -> bool {
        let fence = self.lease.as_ref().map(|lease| lease.fence);
        let same_fence = |mine: Option<u64>, other: u64| mine.is_none_or(|fence| fence == other);
        let same = self.status == seen.status
            && (self.value, self.attempts, self.failures) == (seen.value, seen.attempts, seen.failures)
            && (self.crashes, self.cancel, self.ended) == (seen.crashes, seen.cancel, seen.ended)
            && fence.is_some() == seen.fence.is_some()
            && fence.zip(seen.fence).is_none_or(|(mine, other)| same_fence(mine, other))
            && self.history.len() == seen.history.len()
            && self
                .history
                .iter()
                .zip(&seen.history)
                .all(|((mine, ending), (other, seen))| same_fence(*mine, *other) && ending == seen);
        if same {
            if let Some(lease) = &mut self.lease {
                lease.fence = seen.fence;
            }
            for ((mine, _), (other, _)) in self.history.iter_mut().zip(&seen.history) {
                *mine = Some(*other);
            }
            let fences = seen.history.iter().map(|(fence, _)| *fence).chain(seen.fence);
            self.highest = fences.fold(self.highest, u64::max);
        }
        same
    }
}

/// The task after the call, if this answer is possible. Without an answer, the task after the call if it took effect.
pub fn perform(state: &State, call: &Call, caller: Caller, answer: Option<&Answer>) -> Option<State> {
    let mut new = state.clone();
    let told = match (call.verb, &mut new) {
        (Verb::Submit | Verb::SubmitRelaxed, None) => {
            new = Some(Task::new(call.value));
            Answer::New
        }
        (Verb::Submit | Verb::SubmitRelaxed, Some(_)) => Answer::Existing,
        (Verb::Get, task) => match answer {
            Some(Answer::Record(None)) if task.is_none() => Answer::Record(None),
            Some(Answer::Record(Some(seen))) if task.as_mut().is_some_and(|task| task.is_seen_as(seen)) => {
                Answer::Record(Some(seen.clone()))
            }
            Some(_) => return None,
            None => Answer::Record(None),
        },
        (Verb::Claim, Some(task)) if task.refusal().is_none() => {
            task.unanswered_claims += u32::from(answer.is_none() && !caller.dropped);
            task.start(call, caller, answer)?
        }
        (Verb::Claim, _) => return None,
        (Verb::Start, Some(task)) => match task.refusal() {
            Some(refusal) => Answer::Refused(refusal),
            None => task.start(call, caller, answer)?,
        },
        (Verb::Steal, Some(task)) => task.start(call, caller, answer)?,
        (Verb::Renew | Verb::Checkpoint | Verb::Succeed | Verb::Fail | Verb::GiveUp | Verb::Release, task) => {
            let owned = |task: &&mut Task| task.lease.as_ref().is_some_and(|lease| lease.fence == Some(call.fence));
            match task.as_mut().filter(owned) {
                None => Answer::Refused(Refusal::LeaseLost),
                Some(task) => {
                    match (call.verb, &mut task.lease) {
                        (Verb::Renew, Some(lease)) => lease.ends = lease.ends.max(caller.time + call.lease),
                        (Verb::Checkpoint, _) => task.value = call.value,
                        _ => task.finish(call, call.kind),
                    }
                    Answer::Done
                }
            }
        }
        (Verb::Start | Verb::Steal | Verb::Cancel | Verb::Requeue, None) => Answer::Refused(Refusal::NotFound),
        (Verb::Cancel, Some(task)) => match task.refusal() {
            Some(Refusal::Leased) => {
                task.cancel = true;
                Answer::Done
            }
            Some(refusal) => Answer::Refused(refusal),
            None => {
                task.enter(Status::Cancelled);
                Answer::Done
            }
        },
        (Verb::Requeue, Some(task)) => {
            if task.lease.is_some() {
                Answer::Refused(Refusal::Leased)
            } else {
                task.enter(Status::Pending);
                (task.failures, task.crashes) = (0, 0);
                Answer::Done
            }
        }
    };
    match answer {
        // A queued submit does not return what it found.
        None | Some(Answer::Queued) => Some(new),
        Some(answer) => (*answer == told).then_some(new),
    }
}
