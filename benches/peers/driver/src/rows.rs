//! The rows of the table: each peer in each of its configurations.

/// One peer in one configuration.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    /// The folder of the peer, and what follows `peer-` in the name of its program.
    pub peer: &'static str,
    pub variant: &'static str,
    pub side: Side,
    pub flush: Flush,
    /// What "done" means when the library says so, in words.
    pub durability: &'static str,
}

/// Whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Ours,
    Peer,
    /// No library, but what a program would write without one.
    Hand,
    Floor,
}

/// Whether what the library has answered survives a power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    Each,
    Not,
}

const fn row(name: &'static str, peer: &'static str, variant: &'static str) -> Row {
    Row { name, peer, variant, side: Side::Peer, flush: Flush::Each, durability: "" }
}

/// The row that all ratios refer to.
pub const REFERENCE: &str = "tracker";

pub const ROWS: &[Row] = &[
    Row {
        side: Side::Ours,
        durability: "redb, one flush per commit; calls of many threads share it",
        ..row(REFERENCE, "tracker", "exclusive")
    },
    Row {
        side: Side::Ours,
        durability: "one flush per commit; up to 64 bodies run before their outcomes are flushed, which a crash runs again",
        ..row("tracker, prefetch(64)", "tracker", "exclusive-ahead")
    },
    Row {
        side: Side::Ours,
        durability: "redb, two flushes per commit, so that other processes may look",
        ..row("tracker, readers", "tracker", "readers")
    },
    Row {
        side: Side::Ours,
        durability: "two flushes per commit; up to 64 bodies run before their outcomes are flushed",
        ..row("tracker, readers, prefetch(64)", "tracker", "readers-ahead")
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
        durability: "SQLite WAL, `synchronous = FULL` by a pool of one's own: one flush per commit; 100 jobs claimed at \
                     once, ends stored together after the bodies, which a crash runs again",
        ..row("apalis, FULL", "apalis", "full")
    },
    Row {
        flush: Flush::Not,
        durability: "the same; but `setup` turns flushing off on the connection that runs it, others of the pool flush",
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
        durability: "redb 2, one flush per commit; W jobs pulled at once and acknowledged at once, which a crash runs again",
        ..row("rustqueue", "rustqueue", "redb")
    },
    Row {
        side: Side::Hand,
        durability: "SQLite WAL, `synchronous = FULL`: one flush per commit, two commits per task",
        ..row("SQLite by hand, FULL", "rusqlite", "full")
    },
    Row {
        side: Side::Hand,
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

/// The floor that commits the same batches.
pub const BARE: &str = "floor: bare redb";
/// The table written by hand that flushes.
pub const HAND: &str = "SQLite by hand, FULL";

/// The peers to build, each once.
pub fn peers(rows: &[Row]) -> Vec<&'static str> {
    let mut peers: Vec<_> = rows.iter().map(|row| row.peer).collect();
    peers.dedup();
    peers
}
