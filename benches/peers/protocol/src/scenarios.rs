use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{Args, Bodies, Error, Queue, Report, Scenario, diary::Diary};

/// Tasks whose bodies hang when the process is about to be killed.
const HANGING: std::ops::Range<u64> = 20..24;

/// How many tasks go into one call for many.
const BATCH: u64 = 10_000;

pub(crate) fn run<Q: Queue>(args: &Args) -> Result<Report, Error> {
    match args.scenario {
        Scenario::Submit => submit::<Q>(args),
        Scenario::Bulk => bulk::<Q>(args),
        Scenario::Fill => fill::<Q>(args),
        Scenario::Drain => drain::<Q>(args),
        Scenario::Latency => latency::<Q>(args),
        Scenario::Crash => crash::<Q>(args),
        Scenario::Resume => resume::<Q>(args),
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
    let done = put(&queue, args.tasks, begun + args.limit)?;
    queue.close(None)?;
    Ok(Report { tasks: args.tasks, done, time: begun.elapsed(), ..Report::default() })
}

/// By the call for many, or one by one where there is none.
fn put<Q: Queue>(queue: &Q, tasks: u64, deadline: Instant) -> Result<u64, Error> {
    let (mut done, supported) = submit_many(queue, tasks, deadline)?;
    while !supported && done < tasks && Instant::now() < deadline {
        queue.submit(done)?;
        done += 1;
    }
    Ok(done)
}

fn drain<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let queue = Q::open(args)?;
    let bodies = Arc::new(Bodies::new(args.body, args.tasks, None));
    let begun = Instant::now();
    let workers = queue.start(args.workers, &bodies)?;
    bodies.wait_for(args.tasks, begun + args.limit);
    let bodies_time = begun.elapsed();
    let counts = settle(&queue, args.tasks, begun + args.limit)?;
    let time = begun.elapsed();
    let runs = bodies.runs();
    queue.close(Some(workers))?;
    Ok(Report {
        tasks: args.tasks,
        done: counts.terminal(),
        time,
        bodies_time: Some(bodies_time),
        runs,
        given_up: counts.given_up,
        ..Report::default()
    })
}

/// Looks until every status is terminal, or until the deadline.
fn settle<Q: Queue>(queue: &Q, tasks: u64, deadline: Instant) -> Result<crate::Counts, Error> {
    loop {
        let counts = queue.counts()?;
        if counts.terminal() >= tasks || Instant::now() >= deadline {
            return Ok(counts);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn latency<Q: Queue>(args: &Args) -> Result<Report, Error> {
    // Long enough for a library to have stored the last end and to idle, and odd to its polling.
    const PAUSE: Duration = Duration::from_millis(23);
    let queue = Q::open(args)?;
    let bodies = Arc::new(Bodies::new(args.body, args.tasks, None));
    let workers = queue.start(args.workers, &bodies)?;
    thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    let deadline = begun + args.limit;
    let mut latencies = Vec::new();
    for number in 0..args.tasks {
        let submitted = Instant::now();
        queue.submit(number)?;
        let Some(started) = bodies.wait_for_begin(number, deadline) else { break };
        latencies.push(started.saturating_duration_since(submitted));
        thread::sleep(PAUSE);
    }
    let done = latencies.len() as u64;
    let time = begun.elapsed();
    queue.close(Some(workers))?;
    Ok(Report { tasks: args.tasks, done, time, latencies, ..Report::default() })
}

/// Works until the process is killed from outside.
fn crash<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let diary = Diary::create(&args.dir, "before.log", HANGING)?;
    let queue = Q::open(args)?;
    put(&queue, args.tasks, Instant::now() + args.limit)?;
    let bodies = Arc::new(Bodies::new(args.body, args.tasks, Some(diary)));
    let _workers = queue.start(args.workers, &bodies)?;
    thread::sleep(args.limit);
    Err("nobody killed this process".into())
}

fn resume<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let diary = Diary::create(&args.dir, "after.log", 0..0)?;
    let begun = Instant::now();
    let queue = Q::open(args)?;
    let bodies = Arc::new(Bodies::new(args.body, args.tasks, Some(diary)));
    let workers = queue.start(args.workers, &bodies)?;
    let deadline = begun + args.limit;
    let mut counts = queue.counts()?;
    while counts.terminal() < args.tasks && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
        counts = queue.counts()?;
    }
    let time = begun.elapsed();
    let runs = bodies.runs();
    // A stopped worker may wait for leases of the dead: the counts are known, so the process simply ends.
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
