//! `TrackerSource`: reads the file for the live view, and performs the actions of an operator through `FileControl`. Called by `app`.

use chrono::{DateTime, Utc};
use tracker_core::{
    Tracker,
    inspect::{ErrorGroups, Explanation, KindInfo, LeasedTask, WaitingTask},
    live::{Request, Selection, TaskChange},
    query::{Cursor, Page},
    status::{Role, StatusInfo},
    task::TaskKey,
};

use crate::{
    error::CliError,
    file::FileArg,
    output::number,
    task::{SchedulesStatus, UntypedRecord},
};

/// The file, open for reading. An admin action reopens it for changes while it runs.
pub struct TrackerSource {
    file: FileArg,
    tracker: Option<Tracker>,
    /// The change number of the last call of `has_changed`.
    seen: Option<u64>,
}

/// The state of a kind in the overview.
pub struct KindSnapshot {
    pub info: KindInfo,
    pub counts: Vec<(StatusInfo, u64)>,
    pub leases: Vec<LeasedTask>,
    pub oldest: Option<WaitingTask>,
}

impl KindSnapshot {
    /// Returns the number of tasks.
    pub fn total(&self) -> u64 {
        number::sum(self.counts.iter().map(|(_, count)| *count))
    }

    /// Returns the number of tasks that have ended.
    pub fn ended(&self) -> u64 {
        self.sum(|status| self.info.has_ended(status))
    }

    /// Returns the number of tasks that have neither ended nor are parked.
    pub fn remaining(&self) -> u64 {
        self.total().saturating_sub(self.ended()).saturating_sub(self.sum(|status| status.role == Role::Parked))
    }

    fn sum(&self, of: impl Fn(&StatusInfo) -> bool) -> u64 {
        number::sum(self.counts.iter().filter(|(status, _)| of(status)).map(|(_, count)| *count))
    }
}

/// The condition of the task list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The code of a status.
    pub code: Option<i32>,
    /// Text that the id or an error contains.
    pub text: String,
}

/// A change of a task or of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminAction {
    Retry,
    Cancel,
    Ignore,
    Remove,
    Pause,
}

/// The number of leases in the overview.
const LEASES: usize = 100;
/// The number of failed tasks that are read for their errors.
const ERRORS: usize = 20_000;

impl TrackerSource {
    pub fn open(file: FileArg) -> Result<Self, CliError> {
        let tracker = Some(file.inspect()?);
        Ok(Self { file, tracker, seen: None })
    }

    pub fn name(&self) -> String {
        self.file.name()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.tracker.as_ref().map_or_else(Utc::now, Tracker::now)
    }

    fn tracker(&mut self) -> Result<&Tracker, CliError> {
        match &mut self.tracker {
            Some(tracker) => Ok(tracker),
            closed => Ok(closed.insert(self.file.inspect()?)),
        }
    }

    /// Returns whether the file has changed since the last call.
    pub fn has_changed(&mut self) -> Result<bool, CliError> {
        let number = self.tracker()?.change_number()?;
        Ok(self.seen.replace(number) != Some(number))
    }

    pub fn kinds(&mut self) -> Result<Vec<KindSnapshot>, CliError> {
        let tracker = self.tracker()?;
        let mut kinds = Vec::new();
        for name in tracker.kinds()? {
            let tasks = tracker.untyped(&name)?;
            let (info, counts) = (tasks.info()?, tasks.counts()?);
            let counts = info.statuses.iter().map(|status| (status.clone(), counts.of_code(status.code))).collect();
            kinds.push(KindSnapshot { info, counts, leases: tasks.leases(LEASES)?, oldest: tasks.oldest_waiting()? });
        }
        Ok(kinds)
    }

    /// Reads the schedules; `None` if there are none.
    pub fn schedules(&mut self) -> Result<Option<SchedulesStatus>, CliError> {
        let tracker = self.tracker()?;
        Ok(SchedulesStatus::of(&tracker.schedules()?, tracker.now()))
    }

    /// Reads a page of tasks, the latest change first.
    pub fn tasks(
        &mut self,
        kind: &str,
        filter: &Filter,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<Page<UntypedRecord>, CliError> {
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

    /// Reads a task, and why it is not running.
    pub fn task(&mut self, kind: &str, id: &TaskKey) -> Result<Option<(UntypedRecord, Explanation)>, CliError> {
        let tasks = self.tracker()?.untyped(kind)?;
        let Some(task) = tasks.get(id)? else { return Ok(None) };
        Ok(Some((task, tasks.explain(id)?)))
    }

    pub fn errors(&mut self, kind: &str) -> Result<ErrorGroups, CliError> {
        Ok(self.tracker()?.untyped(kind)?.errors(ERRORS)?)
    }

    /// Runs an admin action, if the file can be opened for changes.
    pub fn run(&mut self, kind: &str, id: Option<&TaskKey>, action: AdminAction) -> Result<String, CliError> {
        let is_paused = self.tracker()?.untyped(kind)?.info()?.paused;
        let (request, done) = action.request(kind, id, is_paused)?;
        // No process can change a file while it is open in the readers mode for sampling, not even this one.
        if !self.file.is_server()
            && let Some(tracker) = self.tracker.take()
        {
            tracker.close()?;
        }
        self.seen = None;
        let control = self.file.open_for_changes()?;
        let report = control.perform(&request);
        control.close()?;
        match report?.refused.pop() {
            Some(refused) => Err(CliError::refused(refused.message)),
            None => Ok(done),
        }
    }
}

impl AdminAction {
    /// Returns the action as a question, as in `retry this task?`
    pub fn question(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Ignore => "ignore",
            Self::Remove => "delete",
            Self::Pause => "pause or resume",
        }
    }

    /// Returns the request, and its result in words.
    fn request(self, kind: &str, id: Option<&TaskKey>, is_paused: bool) -> Result<(Request, String), CliError> {
        let change = match self {
            Self::Pause => {
                let result = if is_paused { "is resumed" } else { "is paused" };
                let request = Request::Kinds { kind: Some(kind.to_owned()), paused: !is_paused };
                return Ok((request, format!("{kind} {result}")));
            }
            Self::Retry => TaskChange::Retry,
            Self::Cancel => TaskChange::Cancel,
            Self::Ignore => TaskChange::Ignore { reason: "ignored in tracker top".to_owned() },
            Self::Remove => TaskChange::Remove,
        };
        let Some(id) = id else { return Err(CliError::usage("no task is selected")) };
        let selection = Selection::Ids { kind: Some(kind.to_owned()), ids: vec![id.clone().into()] };
        Ok((Request::Tasks { selection, change }, format!("{id}: {}", self.result())))
    }

    fn result(self) -> &'static str {
        match self {
            Self::Retry => "requeued",
            Self::Cancel => "cancelled, or asked to end if it is running",
            Self::Ignore => "ignored",
            Self::Remove => "deleted",
            Self::Pause => "paused or resumed",
        }
    }
}
