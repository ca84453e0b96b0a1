//! `TasksPage`: a page of the tasks of a kind that a filter selects, and how far a search by text has come. Called by `routes`; reads the
//! tracker.

use std::time::Duration;

use tracker_core::{
    Tasks, Tracker,
    chrono::{DateTime, Utc},
    inspect::{BoundedCount, KindInfo},
    live::TaskFilter,
    query::{Counts, Cursor, Query, UnreadableTask},
    untyped::Untyped,
};

use super::{Budget, UntypedRecord};
use crate::{failure::Failure, params::Params};

pub struct TasksPage {
    pub kind: KindInfo,
    pub counts: Counts,
    pub filter: Filter,
    pub tasks: Vec<UntypedRecord>,
    pub unreadable: Vec<UnreadableTask>,
    /// The tasks that match; `None` if counting would read every task.
    pub total: Option<BoundedCount>,
    pub next: Option<Cursor>,
    /// Whether the page ended before it was full, and a link continues.
    pub is_cut: bool,
    pub now: DateTime<Utc>,
}

/// The conditions on tasks of a kind, and their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub kind: String,
    /// The codes of statuses.
    pub statuses: Vec<String>,
    /// An index and its value.
    pub index: Option<(String, String)>,
    pub text: Option<String>,
    pub sort: Sort,
}

/// The order of a list of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    LatestChange,
    OldestChange,
    LatestSubmit,
    OldestSubmit,
}

impl Sort {
    pub const ALL: [Self; 4] = [Self::LatestChange, Self::OldestChange, Self::LatestSubmit, Self::OldestSubmit];

    /// The order in which the tasks of an index can be read page by page, which is that of their submission.
    fn of_index(self) -> Self {
        match self {
            Self::LatestChange | Self::LatestSubmit => Self::LatestSubmit,
            Self::OldestChange | Self::OldestSubmit => Self::OldestSubmit,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::LatestChange => "latest-change",
            Self::OldestChange => "oldest-change",
            Self::LatestSubmit => "latest-submit",
            Self::OldestSubmit => "oldest-submit",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::LatestChange => "Latest change first",
            Self::OldestChange => "Oldest change first",
            Self::LatestSubmit => "Latest submit first",
            Self::OldestSubmit => "Oldest submit first",
        }
    }
}

/// The number of tasks on a page.
pub const PAGE: usize = 50;
/// The first tasks of a page, read before the others to see how large payloads are.
const FIRST: usize = 5;
/// Larger payloads are read in small parts.
const LARGE: usize = 256 << 10;
/// After this time, a page ends with what it has found.
const BUDGET: Duration = Duration::from_millis(150);
/// The highest exact total of a filter that has no counter.
const COUNTED: u64 = 10_000;

impl Filter {
    pub fn parse(params: &Params) -> Result<Self, Failure> {
        let kind = params.get("kind").ok_or_else(|| Failure::invalid("name a kind, as in tasks?kind=NAME"))?;
        let index = match (params.get("index"), params.get("value")) {
            (Some(index), Some(value)) => Some((index.to_owned(), value.to_owned())),
            _ => None,
        };
        let sort = Sort::ALL.into_iter().find(|sort| params.get("sort") == Some(sort.name())).unwrap_or_default();
        Ok(Self {
            kind: kind.to_owned(),
            statuses: params.all("status").map(str::to_owned).collect(),
            text: params.get("text").map(str::to_owned),
            sort: if index.is_some() { sort.of_index() } else { sort },
            index,
        })
    }

    /// Its parameters, from which [`Filter::parse`] makes it again.
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        let mut pairs = vec![("kind", self.kind.as_str())];
        pairs.extend(self.statuses.iter().map(|status| ("status", status.as_str())));
        if let Some((index, value)) = &self.index {
            pairs.extend([("index", index.as_str()), ("value", value.as_str())]);
        }
        pairs.extend(self.text.as_deref().map(|text| ("text", text)));
        if self.sort != Sort::default() {
            pairs.push(("sort", self.sort.name()));
        }
        pairs
    }

    /// The conditions as commands take them.
    pub fn conditions(&self) -> TaskFilter {
        let mut filter = TaskFilter::default();
        filter.kind = Some(self.kind.clone());
        filter.statuses.clone_from(&self.statuses);
        filter.index.clone_from(&self.index);
        filter.containing.clone_from(&self.text);
        filter
    }

    pub fn query<'t>(&self, tasks: &'t Tasks<Untyped>) -> Query<'t, Untyped> {
        let query = tasks.matching(&self.conditions());
        match self.sort {
            Sort::LatestChange => query.newest_first(),
            Sort::OldestChange => query.oldest_first(),
            Sort::LatestSubmit => query.by_creation().newest_first(),
            Sort::OldestSubmit => query.by_creation().oldest_first(),
        }
    }
}

impl TasksPage {
    pub fn read(tracker: &Tracker, params: &Params) -> Result<Self, Failure> {
        let filter = Filter::parse(params)?;
        let tasks = tracker.untyped(&filter.kind)?;
        let query = filter.query(&tasks);
        let total = if filter.text.is_some() { None } else { Some(query.count_up_to(COUNTED)?) };
        let after = params.get("after").map(str::parse::<Cursor>).transpose()?;
        let mut page = Self {
            kind: tasks.info()?,
            counts: tasks.counts()?,
            tasks: Vec::new(),
            unreadable: Vec::new(),
            total,
            next: None,
            is_cut: false,
            now: tracker.now(),
            filter: filter.clone(),
        };
        page.fill(&query, after)?;
        Ok(page)
    }

    /// Reads in parts, so that neither large payloads nor a long search keep a read transaction open.
    fn fill(&mut self, query: &Query<'_, Untyped>, mut after: Option<Cursor>) -> Result<(), Failure> {
        let budget = Budget::new(BUDGET);
        let mut most = FIRST;
        loop {
            let found = query.clone().limit(most).after(after).page()?;
            self.next = found.next;
            let largest = found.items.iter().map(|record| record.task.as_bytes().len()).max().unwrap_or_default();
            self.unreadable.extend(found.unreadable);
            self.tasks.extend(found.items);
            let wanted = PAGE.saturating_sub(self.tasks.len() + self.unreadable.len());
            if self.next.is_none() || wanted == 0 {
                return Ok(());
            }
            if budget.is_spent() {
                self.is_cut = true;
                return Ok(());
            }
            most = if largest < LARGE { wanted } else { wanted.min(FIRST) };
            after = self.next;
        }
    }
}
