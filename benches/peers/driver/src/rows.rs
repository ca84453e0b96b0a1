//! Rows and columns of the peers in files: each peer in each of its configurations.

use crate::{columns::Column, table::Groups};

/// One peer in one configuration.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    /// The folder of the peer, and what follows `peer-` in the name of its program.
    pub peer: &'static str,
    pub variant: &'static str,
    pub side: Side,
    pub flush: Flush,
    /// The durability of a returned call, in words.
    pub durability: &'static str,
    /// Whether the peer deletes tasks for the column with dead rows.
    pub deletes: bool,
}

/// The side of a row in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Ours,
    Peer,
    /// A program's own table, without a library.
    HandWritten,
    Floor,
}

/// Whether a call that has returned survives a power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    Each,
    Not,
}

pub const fn row(name: &'static str, peer: &'static str, variant: &'static str) -> Row {
    Row { name, peer, variant, side: Side::Peer, flush: Flush::Each, durability: "", deletes: false }
}

/// The row that all ratios refer to: in files, the default sharing mode.
pub const REFERENCE: &str = "tracker";
/// The sharing mode with one flush per commit, as most peers have.
pub const EXCLUSIVE: &str = "tracker, exclusive";
pub const EXCLUSIVE_PREFETCH: &str = "tracker, exclusive, prefetch(64)";

pub const ROWS: &[Row] = &[
    Row {
        side: Side::Ours,
        durability: "redb, two flushes per commit, so that other processes can read; calls of many threads share a commit",
        ..row(REFERENCE, "tracker", "readers")
    },
    Row {
        side: Side::Ours,
        durability: "two flushes per commit; up to 64 handlers run before their outcomes are flushed, and a crash repeats them",
        ..row("tracker, prefetch(64)", "tracker", "readers-prefetch")
    },
    Row {
        side: Side::Ours,
        durability: "redb, one flush per commit; calls of many threads share a commit",
        ..row(EXCLUSIVE, "tracker", "exclusive")
    },
    Row {
        side: Side::Ours,
        durability: "one flush per commit; up to 64 handlers run before their outcomes are flushed, and a crash repeats them",
        ..row(EXCLUSIVE_PREFETCH, "tracker", "exclusive-prefetch")
    },
    Row {
        durability: "SQLite rollback journal (its pragma for WAL is misspelt): several flushes per commit",
        ..row("effectum", "effectum", "plain")
    },
    Row {
        flush: Flush::Not,
        durability: "SQLite WAL set beforehand, `synchronous = NORMAL`: no flush per commit",
        ..row("effectum, WAL", "effectum", "wal")
    },
    Row {
        durability: "SQLite WAL, `synchronous = FULL` by a pool of the program: one flush per commit; 100 jobs claimed at \
                     once, ends stored together after the handlers, which a crash repeats",
        ..row("apalis, FULL", "apalis", "full")
    },
    Row {
        flush: Flush::Not,
        durability: "SQLite WAL; `setup` turns flushing off on the connection that runs it, other connections of the pool flush",
        ..row("apalis, setup", "apalis", "setup")
    },
    Row {
        flush: Flush::Not,
        durability: "SQLite WAL, `synchronous = NORMAL`: no flush per commit",
        ..row("azums", "azums", "sqlite")
    },
    Row {
        flush: Flush::Not,
        durability: "SQLite WAL, `synchronous = NORMAL`: no flush per commit",
        ..row("taskmill", "taskmill", "sqlite")
    },
    Row { durability: "SQLite rollback journal: several flushes per commit", ..row("fang", "fang", "sqlite") },
    Row {
        durability: "SQLite WAL, SQLite's own `synchronous = FULL`: one flush per commit",
        ..row("forge-jobs", "forge-jobs", "sqlite")
    },
    Row {
        durability: "redb 2, one flush per commit; W jobs pulled and acknowledged in one call each, which a crash repeats",
        ..row("rustqueue", "rustqueue", "redb")
    },
    Row {
        durability: "log of its own, `DurabilityMode::Full`: each commit is flushed, concurrent commits share a flush",
        ..row("aedb", "aedb", "full")
    },
    Row {
        durability: "transaction log, `.durable()`: concurrent submits and ends share a flush; claims are not flushed",
        ..row("armdb, durable", "armdb", "durable")
    },
    Row {
        flush: Flush::Not,
        durability: "`push` and `ack` of the queue: payloads wait in a buffer of the process, flushed each second",
        ..row("armdb, push", "armdb", "plain")
    },
    Row {
        durability: "SQLite WAL, `synchronous = FULL` set by the program: one flush per commit; W jobs claimed and \
                     acknowledged in one call each, which a crash repeats",
        ..row("honker, FULL", "honker", "full")
    },
    Row {
        side: Side::HandWritten,
        durability: "SQLite WAL, `synchronous = FULL`: one flush per commit, two commits per task",
        ..row(HAND_WRITTEN, "rusqlite", "full")
    },
    Row {
        side: Side::HandWritten,
        flush: Flush::Not,
        durability: "SQLite WAL, `synchronous = NORMAL`: no flush per commit",
        ..row("SQLite by hand, NORMAL", "rusqlite", "normal")
    },
    Row {
        side: Side::Floor,
        durability: "redb, one flush per commit; W workers: W tasks in a commit",
        ..row(BARE, "floors", "redb")
    },
    Row {
        side: Side::Floor,
        durability: "4 KiB written and flushed; W workers: W tasks in one",
        ..row("floor: write + fdatasync", "floors", "fdatasync")
    },
];

/// The columns of each table.
pub const GROUPS: &Groups = &[
    &[Column::Drain1, Column::Drain8, Column::Drain64, Column::DrainMs],
    &[Column::Submit, Column::Bulk, Column::Latency],
    &[Column::Crash],
];

/// The columns, in the order of their runs.
pub const COLUMNS: [Column; 8] = [
    Column::Submit,
    Column::Bulk,
    Column::Drain1,
    Column::Drain8,
    Column::Drain64,
    Column::DrainMs,
    Column::Latency,
    Column::Crash,
];

/// The floor that commits batches of the same size.
pub const BARE: &str = "floor: bare redb";
/// The hand-written table that flushes.
pub const HAND_WRITTEN: &str = "SQLite by hand, FULL";

/// The distinct peers of the rows.
pub fn peers(rows: &[Row]) -> Vec<&'static str> {
    let mut peers: Vec<_> = rows.iter().map(|row| row.peer).collect();
    peers.dedup();
    peers
}
