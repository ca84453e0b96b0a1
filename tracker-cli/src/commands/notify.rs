//! `--notify`: runs a command of the user when the work of `run` or `wait` has ended. Its failure is a warning. Called by both; starts a
//! process.

use std::{
    io::{self, Write},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::output::escape_line;

/// The longest time that the command may take.
const LONGEST: Duration = Duration::from_secs(60);
const CHECK_EVERY: Duration = Duration::from_millis(10);

/// Runs the command with the shell, and warns if it fails. It gets these variables, and the value as one line of JSON on its standard input.
/// The value must be shorter than the buffer of a pipe, 64 KiB.
pub fn notify<'e>(command: &str, environment: impl IntoIterator<Item = (&'e str, String)>, value: &impl Serialize) {
    match run(command, environment, value) {
        Ok(Some(status)) if status.success() => {}
        Ok(Some(status)) => warn(&format!("failed ({status})")),
        Ok(None) => warn("was ended: it took longer than a minute"),
        Err(error) => warn(&format!("cannot run: {error}")),
    }
}

/// Returns `None` if the command took too long. Its output goes to the standard error output, so that `--json` prints nothing but values.
fn run<'e>(
    command: &str,
    environment: impl IntoIterator<Item = (&'e str, String)>,
    value: &impl Serialize,
) -> io::Result<Option<ExitStatus>> {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::piped()).stdout(io::stderr());
    // A variable cannot hold a zero byte.
    shell.envs(environment.into_iter().map(|(name, text)| (name, text.replace('\0', "\u{fffd}"))));
    let mut json = serde_json::to_vec(value)?;
    json.push(b'\n');
    let mut child = shell.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A command that does not read its input has closed it.
        let _ = input.write_all(&json);
    }
    wait(&mut child)
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
