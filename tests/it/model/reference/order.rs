//! The claim order of the model: priority, due time and place of each task, and the calls that change them.

use super::{super::call::Call, Answer, EPOCH, ReferenceModel, SECOND, Task, Time, startable};

/// Leaves room for a hundred moves between two neighbours.
pub(super) fn place_of_submission(seq: u64) -> u128 {
    u128::from(seq) << 100
}

impl Task {
    /// Another due time ends the place of a moved task.
    pub(super) fn set_due(&mut self, due: Time) {
        if self.due != due {
            (self.due, self.place) = (due, place_of_submission(self.seq));
        }
    }

    /// The order in which claims take tasks.
    pub(super) fn order(&self) -> (u8, Time, u128, u64) {
        (u8::MAX - self.priority, self.due, self.place, self.seq)
    }

    /// Why a task cannot be moved.
    pub(super) fn unmovable(&self) -> Option<&'static str> {
        let leased = self.lease.is_some().then_some("Leased");
        let paused = self.paused.then_some("Paused");
        let parked = (!startable(self.state, false)).then_some("NotStartable");
        leased.or(self.closed()).or(paused).or(parked)
    }
}

impl ReferenceModel {
    /// A call that changes the order.
    pub(super) fn reorder(&mut self, call: Call) -> Answer {
        match call {
            Call::MoveToFront { kind, id } => self.move_to_front(kind, id),
            Call::MoveBefore { kind, id, other } => self.move_before(kind, id, other),
            Call::SetPriority { kind, id, priority } => self.unfinished(kind, id, |task| task.priority = priority),
            Call::SetDue { kind, id, seconds } => self.admin_call(kind, id, |task, _| {
                task.closed().map_or(Ok(()), Err)?;
                task.set_due((EPOCH + Time::from(seconds)) * SECOND);
                Ok(())
            }),
            Call::PauseTask { kind, id, on } => self.unfinished(kind, id, |task| task.paused = on),
            _ => Answer::Skipped,
        }
    }

    /// An admin call on an unfinished task, also on one with a lease.
    fn unfinished(&mut self, kind: u8, id: u8, act: impl FnOnce(&mut Task)) -> Answer {
        let Some(task) = self.tasks[usize::from(kind)].get_mut(&id) else { return Answer::Refused("NotFound") };
        if let Some(why) = task.closed() {
            return Answer::Refused(why);
        }
        act(task);
        Answer::Done
    }

    /// The movable tasks of a kind and priority but one, in claim order.
    fn movable(&self, kind: u8, id: u8, priority: u8) -> Vec<&Task> {
        let others = self.tasks[usize::from(kind)].iter().filter(|(other, _)| **other != id).map(|(_, task)| task);
        let mut found: Vec<_> = others.filter(|task| task.priority == priority && task.unmovable().is_none()).collect();
        found.sort_by_key(|task| task.order());
        found
    }

    fn move_to_front(&mut self, kind: u8, id: u8) -> Answer {
        let now = self.now;
        let Some(task) = self.tasks[usize::from(kind)].get(&id) else { return Answer::Refused("NotFound") };
        let first = self.movable(kind, id, task.priority).first().map(|first| first.due);
        self.admin_call(kind, id, |task, _| {
            task.unmovable().map_or(Ok(()), Err)?;
            task.due = first.filter(|due| *due <= now).map_or(now, |due| due - 1);
            task.place = place_of_submission(task.seq);
            Ok(())
        })
    }

    fn move_before(&mut self, kind: u8, id: u8, other: u8) -> Answer {
        if id == other {
            return Answer::Skipped;
        }
        let now = self.now;
        let tasks = &mut self.tasks[usize::from(kind)];
        let Some(priority) = tasks.get(&id).map(|task| task.priority) else { return Answer::Refused("NotFound") };
        let refused = match tasks.get(&other) {
            None => Some("NotFound"),
            Some(next) => next.unmovable().or((next.priority != priority).then_some("OtherPriority")),
        };
        if let Some(why) = refused {
            if let Some(task) = tasks.get_mut(&id).filter(|task| task.expired(now)) {
                self.policies[usize::from(kind)].rescue(task, now, self.instance);
            }
            return Answer::Refused(why);
        }
        let next = tasks[&other].clone();
        let before = self.movable(kind, id, priority).into_iter().rfind(|task| task.order() < next.order());
        let low = before.filter(|task| task.due == next.due).map_or(0, |task| task.place);
        self.admin_call(kind, id, |task, _| {
            task.unmovable().map_or(Ok(()), Err)?;
            (task.due, task.place) = (next.due, u128::midpoint(low, next.place));
            Ok(())
        })
    }
}
