//! Kills a working peer, starts it again, and reports the state of each task.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    process::{Call, Report},
    results::{Crash, Measured, Outcome},
    rows::Row,
};

/// Number of handlers that have begun before the kill. Four of them hang, so that there are orphans.
const BEGUN: usize = 40;

/// A line of the peer's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    begin: bool,
    number: u64,
    nanoseconds: u128,
}

fn entries(text: &str) -> Vec<Entry> {
    let entry = |line: &str| {
        let mut words = line.split(' ');
        let begin = words.next()? == "b";
        Some(Entry { begin, number: words.next()?.parse().ok()?, nanoseconds: words.next()?.parse().ok()? })
    };
    text.lines().filter_map(entry).collect()
}

fn read(path: &Path) -> Vec<Entry> {
    entries(&fs::read_to_string(path).unwrap_or_default())
}

/// Fills a queue, kills the peer at work, starts it again and waits for the end or the limit.
pub fn run(programs: &Path, row: &Row, call: &Call) -> Result<Outcome, String> {
    let begin = Call { scenario: "crash", handler_us: 2000, ..call.clone() };
    let mut child = begin.command(programs, row, &[]).stderr(std::process::Stdio::null()).spawn();
    let child = child.as_mut().map_err(|error| format!("does not start: {error}"))?;
    let deadline = Instant::now() + Duration::from_secs(call.seconds);
    let before = call.dir.join("before.log");
    while read(&before).iter().filter(|entry| entry.begin).count() < BEGUN && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    let _ = child.kill();
    let _ = child.wait();
    let before = read(&before);
    if before.is_empty() {
        return Err("no handler ran before the kill".to_owned());
    }
    let restarted = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let resume = Call { scenario: "resume", handler_us: 1000, ..call.clone() };
    let report = resume.run(programs, row, &[])?;
    Ok(Outcome::Measured(compare(&before, &read(&call.dir.join("after.log")), restarted, &report)))
}

/// Compares the handler logs before and after the kill with the counts of the store.
fn compare(before: &[Entry], after: &[Entry], restarted: u128, report: &Report) -> Measured {
    let numbers = |entries: &[Entry], begin: bool| -> HashSet<u64> {
        entries.iter().filter(|entry| entry.begin == begin).map(|entry| entry.number).collect()
    };
    let (begun, ended) = (numbers(before, true), numbers(before, false));
    let orphans: HashSet<u64> = begun.difference(&ended).copied().collect();
    let again = numbers(after, true);
    let handled = ended.union(&numbers(after, false)).count() as u64;
    let succeeded = report.done.saturating_sub(report.given_up);
    let first = after.iter().find(|entry| entry.begin && orphans.contains(&entry.number));
    let value = first.map(|entry| entry.nanoseconds.saturating_sub(restarted));
    #[expect(clippy::cast_precision_loss, reason = "milliseconds for people")]
    let value = value.map_or(f64::INFINITY, |nanoseconds| nanoseconds as f64 / 1e6);
    Measured {
        value,
        tasks: report.tasks,
        done: report.done,
        runs: report.runs,
        given_up: report.given_up,
        crash: Some(Crash {
            orphans: orphans.len() as u64,
            lost: report.tasks.saturating_sub(report.done),
            twice: ended.intersection(&again).count() as u64,
            given_up: report.given_up,
            vanished: succeeded.saturating_sub(handled),
        }),
        ..Measured::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crash_compares_logs_before_and_after_the_kill() {
        let before = entries("b 1 10\ne 1 20\nb 2 20\nb 3 21\nb 4 22\ne 4 30\n");
        let after = entries("b 5 1000000\nb 4 2000000\nb 3 5000000\ne 3 6000000\n");
        let report = Report { tasks: 6, done: 4, given_up: 1, ..Report::default() };
        let measured = compare(&before, &after, 1_000_000, &report);
        assert!(
            (measured.value - 4.0).abs() < 1e-9,
            "task 3 was begun, not ended, and ran again 4 ms after the restart"
        );
        assert_eq!(measured.crash, Some(Crash { orphans: 2, lost: 2, twice: 1, given_up: 1, vanished: 0 }));
    }

    #[test]
    fn task_that_ended_without_a_handler_has_vanished() {
        let report = Report { tasks: 6, done: 6, ..Report::default() };
        let measured = compare(&entries("b 1 10\ne 1 20\n"), &entries("b 2 30\ne 2 40\n"), 25, &report);
        assert_eq!(measured.crash.map(|crash| (crash.lost, crash.vanished)), Some((0, 4)));
    }

    #[test]
    fn orphan_that_never_runs_again_has_no_time() {
        let measured = compare(&entries("b 1 10"), &[], 0, &Report { tasks: 1, ..Report::default() });
        assert!(measured.value.is_infinite());
    }

    #[test]
    fn torn_last_line_is_ignored() {
        assert_eq!(entries("b 1 10\ne 1"), [Entry { begin: true, number: 1, nanoseconds: 10 }]);
    }
}
