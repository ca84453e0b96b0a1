//! Opening a tracker file, and who stands in the way.

mod clock;
mod holder;
mod kinds;
mod output_file;

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use tracker_core::{Error, ErrorKind, Options, Tracker, file::Sharing, maintenance::TimeRepair};

use self::holder::Hold;
pub use self::{
    clock::ClockAhead,
    holder::Holder,
    kinds::KindArg,
    output_file::{Contents, Existing, OutputFile, private_temporary},
};
use crate::failure::{Failure, said};

/// The file of a command.
#[derive(clap::Args, Clone)]
pub struct FileArg {
    /// The tracker file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Little memory: a command reads a few pages and ends.
const CACHE: usize = 16 << 20;

/// How long a dead process may hold a file.
const PATIENCE: Duration = Duration::from_secs(1);

fn options() -> Options {
    Tracker::options().cache_bytes(CACHE)
}

impl FileArg {
    /// Opens it only to look, beside whoever works on it. After an unclean end it is repaired first.
    pub fn look(&self) -> Result<Tracker, Failure> {
        patiently(|| options().inspect(&self.file)).map_err(|error| explain(&self.file, &error, Purpose::Look))
    }

    /// Opens it to work on its tasks, as the only one who does; others may look. Made where there is none.
    pub fn work(&self) -> Result<Tracker, Failure> {
        patiently(|| Tracker::open(&self.file)).map_err(|error| explain(&self.file, &error, Purpose::Act))
    }

    /// Sets back its time, as the only one who has it open.
    pub fn repair_time(&self) -> Result<TimeRepair, Failure> {
        let repaired = patiently(|| options().repair_time(&self.file));
        repaired.map_err(|error| explain(&self.file, &error, Purpose::Alone))
    }

    /// The other processes that have it open, as far as this user may know.
    pub fn holders(&self) -> Vec<Holder> {
        holder::holders(&self.file)
    }

    /// Whether nobody is seen to work on it; only where the system tells who has it open.
    pub fn is_deserted(&self) -> bool {
        cfg!(target_os = "linux") && !self.holders().iter().any(Holder::works)
    }

    /// Opens it to act, alone or beside others who share it in the same way. It must exist.
    pub fn act(&self) -> Result<Tracker, Failure> {
        if !self.file.exists() {
            // Says in the library's words that nothing is there; opening for work would create it.
            self.look()?;
        }
        // What a process had in its hands that is gone is free at once, and not when its leases run out: but only who has
        // the file alone can know that it is gone, so it is opened alone for a moment, where that is possible.
        if let Ok(alone) = options().open(&self.file) {
            alone.close()?;
        }
        let opened = options().sharing(Sharing::Writers).open(&self.file);
        opened.map_err(|error| explain(&self.file, &error, Purpose::Act))
    }
}

/// A process that was just killed may hold a file for a moment: a command that it was starting has its open files until
/// the command's program is there. So this waits a little before it refuses.
fn patiently<T>(open: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < until => {
                thread::sleep(Duration::from_millis(20));
            }
            opened => return opened,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Look,
    Act,
    /// To act while nobody else has it open.
    Alone,
}

/// The library's error; where another process is in the way, which one, and what to do about it.
pub fn explain(path: &Path, error: &Error, purpose: Purpose) -> Failure {
    let text = match error.kind() {
        ErrorKind::Busy => in_the_way(path, purpose, &holder::holders(path)),
        _ => None,
    };
    Failure::file(text.unwrap_or_else(|| said(error)))
}

fn in_the_way(path: &Path, purpose: Purpose, holders: &[Holder]) -> Option<String> {
    // The one that excludes most is the reason; of several, the oldest.
    let holder = holders.iter().rev().max_by_key(|holder| holder.hold)?;
    let (path, who) = (path.display(), holder);
    Some(match (holder.hold, purpose) {
        (Hold::Exclusive, _) => format!(
            "{path} is opened exclusively by {who}: start it with readers sharing (Sharing::Readers, the default), or stop it"
        ),
        (Hold::Readers | Hold::Writers, Purpose::Alone) => {
            format!("{path} is opened by {who}, and this must have it alone: stop it first")
        }
        (Hold::Readers, Purpose::Look) => {
            format!("{path} is opened by {who} in another way; try again in a moment, or stop it")
        }
        (Hold::Readers, Purpose::Act) => format!(
            "{path} is opened for writing by {who}, which lets others look but not act: stop it, or start it with writers sharing (Sharing::Writers)"
        ),
        (Hold::Writers, _) => {
            format!("{path} is opened by {who} with writers sharing, which this cannot join: stop it")
        }
        (Hold::Looking, _) => format!("{path} is being looked at by {who}: try again when it has ended"),
    })
}
