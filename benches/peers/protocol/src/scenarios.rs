//! The scenarios: what a peer does for one run, and the clock around it.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Args, Counts, Error, Handlers, Queue, Report, Scenario, handler_log::HandlerLog, handlers::Standstill, share,
};

/// Tasks whose handlers hang before the process is killed.
const HANGING: std::ops::Range<u64> = 20..24;

/// Number of tasks in one bulk call.
const BATCH: u64 = 10_000;

pub(crate) fn run<Q: Queue>(args: &Args) -> Result<Report, Error> {
    match args.scenario {
        Scenario::Submit => submit::<Q>(args),
        Scenario::Bulk => bulk::<Q>(args),
        Scenario::Fill => fill::<Q>(args),
        Scenario::Drain => drain::<Q>(args),
        Scenario::Share => share::run::<Q>(args),
        Scenario::Wear => wear::<Q>(args),
        Scenario::Latency => latency::<Q>(args),
        Scenario::Crash => crash::<Q>(args),
        Scenario::Resume => resume::<Q>(args),
        Scenario::StaleEnd => stale_end::<Q>(args),
    }
}

fn submit<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let queue = Q::open(args)?;
    let begun = Instant::now();
    let mut done = 0;
    while done < args.tasks && begun.elapsed() < args.limit {
        queue.submit(done)?;
        done += 1;
    }
    let time = begun.elapsed();
    queue.close(None)?;
    Ok(Report { tasks: args.tasks, done, time, ..Report::default() })
}

fn bulk<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let queue = Q::open(args)?;
    let begun = Instant::now();
    let (done, supported) = submit_many(&queue, args.tasks, begun + args.limit)?;
    let time = begun.elapsed();
    queue.close(None)?;
    Ok(Report { tasks: args.tasks, done, time, unsupported: !supported, ..Report::default() })
}

fn submit_many<Q: Queue>(queue: &Q, tasks: u64, deadline: Instant) -> Result<(u64, bool), Error> {
    let mut done = 0;
    while done < tasks && Instant::now() < deadline {
        let end = tasks.min(done + BATCH);
        if !queue.submit_all(done..end)? {
            return Ok((0, false));
        }
        done = end;
    }
    Ok((done, true))
}

fn fill<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let queue = Q::open(args)?;
    let begun = Instant::now();
    let done = submit_fastest(&queue, args.tasks, begun + args.limit)?;
    queue.close(None)?;
    Ok(Report { tasks: args.tasks, done, time: begun.elapsed(), ..Report::default() })
}

fn wear<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let queue = Q::open(args)?;
    let begun = Instant::now();
    let deadline = begun + args.limit;
    submit_fastest(&queue, args.filled(), deadline)?;
    if !queue.delete_all()? {
        return Ok(Report { unsupported: true, ..Report::default() });
    }
    let done = submit_fastest(&queue, args.tasks, deadline)?;
    queue.close(None)?;
    Ok(Report { tasks: args.tasks, done, time: begun.elapsed(), ..Report::default() })
}

/// Submits by the bulk call, or one by one if there is none. Returns the number of submitted tasks.
fn submit_fastest<Q: Queue>(queue: &Q, tasks: u64, deadline: Instant) -> Result<u64, Error> {
    let (mut done, supported) = submit_many(queue, tasks, deadline)?;
    while !supported && done < tasks && Instant::now() < deadline {
        queue.submit(done)?;
        done += 1;
    }
    Ok(done)
}

fn drain<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let queue = Q::open(args)?;
    let handlers = Arc::new(Handlers::new(args.handler, args.filled(), None));
    let begun = Instant::now();
    let deadline = begun + args.limit;
    let workers = queue.start(args.workers, &handlers)?;
    handlers.wait_for(args.tasks, deadline, Standstill::new(args.standstill));
    let handlers_time = begun.elapsed();
    let counts = wait_for_counts(&queue, args, deadline, Duration::from_millis(1), || 0)?;
    let time = begun.elapsed();
    let runs = handlers.runs();
    queue.close(Some(workers))?;
    Ok(Report {
        tasks: args.tasks,
        done: counts.terminal(),
        time,
        handlers_time: Some(handlers_time),
        runs,
        given_up: counts.given_up,
        ..Report::default()
    })
}

/// Reads the counts until every status is terminal, until the deadline, or until neither the counts nor `runs` change any
/// more.
pub(crate) fn wait_for_counts<Q: Queue>(
    queue: &Q,
    args: &Args,
    deadline: Instant,
    interval: Duration,
    runs: impl Fn() -> u64,
) -> Result<Counts, Error> {
    let mut standstill = Standstill::new(args.standstill);
    loop {
        let counts = queue.counts()?;
        let progress = counts.terminal() + runs();
        if counts.terminal() >= args.tasks || Instant::now() >= deadline || standstill.reached(progress) {
            return Ok(counts);
        }
        thread::sleep(interval);
    }
}

fn latency<Q: Queue>(args: &Args) -> Result<Report, Error> {
    // Long enough for a library to store the last end and to become idle, and no multiple of its polling interval.
    const PAUSE: Duration = Duration::from_millis(23);
    let queue = Q::open(args)?;
    let handlers = Arc::new(Handlers::new(args.handler, args.tasks, None));
    let workers = queue.start(args.workers, &handlers)?;
    thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    let deadline = begun + args.limit;
    let mut latencies = Vec::new();
    for number in 0..args.tasks {
        let submitted = Instant::now();
        queue.submit(number)?;
        let Some(started) = handlers.wait_for_begin(number, deadline) else { break };
        latencies.push(started.saturating_duration_since(submitted));
        thread::sleep(PAUSE);
    }
    let done = latencies.len() as u64;
    let time = begun.elapsed();
    queue.close(Some(workers))?;
    Ok(Report { tasks: args.tasks, done, time, latencies, ..Report::default() })
}

/// Works until the driver kills the process.
fn crash<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let log = HandlerLog::create(&args.dir, "before.log", HANGING)?;
    let queue = Q::open(args)?;
    submit_fastest(&queue, args.tasks, Instant::now() + args.limit)?;
    let handlers = Arc::new(Handlers::new(args.handler, args.tasks, Some(log)));
    let _workers = queue.start(args.workers, &handlers)?;
    thread::sleep(args.limit);
    Err("the process was not killed in time".into())
}

fn resume<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let log = HandlerLog::create(&args.dir, "after.log", 0..0)?;
    let begun = Instant::now();
    let queue = Q::open(args)?;
    let handlers = Arc::new(Handlers::new(args.handler, args.tasks, Some(log)));
    let workers = queue.start(args.workers, &handlers)?;
    let deadline = begun + args.limit;
    let counts = wait_for_counts(&queue, args, deadline, Duration::from_millis(20), || handlers.runs())?;
    let time = begun.elapsed();
    let runs = handlers.runs();
    // Stopping a worker can take as long as the leases of the killed process, so the process ends without.
    std::mem::forget((queue, workers));
    Ok(Report {
        tasks: args.tasks,
        done: counts.terminal(),
        time,
        runs,
        given_up: counts.given_up,
        ..Report::default()
    })
}

fn stale_end<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let queue = Q::open(args)?;
    let begun = Instant::now();
    let mut accepted = [None; 2];
    for (number, accepted) in (0..).zip(&mut accepted) {
        queue.submit(number)?;
        *accepted = queue.end_stale_claim(number == 1)?;
    }
    let time = begun.elapsed();
    // A lease that is left does not delay the end of the process.
    std::mem::forget(queue);
    let [Some(other), Some(same)] = accepted else { return Ok(Report { unsupported: true, ..Report::default() }) };
    Ok(Report { tasks: 2, done: 2, time, stale_ends_accepted: Some([other, same]), ..Report::default() })
}
