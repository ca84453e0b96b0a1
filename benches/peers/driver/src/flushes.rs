//! Counts the flushes of a row with strace.

use std::{collections::HashSet, fs, path::Path};

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
    let trace = call.dir.join("strace.txt");
    let calls =
        "trace=fsync,fdatasync,msync,sync_file_range,syncfs,openat,close,write,writev,pwrite64,pwritev,pwritev2";
    // Without the text of buffers.
    let words = ["strace", "-f", "-s", "0", "-e", calls, "-o"];
    let mut before: Vec<String> = words.map(str::to_owned).into();
    before.push(trace.display().to_string());
    call.run(programs, row, &before).ok()?;
    Some(flushes(&fs::read_to_string(trace).ok()?))
}

/// The calls in a trace of strace that flush: those that are named so, and writes to files that were opened with `O_DSYNC` or `O_SYNC`.
fn flushes(trace: &str) -> u64 {
    let (mut synchronous, mut opening) = (HashSet::new(), HashSet::new());
    let mut count = 0;
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(char::is_whitespace) else { continue };
        let (name, arguments) = call.trim_start().split_once('(').unwrap_or((call.trim_start(), ""));
        let first = arguments.split([',', ')']).next().unwrap_or_default();
        let is_synchronous = arguments.contains("O_DSYNC") || arguments.contains("O_SYNC");
        match name {
            "openat" if is_synchronous && call.ends_with("<unfinished ...>") => drop(opening.insert(thread)),
            "openat" if is_synchronous => synchronous.extend(result(call)),
            "close" => drop(synchronous.remove(first)),
            _ if call.contains("openat resumed") && opening.remove(thread) => synchronous.extend(result(call)),
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => {
                count += u64::from(synchronous.contains(first) || arguments.contains("RWF_DSYNC"));
            }
            "fsync" | "fdatasync" | "msync" | "sync_file_range" | "syncfs" => count += 1,
            _ => {}
        }
    }
    count
}

/// The result of a call, if it is a file descriptor.
fn result(call: &str) -> Option<&str> {
    let (_, result) = call.rsplit_once("= ")?;
    result.split_whitespace().next().filter(|number| number.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    #[test]
    fn flushes_of_a_trace_are_counted() {
        let trace = r#"
41 openat(AT_FDCWD, "tasks.redb", O_RDWR|O_CLOEXEC) = 3
41 openat(AT_FDCWD, "tasks.redb", O_WRONLY|O_DSYNC|O_CLOEXEC) = 4
42 openat(AT_FDCWD, "other", O_WRONLY|O_SYNC|O_CLOEXEC <unfinished ...>
41 pwrite64(3, ""..., 4096, 0) = 4096
41 pwrite64(4, ""..., 4096, 0 <unfinished ...>
42 <... openat resumed>) = 5
41 <... pwrite64 resumed>) = 4096
42 write(5, ""..., 10) = 10
41 fdatasync(3) = 0
42 fsync(3 <unfinished ...>
42 <... fsync resumed>) = 0
41 openat(AT_FDCWD, "missing", O_WRONLY|O_DSYNC) = -1 ENOENT (No such file or directory)
41 close(4) = 0
41 openat(AT_FDCWD, "log", O_WRONLY) = 4
41 write(4, ""..., 10) = 10
41 +++ exited with 0 +++
"#;
        assert_eq!(super::flushes(trace), 4);
    }
}
