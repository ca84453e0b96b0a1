//! A repository of requests: clients put requests in, workers take them, and callbacks are told of apart.
//!
//! Shown: inserts that are idempotent on client and number; a correlation id; many workers that never get the same
//! request twice, woken by the insert; responses and errors, also from elsewhere; the state of the callback beside that
//! of the request; a sweep by age that says which; places in the queue; listings in pages with a total.
//!
//! Run it with `cargo run --example request_repository`; it works in a folder of its own, by a clock in its hand. With the name of a new
//! file, as in `cargo run --example request_repository -- request_repository.redb`, it leaves that behind, for the `tracker` program to look at.

use std::{collections::BTreeSet, env, path::PathBuf, sync::Mutex, thread, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{
    TaskStatus, Tasks, TrackedTask, Tracker, events::Notification, submit::SubmittedRecord, time::ManualClock,
};
use uuid::Uuid;

/// Without a failed of their own, requests that are swept go back to pending.
#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 1,
    #[status(in_progress)]
    Running = 2,
    #[status(succeeded)]
    Done = 3,
    #[status(exhausted)]
    Error = 4,
}

#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
enum Callback {
    None,
    Delivered,
    Failed,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "request", status = Status, max_attempts = 1, lease = "1h", unique(client, number))]
struct Request {
    #[task(id)]
    correlation: String,
    #[task(index)]
    client: String,
    number: u32,
    callback_url: String,
    callback: Callback,
    response: Option<serde_json::Value>,
}

type Requests = Tasks<Request>;

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = env::args_os().nth(1).map_or_else(|| folder.path().join("requests.redb"), PathBuf::from);
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).open(file)?;
    let requests = tracker.tasks::<Request>()?;

    insert(&requests)?;
    ends(&requests)?;
    sweep(&requests, &clock)?;
    queue(&requests, &clock)?;
    listing(&requests)?;
    workers(&tracker, &requests)
}

/// The row that is there, verbatim, or a new one with a correlation id of 16 hex digits.
fn insert_pending(
    requests: &Requests,
    client: &str,
    number: u32,
    url: &str,
) -> anyhow::Result<SubmittedRecord<Request, Status>> {
    Ok(requests.submit_and_get(&Request {
        correlation: Uuid::new_v4().simple().to_string()[..16].to_owned(),
        client: client.to_owned(),
        number,
        callback_url: url.to_owned(),
        callback: Callback::None,
        response: None,
    })?)
}

fn insert(requests: &Requests) -> anyhow::Result<()> {
    println!("insert");
    let SubmittedRecord { submission, record: first, .. } = insert_pending(requests, "ann", 1, "https://ann/first")?;
    println!("  {submission:?}: {:?}, id of {} digits", first.status, first.task.correlation.len());
    let SubmittedRecord { submission, record: again, .. } = insert_pending(requests, "ann", 1, "https://ann/second")?;
    println!("  {submission:?}: {}, same row {}", again.task.callback_url, again.task == first.task);
    let by_key = requests.get_by_key("client_number", &[&"ann", &1_u32])?;
    let by_correlation = requests.get(first.task.correlation.as_str())?;
    println!("  found by its key {}, by its id {}", by_key.is_some(), by_correlation.is_some());
    println!("  of another client {}", requests.get_by_key("client_number", &[&"bob", &1_u32])?.is_some());
    Ok(())
}

/// Done with a response, or in error; here, or elsewhere with a ticket. The callback's state is its own.
fn ends(requests: &Requests) -> anyhow::Result<()> {
    println!("ends");
    for number in 2..=3 {
        insert_pending(requests, "ann", number, "https://ann")?;
    }
    let Some(mut done) = requests.claim()? else { anyhow::bail!("nothing to claim") };
    mark_done(&mut done, serde_json::json!({ "answer": 42 }))?;
    let Some(mut wrong) = requests.claim()? else { anyhow::bail!("nothing to claim") };
    mark_done(&mut wrong, serde_json::json!({ "error": "no such account" }))?;
    // The answer to this one comes from elsewhere: a ticket stands for it, as text.
    let Some(away) = requests.claim()? else { anyhow::bail!("nothing to claim") };
    let ticket = away.detach()?.to_string();
    requests.resume_ticket(&ticket.parse()?)?.give_up("timed out")?;

    let correlation = done.correlation.clone();
    requests.update(correlation.as_str(), |request| request.callback = Callback::Failed)?;
    requests.update(correlation.as_str(), |request| request.callback = Callback::Delivered)?;
    for record in requests.query().by_creation().fetch()? {
        let Request { number, callback, response, .. } = &record.task;
        let response = response.as_ref().map(ToString::to_string).unwrap_or_default();
        println!("  {number}: {:?} {response}, callback {callback:?}", record.status);
    }
    println!("  inserted again: {:?}", insert_pending(requests, "ann", 2, "https://ann")?.record.status);
    Ok(())
}

/// A response that carries an error is kept, and the request ends in error.
fn mark_done(request: &mut tracker_core::Execution<Request>, response: serde_json::Value) -> tracker_core::Result<()> {
    let error = response.get("error").and_then(|error| error.as_str()).map(ToOwned::to_owned);
    request.response = Some(response);
    match error {
        None => request.succeed(),
        Some(error) => request.fail_with_changes(error),
    }
}

/// Requests that run too long are pending again and at the back of the line; all others are left as they are.
fn sweep(requests: &Requests, clock: &ManualClock) -> anyhow::Result<()> {
    println!("sweep");
    for number in 4..=6 {
        insert_pending(requests, "ann", number, "https://ann")?;
    }
    let Some(mut old) = requests.claim()? else { anyhow::bail!("nothing to claim") };
    clock.advance(Duration::from_secs(600));
    let Some(mut recent) = requests.claim()? else { anyhow::bail!("nothing to claim") };
    let swept = requests.rescue_running_longer_than(Duration::from_secs(300))?;
    println!("  swept {}, the old one {}", swept.len(), swept == [old.id().clone()]);
    if let Some(record) = requests.get(old.id())? {
        println!("  {}: {:?}, attempts {}", record.task.number, record.status, record.attempts);
    }
    println!("  its worker, late: {}", mark_done(&mut old, serde_json::json!({})).is_err());
    println!("  the recent one: {}", mark_done(&mut recent, serde_json::json!({})).is_ok());
    Ok(())
}

/// How many are ahead and how many run, as of one instant.
fn queue(requests: &Requests, clock: &ManualClock) -> anyhow::Result<()> {
    println!("queue");
    clock.advance(Duration::from_secs(1));
    let last = insert_pending(requests, "bob", 1, "https://bob")?.record;
    let place = |what: &str| -> anyhow::Result<()> {
        match requests.queue_position(&last.id)? {
            Some(place) => println!("  {what}: {} ahead, {} running", place.ahead, place.running),
            None => println!("  {what}: not in the queue"),
        }
        Ok(())
    };
    place("inserted")?;
    let Some(mut next) = requests.claim()? else { anyhow::bail!("nothing to claim") };
    println!("  the swept one waits behind the other: {} is next", next.number);
    place("one claimed")?;
    next.succeed()?;
    requests.start(&last.id)?.succeed()?;
    place("done")
}

/// Newest first, by several statuses, of one client, in pages with the total.
fn listing(requests: &Requests) -> anyhow::Result<()> {
    println!("listing");
    let of_ann = || requests.query().index("client", "ann").statuses([Status::Done, Status::Error]);
    let mut next = None;
    for page in 1.. {
        let found = of_ann().by_creation().newest_first().limit(2).after(next).page_with_total()?;
        let total = found.total.unwrap_or_default();
        let numbers: Vec<_> = found.items.iter().map(|record| record.task.number).collect();
        println!("  page {page} of {total} requests: {numbers:?}");
        next = found.next;
        if next.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// Three workers wait; each insert wakes one. None gets what another has.
fn workers(tracker: &Tracker, requests: &Requests) -> anyhow::Result<()> {
    println!("workers");
    let worker = requests.worker().threads(3).keep_running();
    let (stop, taken, watch) = (worker.stop_handle(), Mutex::new(BTreeSet::new()), tracker.subscribe());
    let summary = thread::scope(|scope| {
        let working = scope.spawn(|| {
            worker.run(|request| -> anyhow::Result<()> {
                let first = taken.lock().is_ok_and(|mut taken| taken.insert(request.number));
                anyhow::ensure!(first, "{} was taken twice", request.number);
                request.response = Some(serde_json::json!({ "by": "a worker" }));
                Ok(())
            })
        });
        for number in 101..=130 {
            insert_pending(requests, "eve", number, "https://eve")?;
        }
        // A program that waits for the end of a task need not poll either. The swept request is still in the queue: 31.
        let mut ended = 0;
        while ended < 31 {
            if let Some(Notification::Event(event)) = watch.next_within(Duration::from_secs(10)) {
                ended += usize::from(event.status == Some(Status::Done.code()));
            }
        }
        stop.stop();
        working.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?.map_err(anyhow::Error::from)
    })?;
    println!("  {} done, {} failed", summary.succeeded, summary.failed);
    Ok(())
}
