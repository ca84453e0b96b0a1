//! The part of one process in a drain by several. The driver has the clock, and talks with each process by lines:
//! `ready` when the queue is open, `go` to start the workers, `ran N` for the handlers so far, `count` to read the store until every
//! status is terminal, `counted N` for the answer, and `stop`.

use std::{
    io::{BufRead, Write},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::{Args, Counts, Error, Handlers, Queue, Report, scenarios::wait_for_counts};

/// Interval of the lines about handlers.
const INTERVAL: Duration = Duration::from_millis(10);

pub(crate) fn run<Q: Queue>(args: &Args) -> Result<Report, Error> {
    let queue = Q::open(args)?;
    let handlers = Arc::new(Handlers::new(args.handler, args.filled(), None));
    let commands = commands();
    say("ready")?;
    // Without a driver, the channel is closed and nothing starts.
    if commands.recv().ok().as_deref() != Some("go") {
        return Err("expected the line go".into());
    }
    let begun = Instant::now();
    let workers = queue.start(args.workers, &handlers)?;
    let (mut told, mut counts) = (0, Counts::default());
    loop {
        match commands.recv_timeout(INTERVAL).as_deref() {
            Ok("count") => {
                counts = wait_for_counts(&queue, args, begun + args.limit, Duration::from_millis(1), || 0)?;
                say(&format!("counted {}", counts.terminal()))?;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let runs = handlers.runs();
                if runs != told {
                    say(&format!("ran {runs}"))?;
                    told = runs;
                }
            }
            _ => break,
        }
    }
    let (time, runs) = (begun.elapsed(), handlers.runs());
    queue.close(Some(workers))?;
    let (done, given_up) = (counts.terminal(), counts.given_up);
    Ok(Report { tasks: args.tasks, done, time, runs, given_up, ..Report::default() })
}

/// The lines of the driver. The channel closes at their end.
fn commands() -> mpsc::Receiver<String> {
    let (sender, commands) = mpsc::channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line.trim().to_owned()).is_err() {
                return;
            }
        }
    });
    commands
}

fn say(line: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
