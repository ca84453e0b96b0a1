//! Reads the rows of tasks, and gives them to a sink: payloads as rows that headers should have, all others as stored ones. Called by
//! `verify/mod.rs`; returns the highest fence too, and writes no row.

use super::comparison::{Comparison, RowContent, RowSink};
use crate::{
    model::error::Result,
    storage::{
        definitions,
        keys::AttemptKey,
        tables::{Reading, Source, Tables},
    },
};

/// Facts about the stored rows that a sink does not keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Survey {
    /// The highest fence of the history.
    pub last_fence: u64,
    /// Whether the rows of the limit queues, and of the tasks in progress by limit key, are in the order of their keys.
    pub limits_sorted: bool,
}

/// The content of a stored counter or number, whose parts the other side has.
pub(super) fn whole(value: u64) -> RowContent<'static> {
    // A row of 0 has no part, and should not be there.
    if value == 0 { RowContent::Number(0) } else { RowContent::Rows(value, value) }
}

/// Gives the rows of the tables to a sink.
pub(super) fn store(rows: &mut Tables<Reading<'_>>, sink: &mut impl RowSink) -> Result<Survey> {
    let source = rows.source();
    let mut survey = Survey { last_fence: 0, limits_sorted: true };
    let mut last = Vec::new();
    let mut check_order = |key: &[u8]| {
        survey.limits_sorted &= last.is_empty() || last.as_slice() < key;
        last.clear();
        last.extend_from_slice(key);
    };
    macro_rules! each_row {
        ($table:ident, $comparison:ident, |$key:ident, $value:ident| $work:expr) => {
            if sink.takes(Comparison::$comparison) {
                for entry in source.open(definitions::$table)?.rows()? {
                    let (key, value) = entry?;
                    let ($key, $value) = (&key.value()[..], value.value());
                    $work
                }
            }
        };
        ($table:ident, $comparison:ident, $row:expr) => {
            each_row!($table, $comparison, |key, value| sink.store(Comparison::$comparison, key, $row(value)))
        };
    }
    let key_of = |()| RowContent::Key;
    each_row!(CLAIM_ORDER, ClaimOrder, key_of);
    each_row!(UPDATED, Updated, key_of);
    each_row!(INDEXES, Indexes, key_of);
    each_row!(LIMIT_QUEUES, LimitQueues, |key, _value| {
        check_order(key);
        sink.store(Comparison::LimitQueues, key, RowContent::Key);
    });
    each_row!(SUCCESSORS, Successors, |_| RowContent::Key);
    each_row!(PAYLOADS, Payloads, |key, _value| sink.expect(Comparison::Payloads, key, RowContent::Key));
    let of_headers = [Comparison::Payloads, Comparison::Headers];
    if of_headers.into_iter().any(|comparison| sink.takes(comparison)) {
        for entry in source.open(definitions::HEADERS)?.rows()? {
            let key = entry?.0;
            for comparison in of_headers {
                sink.store(comparison, key.value(), RowContent::Key);
            }
        }
    }
    each_row!(PROGRESS, Progress, |_| RowContent::Rows(1, 0));
    each_row!(HISTORY, History, |key, _value| {
        if let Ok(run) = key.try_into() {
            survey.last_fence = survey.last_fence.max(AttemptKey::unpack(run).fence);
        }
        sink.store(Comparison::History, key, RowContent::Rows(1, 0));
    });
    each_row!(IDS, Ids, RowContent::Number);
    each_row!(UNIQUE_KEYS, UniqueKeys, RowContent::Number);
    let is_store = source.working_set().is_some();
    check_order(&[]);
    each_row!(LIMIT_IN_USE, LimitInUse, |key, value| {
        check_order(key);
        // A store keeps the counter of a limit key as the lock of its queue.
        if value > 0 || !is_store {
            sink.store(Comparison::LimitInUse, key, whole(value));
        }
    });
    each_row!(COUNTS, Counts, whole);
    each_row!(LIMIT_HEADS, LimitHeads, RowContent::Bytes);
    Ok(survey)
}
