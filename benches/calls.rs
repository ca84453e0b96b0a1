//! Benchmarks of single calls: `cargo bench --bench calls`. As a test, each runs once on a few tasks.
//!
//! Files are in the exclusive mode, in the folder for temporary files. If that folder is in memory, the disk is not measured.

use std::{io, path::Path};

use divan::{Bencher, counter::ItemsCount};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tracker_core::{
    TaskStatus, Tasks, TrackedTask, Tracker,
    file::{Durability, Sharing},
    submit::SubmitOptions,
};

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
    number: u64,
    #[task(index)]
    host: String,
    text: String,
}

fn job(number: u64) -> Job {
    Job { number, host: format!("host {}", number % 100), text: "x".repeat(170) }
}

fn main() {
    divan::main();
}

/// A file with pending tasks.
struct File {
    jobs: Tasks<Job>,
    _tracker: Tracker,
    _folder: TempDir,
}

#[expect(clippy::expect_used, reason = "a benchmark ends at the first error")]
fn file(tasks: u64) -> File {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |path: &Path| Tracker::options().sharing(Sharing::Exclusive).open(path);
    let tracker = open(&folder.path().join("calls.redb")).expect("a file");
    let jobs = tracker.tasks::<Job>().expect("a kind");
    jobs.submit_all((0..tasks).map(job)).expect("tasks");
    File { jobs, _tracker: tracker, _folder: folder }
}

/// The number of pending tasks in the file: few if it is only a test.
fn full() -> u64 {
    if std::env::args().any(|argument| argument == "--bench") { 100_000 } else { 100 }
}

#[divan::bench]
fn submit(bencher: Bencher<'_, '_>) {
    let (file, mut number) = (file(full()), full());
    bencher.bench_local(|| {
        number += 1;
        file.jobs.submit(&job(number))
    });
}

#[divan::bench]
fn submit_relaxed(bencher: Bencher<'_, '_>) {
    let (file, mut number) = (file(full()), full());
    let options = SubmitOptions::new().durability(Durability::Relaxed);
    bencher.bench_local(|| {
        number += 1;
        file.jobs.submit_with(&job(number), &options)
    });
}

#[divan::bench(args = [100, 10_000])]
fn submit_all(bencher: Bencher<'_, '_>, tasks: u64) {
    let tasks = tasks.min(full());
    let (file, mut number) = (file(full()), full());
    bencher.counter(ItemsCount::new(tasks)).bench_local(|| {
        number += tasks;
        file.jobs.submit_all((number..number + tasks).map(job))
    });
}

#[divan::bench]
fn claim_and_succeed(bencher: Bencher<'_, '_>) {
    let file = file(full());
    bencher.bench_local(|| file.jobs.claim().map(|job| job.map(|mut job| job.succeed())));
}

#[divan::bench(args = [(1, 0), (8, 0), (64, 0), (1, 64), (8, 64)])]
fn drain_a_thousand(bencher: Bencher<'_, '_>, (threads, prefetch): (usize, usize)) {
    let tasks = full().min(1_000);
    bencher.counter(ItemsCount::new(tasks)).with_inputs(|| file(tasks)).bench_local_refs(|file| {
        file.jobs.worker().threads(threads).prefetch(prefetch).run(|_| Ok::<_, io::Error>(()))
    });
}

#[divan::bench]
fn get(bencher: Bencher<'_, '_>) {
    let (file, mut number) = (file(full()), 0);
    bencher.bench_local(|| {
        number = (number + 7_919) % full();
        file.jobs.get(number)
    });
}

#[divan::bench]
fn counts(bencher: Bencher<'_, '_>) {
    let file = file(full());
    bencher.bench_local(|| file.jobs.counts());
}

#[divan::bench]
fn page_of_a_status(bencher: Bencher<'_, '_>) {
    let file = file(full());
    bencher.bench_local(|| file.jobs.query().status(Status::Pending).limit(50).fetch());
}

#[divan::bench]
fn page_of_an_index(bencher: Bencher<'_, '_>) {
    let file = file(full());
    bencher.bench_local(|| file.jobs.query().index("host", "host 7").limit(50).fetch());
}

#[divan::bench]
fn explain(bencher: Bencher<'_, '_>) {
    let (file, mut number) = (file(full()), 0);
    bencher.bench_local(|| {
        number = (number + 7_919) % full();
        file.jobs.explain(number)
    });
}
