//! `tracker logs`: the output of the command of a line. Reads the file, and on Linux the output files of the running command.
//!
//! The run keeps the output of a running command in files without a name, and stores it when the command ends. Another process of the same user
//! can open these files through `/proc`, so that following costs the run nothing, and no file stands beside the tracker file.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
    thread,
    time::Duration,
};

use serde::Serialize;
use tracker_core::{Record, Tasks, task::TaskKey};

use super::{
    line::{Line, LineStatus},
    orphans::{AttemptTags, process_of},
    stored_output::StoredOutput,
};
use crate::{
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    output::{Output, escape_line},
};

/// Prints the output of the command of a line of `tracker run`
///
/// Prints what a running command has written so far, or else the stored output of the last attempt. The output of a running command can be read on Linux
/// only, as the same user.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The id of the task, as other commands print it
    id: String,
    #[command(flatten)]
    kind: KindArg,
    /// Prints further output as it comes, also of further attempts, until the line has ended
    #[arg(short, long)]
    follow: bool,
}

/// How often a followed output is read.
const EVERY: Duration = Duration::from_millis(100);

/// The answer in JSON.
#[derive(Serialize)]
struct Logs {
    id: String,
    running: bool,
    stdout: String,
    stderr: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        if self.follow && output.is_json() {
            return Err(CliError::usage("--follow prints the output itself: leave out --json"));
        }
        let tracker = self.file.inspect()?;
        let (kind, id) = self.kind.task(&tracker, &self.id)?;
        let lines = tracker.tasks_as::<Line>(kind.name()).map_err(|_| not_a_line(&id))?;
        let tags = AttemptTags::of(&self.file)?;
        let mut reader = LogReader { lines: &lines, id: &id, tags: &tags, printed: None };
        if output.is_json() {
            println!(
                "{}",
                crate::output::escaped_json(&serde_json::to_string(&reader.logs()?).map_err(io::Error::from)?)
            );
            return Ok(Exit::Success);
        }
        while !reader.print()? && self.follow {
            thread::sleep(EVERY);
        }
        Ok(Exit::Success)
    }
}

/// Prints the attempts of a line one after the other.
struct LogReader<'a> {
    lines: &'a Tasks<Line>,
    id: &'a TaskKey,
    tags: &'a AttemptTags,
    /// The claim whose output was printed, and its files while it runs.
    printed: Option<(u64, Option<[OutputFile; 2]>)>,
}

impl LogReader<'_> {
    fn record(&self) -> Result<Record<Line, LineStatus>, CliError> {
        let record = self.lines.get(self.id).map_err(|_| not_a_line(self.id))?;
        record.ok_or_else(|| CliError::refused(format!("task {} was just deleted", escape_line(&self.id.to_string()))))
    }

    /// Prints what was written since the last call. Returns whether the line has ended.
    fn print(&mut self) -> Result<bool, CliError> {
        let record = self.record()?;
        let running = record.lease.as_ref().map(|lease| lease.fence);
        if let Some((fence, files)) = &mut self.printed {
            // Read after the record: an attempt that has ended in it writes no more.
            files.as_mut().map_or(Ok(()), print_both)?;
            if running == Some(*fence) {
                return Ok(false);
            }
        }
        let ended = record.history.last().map(|attempt| attempt.fence);
        let seen = self.printed.as_ref().map(|(fence, _)| *fence);
        if let Some(fence) = running {
            if let Some(mut files) = open_both(self.tags, fence, self.id) {
                print_both(&mut files)?;
                self.printed = Some((fence, Some(files)));
            }
            return Ok(false);
        }
        if ended.is_some() && ended != seen {
            if let Some(result) = &record.task.result {
                print_stored(&result.stdout, &mut io::stdout().lock())
                    .map_err(|error| CliError::printing("output", error))?;
                print_stored(&result.stderr, &mut io::stderr().lock())
                    .map_err(|error| CliError::printing("error output", error))?;
            }
            self.printed = ended.map(|fence| (fence, None));
        }
        Ok(!matches!(record.status, LineStatus::Pending | LineStatus::InProgress | LineStatus::Failed))
    }

    fn logs(&self) -> Result<Logs, CliError> {
        let record = self.record()?;
        let files = record.lease.as_ref().and_then(|lease| open_both(self.tags, lease.fence, self.id));
        let id = self.id.to_string();
        let (stdout, stderr) = match (files, &record.task.result) {
            (Some([mut stdout, mut stderr]), _) => (stdout.rest()?, stderr.rest()?),
            (None, Some(result)) if record.lease.is_none() => (result.stdout.to_string(), result.stderr.to_string()),
            (None, _) => (String::new(), String::new()),
        };
        Ok(Logs { id, running: record.lease.is_some(), stdout, stderr })
    }
}

/// A file that a running command writes.
struct OutputFile {
    file: File,
    at: u64,
}

impl OutputFile {
    /// Copies what was written since the last call.
    fn copy(&mut self, out: &mut impl Write) -> io::Result<()> {
        let mut bytes = [0; 16 << 10];
        loop {
            let read = self.file.read_at(&mut bytes, self.at)?;
            if read == 0 {
                return out.flush();
            }
            out.write_all(bytes.get(..read).unwrap_or_default())?;
            self.at += read as u64;
        }
    }

    fn rest(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.copy(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Opens the output and the error output of a running attempt. Returns `None` if it has just ended, and where the command has the terminal.
fn open_both(tags: &AttemptTags, fence: u64, id: &TaskKey) -> Option<[OutputFile; 2]> {
    let process = process_of(tags, fence, id)?;
    let open = |number: u8| {
        let path = format!("/proc/{process}/fd/{number}");
        // Opening a terminal or a pipe could wait, or take input away.
        std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        Some(OutputFile { file: File::open(path).ok()?, at: 0 })
    };
    Some([open(1)?, open(2)?])
}

fn print_both(files: &mut [OutputFile; 2]) -> Result<(), CliError> {
    let [stdout, stderr] = files;
    stdout.copy(&mut io::stdout().lock()).map_err(|error| CliError::printing("output", error))?;
    stderr.copy(&mut io::stderr().lock()).map_err(|error| CliError::printing("error output", error))
}

fn print_stored(stored: &StoredOutput, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&stored.text.0)?;
    if let Some(end) = &stored.end {
        let omitted = stored.bytes.saturating_sub((stored.text.0.len() + end.0.len()) as u64);
        write!(out, "\n… {omitted} bytes omitted …\n")?;
        out.write_all(&end.0)?;
    }
    out.flush()
}

fn not_a_line(id: &TaskKey) -> CliError {
    let id = id.to_string();
    CliError::refused(format!("task {} is not a line of `tracker run`: only lines have output", escape_line(&id)))
}
