//! Opening a tracker file for a command: to inspect it, to change it beside other processes, or alone. Errors name the
//! process that is in the way.

mod clock_ahead;
mod control;
mod holder;
mod kind_arg;
mod output_file;

use std::{
    env,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use tracker_core::{Error, ErrorKind, Options, Tracker, file::Sharing, live::Client, maintenance::TimeRepair};

use self::holder::Access;
pub use self::{
    clock_ahead::ClockAhead,
    control::FileControl,
    holder::Holder,
    kind_arg::KindArg,
    output_file::{Contents, Existing, OutputFile, private_temporary},
};
use crate::error::{CliError, message};

/// The file argument of a command.
#[derive(clap::Args, Clone)]
pub struct FileArg {
    /// The tracker file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// The size of the cache in bytes: a command reads few pages.
const CACHE: usize = 16 << 20;

/// How long opening waits for a process that has just died.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Allows network file systems. An empty value and `0` count as not set.
const ALLOW_NETWORK_FILE_SYSTEM: &str = "TRACKER_ALLOW_NETWORK_FILE_SYSTEM";

fn base_options() -> Options {
    let allow = env::var_os(ALLOW_NETWORK_FILE_SYSTEM).is_some_and(|value| !value.is_empty() && value != "0");
    Tracker::options().allow_network_file_system(allow)
}

fn options() -> Options {
    // A command has the file open for a moment only.
    base_options().cache_bytes(CACHE).live_commands(false)
}

impl FileArg {
    /// Opens the file for reading only, beside other processes. Repairs it first if it was not closed.
    pub fn inspect(&self) -> Result<Tracker, CliError> {
        retry_while_locked(|| options().inspect(&self.file))
            .map_err(|error| explain(&self.file, &error, Purpose::Inspect))
    }

    /// Opens the file as its only writer, in the default sharing mode. Creates it if it does not exist.
    pub fn open_or_create(&self) -> Result<Tracker, CliError> {
        retry_while_locked(|| base_options().open(&self.file))
            .map_err(|error| explain(&self.file, &error, Purpose::Write))
    }

    /// Sets the time of the file back. No other process may have the file open.
    pub fn repair_time(&self) -> Result<TimeRepair, CliError> {
        let repaired = retry_while_locked(|| options().repair_time(&self.file));
        repaired.map_err(|error| explain(&self.file, &error, Purpose::Exclusive))
    }

    /// Returns the other processes that have the file open and are visible to this user.
    pub fn holders(&self) -> Vec<Holder> {
        holder::holders(&self.file)
    }

    /// Returns whether no process has the file open for writing. Always false on systems other than Linux.
    pub fn has_no_worker(&self) -> bool {
        cfg!(target_os = "linux") && !self.holders().iter().any(Holder::can_write)
    }

    /// Returns the control of an existing file, for changes: the process that has the file open, if it serves live commands, or the file.
    pub fn open_for_changes(&self) -> Result<FileControl, CliError> {
        let until = Instant::now() + LOCK_TIMEOUT;
        loop {
            let client = Client::find(&self.file);
            if let Ok(Some(client)) = client {
                return Ok(FileControl::Live(client));
            }
            match (self.try_open_shared(), client) {
                (Ok(tracker), _) => return Ok(FileControl::File(tracker)),
                // A process that has just opened the file serves live commands a moment later.
                (Err(error), Ok(None)) if error.kind() == ErrorKind::Busy && Instant::now() < until => {
                    thread::sleep(Duration::from_millis(20));
                }
                (Err(error), Err(refusal)) if error.kind() == ErrorKind::Busy => {
                    let blocked = explain(&self.file, &error, Purpose::Write);
                    return Err(CliError::file(format!("{blocked}; {refusal}")));
                }
                (Err(error), _) => return Err(explain(&self.file, &error, Purpose::Write)),
            }
        }
    }

    /// Returns why no command can change the file now, and what makes it possible; `None` if they can.
    #[cfg(feature = "serve")]
    pub fn why_unchangeable(&self) -> Option<String> {
        let client = Client::find(&self.file);
        if let Ok(Some(_)) = client {
            return None;
        }
        let holders = self.holders().into_iter().filter(|holder| holder.access > Access::Writers);
        let blocked = blocked_by(&self.file, Purpose::Write, &holders.collect::<Vec<_>>())?;
        Some(match client {
            Ok(_) => blocked,
            Err(refusal) => format!("{blocked}; {refusal}"),
        })
    }

    /// Returns why the process that has the file open for writing sends no events; `None` if there is no such process.
    pub fn why_without_events(&self) -> Option<String> {
        let holders: Vec<_> = self.holders().into_iter().filter(Holder::can_write).collect();
        let holder = holders.iter().max_by_key(|holder| holder.access)?;
        let path = self.file.display();
        Some(match holder.access {
            Access::Writers => format!(
                "{path} is opened by {holder} with Sharing::Writers, which sends no events: start it with Sharing::Readers, the default"
            ),
            _ => format!("{path} is opened for writing by {holder}, {NOT_SERVED}"),
        })
    }

    /// Opens the file for a change that is no live command, alone or beside other writers. The file must exist.
    pub fn open_shared(&self) -> Result<Tracker, CliError> {
        self.try_open_shared().map_err(|error| explain(&self.file, &error, Purpose::WriteHere))
    }

    fn try_open_shared(&self) -> Result<Tracker, Error> {
        if !self.file.exists() {
            // The library's error names the missing file; opening for writing would create it.
            options().inspect(&self.file)?;
        }
        // Leases of processes that are gone are released only by an open without other writers. So the file is opened
        // alone for a moment, if possible.
        if let Ok(alone) = options().open(&self.file) {
            alone.close()?;
        }
        options().sharing(Sharing::Writers).open(&self.file)
    }
}

/// Retries an open for a second while another process has the file: a process that was just killed may hold its locks for
/// a moment through a child that has not executed its program yet.
fn retry_while_locked<T>(open: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    let until = Instant::now() + LOCK_TIMEOUT;
    loop {
        match open() {
            Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < until => {
                thread::sleep(Duration::from_millis(20));
            }
            opened => return opened,
        }
    }
}

/// The way out where a process could serve live commands.
const NOT_SERVED: &str =
    "which serves no live commands: stop it, or start it with Options::live_commands or Sharing::Writers";

/// The commands that work through the process that has the file open.
const LIVE_COMMANDS: &str =
    "retry, requeue, cancel, ignore, pause, resume, set, move, rescue, prune, edit, import and top";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Inspect,
    /// To write, here or by live commands.
    Write,
    /// To write in this process.
    WriteHere,
    /// To write while no other process has the file open.
    Exclusive,
}

/// Returns the library's error. If another process has the file open, names it and the way out.
pub fn explain(path: &Path, error: &Error, purpose: Purpose) -> CliError {
    let text = match error.kind() {
        ErrorKind::Busy => blocked_by(path, purpose, &holder::holders(path)),
        _ => None,
    };
    CliError::file(text.unwrap_or_else(|| message(error)))
}

fn blocked_by(path: &Path, purpose: Purpose, holders: &[Holder]) -> Option<String> {
    // Of several processes the one with the strongest access is the reason; of those, the oldest.
    let holder = holders.iter().rev().max_by_key(|holder| holder.access)?;
    let path = path.display();
    Some(match (holder.access, purpose) {
        (Access::Exclusive, Purpose::Write) => {
            format!("{path} is opened exclusively by {holder}, {NOT_SERVED}")
        }
        (Access::Exclusive, _) => {
            format!("{path} is opened exclusively by {holder}: stop it, or start it with Sharing::Readers, the default")
        }
        (Access::Readers | Access::Writers, Purpose::Exclusive) => {
            format!("{path} is opened by {holder}, and this command needs it alone: stop that process first")
        }
        (Access::Readers, Purpose::Inspect) => {
            format!("{path} is opened by {holder} in another sharing mode: try again in a moment, or stop it")
        }
        (Access::Readers, Purpose::Write) => {
            format!("{path} is opened for writing by {holder}, {NOT_SERVED}")
        }
        (Access::Readers, Purpose::WriteHere) => format!(
            "{path} is opened for writing by {holder}, and this command does not work through it: stop it, or start it with Sharing::Writers; {LIVE_COMMANDS} work beside it"
        ),
        (Access::Writers, _) => {
            format!("{path} is opened by {holder} with Sharing::Writers, which this command cannot join: stop it")
        }
        (Access::Inspecting, _) => format!("{path} is opened for reading by {holder}: try again when it has ended"),
    })
}
