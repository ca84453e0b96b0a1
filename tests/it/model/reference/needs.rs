//! The needs of tasks in the model: which due task fits into the budget of memory.

use super::{Answer, Policy, ReferenceModel, Task, startable};

/// How many later tasks start before one that does not fit.
const MAX_OVERTAKES: u32 = 16;

impl Policy {
    /// The amount of memory that a task with this value needs.
    pub(super) fn amount(&self, value: u8) -> u64 {
        self.need.map_or(0, |need| need(value))
    }
}

impl ReferenceModel {
    pub(super) fn set_budget(&mut self, amount: Option<u8>) -> Answer {
        let had_budget = self.budget.is_some();
        self.budget = amount.map(u64::from);
        if had_budget || amount.is_some() { Answer::Done } else { Answer::Refused("NoBudget") }
    }

    fn memory_in_use(&self) -> u64 {
        let kinds = self.policies.iter().zip(&self.tasks);
        let running = kinds.flat_map(|(policy, tasks)| {
            tasks.values().filter(|task| task.lease.is_some()).map(|task| policy.amount(task.value))
        });
        running.sum()
    }

    /// The task that a claim starts: the first one that fits, unless one before it was overtaken too often.
    pub(super) fn choose(&mut self, kind: u8, extra: bool) -> Option<u8> {
        let (now, number) = (self.now, usize::from(kind));
        let is_due = |task: &Task| startable(task.state, extra) && !task.paused && task.due <= now;
        let mut due: Vec<_> = self.tasks[number].iter().filter(|(_, task)| is_due(task)).collect();
        due.sort_by_key(|(_, task)| task.order());
        let (budget, in_use) = (self.budget.unwrap_or(u64::MAX), self.memory_in_use());
        let stored = self.overtaken[number];
        let mut blocked: Option<(u64, u32)> = None;
        for (id, task) in due {
            let amount = self.policies[number].amount(task.value);
            if amount > budget {
                continue;
            }
            let fits = amount == 0 || in_use + amount <= budget;
            match blocked {
                None if fits => {
                    self.overtaken[number] = stored.filter(|(seq, _)| *seq != task.seq);
                    return Some(*id);
                }
                None => blocked = Some(stored.filter(|(seq, _)| *seq == task.seq).unwrap_or((task.seq, 0))),
                Some((seq, times)) if fits && times < MAX_OVERTAKES => {
                    self.overtaken[number] = Some((seq, times + 1));
                    return Some(*id);
                }
                Some(_) => {}
            }
        }
        None
    }
}
