//! Opening a tracker for a command: to inspect it, to change it beside other processes, or alone. A URL of a server may stand in the place of
//! a file. Errors name the process that is in the way.

mod clock_ahead;
mod control;
mod holder;
mod kind_arg;
mod moving;
mod output_file;
mod place;
#[cfg_attr(not(feature = "postgres"), path = "without_server.rs")]
mod server;
mod server_check;

use std::{
    env,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use tracker_core::{Error, ErrorKind, Options, Tracker, file::Sharing, live::Client, maintenance::TimeRepair};

use clap::builder::{OsStringValueParser, TypedValueParser as _};

pub use self::{
    clock_ahead::ClockAhead,
    control::FileControl,
    holder::Holder,
    kind_arg::KindArg,
    output_file::{Contents, Existing, OutputFile, private_temporary},
    place::without_secrets,
    server_check::{ServerCheck, ServerFinding},
};
use self::{holder::Access, place::Place};
use crate::{
    error::{CliError, message},
    output::escape_line,
};

/// The file argument of a command.
#[derive(clap::Args, Clone)]
pub struct FileArg {
    /// The tracker file, or the URL of a PostgreSQL server: postgres://user@host/database?schema=NAME; `@` stands for TRACKER_URL
    #[arg(value_name = "FILE", env = place::VARIABLE, hide_env_values = true)]
    #[arg(value_parser = OsStringValueParser::new().try_map(Place::of_argument))]
    place: Place,
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
    /// The file; `None` on a server.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Server(_) => None,
        }
    }

    /// Returns the file, or refuses a server with what to use there.
    pub fn file_only(&self, command: &str, instead: &str) -> Result<&Path, CliError> {
        self.path().ok_or_else(|| CliError::usage(format!("`tracker {command}` is for files: on a server, {instead}")))
    }

    pub fn is_server(&self) -> bool {
        self.path().is_none()
    }

    /// The path, or server, database and schema without the login.
    pub fn name(&self) -> String {
        match &self.place {
            Place::File(path) => path.to_string_lossy().into_owned(),
            Place::Server(url) => server::name(url),
        }
    }

    /// The argument in the words of an advice.
    pub fn word(&self) -> String {
        match &self.place {
            Place::File(path) => escape_line(&path.to_string_lossy()).into_owned(),
            Place::Server(_) => "URL".to_owned(),
        }
    }

    /// Returns whether the file exists. A server is taken to be there.
    pub fn exists(&self) -> bool {
        self.path().is_none_or(Path::exists)
    }

    /// Opens the tracker for reading only, beside other processes. Repairs a file first if it was not closed.
    pub fn inspect(&self) -> Result<Tracker, CliError> {
        match &self.place {
            Place::File(path) => {
                retry_while_locked(|| options().inspect(path)).map_err(|error| explain(path, &error, Purpose::Inspect))
            }
            Place::Server(url) => server::inspect(url),
        }
    }

    /// Opens the file as its only writer, in the default sharing mode, or the schema of a server. Creates it if it does not exist.
    pub fn open_or_create(&self) -> Result<Tracker, CliError> {
        match &self.place {
            Place::File(path) => {
                retry_while_locked(|| base_options().open(path)).map_err(|error| explain(path, &error, Purpose::Write))
            }
            Place::Server(url) => server::open(url, true),
        }
    }

    /// Returns the control of a tracker, for changes. Creates it if it does not exist.
    pub fn open_or_create_for_changes(&self) -> Result<FileControl, CliError> {
        if self.is_server() || !self.exists() {
            return Ok(FileControl::Opened(self.open_or_create()?));
        }
        self.open_for_changes()
    }

    /// Sets the time of the file back. No other process may have the file open.
    pub fn repair_time(&self) -> Result<TimeRepair, CliError> {
        let path = self.file_only("doctor --repair-time", "set its clock right: the server's clock counts")?;
        let repaired = retry_while_locked(|| options().repair_time(path));
        repaired.map_err(|error| explain(path, &error, Purpose::Exclusive))
    }

    /// Returns how far the time of a file is ahead of the system clock. `None` if it is not, and on a server, whose clock counts.
    pub fn clock_ahead(&self, tracker: &Tracker) -> Result<Option<ClockAhead>, CliError> {
        if self.is_server() { Ok(None) } else { ClockAhead::of(tracker) }
    }

    /// Checks the schema of a server. `None` for a file.
    pub fn check_server(&self) -> Result<Option<ServerCheck>, CliError> {
        match &self.place {
            Place::File(_) => Ok(None),
            Place::Server(url) => server::check(url).map(Some),
        }
    }

    /// Returns the other processes that have the file open and are visible to this user. Empty on a server.
    pub fn holders(&self) -> Vec<Holder> {
        self.path().map(holder::holders).unwrap_or_default()
    }

    /// Returns whether no process has the file open for writing. Always false on a server, and on systems other than Linux.
    pub fn has_no_worker(&self) -> bool {
        cfg!(target_os = "linux") && !self.is_server() && !self.holders().iter().any(Holder::can_write)
    }

    /// Returns the control of an existing tracker, for changes: the process that has the file open, if it serves live commands, or the file.
    /// Any process can change the schema of a server.
    pub fn open_for_changes(&self) -> Result<FileControl, CliError> {
        let path = match &self.place {
            Place::File(path) => path,
            Place::Server(url) => return Ok(FileControl::Opened(server::open(url, false)?)),
        };
        let until = Instant::now() + LOCK_TIMEOUT;
        loop {
            let client = Client::find(path);
            if let Ok(Some(client)) = client {
                return Ok(FileControl::Live(client));
            }
            match (try_open_shared(path), client) {
                (Ok(tracker), _) => return Ok(FileControl::Opened(tracker)),
                // A process that has just opened the file serves live commands a moment later.
                (Err(error), Ok(None)) if error.kind() == ErrorKind::Busy && Instant::now() < until => {
                    thread::sleep(Duration::from_millis(20));
                }
                (Err(error), Err(refusal)) if error.kind() == ErrorKind::Busy => {
                    let blocked = explain(path, &error, Purpose::Write);
                    return Err(CliError::file(format!("{blocked}; {refusal}")));
                }
                (Err(error), _) => return Err(explain(path, &error, Purpose::Write)),
            }
        }
    }

    /// Returns why no command can change the file now, and what makes it possible; `None` if they can.
    #[cfg(feature = "serve")]
    pub fn why_unchangeable(&self) -> Option<String> {
        let path = self.path()?;
        let client = Client::find(path);
        if let Ok(Some(_)) = client {
            return None;
        }
        let holders = self.holders().into_iter().filter(|holder| holder.access > Access::Writers);
        let blocked = blocked_by(path, Purpose::Write, &holders.collect::<Vec<_>>())?;
        Some(match client {
            Ok(_) => blocked,
            Err(refusal) => format!("{blocked}; {refusal}"),
        })
    }
}

/// Returns why the process that has the file open for writing sends no events; `None` if there is no such process.
pub fn why_without_events(path: &Path) -> Option<String> {
    let holders: Vec<_> = holder::holders(path).into_iter().filter(Holder::can_write).collect();
    let holder = holders.iter().max_by_key(|holder| holder.access)?;
    let path = path.display();
    Some(match holder.access {
        Access::Writers => format!(
            "{path} is opened by {holder} with Sharing::Writers, which sends no events: start it with Sharing::Readers, the default"
        ),
        _ => format!("{path} is opened for writing by {holder}, {NOT_SERVED}"),
    })
}

/// Opens a file for a change that is no live command, alone or beside other writers. The file must exist.
pub fn open_shared(path: &Path) -> Result<Tracker, CliError> {
    try_open_shared(path).map_err(|error| explain(path, &error, Purpose::WriteHere))
}

fn try_open_shared(path: &Path) -> Result<Tracker, Error> {
    if !path.exists() {
        // The library's error names the missing file; opening for writing would create it.
        options().inspect(path)?;
    }
    // Leases of processes that are gone are released only by an open without other writers. So the file is opened
    // alone for a moment, if possible.
    if let Ok(alone) = options().open(path) {
        alone.close()?;
    }
    options().sharing(Sharing::Writers).open(path)
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
