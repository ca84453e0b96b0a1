//! Finds out what a path leads to before it is opened. Called by `open` and `inspect`; reads only metadata, and waits a moment for an empty
//! file to be filled.

use std::{
    fs::{self, FileType},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::fault::Fault;
use crate::model::error::{ErrorKind, Result};

/// For how long an empty file may be one that another process is about to fill (see `create::reserve`).
const FILLING: Duration = Duration::from_millis(200);

/// The finding about a path, without opening it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Survey {
    /// An ordinary file with something in it, perhaps behind a symbolic link.
    File,
    /// Nothing: the name is free.
    Nothing,
}

/// Finds out what is at `path` before it is opened, because opening a FIFO would wait for its other end for ever.
pub(crate) fn survey(path: &Path) -> Result<Survey> {
    let until = Instant::now() + FILLING;
    loop {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return nothing(path),
            Err(error) => return Err(Fault::from(error).at(path)),
        };
        if !found.is_file() {
            return Err(Fault::new(
                ErrorKind::Foreign,
                format!("this is {}, no tracker file; give the path of a file", describe(found.file_type())),
            )
            .at(path));
        }
        if found.len() > 0 {
            return Ok(Survey::File);
        }
        if Instant::now() >= until {
            return Err(Fault::empty().at(path));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn nothing(path: &Path) -> Result<Survey> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(Fault::new(
            ErrorKind::Io,
            "this is a symbolic link to a file that does not exist; delete the link, or give the path that it leads to",
        )
        .at(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Survey::Nothing),
        Err(error) => Err(Fault::from(error).at(path)),
    }
}

fn describe(found: FileType) -> &'static str {
    if found.is_dir() {
        return "a directory";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if found.is_fifo() {
            return "a named pipe";
        }
        if found.is_socket() {
            return "a socket";
        }
        if found.is_block_device() || found.is_char_device() {
            return "a device";
        }
    }
    "something special"
}
