//! Decides whether a log fits the guarantees.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{
    calls::{self, Calls, End, Made, Step},
    kinds::Kind,
    log::{Answer, Entry, Event, Refusal, Verb},
    model::{State, perform},
};

/// More states of one task than that are a fault of the attack: its calls overlap too much.
const MOST_STATES: usize = 200_000;

/// The numbers of checked calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    pub calls: u64,
    pub answered: u64,
    /// Calls whose effect is not known: in flight at a kill, dropped, or of an unknown outcome.
    pub open: u64,
    pub attempts: u64,
    pub successes: u64,
    /// Ends and renewals that were refused because the lease was lost.
    pub stale: u64,
    pub tasks: u64,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.answered += other.answered;
        self.open += other.open;
        self.attempts += other.attempts;
        self.successes += other.successes;
        self.stale += other.stale;
        self.tasks += other.tasks;
    }
}

/// Checks a log.
///
/// # Errors
/// The first contradiction.
pub fn check(entries: &[Entry]) -> Result<Figures, String> {
    let damaged =
        |entry: &&Entry| matches!(entry.event, Event::Answered { answer: Answer::Damaged | Answer::Other(_), .. });
    match entries.iter().find(damaged) {
        Some(entry) => Err(format!("an error that no sound file gives: {entry:?}")),
        None => check_damaged(entries, &BTreeSet::new()),
    }
}

/// Checks a log in which calls may report damage. Answers about the `ignored` tasks do not count.
///
/// # Errors
/// The first contradiction.
pub fn check_damaged(entries: &[Entry], ignored: &BTreeSet<(Kind, u32)>) -> Result<Figures, String> {
    let calls = calls::read(entries)?;
    fences_rise(&calls)?;
    let mut timelines = BTreeMap::<(Kind, u32), Vec<Step>>::new();
    for call in &calls.made {
        if let Some(task) = call.task() {
            timelines.entry((call.call.kind, task)).or_default();
        }
    }
    let tasks: Vec<_> = timelines.keys().copied().collect();
    // Each step reaches the tasks that it may be about.
    let reaches = |index: usize| {
        let made: &Made = &calls.made[index];
        let kind = made.call.kind;
        let one = made.task().map(|task| (kind, task));
        let every = tasks.iter().copied().filter(move |(other, _)| *other == kind && made.is_open_claim());
        one.into_iter().chain(every)
    };
    for step in &calls.steps {
        match step {
            Step::Begin(index) | Step::Answered(index) | Step::Void(index) => {
                for task in reaches(*index) {
                    timelines.entry(task).or_default().push(step.clone());
                }
            }
            Step::Dying(_) | Step::GivenBack => timelines.values_mut().for_each(|steps| steps.push(step.clone())),
            Step::Over(over) => {
                let mut parts = BTreeMap::<_, Vec<_>>::new();
                for (index, must) in over {
                    for task in reaches(*index) {
                        parts.entry(task).or_default().push((*index, *must));
                    }
                }
                for (task, part) in parts {
                    timelines.entry(task).or_default().push(Step::Over(part));
                }
            }
        }
    }
    let mut unanswered_claims = 0;
    for ((kind, task), steps) in timelines.iter().filter(|(task, _)| !ignored.contains(*task)) {
        let search = Search { made: &calls.made, configs: HashSet::from([Config::default()]), ..Search::default() };
        let used = search.run(steps).map_err(|what| format!("{kind:?} {task}: {what}"))?;
        unanswered_claims += u64::from(used);
    }
    let claims = calls.made.iter().filter(|made| made.is_open_claim() && made.end == End::Unknown).count() as u64;
    if unanswered_claims > claims {
        return Err(format!("{unanswered_claims} attempts by claims without an answer, of which there are {claims}"));
    }
    Ok(figures(&calls, timelines.len()))
}

fn figures(calls: &Calls, tasks: usize) -> Figures {
    let count = |which: &dyn Fn(&Made) -> bool| calls.made.iter().filter(|made| which(made)).count() as u64;
    let answered = |made: &Made| matches!(&made.end, End::Answered(answer) if *answer != Answer::Queued);
    Figures {
        calls: calls.made.len() as u64,
        answered: count(&answered),
        open: count(&|made| !answered(made)),
        attempts: count(&|made| matches!(made.end, End::Answered(Answer::Owned { .. }))),
        successes: count(&|made| made.call.verb == Verb::Succeed && made.end == End::Answered(Answer::Done)),
        stale: count(&|made| made.end == End::Answered(Answer::Refused(Refusal::LeaseLost))),
        tasks: tasks as u64,
    }
}

/// Each attempt has a fence of its own, above those of all attempts that were acknowledged before it was asked for.
fn fences_rise(calls: &Calls) -> Result<(), String> {
    let (mut highest, mut seen) = (0, BTreeSet::new());
    let mut floors = vec![0; calls.made.len()];
    for step in &calls.steps {
        match step {
            Step::Begin(index) => floors[*index] = highest,
            Step::Answered(index) => {
                if let End::Answered(Answer::Owned { fence, .. }) = &calls.made[*index].end {
                    if !seen.insert(*fence) {
                        return Err(format!("two attempts have the fence {fence}"));
                    }
                    if *fence <= floors[*index] {
                        return Err(format!("fence {fence} was given after {}", floors[*index]));
                    }
                    highest = highest.max(*fence);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A state that the task may be in, and the calls under way that have taken effect in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Config {
    state: State,
    applied: BTreeSet<usize>,
}

#[derive(Default)]
struct Search<'c> {
    made: &'c [Made],
    configs: HashSet<Config>,
    pending: BTreeSet<usize>,
    dying: HashSet<usize>,
}

impl Search<'_> {
    /// Follows the steps of one task. Returns how many unanswered claims it needs at least.
    fn run(mut self, steps: &[Step]) -> Result<u32, String> {
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Begin(index) => {
                    self.pending.insert(*index);
                }
                Step::Void(index) => {
                    self.pending.remove(index);
                    self.configs.retain(|config| !config.applied.contains(index));
                }
                Step::Dying(clients) => self.dying.extend(clients),
                Step::GivenBack => self.give_back(),
                Step::Answered(index) => {
                    let before = self.configs.clone();
                    self.apply_pending(|config| config.applied.contains(index))?;
                    self.configs.retain(|config| config.applied.contains(index));
                    if self.configs.is_empty() {
                        return Err(self.contradiction(steps, number, *index, &before));
                    }
                    self.forget(&[*index]);
                }
                Step::Over(over) => {
                    let before = self.configs.clone();
                    self.apply_pending(|_| false)?;
                    for (index, _) in over.iter().filter(|(_, must)| *must) {
                        self.configs.retain(|config| config.applied.contains(index));
                        if self.configs.is_empty() {
                            return Err(self.contradiction(steps, number, *index, &before));
                        }
                    }
                    self.forget(&over.iter().map(|(index, _)| *index).collect::<Vec<_>>());
                }
            }
        }
        let used = |config: &Config| config.state.as_ref().map_or(0, |task| task.unanswered_claims);
        Ok(self.configs.iter().map(used).min().unwrap_or_default())
    }

    fn give_back(&mut self) {
        let configs = std::mem::take(&mut self.configs);
        self.configs.extend(configs.into_iter().map(|mut config| {
            config.state = config.state.map(|task| {
                let abandoned = task.lease.as_ref().is_some_and(|lease| lease.abandoned);
                if abandoned { task.given_back() } else { task }
            });
            config
        }));
    }

    fn forget(&mut self, over: &[usize]) {
        for index in over {
            self.pending.remove(index);
        }
        let configs = std::mem::take(&mut self.configs);
        self.configs.extend(configs.into_iter().map(|mut config| {
            config.applied.retain(|index| !over.contains(index));
            config
        }));
    }

    /// Lets the calls under way take effect in every order, except behind configurations that are `done`.
    fn apply_pending(&mut self, done: impl Fn(&Config) -> bool) -> Result<(), String> {
        let mut left: Vec<_> = self.configs.iter().cloned().collect();
        while let Some(config) = left.pop() {
            if done(&config) {
                continue;
            }
            for index in self.pending.difference(&config.applied) {
                for state in self.after(&config.state, *index) {
                    let mut applied = config.applied.clone();
                    applied.insert(*index);
                    let next = Config { state, applied };
                    if self.configs.insert(next.clone()) {
                        left.push(next);
                    }
                }
            }
            if self.configs.len() > MOST_STATES {
                return Err("too many calls overlap".to_owned());
            }
        }
        Ok(())
    }

    /// The states after a call. Before it, a lease may have ended: it has run out, or its owner is dead, or gone.
    fn after(&self, state: &State, index: usize) -> Vec<State> {
        let made = &self.made[index];
        let mut before = vec![state.clone()];
        if let Some(task) = state
            && let Some(lease) = &task.lease
        {
            if lease.ends <= made.latest || self.dying.contains(&lease.owner) {
                before.push(Some(task.crashed()));
            }
            if lease.abandoned {
                before.push(Some(task.given_back()));
            }
        }
        let answer = match &made.end {
            End::Answered(answer) => Some(answer),
            End::Unknown | End::Dropped(_) => None,
        };
        let mut after = Vec::new();
        for before in &before {
            let Some(new) = perform(before, &made.call, made.caller, answer) else { continue };
            after.push(new);
        }
        after
    }

    fn contradiction(&self, steps: &[Step], at: usize, index: usize, before: &HashSet<Config>) -> String {
        let made = &self.made[index];
        let story: Vec<_> = steps[at.saturating_sub(12)..=at].iter().map(|step| self.described(step)).collect();
        let states: Vec<_> = before.iter().take(3).map(|config| format!("{:?}", config.state)).collect();
        format!(
            "{} called {:?} and got {:?}, which contradicts the log; {} possible states before it, among them {}; the \
             last steps: {}",
            made.client,
            made.call,
            made.end,
            before.len(),
            states.join(" or "),
            story.join("; ")
        )
    }

    fn described(&self, step: &Step) -> String {
        let name = |index: &usize| {
            let made = &self.made[*index];
            format!("{} {:?} {} {:?}", made.client, made.call.verb, made.call.fence, made.end)
        };
        match step {
            Step::Begin(index) => format!("begin {}", name(index)),
            Step::Answered(index) => format!("answered {}", name(index)),
            Step::Void(index) => format!("void {}", name(index)),
            Step::Dying(_) | Step::GivenBack => format!("{step:?}"),
            Step::Over(over) => format!("over {:?}", over.iter().map(|(index, _)| name(index)).collect::<Vec<_>>()),
        }
    }
}
