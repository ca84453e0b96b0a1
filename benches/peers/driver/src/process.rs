//! Runs a peer's program once, and kills it if it does not end.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::rows::Row;

/// One call of a peer's program.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub scenario: &'static str,
    pub tasks: u64,
    pub workers: u64,
    pub handler_us: u64,
    pub seconds: u64,
    /// The peer stops after so many seconds without progress.
    pub standstill: u64,
    /// The folder of the queue, for a peer in a file.
    pub dir: PathBuf,
    /// The database, for a peer on a server.
    pub url: Option<String>,
    /// Number of tasks in the queue, if it is not `tasks`.
    pub filled: Option<u64>,
}

/// The line that a peer prints.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Report {
    pub tasks: u64,
    pub done: u64,
    pub seconds: f64,
    pub handlers_seconds: Option<f64>,
    pub runs: u64,
    pub given_up: u64,
    pub stale_ends_accepted: Option<[bool; 2]>,
    pub unsupported: bool,
    pub latencies_us: Vec<f64>,
}

impl Call {
    /// The command line. `before` is a program that runs it, such as strace, with its arguments.
    pub fn command(&self, programs: &Path, row: &Row, before: &[String]) -> Command {
        let program = programs.join(format!("peer-{}", row.peer));
        let mut command = match before.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.arg(self.scenario).args(["--variant", row.variant]);
        for (word, number) in [
            ("--tasks", self.tasks),
            ("--workers", self.workers),
            ("--seconds", self.seconds),
            ("--standstill-seconds", self.standstill),
        ] {
            command.args([word.to_owned(), number.to_string()]);
        }
        command.args(["--handler-us".to_owned(), self.handler_us.to_string()]).arg("--dir").arg(&self.dir);
        if let Some(url) = &self.url {
            command.args(["--url", url]);
        }
        if let Some(filled) = self.filled {
            command.args(["--filled".to_owned(), filled.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end, or kills it well after its own limit.
    pub fn run(&self, programs: &Path, row: &Row, before: &[String]) -> Result<Report, String> {
        let mut child =
            self.command(programs, row, before).spawn().map_err(|error| format!("does not start: {error}"))?;
        let (out, err) = (gather(child.stdout.take()), gather(child.stderr.take()));
        let deadline = Instant::now() + Duration::from_secs(self.seconds * 2 + 20);
        let ended = wait(&mut child, deadline);
        let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
        match ended {
            None => Err("the process did not end".to_owned()),
            Some(true) => serde_json::from_str(out.trim()).map_err(|error| format!("the output is no report: {error}")),
            Some(false) => Err(first_line(&err)),
        }
    }
}

/// Reads to the end on a thread, so that a full pipe never blocks the peer. Keeps the first 16 KiB.
pub fn gather(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut from) = from {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut piece) {
                if kept.len() < 16 << 10 {
                    kept.extend_from_slice(&piece[..length]);
                }
            }
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}

/// Returns whether the process succeeded, or `None` if it had to be killed.
pub fn wait(child: &mut Child, deadline: Instant) -> Option<bool> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

pub fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("thread "));
    let mut line = line.unwrap_or("the process failed without a message").to_owned();
    if line.chars().count() > 100 {
        line = line.chars().take(100).collect::<String>() + " …";
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_of_a_peer_is_parsed() {
        let line = "{\"tasks\":10,\"done\":9,\"seconds\":1.5,\"handlers_seconds\":1.4,\"runs\":12,\"given_up\":0,\
                    \"unsupported\":false,\"latencies_us\":[250,2000]}";
        let report: Report = serde_json::from_str(line).unwrap();
        assert_eq!((report.done, report.runs, report.latencies_us.len()), (9, 12, 2));
        assert_eq!(report.handlers_seconds, Some(1.4));
    }

    #[test]
    fn error_is_the_first_line_with_a_message() {
        assert_eq!(first_line("\nthread 'main' panicked at x:\ndatabase is locked\nmore"), "database is locked");
        assert_eq!(first_line(""), "the process failed without a message");
    }
}
