//! Tests the run log of a worker with several threads. It runs in a process of its own, since the subscriber is global.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;
use tracker_core::{TaskStatus, TrackedTask, Tracker, events::RunLog};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Succeeded = 30,
    Exhausted = 40,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(name = "job", status = Status, max_attempts = 1)]
struct Job {
    #[task(id)]
    number: u32,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn run_log_of_a_worker_keeps_lines_of_an_event_together() {
    let text = Text::default();
    let listener = tracing_subscriber::registry().with(RunLog::new(text.clone()));
    tracing::subscriber::set_global_default(listener).unwrap();
    let tracker = Tracker::in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    for (ahead, first) in [(0, 0), (16, 100)] {
        jobs.submit_all((first..first + 100).map(|number| Job { number })).unwrap();
        let summary = jobs.worker().threads(4).prefetch(ahead).run(|job| {
            text.clone().write_all(format!("the handler of {}\n", job.number).as_bytes()).unwrap();
            if job.number % 10 == 3 { Err("no luck") } else { Ok(()) }
        });
        assert_eq!(summary.unwrap().attempts(), 100);
    }
    let text = String::from_utf8(text.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    for number in 0..200 {
        let at = |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap();
        let start = at(&format!("+----- start job \"{number}\" (10 Pending, attempt 1)"));
        assert!(lines[start + 1].starts_with("| trying") && lines[start + 2].starts_with("| locked by pid "));
        let handler = lines.iter().position(|line| *line == format!("the handler of {number}")).unwrap();
        let (end, before) =
            if number % 10 == 3 { ("40 Exhausted", "| no luck") } else { ("30 Succeeded", "| succeeded") };
        let end = at(&format!("+----- end job \"{number}\" ({end})"));
        assert!(lines[end - 1].starts_with(before), "{}", lines[end - 1]);
        assert!(start < handler && handler < end, "{number}: {start}, {handler}, {end}");
    }
}
