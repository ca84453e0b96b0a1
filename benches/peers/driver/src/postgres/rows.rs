//! Rows and columns of the peers on a server.

use crate::{
    columns::Column,
    rows::{REFERENCE, Row, Side, row},
    table::Groups,
};

pub const PREFETCH: &str = "tracker, prefetch(64)";
pub const HAND_WRITTEN: &str = "by hand";

pub const ROWS: &[Row] = &[
    Row {
        side: Side::Ours,
        durability: "claim and end are each committed before the call returns; calls of many threads share a commit",
        deletes: true,
        ..row(REFERENCE, "tracker-postgres", "strict")
    },
    Row {
        side: Side::Ours,
        durability: "up to 64 handlers run before their outcomes are committed, and a crash repeats them",
        ..row(PREFETCH, "tracker-postgres", "prefetch")
    },
    Row {
        durability: "100 jobs claimed at once; completions of 5 ms are stored together after the handlers, which a crash repeats",
        ..row("graphile_worker, local queue", "graphile-worker", "local-queue")
    },
    Row {
        durability: "one commit per claim and one per end, which deletes the job",
        ..row("graphile_worker", "graphile-worker", "direct")
    },
    Row {
        durability: "100 tasks claimed at once, results stored together after the handlers, which a crash repeats",
        ..row("apalis", "apalis-postgres", "batch")
    },
    Row {
        durability: "64 messages claimed at once, archived together after the handlers, which a crash repeats",
        ..row("pgqrs, batch", "pgqrs", "batch")
    },
    Row { durability: "one commit per claim and one per end", ..row("pgqrs", "pgqrs", "single") },
    Row {
        durability: "a transaction of three statements claims, another surrounds the handler and ends the task; a heartbeat is stored at its begin",
        ..row("underway", "underway", "plain")
    },
    Row {
        side: Side::HandWritten,
        durability: "one commit per claim and one per end; one connection per worker",
        deletes: true,
        ..row(HAND_WRITTEN, "postgres-by-hand", "skip-locked")
    },
];

/// The columns of each table.
pub const GROUPS: &Groups = &[
    &[Column::Drain1, Column::Drain8, Column::Drain64, Column::DrainMs],
    &Column::PROCESSES,
    &[Column::Submit, Column::Bulk, Column::Latency],
    &Column::CLAIMS,
];

/// The columns to measure. Those of long queues take longer than all others.
pub fn columns(claims: bool) -> Vec<Column> {
    let all = GROUPS.iter().flat_map(|group| group.iter().copied());
    all.filter(|column| claims || !column.is_claim()).collect()
}
