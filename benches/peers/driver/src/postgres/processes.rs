//! Several processes of a peer that drain one queue. `share.rs` of the protocol has the other side.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

use crate::{
    process::{Call, Report, first_line, gather, wait},
    rows::Row,
};

/// Time for a process to open the queue, and to stop its workers.
const PATIENCE: Duration = Duration::from_secs(30);

/// A line of a process.
#[derive(Debug, PartialEq)]
enum Line {
    Ready,
    /// Number of handlers that have ended in this process.
    Ran(u64),
    /// Number of tasks whose status is terminal in the store.
    Counted(u64),
    Report(Report),
    /// The process has closed its output.
    End,
}

fn parse(line: &str) -> Option<Line> {
    if line == "ready" {
        return Some(Line::Ready);
    }
    match line.split_once(' ') {
        Some(("ran", number)) => number.parse().ok().map(Line::Ran),
        Some(("counted", number)) => number.parse().ok().map(Line::Counted),
        _ => serde_json::from_str(line).ok().map(Line::Report),
    }
}

struct Process {
    child: Child,
    input: Option<ChildStdin>,
    errors: thread::JoinHandle<String>,
}

/// The processes of a run. They are killed on drop.
struct Group {
    processes: Vec<Process>,
    lines: Receiver<(usize, Line)>,
}

/// Drains the queue of the call by `count` processes. The clock runs from the start of their workers until one of them reads from
/// the store that every status is terminal.
pub fn run(programs: &Path, row: &Row, call: &Call, count: usize) -> Result<Report, String> {
    let mut group = Group::start(programs, row, call, count)?;
    group.wait_until_ready()?;
    let begun = Instant::now();
    group.say("go")?;
    let runs = group.wait_for_runs(call, begun + Duration::from_secs(call.seconds))?;
    let handlers_seconds = begun.elapsed().as_secs_f64();
    let done = group.count(Duration::from_secs(call.seconds) + PATIENCE)?;
    let seconds = begun.elapsed().as_secs_f64();
    let reports = group.stop();
    let given_up = reports.iter().map(|report| report.given_up).max().unwrap_or(0);
    // A process ends more handlers between its last line and its report, if tasks ran twice.
    let runs = runs.max(reports.iter().map(|report| report.runs).sum());
    let tasks = call.tasks;
    Ok(Report { tasks, done, seconds, handlers_seconds: Some(handlers_seconds), runs, given_up, ..Report::default() })
}

impl Group {
    fn start(programs: &Path, row: &Row, call: &Call, count: usize) -> Result<Self, String> {
        let (sender, lines) = mpsc::channel();
        let mut group = Self { processes: Vec::new(), lines };
        for index in 0..count {
            let mut command = call.command(programs, row, &[]);
            let mut child =
                command.stdin(Stdio::piped()).spawn().map_err(|error| format!("does not start: {error}"))?;
            if let Some(output) = child.stdout.take() {
                read_lines(index, output, sender.clone());
            }
            let (input, errors) = (child.stdin.take(), gather(child.stderr.take()));
            group.processes.push(Process { child, input, errors });
        }
        Ok(group)
    }

    /// Sends a line to the first process or to all.
    fn say(&mut self, line: &str) -> Result<(), String> {
        let first_only = line == "count";
        let inputs = self.processes.iter_mut().take(if first_only { 1 } else { usize::MAX });
        for input in inputs.filter_map(|process| process.input.as_mut()) {
            writeln!(input, "{line}").map_err(|error| format!("a process takes no line: {error}"))?;
        }
        Ok(())
    }

    /// The next line, or `None` after this time. A process that ends is an error.
    fn next(&mut self, time: Duration) -> Result<Option<(usize, Line)>, String> {
        match self.lines.recv_timeout(time) {
            Ok((index, Line::End)) => Err(self.error_of(index)),
            Ok(line) => Ok(Some(line)),
            Err(_) => Ok(None),
        }
    }

    /// The first line on the standard error of a process that has ended.
    fn error_of(&mut self, index: usize) -> String {
        let mut process = self.processes.swap_remove(index);
        let _ = process.child.kill();
        let _ = process.child.wait();
        first_line(&process.errors.join().unwrap_or_default())
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        let mut ready = 0;
        while ready < self.processes.len() {
            match self.next(deadline.saturating_duration_since(Instant::now()))? {
                Some((_, Line::Ready)) => ready += 1,
                Some(_) => {}
                None => return Err("a process did not open the queue in time".to_owned()),
            }
        }
        Ok(())
    }

    /// Waits until the handlers of all tasks have ended, until the deadline, or until nothing changes any more. Returns their number.
    fn wait_for_runs(&mut self, call: &Call, deadline: Instant) -> Result<u64, String> {
        let mut ran = vec![0; self.processes.len()];
        let mut changed = Instant::now();
        loop {
            let still = changed + Duration::from_secs(call.standstill);
            match self.next(deadline.min(still).saturating_duration_since(Instant::now()))? {
                Some((index, Line::Ran(number))) => (ran[index], changed) = (number, Instant::now()),
                Some(_) => {}
                None => return Ok(ran.iter().sum()),
            }
            let sum = ran.iter().sum();
            if sum >= call.tasks {
                return Ok(sum);
            }
        }
    }

    /// Asks a process for the number of tasks whose status is terminal, which it reads until all are.
    fn count(&mut self, time: Duration) -> Result<u64, String> {
        self.say("count")?;
        let deadline = Instant::now() + time;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now()))? {
                Some((_, Line::Counted(number))) => return Ok(number),
                Some(_) => {}
                None => return Err("the store was not read in time".to_owned()),
            }
        }
    }

    /// Stops all processes and returns their reports.
    fn stop(mut self) -> Vec<Report> {
        let _ = self.say("stop");
        let deadline = Instant::now() + PATIENCE;
        for process in &mut self.processes {
            process.input = None;
            wait(&mut process.child, deadline);
        }
        // The channel closes when the last process has ended.
        let reports = self.lines.iter().filter_map(|(_, line)| match line {
            Line::Report(report) => Some(report),
            _ => None,
        });
        reports.collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }
}

/// Reads the lines of a process on a thread.
fn read_lines(index: usize, output: impl std::io::Read + Send + 'static, sender: Sender<(usize, Line)>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok).filter_map(|line| parse(line.trim())) {
            if sender.send((index, line)).is_err() {
                return;
            }
        }
        let _ = sender.send((index, Line::End));
    });
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf, process::Command};

    use super::*;
    use crate::rows::row;

    /// A folder with a peer that is a shell script.
    struct Fake(PathBuf);

    impl Fake {
        fn new(name: &str, script: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("processes-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            let program = folder.join("peer-fake");
            let text = folder.join("text");
            fs::write(&text, format!("#!/bin/sh\n{script}")).unwrap();
            // Another process writes the program: a child that another test forks meanwhile would hold it open for
            // writing, and it would not start ("Text file busy").
            let installed = Command::new("install").args(["-m", "755"]).args([&text, &program]).status().unwrap();
            assert!(installed.success());
            Self(folder)
        }

        fn run(&self, tasks: u64, count: usize, standstill: u64) -> Result<Report, String> {
            let call = Call { scenario: "share", tasks, seconds: 20, standstill, ..Call::default() };
            run(&self.0, &row("fake", "fake", ""), &call, count)
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const REPORT: &str = "{\\\"tasks\\\":9,\\\"done\\\":9,\\\"seconds\\\":1,\\\"runs\\\":3,\\\"given_up\\\":1,\\\"unsupported\\\":false,\
                          \\\"latencies_us\\\":[]}";

    fn working() -> String {
        format!(
            "echo ready; read go; [ \"$go\" = go ] || exit 1; echo ran 1; echo ran 3\n\
             while read line; do [ \"$line\" = count ] && echo counted 9 && echo >>\"$0.counts\"; [ \"$line\" = stop ] && break; done\n\
             echo \"{REPORT}\"\n"
        )
    }

    #[test]
    fn runs_of_all_processes_are_summed() {
        let (begun, fake) = (Instant::now(), Fake::new("sum", &working()));
        let report = fake.run(9, 3, 20).unwrap();
        assert_eq!((report.tasks, report.done, report.runs, report.given_up), (9, 9, 9, 1));
        assert!(begun.elapsed() < Duration::from_secs(15), "the run ends with the last handler");
        let counts = fs::read_to_string(fake.0.join("peer-fake.counts")).unwrap();
        assert_eq!(counts.lines().count(), 1, "one process reads the store, once");
    }

    #[test]
    fn standstill_ends_the_run() {
        let begun = Instant::now();
        let report = Fake::new("still", &working()).run(10, 3, 1).unwrap();
        assert_eq!((report.tasks, report.done, report.runs), (10, 9, 9));
        assert!(begun.elapsed() < Duration::from_secs(15), "the limit is 20 s");
    }

    #[test]
    fn error_of_a_process_is_reported() {
        let fake = Fake::new("fails", "echo ready; read go; echo database is gone >&2; exit 1\n");
        assert_eq!(fake.run(9, 2, 1).unwrap_err(), "database is gone");
    }

    #[test]
    fn lines_are_parsed() {
        assert_eq!(parse("ran 12"), Some(Line::Ran(12)));
        assert_eq!(parse("counted 7"), Some(Line::Counted(7)));
        assert_eq!(parse("some log line"), None);
    }
}
