//! Compares layouts of the tracker's tables on raw redb transactions that write the rows of a submit: `cargo bench --bench
//! layout -- [group] [folder]` prints the submits per second of each layout with `group` submits in a commit, and the pages
//! that a commit writes. As a test it runs on a few tasks.
//!
//! Rows have the lengths that this tracker writes (docs/format.md). Layouts run in turn within each round, so that a slow
//! period of the disk affects all of them. docs/performance.md states what follows from the rates.

use std::{
    fmt, fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use redb::{Builder, Database, Durability, StorageBackend, Table, TableDefinition, backends::FileBackend};
use tracker_core::redb_store::redb;

type Error = Box<dyn std::error::Error>;
type Bytes = &'static [u8];

const PAGE: u64 = 4096;

/// The tables of the layouts. A layout uses the first of them.
const TABLES: [TableDefinition<Bytes, Bytes>; 6] = [
    TableDefinition::new("0"),
    TableDefinition::new("1"),
    TableDefinition::new("2"),
    TableDefinition::new("3"),
    TableDefinition::new("4"),
    TableDefinition::new("5"),
];

/// The rows that a submit writes. Each begins its keys with its own byte, so that any of them can share a table.
#[derive(Clone, Copy)]
enum Row {
    FileState,
    Header,
    Payload,
    Id,
    ClaimOrder,
    Count,
}

const ROWS: [Row; 6] = [Row::FileState, Row::Header, Row::Payload, Row::Id, Row::ClaimOrder, Row::Count];

impl Row {
    fn key(self, seq: u64) -> Vec<u8> {
        const KIND: [u8; 4] = [0, 0, 0, 1];
        const STATUS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 10];
        let (seq_bytes, time) = (seq.to_be_bytes(), (1_700_000_000_000_000 + seq * 1000).to_be_bytes());
        let id = format!("task-{seq:09}");
        let parts: &[&[u8]] = match self {
            Self::FileState => &[b"file_state"],
            Self::Header | Self::Payload => &[&KIND, &seq_bytes],
            Self::Id => &[&KIND, id.as_bytes()],
            Self::ClaimOrder => &[&STATUS, &[128], &time, &seq_bytes],
            Self::Count => &[&STATUS],
        };
        let mut key = vec![self as u8];
        for part in parts {
            key.extend_from_slice(part);
        }
        key
    }

    fn value(self, seq: u64) -> Vec<u8> {
        match self {
            Self::FileState => vec![seq.to_be_bytes()[7]; 90],
            Self::Header => vec![3; 45],
            Self::Payload => vec![4; 220],
            Self::Id | Self::Count => seq.to_be_bytes().to_vec(),
            Self::ClaimOrder => Vec::new(),
        }
    }
}

/// A way to distribute the rows to tables.
struct Layout {
    name: &'static str,
    /// The table of each row, or `None` if the layout leaves the row out.
    table: fn(Row) -> Option<usize>,
}

const LAYOUTS: [Layout; 5] = [
    Layout { name: "one table for each sort of row", table: |row| Some(row as usize) },
    Layout {
        name: "file state and counts merged",
        table: |row| match row {
            Row::FileState | Row::Count => Some(0),
            row => Some(row as usize),
        },
    },
    Layout {
        name: "three tables",
        table: |row| match row {
            Row::FileState | Row::Count => Some(0),
            Row::Header | Row::Payload => Some(1),
            Row::Id | Row::ClaimOrder => Some(2),
        },
    },
    Layout { name: "one table with prefixed keys", table: |_| Some(0) },
    Layout {
        name: "the file state alone",
        table: |row| match row {
            Row::FileState => Some(0),
            _ => None,
        },
    },
];

/// A file that counts the pages that redb writes.
#[derive(Clone)]
struct CountingFile {
    file: Arc<FileBackend>,
    pages: Arc<AtomicU64>,
}

impl fmt::Debug for CountingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingFile")
    }
}

impl StorageBackend for CountingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.pages.fetch_add((data.len() as u64).div_ceil(PAGE), Relaxed);
        self.file.write(offset, data)
    }
}

/// A file in one layout.
struct Candidate {
    layout: &'static Layout,
    database: Database,
    pages: Arc<AtomicU64>,
    /// Submits per second, by round.
    rates: Vec<f64>,
    /// Pages per commit, by round.
    commit_pages: Vec<f64>,
}

impl Candidate {
    fn create(layout: &'static Layout, path: &Path) -> Result<Self, Error> {
        let file = fs::File::options().read(true).write(true).create_new(true).open(path)?;
        let storage = CountingFile { file: Arc::new(FileBackend::new(file)?), pages: Arc::default() };
        let pages = storage.pages.clone();
        let database = Builder::new().create_with_backend(storage)?;
        Ok(Self { layout, database, pages, rates: Vec::new(), commit_pages: Vec::new() })
    }

    /// Submits these tasks in one commit, durable as a submit of the tracker.
    fn submit(&self, tasks: Range<u64>) -> Result<(), Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut open: [Option<Table<'_, Bytes, Bytes>>; TABLES.len()] = Default::default();
            for seq in tasks {
                for row in ROWS {
                    let Some(index) = (self.layout.table)(row) else { continue };
                    let table = match &mut open[index] {
                        Some(table) => table,
                        empty => empty.insert(transaction.open_table(TABLES[index])?),
                    };
                    table.insert(row.key(seq).as_slice(), row.value(seq).as_slice())?;
                }
            }
        }
        Ok(transaction.commit()?)
    }

    fn submit_in_groups(&self, tasks: Range<u64>, group: u64) -> Result<(), Error> {
        let mut next = tasks.start;
        while next < tasks.end {
            let end = tasks.end.min(next + group);
            self.submit(next..end)?;
            next = end;
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    fn measure(&mut self, tasks: Range<u64>, group: u64) -> Result<(), Error> {
        let count = tasks.end - tasks.start;
        self.pages.store(0, Relaxed);
        let begun = Instant::now();
        self.submit_in_groups(tasks, group)?;
        self.rates.push(count as f64 / begun.elapsed().as_secs_f64());
        self.commit_pages.push(self.pages.load(Relaxed) as f64 / count.div_ceil(group) as f64);
        Ok(())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn run(folder: &Path, group: u64, fill: u64, round: u64, rounds: usize) -> Result<(), Error> {
    let mut candidates = Vec::new();
    for (index, layout) in LAYOUTS.iter().enumerate() {
        let candidate = Candidate::create(layout, &folder.join(format!("{index}.redb")))?;
        candidate.submit_in_groups(0..fill, 50)?;
        candidates.push(candidate);
    }
    let mut next = fill;
    for number in 0..rounds {
        // Each round begins with another layout.
        candidates.rotate_left(usize::from(number > 0));
        for candidate in &mut candidates {
            candidate.measure(next..next + round, group)?;
        }
        next += round;
    }
    println!("{fill} tasks in the file, {group} submits in a commit, medians of {rounds} rounds");
    println!("| layout | submits/s | to the first | pages in a commit |\n|---|---:|---:|---:|");
    let first = |candidate: &Candidate| candidate.layout.name == LAYOUTS[0].name;
    let base: Vec<f64> = candidates.iter().filter(|candidate| first(candidate)).flat_map(|c| c.rates.clone()).collect();
    for layout in &LAYOUTS {
        for candidate in candidates.iter().filter(|candidate| candidate.layout.name == layout.name) {
            let ratio = median(candidate.rates.iter().zip(&base).map(|(rate, base)| rate / base).collect());
            let (rate, pages) = (median(candidate.rates.clone()), median(candidate.commit_pages.clone()));
            println!("| {} | {rate:.0} | {ratio:.2}× | {pages:.0} |", layout.name);
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measures = arguments.iter().any(|argument| argument == "--bench");
    let group = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(1).max(1);
    let parent = arguments.iter().map(PathBuf::from).find(|path| path.is_dir()).unwrap_or_else(|| ".".into());
    let folder = tempfile::Builder::new().prefix("tracker-layout").tempdir_in(parent)?;
    if measures {
        run(folder.path(), group, 20_000, group.max(25) * 40, 12)
    } else {
        run(folder.path(), group, 100, 10, 2)
    }
}
