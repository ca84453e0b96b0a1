//! Compares the tracker with raw redb transactions that write the same rows into the same tables, in batches of the
//! same size. `cargo bench --bench floor -- [tasks] [exclusive]` prints rates and their ratios; as a test it runs on a
//! few tasks.
//!
//! A drained task is one success and one claim. The floor uses the tables, keys and row lengths of a file that the tracker
//! has written. It decides nothing and decodes nothing.

use std::{
    ops::Bound,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use redb::{Builder, CursorError, Database, Key, ReadableDatabase, ReadableTable, Table, TableDefinition, Value};
use serde::{Deserialize, Serialize};
use tracker_core::{Execution, TaskStatus, Tasks, TrackedTask, Tracker, file::Sharing, redb_store::redb};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Job {
    #[task(id)]
    name: String,
    text: String,
}

type Bytes = &'static [u8];

const META: TableDefinition<&str, Bytes> = TableDefinition::new("tracker.meta");
const HEADERS: TableDefinition<&[u8; 12], Bytes> = TableDefinition::new("tracker.headers");
const PAYLOADS: TableDefinition<&[u8; 12], Bytes> = TableDefinition::new("tracker.payloads");
const IDS: TableDefinition<Bytes, u64> = TableDefinition::new("tracker.ids");
const CLAIM_ORDER: TableDefinition<&[u8; 33], ()> = TableDefinition::new("tracker.claim_order");
const UPDATED: TableDefinition<&[u8; 24], ()> = TableDefinition::new("tracker.updated");
const COUNTS: TableDefinition<&[u8; 8], u64> = TableDefinition::new("tracker.counts");

/// How many tasks share a commit of the bulk submit.
const BULK: usize = 4096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measures = arguments.iter().any(|argument| argument == "--bench");
    let count =
        arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(if measures { 20_000 } else { 200 });
    let sharing =
        if arguments.iter().any(|argument| argument == "exclusive") { Sharing::Exclusive } else { Sharing::Readers };
    let folder = tempfile::tempdir()?;
    println!("{count} tasks, sharing {sharing:?}; tasks per second, and the share of the floor");
    bulk(folder.path(), count, sharing)?;
    for (threads, prefetch) in [(1, 0), (8, 0), (64, 0), (1, 64), (8, 64)] {
        drain(folder.path(), count, threads, prefetch, sharing)?;
    }
    Ok(())
}

fn job(number: usize, random: bool) -> Job {
    let name = if random { format!("{:032x}", scatter(number)) } else { format!("job-{number:028}") };
    Job { name, text: "x".repeat(150) }
}

/// A distinct number for each number, in random order.
fn scatter(number: usize) -> u128 {
    (number as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

fn per_second(count: usize, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let count = count as f64;
    count / time.as_secs_f64()
}

/// The processor time of this process so far, where the system reports it.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    Duration::from_millis(fields.iter().sum::<u64>() * 10)
}

/// Microseconds per task.
fn each(time: Duration, count: usize) -> f64 {
    1e6 / per_second(count, time)
}

/// The result of `work`, its duration, and its processor time.
fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration, Duration) {
    let (processor_before, begun) = (processor(), Instant::now());
    let result = work();
    (result, begun.elapsed(), processor().saturating_sub(processor_before))
}

fn fresh(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    if path.exists() {
        std::fs::remove_file(&path).unwrap_or_else(|error| eprintln!("{}: {error}", path.display()));
    }
    path
}

fn raw(path: &Path, sharing: Sharing) -> Result<Database, redb::Error> {
    let mut builder = Builder::new();
    builder.set_cache_size(64 << 20);
    if sharing == Sharing::Readers {
        builder.set_concurrency_mode(redb::ConcurrencyMode::SingleWriter);
    }
    Ok(builder.create(path)?)
}

/// A tracker with `count` tasks, and the time of their submit.
fn filled(
    path: &Path,
    count: usize,
    random: bool,
    sharing: Sharing,
) -> tracker_core::Result<(Tracker, Tasks<Job>, Duration)> {
    let tracker = Tracker::options().sharing(sharing).open(path)?;
    let jobs = tracker.tasks::<Job>()?;
    let all: Vec<_> = (0..count).map(|number| job(number, random)).collect();
    let begun = Instant::now();
    jobs.submit_all(&all)?;
    let time = begun.elapsed();
    Ok((tracker, jobs, time))
}

/// The rows of a file, by table.
#[derive(Default)]
struct Rows {
    headers: Vec<([u8; 12], Vec<u8>)>,
    payloads: Vec<([u8; 12], Vec<u8>)>,
    ids: Vec<(Vec<u8>, u64)>,
    claim_order: Vec<[u8; 33]>,
    updated: Vec<[u8; 24]>,
    file_state: Vec<u8>,
}

fn rows(path: &Path, sharing: Sharing) -> Result<Rows, redb::Error> {
    let db = raw(path, sharing)?;
    let txn = db.begin_read()?;
    let headers = txn.open_table(HEADERS)?;
    let payloads = txn.open_table(PAYLOADS)?;
    let mut rows = Rows::default();
    for entry in headers.iter()? {
        let (key, value) = entry?;
        rows.headers.push((*key.value(), value.value().to_vec()));
    }
    for entry in payloads.iter()? {
        let (key, value) = entry?;
        rows.payloads.push((*key.value(), value.value().to_vec()));
    }
    for entry in txn.open_table(IDS)?.iter()? {
        let (key, value) = entry?;
        rows.ids.push((key.value().to_vec(), value.value()));
    }
    rows.ids.sort_by_key(|(_, seq)| *seq);
    for entry in txn.open_table(CLAIM_ORDER)?.iter()? {
        rows.claim_order.push(*entry?.0.value());
    }
    for entry in txn.open_table(UPDATED)?.iter()? {
        rows.updated.push(*entry?.0.value());
    }
    if let Some(state) = txn.open_table(META)?.get("file_state")? {
        rows.file_state = state.value().to_vec();
    }
    Ok(rows)
}

/// Inserts these rows in order, with `batch` tasks in a commit.
fn insert(db: &Database, rows: &Rows, batch: usize) -> Result<(), redb::Error> {
    let count = rows.headers.len();
    for from in (0..count).step_by(batch) {
        let to = (from + batch).min(count);
        let txn = db.begin_write()?;
        let mut headers = txn.open_table(HEADERS)?;
        let mut payloads = txn.open_table(PAYLOADS)?;
        let mut ids = txn.open_table(IDS)?;
        let mut claim_order = txn.open_table(CLAIM_ORDER)?;
        let mut updated = txn.open_table(UPDATED)?;
        fill(&mut headers, rows.headers[from..to].iter().map(|(key, value)| (key, value.as_slice())))?;
        fill(&mut payloads, rows.payloads[from..to].iter().map(|(key, value)| (key, value.as_slice())))?;
        let mut sorted: Vec<_> = rows.ids[from..to].iter().collect();
        sorted.sort();
        fill(&mut ids, sorted.iter().map(|(key, value)| (key.as_slice(), *value)))?;
        fill(&mut claim_order, rows.claim_order.get(from..to).unwrap_or_default().iter().map(|key| (key, ())))?;
        fill(&mut updated, rows.updated.get(from..to).unwrap_or_default().iter().map(|key| (key, ())))?;
        drop((headers, payloads, ids, claim_order, updated));
        write_once(&txn, rows, to)?;
        txn.commit()?;
    }
    Ok(())
}

/// Inserts sorted rows by a cursor as long as they lie between the same two existing rows, and then one by one.
fn fill<'e, K: Key + 'static, V: Value + 'static>(
    table: &mut Table<'_, K, V>,
    rows: impl Iterator<Item = (K::SelfType<'e>, V::SelfType<'e>)> + Clone,
) -> Result<(), redb::Error> {
    let Some((first, _)) = rows.clone().next() else { return Ok(()) };
    let mut cursor = table.lower_bound_mut(Bound::Included(first))?;
    let mut done = 0;
    for (key, value) in rows.clone() {
        match cursor.insert_before(key, value) {
            Ok(()) => done += 1,
            Err(CursorError::Storage(error)) => return Err(error.into()),
            Err(_) => break,
        }
    }
    cursor.close()?;
    for (key, value) in rows.skip(done) {
        table.insert(key, value)?;
    }
    Ok(())
}

/// Writes the rows that each commit writes once.
fn write_once(txn: &redb::WriteTransaction, rows: &Rows, number: usize) -> Result<(), redb::Error> {
    txn.open_table(META)?.insert("file_state", rows.file_state.as_slice())?;
    let mut counts = txn.open_table(COUNTS)?;
    for code in [10_u8, 20, 40] {
        let key = [0, 0, 0, 1, 0x80, 0, 0, code];
        counts.get(&key)?;
        counts.insert(&key, number as u64)?;
    }
    Ok(())
}

fn bulk(folder: &Path, count: usize, sharing: Sharing) -> Result<(), Box<dyn std::error::Error>> {
    for random in [false, true] {
        let path = fresh(folder, "bulk.redb");
        let (tracker, _, time) = filled(&path, count, random, sharing)?;
        tracker.close()?;
        let rows = rows(&path, sharing)?;
        let db = raw(&fresh(folder, "raw.redb"), sharing)?;
        let begun = Instant::now();
        insert(&db, &rows, BULK)?;
        let floor = per_second(count, begun.elapsed());
        let order = if random { "at random" } else { "in order" };
        let rate = per_second(count, time);
        println!("  submit in bulk, ids {order:<9}  {rate:>9.0}   floor {floor:>9.0}   {:.2}", rate / floor);
    }
    Ok(())
}

/// The lengths of the headers of a running task and of a succeeded one.
fn lengths(folder: &Path, sharing: Sharing) -> Result<[usize; 2], Box<dyn std::error::Error>> {
    let path = fresh(folder, "two.redb");
    let (tracker, jobs, _) = filled(&path, 2, false, sharing)?;
    let jobs = jobs.worker_name(&format!("pid {} thread 10", std::process::id()));
    let mut first = jobs.claim()?.ok_or("nothing to claim")?;
    first.succeed()?;
    std::mem::forget(jobs.claim()?);
    tracker.close()?;
    let rows = rows(&path, sharing)?;
    Ok([rows.headers[1].1.len(), rows.headers[0].1.len()])
}

fn drain(
    folder: &Path,
    count: usize,
    threads: usize,
    prefetch: usize,
    sharing: Sharing,
) -> Result<(), Box<dyn std::error::Error>> {
    let path = fresh(folder, "drain.redb");
    let (tracker, jobs, _) = filled(&path, count, false, sharing)?;
    tracker.close()?;
    drop(jobs);
    let before = rows(&path, sharing)?;
    let tracker = Tracker::options().sharing(sharing).open(&path)?;
    let jobs = tracker.tasks::<Job>()?;
    let change = tracker.change_number()?;
    let handler = |_: &mut Execution<Job>| Ok::<_, std::io::Error>(());
    let (summary, time, busy) = timed(|| jobs.worker().threads(threads).prefetch(prefetch).run(handler));
    let summary = summary?;
    let commits = usize::try_from(tracker.change_number()? - change)?.max(1);
    tracker.close()?;
    assert_eq!(summary.succeeded, count as u64);
    let batch = count.div_ceil(commits);
    let lengths = lengths(folder, sharing)?;
    let db = raw(&fresh(folder, "raw.redb"), sharing)?;
    insert(&db, &before, BULK)?;
    // Fewer tasks suffice where each task is a commit: the rate is the same.
    let fewer = if batch == 1 { count.min(4_000) } else { count };
    let (stepped, floor_time, floor_busy) = timed(|| step(&db, &before, &lengths, batch, fewer));
    stepped?;
    let floor = per_second(fewer, floor_time);
    let rate = per_second(count, time);
    println!(
        "  drain, {threads:>2} threads, prefetch {prefetch:>2}     {rate:>9.0}   floor {floor:>9.0}   {:.2}   {:>6.1} and {:>6.1} us of processor   ({batch} tasks per commit)",
        rate / floor,
        each(busy, count),
        each(floor_busy, fewer)
    );
    Ok(())
}

/// Ends a batch of running tasks and claims as many, in each commit.
fn step(db: &Database, rows: &Rows, lengths: &[usize; 2], batch: usize, count: usize) -> Result<(), redb::Error> {
    let place = |at: usize, code: u8| {
        let mut key = rows.claim_order[at];
        key[7] = code;
        key
    };
    let (running, ended) = (vec![7; lengths[0]], vec![7; lengths[1]]);
    for from in (0..count).step_by(batch) {
        let to = (from + batch).min(count);
        let txn = db.begin_write()?;
        let mut headers = txn.open_table(HEADERS)?;
        let payloads = txn.open_table(PAYLOADS)?;
        let mut claim_order = txn.open_table(CLAIM_ORDER)?;
        let mut updated = txn.open_table(UPDATED)?;
        for at in from.saturating_sub(batch)..from {
            drop(headers.get(&rows.headers[at].0)?);
            claim_order.remove(&place(at, 20))?;
            claim_order.insert(&place(at, 40), ())?;
            headers.insert(&rows.headers[at].0, ended.as_slice())?;
        }
        for at in from..to {
            drop(headers.get(&rows.headers[at].0)?);
            drop(payloads.get(&rows.headers[at].0)?);
            claim_order.remove(&place(at, 10))?;
            claim_order.insert(&place(at, 20), ())?;
            if let Some(key) = rows.updated.get(at) {
                updated.remove(key)?;
            }
            headers.insert(&rows.headers[at].0, running.as_slice())?;
        }
        drop((headers, payloads, claim_order, updated));
        write_once(&txn, rows, to)?;
        txn.commit()?;
    }
    Ok(())
}
