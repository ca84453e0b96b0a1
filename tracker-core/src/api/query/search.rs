//! `Search` holds the filters of a query, and walks over the rows that they select. Called by `api/query`, `api/inspect/errors` and
//! `api/inspect/throughput`; `api/inspect`, `api/live/perform` and `portable/task` find a status by `named`. Reads rows, and writes nothing.

use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        status::{Graph, Role},
        task::TaskRef,
        time::Micros,
        transition::Condition,
    },
    storage::{
        read::scan::{ListingPosition, ListingRange},
        tables::{Reading, Tables},
    },
};

/// The filter, order and limit of a query, independent of the type of its tasks.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// `None`: every status.
    pub statuses: Option<Vec<StatusFilter>>,
    /// A field, and its encoded values of which a task must have one.
    pub index: Option<(String, Vec<Vec<u8>>)>,
    pub batch: Option<u64>,
    /// Last changed at this time or later.
    pub since: Option<Micros>,
    /// Last changed before this time.
    pub until: Option<Micros>,
    /// Text that the id or an error of the history contains, in lower case.
    pub text: Option<String>,
    pub by: By,
    pub newest_first: bool,
    pub limit: usize,
    pub after: Option<ListingPosition>,
}

/// The statuses that a query selects.
#[derive(Clone, Debug)]
pub(crate) enum StatusFilter {
    Code(i32),
    /// By its name, or the digits of its code.
    Named(String),
    Role(Role),
    Unfinished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Updated,
    Created,
}

/// The tasks of a page, and where the next page begins.
pub(crate) type Found = (Vec<(ListingPosition, TaskRef)>, Option<ListingPosition>);

/// Number of tasks that a search reads from the tables at a time, if it must examine each.
const CHUNK: usize = 1_000;
/// Number of tasks that a search examines before it ends a page.
pub(super) const EXAMINED_MAX: usize = 10_000;

impl Search {
    pub(crate) fn new() -> Self {
        Self {
            statuses: None,
            index: None,
            batch: None,
            since: None,
            until: None,
            text: None,
            by: By::Updated,
            newest_first: false,
            limit: usize::MAX,
            after: None,
        }
    }

    pub(crate) fn add_statuses(&mut self, filters: impl IntoIterator<Item = StatusFilter>) {
        self.statuses.get_or_insert_default().extend(filters);
    }

    /// The condition on a task's header.
    pub(crate) fn condition(&self, kind: &Kind) -> Result<Condition> {
        let codes = match &self.statuses {
            None => None,
            Some(filters) => {
                let mut codes = Vec::new();
                for filter in filters {
                    filter.codes(kind, &mut codes)?;
                }
                Some(codes)
            }
        };
        Ok(Condition { codes, since: self.since, until: self.until, batch: self.batch })
    }

    /// Checks that the kind has the statuses and the index.
    pub(crate) fn check(&self, kind: &Kind) -> Result<()> {
        self.condition(kind)?;
        self.index.as_ref().map_or(Ok(()), |(field, _)| kind.index_number(field).map(drop))
    }

    /// One page.
    pub(crate) fn page(&self, rows: &mut Tables<Reading<'_>>, kind: &Kind) -> Result<Found> {
        let condition = self.condition(kind)?;
        if self.text.is_none()
            && self.by == By::Created
            && let Some((field, values)) = &self.index
        {
            return self.by_index(rows, kind, (field, values), (&condition, self.after), (self.limit, EXAMINED_MAX));
        }
        if self.text.is_none() {
            let found = self.candidates(rows, kind, &condition, self.after, self.limit)?;
            let next = if found.len() >= self.limit { found.last().map(|(position, _)| *position) } else { None };
            return Ok((found, next));
        }
        let (mut found, mut after, mut examined) = (Vec::new(), self.after, 0);
        while found.len() < self.limit {
            let chunk = self.candidates(rows, kind, &condition, after, CHUNK)?;
            let last = chunk.len() < CHUNK;
            for (position, task) in chunk {
                after = Some(position);
                examined += 1;
                if self.matches(rows, &condition, task)? {
                    found.push((position, task));
                    if found.len() >= self.limit {
                        return Ok((found, after));
                    }
                }
            }
            if last {
                return Ok((found, None));
            }
            if examined >= EXAMINED_MAX {
                break;
            }
        }
        Ok((found, after))
    }

    /// The number of tasks that match, without the limit; one page of the tasks that must be read, and where it ended.
    pub(crate) fn count(&self, rows: &mut Tables<Reading<'_>>, kind: &Kind) -> Result<(u64, Option<ListingPosition>)> {
        let condition = self.condition(kind)?;
        let timeless = self.since.is_none() && self.until.is_none();
        if self.text.is_none() && timeless && self.index.is_none() && self.batch.is_none() {
            let counts = rows.counts_of(kind.id)?;
            let selected = counts.iter().filter(|(code, _)| condition.includes(*code));
            return Ok((selected.map(|(_, count)| *count).fold(0, u64::saturating_add), None));
        }
        let (found, next) = self.page(rows, kind)?;
        Ok((found.len() as u64, next))
    }

    fn matches(&self, rows: &mut Tables<Reading<'_>>, condition: &Condition, task: TaskRef) -> Result<bool> {
        let Some(header) = rows.header(task)? else { return Ok(false) };
        if !condition.holds(&header) {
            return Ok(false);
        }
        let Some(text) = &self.text else { return Ok(true) };
        let contains = |within: &str| within.to_lowercase().contains(text);
        if contains(&rows.task_row(task)?.id.to_string()) {
            return Ok(true);
        }
        if header.ended == 0 {
            return Ok(false);
        }
        let past_attempts = rows.past_attempts(task)?;
        let mut failures = past_attempts.iter().filter_map(|ended| ended.failure.as_ref());
        Ok(failures.any(|failure| contains(&failure.error) || failure.causes.iter().any(|cause| contains(cause))))
    }

    /// The next tasks in order, by what the tables order them by.
    fn candidates(
        &self,
        rows: &mut Tables<Reading<'_>>,
        kind: &Kind,
        condition: &Condition,
        after: Option<ListingPosition>,
        most: usize,
    ) -> Result<Vec<(ListingPosition, TaskRef)>> {
        if self.by == By::Created
            && let Some((field, values)) = &self.index
        {
            return Ok(self.by_index(rows, kind, (field, values), (condition, after), (most, usize::MAX))?.0);
        }
        if self.index.is_some() || self.batch.is_some() {
            let found = self.indexed(rows, kind, condition)?;
            return Ok(self.cut(found, after, most));
        }
        if self.by == By::Updated {
            let mut found = Vec::new();
            let range = ListingRange { beyond: after, newest_first: self.newest_first, most, ..self.range() };
            for code in condition.codes_of(&kind.graph) {
                found.extend(rows.changed(kind, code, range)?);
            }
            return Ok(self.cut(found, after, most));
        }
        // A search by text looks at each task's header anyway.
        if (self.since.is_some() || self.until.is_some()) && self.text.is_none() {
            let mut found = Vec::new();
            for code in condition.codes_of(&kind.graph) {
                found.extend(rows.changed(kind, code, self.range())?);
            }
            return Ok(self.cut(found, after, most));
        }
        // Few tasks in these statuses: gather and sort them. Many: the next ones in the order of submission are near.
        let counts = rows.counts_of(kind.id)?;
        let all: u64 = counts.iter().map(|(_, count)| *count).fold(0, u64::saturating_add);
        let selected = counts.iter().filter(|(code, _)| condition.includes(*code)).map(|(_, count)| *count);
        let selected = selected.fold(0, u64::saturating_add);
        if selected == all || selected.saturating_mul(selected) > all.saturating_mul(most as u64) {
            let beyond = after.map(|(_, seq)| seq);
            let headers = rows.headers_beyond(
                kind.id,
                beyond,
                self.newest_first,
                |header| condition.includes(header.code),
                most,
            )?;
            return Ok(headers.into_iter().map(|(task, header)| ((header.created, task.seq), task)).collect());
        }
        let mut found = Vec::new();
        for code in condition.codes_of(&kind.graph) {
            for key in rows.claim_keys_of(kind.id, code)? {
                found.push(((0, key.seq), key.task()));
            }
        }
        Ok(self.cut(found, after, most))
    }

    /// The range of times that the query states.
    fn range(&self) -> ListingRange {
        let until = self.until.unwrap_or(Micros::MAX);
        ListingRange { until, ..ListingRange::from(self.since.unwrap_or(Micros::MIN)) }
    }

    /// The tasks whose index has one of the values, or the tasks of the batch, before the other conditions.
    fn named(&self, rows: &mut Tables<Reading<'_>>, kind: &Kind) -> Result<Vec<u64>> {
        let Some((field, values)) = &self.index else {
            let members = self.batch.map_or(Ok(Vec::new()), |batch| rows.members_of(batch, Some(kind.id), usize::MAX));
            return Ok(members?.into_iter().map(|task| task.seq).collect());
        };
        let number = kind.index_number(field)?;
        let mut named = Vec::new();
        for value in values {
            let found = rows.with_index(kind.id, number, value)?;
            if let ([_], true) = (values.as_slice(), found.is_empty()) {
                rows.check_index_type(kind, field, number, value)?;
            }
            named.extend(found);
        }
        Ok(named)
    }

    /// The next `most` tasks of an index in the order of submission, in which the index has them. Examines no more than `examined_max` tasks
    /// of each value, and then returns the position where it stopped.
    fn by_index(
        &self,
        rows: &mut Tables<Reading<'_>>,
        kind: &Kind,
        (field, values): (&str, &[Vec<u8>]),
        (condition, after): (&Condition, Option<ListingPosition>),
        (most, examined_max): (usize, usize),
    ) -> Result<Found> {
        let number = kind.index_number(field)?;
        let (mut found, mut stops) = (Vec::new(), Vec::new());
        for value in values {
            let (mut beyond, mut wanted, mut examined) = (after.map(|(_, seq)| seq), most, 0);
            while wanted > 0 {
                let part = wanted.min(CHUNK);
                let seqs = rows.with_index_beyond((kind.id, number, value), beyond, self.newest_first, part)?;
                let is_last = seqs.len() < part;
                beyond = seqs.last().copied().or(beyond);
                examined += seqs.len();
                if let ([_], true, None) = (values, seqs.is_empty(), beyond) {
                    rows.check_index_type(kind, field, number, value)?;
                }
                for seq in seqs {
                    let task = kind.task(seq);
                    if rows.header(task)?.is_some_and(|header| condition.holds(&header)) {
                        found.push(((0, seq), task));
                        wanted -= 1;
                    }
                }
                if is_last {
                    break;
                }
                if examined >= examined_max {
                    stops.extend(beyond);
                    break;
                }
            }
        }
        // Beyond the first stop, tasks of the value that stopped there are missing.
        let stop = if self.newest_first { stops.into_iter().max() } else { stops.into_iter().min() };
        if let Some(stop) = stop {
            found.retain(|((_, seq), _)| if self.newest_first { *seq >= stop } else { *seq <= stop });
        }
        let found = self.cut(found, after, most);
        let last = if found.len() >= most { found.last().map(|(position, _)| *position) } else { None };
        Ok((found, last.or(stop.map(|seq| (0, seq)))))
    }

    /// The tasks of the query among these.
    fn indexed(
        &self,
        rows: &mut Tables<Reading<'_>>,
        kind: &Kind,
        condition: &Condition,
    ) -> Result<Vec<(ListingPosition, TaskRef)>> {
        let mut found = Vec::new();
        for seq in self.named(rows, kind)? {
            let task = kind.task(seq);
            let Some(header) = rows.header(task)? else { continue };
            if condition.holds(&header) {
                let at = if self.by == By::Updated { header.updated } else { 0 };
                found.push(((at, seq), task));
            }
        }
        Ok(found)
    }

    /// The tasks after the cursor in the order of the query, up to the limit.
    fn cut(
        &self,
        mut found: Vec<(ListingPosition, TaskRef)>,
        after: Option<ListingPosition>,
        most: usize,
    ) -> Vec<(ListingPosition, TaskRef)> {
        let updated = self.by == By::Updated;
        let key = |position: ListingPosition| if updated { position } else { (0, position.1) };
        if let Some(after) = after {
            let (after, newest) = (key(after), self.newest_first);
            found.retain(|(position, _)| if newest { key(*position) < after } else { key(*position) > after });
        }
        found.sort_unstable_by_key(|(position, _)| key(*position));
        if self.newest_first {
            found.reverse();
        }
        found.truncate(most);
        found
    }
}

impl StatusFilter {
    fn codes(&self, kind: &Kind, codes: &mut Vec<i32>) -> Result<()> {
        match self {
            Self::Code(code) => codes.push(*code),
            Self::Named(name) => codes.push(named(kind, name)?),
            Self::Role(role) => codes.extend(codes_where(&kind.graph, |status| status.role == *role)),
            Self::Unfinished => codes.extend(codes_where(&kind.graph, |status| {
                status.role != Role::InProgress && !kind.graph.is_terminal(status)
            })),
        }
        Ok(())
    }
}

fn codes_where(
    graph: &Graph,
    selected: impl Fn(&crate::model::status::StatusInfo) -> bool,
) -> impl Iterator<Item = i32> {
    graph.statuses().iter().filter(move |status| selected(status)).map(|status| status.code)
}

/// The code of a status by its name (in upper or lower case), or by the digits of its code.
pub(crate) fn named(kind: &Kind, name: &str) -> Result<i32> {
    let code: Option<i32> = name.parse().ok();
    let statuses = kind.graph.statuses();
    let found = statuses
        .iter()
        .find(|status| status.name == name || Some(status.code) == code)
        .or_else(|| statuses.iter().find(|status| status.name.eq_ignore_ascii_case(name)));
    found.map(|status| status.code).ok_or_else(|| {
        let known: Vec<_> = statuses.iter().map(|status| format!("{} ({})", status.name, status.code)).collect();
        Error::invalid(format!("kind {:?} has no status {name:?}; it has {}", kind.name, known.join(", ")))
    })
}
