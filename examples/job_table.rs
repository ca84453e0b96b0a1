//! A job table: three steps in one row per job, with codes of the user's own.
//!
//! Each step has its own failures and errors. Shown: staged updates, errors that stop the program and errors that do
//! not, three failures of three, all failed ones of all steps by one query and run again with new logic, further
//! statuses to start from, a status report, and the story of a start as text.
//!
//! Run it with `cargo run --example job_table`; it works in a folder of its own, by a clock in its hand. With the name of a new
//! file, as in `cargo run --example job_table -- job_table.redb`, it leaves that behind, for the `tracker` program to look at.

use std::{env, fmt::Display, io, path::PathBuf};

use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;
use tracker_core::{
    Execution, Record, TaskStatus, Tasks, TrackedTask, Tracker, events::RunLog, execution::StartOptions, status::Role,
    time::ManualClock, worker::RunError,
};

/// Step 2 has no pending: it starts from the success of step 1, and step 3 from that of step 2.
#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    #[status(step = "download")]
    DownloadPending = 110,
    DownloadInProgress = 120,
    DownloadFailed = 130,
    DownloadSucceeded = 140,
    DownloadIgnored = 150,

    #[status(step = "parse")]
    ParseInProgress = 220,
    ParseFailed = 230,
    ParseSucceeded = 240,
    ParseIgnored = 250,

    #[status(step = "publish")]
    PublishInProgress = 320,
    PublishFailed = 330,
    PublishSucceeded = 340,
    PublishIgnored = 350,
}

const STEPS: [&str; 3] = ["download", "parse", "publish"];

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 3)]
struct Job {
    #[task(id)]
    id: u32,
    text: Option<String>,
    words: Option<usize>,
    published: bool,
}

type Body = fn(&mut Execution<Job>) -> Result<(), String>;

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = env::args_os().nth(1).map_or_else(|| folder.path().join("jobs.redb"), PathBuf::from);
    let tracker = Tracker::options().clock(ManualClock::new()).open(file)?;
    let jobs = tracker.tasks::<Job>()?.worker_name("me");
    jobs.submit_all((1..=4).map(|id| Job { id, text: None, words: None, published: false }))?;

    the_first_job(&jobs)?;
    errors(&jobs)?;
    three_failures(&jobs)?;
    new_logic(&jobs)?;
    further_statuses(&jobs)?;
    report(&jobs)?;
    story(&jobs)
}

fn download(job: &mut Execution<Job>) -> Result<(), String> {
    let text = ["", "one", "two words", "three of them", "here there are four"].get(job.id as usize);
    job.text = Some((*text.ok_or("404 not found")?).to_owned());
    Ok(())
}

/// Updates the job, and fails for all but the first.
fn parse(job: &mut Execution<Job>) -> Result<(), String> {
    job.words = job.text.as_ref().map(|text| text.split(' ').count());
    if job.id == 1 { Ok(()) } else { Err(format!("job {} is no grammar", job.id)) }
}

fn publish(job: &mut Execution<Job>) -> Result<(), String> {
    job.words.ok_or("nothing to publish")?;
    job.published = true;
    Ok(())
}

/// One row goes through three steps; what each has staged is stored with its success.
fn the_first_job(jobs: &Tasks<Job>) -> anyhow::Result<()> {
    println!("the first job");
    for (step, body) in STEPS.into_iter().zip([download as Body, parse, publish]) {
        jobs.step(step)?.run(1, body)?;
        show(jobs, 1)?;
    }
    println!("  {}", error_of(jobs.step("publish")?.run(1, publish)));
    println!("  {}", error_of(jobs.step("publish")?.run(2, publish)));
    Ok(())
}

/// An error of the body is raised to the caller, or skipped. A refused start is never skipped.
fn errors(jobs: &Tasks<Job>) -> anyhow::Result<()> {
    println!("errors");
    for id in 2..=4 {
        jobs.step("download")?.run(id, download)?;
    }
    let parser = jobs.step("parse")?;
    println!("  raised: {}", error_of(parser.run(2, parse)));
    show(jobs, 2)?; // the words that it had counted are dropped
    parser.run(3, parse).or_else(RunError::skip_handler_error)?;
    println!("  skipped");
    show(jobs, 3)?;
    println!("  not skipped: {}", error_of(parser.run(1, parse).or_else(RunError::skip_handler_error)));
    Ok(())
}

/// At the third failure of three a job is ignored: its enum has no exhausted. The failures of a step are its own.
fn three_failures(jobs: &Tasks<Job>) -> anyhow::Result<()> {
    println!("three failures");
    let parser = jobs.step("parse")?;
    for _ in 1..=3 {
        parser.run(4, parse).or_else(RunError::skip_handler_error)?;
        show(jobs, 4)?;
    }
    println!("  {}", error_of(parser.start(4)));
    Ok(())
}

/// All failed ones of all steps, oldest first, by one query; and each again with a parser that can do it.
fn new_logic(jobs: &Tasks<Job>) -> anyhow::Result<()> {
    println!("new logic");
    for failed in jobs.query().role(Role::Failed).oldest_first().limit(10).fetch()? {
        jobs.step("parse")?.run(failed.task.id, |job| {
            job.words = Some(0);
            Ok::<_, String>(())
        })?;
        show(jobs, failed.task.id)?;
    }
    Ok(())
}

/// A call may start from further statuses, one or many: here from what was ignored.
fn further_statuses(jobs: &Tasks<Job>) -> anyhow::Result<()> {
    println!("further statuses");
    let options = StartOptions::new().startable([Status::ParseIgnored, Status::DownloadSucceeded]);
    let mut job = jobs.step("parse")?.start_with(4, &options)?;
    job.words = Some(4);
    job.succeed()?;
    show(jobs, 4)
}

/// How many jobs there are in each status, from kept counters.
fn report(jobs: &Tasks<Job>) -> anyhow::Result<()> {
    println!("report");
    for (code, count) in jobs.counts()?.iter().filter(|(_, count)| *count > 0) {
        println!("  {code} {:?}: {count}", Status::from_code(code));
    }
    Ok(())
}

/// The output of `debug`: the log of a start, from banner to banner.
fn story(jobs: &Tasks<Job>) -> anyhow::Result<()> {
    println!("story");
    let story = tracing_subscriber::registry().with(RunLog::new(io::stdout()));
    tracing::subscriber::with_default(story, || {
        let publisher = jobs.step("publish")?;
        publisher.run(2, |_| Err::<(), _>("the site is down")).or_else(RunError::skip_handler_error)?;
        publisher.run(2, publish)?;
        println!("{}", error_of(publisher.run(2, publish)));
        Ok(())
    })
}

fn show(jobs: &Tasks<Job>, id: u32) -> anyhow::Result<()> {
    let Some(record) = jobs.get(id)? else { anyhow::bail!("there is no job {id}") };
    let Record { status, failures, task, .. } = &record;
    println!("  job {id}: {status:?} ({}), failures {failures}, words {:?}", status.code(), task.words);
    for attempt in &record.history {
        if let Some(failure) = &attempt.failure {
            let step = STEPS.get(usize::from(attempt.step)).unwrap_or(&"?");
            println!("    {step} attempt {}: {}", attempt.attempt, failure.error);
        }
    }
    Ok(())
}

fn error_of<T>(result: Result<T, impl Display>) -> String {
    result.err().map_or_else(|| "no error".to_owned(), |error| error.to_string())
}
