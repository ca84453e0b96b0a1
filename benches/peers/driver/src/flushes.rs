//! Counts the flushes of a row with strace.

use std::{fs, path::Path};

use crate::{process::Call, results::Flushes, rows::Row, scratch::Scratch};

/// Tasks of one count.
const SUBMITS: u64 = 100;
const DRAINS: u64 = 320;

/// Whether strace is installed.
pub fn can_count() -> bool {
    std::process::Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success())
}

/// Flushes per task: those of a run with tasks less those of opening the same file and closing it.
pub fn count(programs: &Path, row: &Row, scratch: &Scratch) -> Flushes {
    let fill = |tasks: u64, workers: u64| {
        let dir = scratch.empty(row.name)?;
        let call = Call {
            scenario: "fill",
            tasks,
            workers,
            handler_us: 0,
            seconds: 20,
            standstill: 20,
            dir,
            ..Call::default()
        };
        call.run(programs, row, &[]).ok()?;
        Some(call)
    };
    let submit = |tasks: u64| traced(programs, row, &Call { scenario: "submit", tasks, ..fill(0, 1)? });
    let drain = |workers: u64| {
        let call = fill(DRAINS, workers)?;
        let idle = traced(programs, row, &Call { scenario: "submit", tasks: 0, ..call.clone() });
        per_task(traced(programs, row, &Call { scenario: "drain", ..call }), idle, DRAINS)
    };
    Flushes {
        row: row.name.to_owned(),
        submit: per_task(submit(SUBMITS), submit(0), SUBMITS),
        drain_1: drain(1),
        drain_64: drain(64),
    }
}

fn per_task(with: Option<u64>, without: Option<u64>, tasks: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    Some(with?.saturating_sub(without?) as f64 / tasks as f64)
}

fn traced(programs: &Path, row: &Row, call: &Call) -> Option<u64> {
    let table = call.dir.join("strace.txt");
    let words = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,msync,sync_file_range,syncfs", "-o"];
    let mut before: Vec<String> = words.map(str::to_owned).into();
    before.push(table.display().to_string());
    call.run(programs, row, &before).ok()?;
    Some(calls(&fs::read_to_string(table).ok()?))
}

/// The sum of the column `calls` of strace's table.
fn calls(table: &str) -> u64 {
    let number = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let flush = words.last().is_some_and(|name| name.contains("sync"));
        if flush { words.get(3)?.parse::<u64>().ok() } else { None }
    };
    table.lines().filter_map(number).sum::<u64>()
}

#[cfg(test)]
mod tests {
    #[test]
    fn table_of_strace_is_parsed() {
        let table = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 99.00    0.051000         255       200           fdatasync
  1.00    0.000500         250         2         1 fsync
------ ----------- ----------- --------- --------- ----------------
100.00    0.051500         254       202         1 total
";
        assert_eq!(super::calls(table), 202);
        assert_eq!(super::calls(""), 0);
    }
}
