//! Opening a tracker file, and who stands in the way.

mod holder;

use std::path::{Path, PathBuf};

use tracker_core::{Error, ErrorKind, Options, Sharing, Tracker};

use self::holder::{Hold, Holder};
use crate::failure::Failure;

/// The file of a command.
#[derive(clap::Args, Clone)]
pub struct FileArg {
    /// The tracker file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Little memory: a command reads a few pages and ends.
const CACHE: usize = 16 << 20;

fn options() -> Options {
    Tracker::options().cache_bytes(CACHE)
}

impl FileArg {
    /// Opens it only to look, beside whoever works on it. After an unclean end it is repaired first.
    pub fn look(&self) -> Result<Tracker, Failure> {
        options().inspect(&self.file).map_err(|error| explain(&self.file, &error, Purpose::Look))
    }

    /// Opens it to work on its tasks, as the only one who does; others may look. Made where there is none.
    pub fn work(&self) -> Result<Tracker, Failure> {
        Tracker::open(&self.file).map_err(|error| explain(&self.file, &error, Purpose::Act))
    }

    /// Whether another process works on its tasks, as far as this user may know.
    pub fn is_worked_on(&self) -> bool {
        holder::holders(&self.file).iter().any(|holder| holder.hold > Hold::Looking)
    }

    /// Opens it to act, alone or beside others who share it in the same way. It must exist.
    pub fn act(&self) -> Result<Tracker, Failure> {
        if !self.file.exists() {
            // Says in the library's words that nothing is there; opening for work would create it.
            self.look()?;
        }
        let opened = options().sharing(Sharing::Writers).open(&self.file);
        opened.map_err(|error| explain(&self.file, &error, Purpose::Act))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Look,
    Act,
}

/// The library's error; where another process is in the way, which one, and what to do about it.
pub fn explain(path: &Path, error: &Error, purpose: Purpose) -> Failure {
    let text = match error.kind() {
        ErrorKind::AlreadyOpen => in_the_way(path, purpose, &holder::holders(path)),
        _ => None,
    };
    Failure::file(text.unwrap_or_else(|| error.to_string()))
}

fn in_the_way(path: &Path, purpose: Purpose, holders: &[Holder]) -> Option<String> {
    // The one that excludes most is the reason.
    let holder = holders.iter().max_by_key(|holder| holder.hold)?;
    let (path, who) = (path.display(), holder);
    Some(match (holder.hold, purpose) {
        (Hold::Exclusive, _) => format!(
            "{path} is opened exclusively by {who}: start it with readers sharing (Sharing::Readers, the default), or stop it"
        ),
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
