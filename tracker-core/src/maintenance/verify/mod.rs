//! `Tracker::verify` recomputes the indexes and counters from the tasks themselves, checks head lists and other rows by their rules, and reports
//! differences. Called by users and `tracker-cli`; reads the tables of the tracker, except the starts of rates, and writes nothing.
//!
//! The first pass sums hashes of the expected and of the stored rows (`fingerprints`). Where the sums of a bucket of rows differ, further passes
//! compare the rows of such buckets one by one (`exact_rows`), so that a bounded number of compared rows is in memory.

mod comparison;
mod dependencies;
#[cfg(test)]
mod division_tests;
mod exact_rows;
mod fingerprints;
mod head_lists;
mod limit_heads;
mod stored_rows;
mod task_rows;
#[cfg(test)]
mod tests;
mod throttles;

use std::{collections::BTreeMap, fmt};

use comparison::{Comparison, RowContent, RowSink};
use exact_rows::ExactRows;
use fingerprints::Fingerprints;
use limit_heads::{HeadSource, each_head};

use crate::api::tracker::Tracker;
use crate::{
    model::error::{Error, Result},
    storage::tables::{Reading, Tables},
};

/// Something in the file that does not follow from its tasks, or a row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inconsistency {
    /// The table.
    pub table: String,
    /// The inconsistency, with the key.
    pub what: String,
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.what)
    }
}

/// Number of rows that are compared in one pass: some 200 bytes of memory each.
const COMPARED_ROWS: usize = 500_000;

/// How `verify` divides its work.
#[derive(Clone, Copy, Debug)]
struct Division {
    /// Number of rows that are compared in one pass.
    rows: usize,
    /// Whether rows are also compared one by one if the fingerprints are equal.
    all: bool,
}

impl Tracker {
    /// Recomputes every index and counter from the tasks, and reports each difference. Empty for a sound file.
    ///
    /// Needs a few MiB of memory besides the cache for a sound file with any number of tasks, and up to some 100 MiB more to compare
    /// rows of a damaged one. The first task of each class in kinds with several limits, the throttle keys, the ended tasks whose dependents are
    /// not all updated yet, and all that it reports, are in memory at once.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn verify(&self) -> Result<Vec<Inconsistency>> {
        self.shared.engine.read(verify)
    }
}

fn verify(rows: &mut Tables<Reading<'_>>) -> Result<Vec<Inconsistency>> {
    Ok(verify_divided(rows, Division { rows: COMPARED_ROWS, all: false })?.0)
}

/// Returns what is wrong, and the highest number of rows that were held at once to compare them.
fn verify_divided(rows: &mut Tables<Reading<'_>>, division: Division) -> Result<(Vec<Inconsistency>, usize)> {
    let mut found = Found::default();
    let mut sums = Fingerprints::new();
    let last = task_rows::expect(rows, &mut sums, Some(&mut found))?;
    let survey = stored_rows::store(rows, &mut sums)?;
    dependencies::compare(rows, &mut sums, Some(&mut found))?;
    let limits_are_sound = sums.is_equal(Comparison::LimitQueues) && sums.is_equal(Comparison::LimitInUse);
    let head_source = if limits_are_sound && survey.limits_sorted && !division.all {
        HeadSource::Queues
    } else {
        HeadSource::Tasks(division.rows)
    };
    let mut listed_heads = BTreeMap::new();
    each_head(rows, head_source, |kind, head, limit_key| {
        sums.expect(Comparison::LimitHeads, &head.pack(), RowContent::Bytes(limit_key));
        if kind.has_limit_lists() {
            listed_heads.insert(head, limit_key.to_vec());
        }
    })?;
    let most_held = compare_exactly(rows, &sums, head_source, division, &mut found)?;
    found.report(Comparison::ClaimOrder..=Comparison::LimitHeads);
    check_next(rows, last.seq, last.fence.max(survey.last_fence), &mut found)?;
    found.report(Comparison::BatchMembers..=Comparison::Waits);
    check_schedules(rows, &mut found)?;
    throttles::check(rows, &mut found)?;
    check_budgets(rows, &mut found)?;
    head_lists::check(rows, &listed_heads, &mut found)?;
    Ok((found.all, most_held))
}

/// Compares the rows of the buckets whose fingerprints differ. Returns the highest number of rows that were held at once.
fn compare_exactly(
    rows: &mut Tables<Reading<'_>>,
    sums: &Fingerprints,
    head_source: HeadSource,
    division: Division,
    found: &mut Found,
) -> Result<usize> {
    let mut most_held = 0;
    for group in sums.groups(division.all, division.rows) {
        let mut exact = ExactRows::new(group);
        task_rows::expect(rows, &mut exact, None)?;
        stored_rows::store(rows, &mut exact)?;
        dependencies::compare(rows, &mut exact, None)?;
        if exact.takes(Comparison::LimitHeads) {
            each_head(rows, head_source, |_, head, limit_key| {
                exact.expect(Comparison::LimitHeads, &head.pack(), RowContent::Bytes(limit_key));
            })?;
        }
        most_held = most_held.max(exact.held);
        exact.report(found);
    }
    Ok(most_held)
}

/// Reports next numbers of the file that it has given out already.
fn check_next(rows: &mut Tables<Reading<'_>>, last_seq: Option<u64>, last_fence: u64, found: &mut Found) -> Result<()> {
    let (next_seq, next_fence) = rows.next_numbers()?;
    let batch = rows.last_batch_number()?;
    if let Some(last) = last_seq.max(batch)
        && last >= next_seq
    {
        found.add("tracker.meta", format!("the next number is {next_seq}, and {last} is given out"));
    }
    if last_fence >= next_fence {
        found.add("tracker.meta", format!("the next fence is {next_fence}, and {last_fence} is given out"));
    }
    Ok(())
}

/// Reports schedules that cannot be read, and those of a kind that the file does not have.
fn check_schedules(rows: &mut Tables<Reading<'_>>, found: &mut Found) -> Result<()> {
    let kinds = rows.all_kinds()?;
    for (name, row) in rows.schedules_after(None, usize::MAX)? {
        match row {
            Ok(row) if kinds.get(row.kind).is_some() => {}
            Ok(row) => found.add("tracker.schedules", format!("{name:?} is of kind {}, which is missing", row.kind)),
            Err(error) => found.add_error("tracker.schedules", error)?,
        }
    }
    Ok(())
}

/// Reports budgets of 0, and overtaken tasks of a kind that the file does not have.
fn check_budgets(rows: &mut Tables<Reading<'_>>, found: &mut Found) -> Result<()> {
    for (resource, _) in rows.stored_budgets()?.0.iter().filter(|(_, amount)| **amount == 0) {
        found.add("tracker.budgets", format!("the budget of {resource:?} is 0"));
    }
    let kinds = rows.all_kinds()?;
    for row in rows.overtaken_rows()?.rows()? {
        let (kind, _) = row?.0.value();
        if kinds.get(kind).is_none() {
            found.add("tracker.overtaken", format!("kind {kind} is missing, and has a task"));
        }
    }
    Ok(())
}

/// The inconsistencies so far.
#[derive(Default)]
struct Found {
    all: Vec<Inconsistency>,
    /// Differences that are not reported yet.
    differences: Vec<(Comparison, Difference)>,
}

/// A difference of a comparison. They are reported in the order of these fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Difference {
    /// Whether only the stored side has the row.
    is_extra: bool,
    key: Vec<u8>,
    /// The place among the differences of a key.
    step: u8,
    what: String,
}

impl Found {
    fn add(&mut self, table: &str, what: impl fmt::Display) {
        self.all.push(Inconsistency { table: table.to_owned(), what: what.to_string() });
    }

    /// Reports a row that cannot be read, unless the error ends the read: it says nothing of the row.
    fn add_error(&mut self, table: &str, error: Error) -> Result<()> {
        if error.ends_a_read() {
            return Err(error);
        }
        self.add(table, error);
        Ok(())
    }

    fn add_difference(&mut self, comparison: Comparison, difference: Difference) {
        self.differences.push((comparison, difference));
    }

    /// Adds what is wrong with a batch in itself. It follows what is wrong with the number of its tasks.
    fn add_to_batch(&mut self, batch: u64, what: String) {
        let key = batch.to_be_bytes().to_vec();
        self.add_difference(Comparison::BatchCounts, Difference { is_extra: false, key, step: 1, what });
    }

    /// Reports the differences of some comparisons.
    fn report(&mut self, comparisons: std::ops::RangeInclusive<Comparison>) {
        self.differences.sort_unstable();
        for (comparison, difference) in
            self.differences.extract_if(.., |(comparison, _)| comparisons.contains(comparison))
        {
            self.all.push(Inconsistency { table: comparison.table().to_owned(), what: difference.what });
        }
    }
}
