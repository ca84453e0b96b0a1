//! `--notify`: runs a command of the user when a run has ended. Called once, after the file is closed; its failure is a warning.

use std::{
    io::{self, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::Summary;
use crate::{error::CliError, exit::Exit, output::escape_line};

/// The longest time that the command may take.
const LONGEST: Duration = Duration::from_secs(60);
const CHECK_EVERY: Duration = Duration::from_millis(10);

/// The end of a run, as the command gets it on its standard input.
#[derive(Serialize)]
pub struct RunEnd<'a> {
    file: String,
    name: &'a str,
    result: &'static str,
    error: Option<String>,
    /// Absent if the counts cannot be read.
    #[serde(flatten)]
    summary: Option<Summary>,
}

impl<'a> RunEnd<'a> {
    pub fn new(file: &Path, name: &'a str, ended: &Result<Exit, CliError>, summary: Option<Summary>) -> Self {
        let result = match ended {
            Ok(Exit::Success) => "succeeded",
            Ok(Exit::Interrupted) => "stopped",
            Ok(_) => "given_up",
            Err(_) => "error",
        };
        let error = ended.as_ref().err().map(ToString::to_string);
        Self { file: file.to_string_lossy().into_owned(), name, result, error, summary }
    }

    /// Runs the command with the shell, and warns if it fails.
    pub fn notify(&self, command: &str) {
        match self.run(command) {
            Ok(Some(status)) if status.success() => {}
            Ok(Some(status)) => warn(&format!("failed ({status})")),
            Ok(None) => warn("was ended: it took longer than a minute"),
            Err(error) => warn(&format!("cannot run: {error}")),
        }
    }

    /// Returns `None` if the command took too long. Its output goes to the standard error output, so that `--json` prints nothing but values.
    fn run(&self, command: &str) -> io::Result<Option<ExitStatus>> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command).stdin(Stdio::piped()).stdout(io::stderr());
        shell.env("TRACKER_FILE", &self.file).env("TRACKER_NAME", self.name).env("TRACKER_RESULT", self.result);
        shell.env("TRACKER_ERROR", self.error.as_deref().unwrap_or_default().replace('\0', "\u{fffd}"));
        if let Some(summary) = &self.summary {
            for (name, count) in [
                ("TRACKER_SUCCEEDED", summary.succeeded),
                ("TRACKER_GIVEN_UP", summary.given_up),
                ("TRACKER_UNFINISHED", summary.unfinished),
                ("TRACKER_SET_ASIDE", summary.set_aside),
            ] {
                shell.env(name, count.to_string());
            }
        }
        let mut json = serde_json::to_vec(self)?;
        json.push(b'\n');
        let mut child = shell.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A command that does not read its input has closed it. The text is shorter than the buffer of a pipe.
            let _ = input.write_all(&json);
        }
        wait(&mut child)
    }
}

fn wait(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    while started.elapsed() < LONGEST {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(CHECK_EVERY);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn warn(what: &str) {
    eprintln!("tracker: the command of --notify {}", escape_line(what));
}
