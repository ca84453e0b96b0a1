//! Killing a peer at its work, and what is there when it comes again.

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

/// So many bodies have begun when the kill comes; four of them hang, so that there are orphans.
const BEGUN: usize = 40;

/// A line of the peer's diary.
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

/// Fills, works, kills, opens again, and waits for the end or the limit.
pub fn run(programs: &Path, row: &Row, call: &Call) -> Result<Outcome, String> {
    let begin = Call { scenario: "crash", body_us: 2000, ..call.clone() };
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
        return Err("ran nothing before the kill".to_owned());
    }
    let restarted = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let resume = Call { scenario: "resume", body_us: 1000, ..call.clone() };
    let report = resume.run(programs, row, &[])?;
    Ok(Outcome::Measured(judge(&before, &read(&call.dir.join("after.log")), restarted, &report)))
}

/// What became of the tasks.
fn judge(before: &[Entry], after: &[Entry], restarted: u128, report: &Report) -> Measured {
    let numbers = |entries: &[Entry], begin: bool| -> HashSet<u64> {
        entries.iter().filter(|entry| entry.begin == begin).map(|entry| entry.number).collect()
    };
    let (begun, ended) = (numbers(before, true), numbers(before, false));
    let orphans: HashSet<u64> = begun.difference(&ended).copied().collect();
    let again = numbers(after, true);
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
        }),
        ..Measured::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_judged_by_the_two_diaries() {
        let before = entries("b 1 10\ne 1 20\nb 2 20\nb 3 21\nb 4 22\ne 4 30\n");
        let after = entries("b 5 1000000\nb 4 2000000\nb 3 5000000\ne 3 6000000\n");
        let report = Report { tasks: 6, done: 4, given_up: 1, ..Report::default() };
        let measured = judge(&before, &after, 1_000_000, &report);
        assert!(
            (measured.value - 4.0).abs() < 1e-9,
            "task 3 was begun, not ended, and ran again 4 ms after the restart"
        );
        assert_eq!(measured.crash, Some(Crash { orphans: 2, lost: 2, twice: 1, given_up: 1 }));
    }

    #[test]
    fn an_orphan_that_never_runs_again_has_no_time() {
        let measured = judge(&entries("b 1 10"), &[], 0, &Report { tasks: 1, ..Report::default() });
        assert!(measured.value.is_infinite());
    }

    #[test]
    fn a_torn_last_line_is_no_entry() {
        assert_eq!(entries("b 1 10\ne 1"), [Entry { begin: true, number: 1, nanoseconds: 10 }]);
    }
}
