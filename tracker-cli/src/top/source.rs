use chrono::{DateTime, Utc};
use tracker_core::{
    Record, Tracker,
    inspect::{ErrorGroups, Explanation, KindInfo, LeasedTask},
    query::{Cursor, Page},
    status::{Role, StatusInfo},
    task::TaskKey,
    untyped::Payload,
};

use crate::{failure::Failure, file::FileArg, output::number, task::has_ended};

pub type Task = Record<Payload, StatusInfo>;

/// The file, opened to look. To act it is opened in another way for as long as that takes.
pub struct Source {
    file: FileArg,
    tracker: Option<Tracker>,
    seen: Option<u64>,
}

/// What the overview tells of a kind.
pub struct Kind {
    pub info: KindInfo,
    pub counts: Vec<(StatusInfo, u64)>,
    pub leases: Vec<LeasedTask>,
    pub oldest: Option<(TaskKey, DateTime<Utc>)>,
}

impl Kind {
    /// How many tasks there are.
    pub fn total(&self) -> u64 {
        number::sum(self.counts.iter().map(|(_, count)| *count))
    }

    /// How many have ended.
    pub fn ended(&self) -> u64 {
        self.sum(|status| has_ended(status, &self.info))
    }

    /// How many are still to end by themselves: not those that are parked.
    pub fn left(&self) -> u64 {
        self.total().saturating_sub(self.ended()).saturating_sub(self.sum(|status| status.role == Role::Parked))
    }

    fn sum(&self, of: impl Fn(&StatusInfo) -> bool) -> u64 {
        number::sum(self.counts.iter().filter(|(status, _)| of(status)).map(|(_, count)| *count))
    }
}

/// Which tasks a list is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The code of a status.
    pub code: Option<i32>,
    /// What the id or an error contains.
    pub text: String,
}

/// What the user does to a task, or to a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Retry,
    Cancel,
    Ignore,
    Remove,
    Pause,
}

/// How many leases the overview names.
const LEASES: usize = 100;
/// How many failed tasks are looked at for their errors.
const ERRORS: usize = 20_000;

impl Source {
    pub fn open(file: FileArg) -> Result<Self, Failure> {
        let tracker = Some(file.look()?);
        Ok(Self { file, tracker, seen: None })
    }

    pub fn name(&self) -> String {
        self.file.file.display().to_string()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.tracker.as_ref().map_or_else(Utc::now, Tracker::now)
    }

    fn tracker(&mut self) -> Result<&Tracker, Failure> {
        match &mut self.tracker {
            Some(tracker) => Ok(tracker),
            closed => Ok(closed.insert(self.file.look()?)),
        }
    }

    /// Whether somebody has committed something since the last call.
    pub fn has_changed(&mut self) -> Result<bool, Failure> {
        let number = self.tracker()?.change_number()?;
        Ok(self.seen.replace(number) != Some(number))
    }

    pub fn kinds(&mut self) -> Result<Vec<Kind>, Failure> {
        let tracker = self.tracker()?;
        let mut kinds = Vec::new();
        for name in tracker.kinds()? {
            let tasks = tracker.untyped(&name)?;
            let (info, counts) = (tasks.info()?, tasks.counts()?);
            let counts = info.statuses.iter().map(|status| (status.clone(), counts.of_code(status.code))).collect();
            kinds.push(Kind { info, counts, leases: tasks.leases(LEASES)?, oldest: tasks.oldest_waiting()? });
        }
        Ok(kinds)
    }

    /// A page of tasks, the latest change first.
    pub fn tasks(
        &mut self,
        kind: &str,
        filter: &Filter,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<Page<Task>, Failure> {
        let tasks = self.tracker()?.untyped(kind)?;
        let mut query = tasks.query().newest_first().limit(most);
        if let Some(code) = filter.code {
            query = query.code(code);
        }
        if !filter.text.is_empty() {
            query = query.containing(&filter.text);
        }
        if let Some(after) = after {
            query = query.after(after);
        }
        Ok(query.page()?)
    }

    /// A task, and why it is not running.
    pub fn task(&mut self, kind: &str, id: &TaskKey) -> Result<Option<(Task, Explanation)>, Failure> {
        let tasks = self.tracker()?.untyped(kind)?;
        let Some(task) = tasks.get(id)? else { return Ok(None) };
        Ok(Some((task, tasks.explain(id)?)))
    }

    pub fn errors(&mut self, kind: &str) -> Result<ErrorGroups, Failure> {
        Ok(self.tracker()?.untyped(kind)?.errors(ERRORS)?)
    }

    /// Does something, if the file can be opened for that now.
    pub fn act(&mut self, kind: &str, id: Option<&TaskKey>, act: Act) -> Result<String, Failure> {
        // Nobody can act on a file that somebody looks at in the readers' way, not even we ourselves.
        if let Some(tracker) = self.tracker.take() {
            tracker.close()?;
        }
        self.seen = None;
        let tracker = self.file.act()?;
        let done = do_it(&tracker, kind, id, act);
        tracker.close()?;
        done
    }
}

fn do_it(tracker: &Tracker, kind: &str, id: Option<&TaskKey>, act: Act) -> Result<String, Failure> {
    let tasks = tracker.untyped(kind)?;
    if act == Act::Pause {
        return Ok(if tasks.info()?.paused {
            tasks.resume()?;
            format!("{kind} goes on")
        } else {
            tasks.pause()?;
            format!("{kind} is paused")
        });
    }
    let Some(id) = id else { return Err(Failure::usage("no task is chosen")) };
    match act {
        Act::Retry => tasks.requeue(id)?,
        Act::Cancel => tasks.cancel(id)?,
        Act::Ignore => tasks.ignore(id, "ignored in tracker top")?,
        Act::Remove => tasks.remove(id)?,
        Act::Pause => {}
    }
    Ok(format!("{id}: {}", act.done()))
}

impl Act {
    /// As a question: `retry this task?`
    pub fn question(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Ignore => "ignore",
            Self::Remove => "remove for ever",
            Self::Pause => "pause or resume",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Retry => "startable again",
            Self::Cancel => "cancelled, or asked to end where it runs",
            Self::Ignore => "ignored",
            Self::Remove => "removed",
            Self::Pause => "paused or resumed",
        }
    }
}
