//! `Joblog`: the file of `--joblog`: a row for each line that has ended, in the format of GNU parallel. Called by `runner`; appends to that
//! file.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{command::FinishedCommand, command_status::CommandStatus};
use crate::{error::CliError, output::escape_line};

pub struct Joblog {
    file: Mutex<File>,
    path: PathBuf,
}

const HEAD: &[u8] = b"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

impl Joblog {
    /// Opens the log to append. Refuses the tracker file, and any other file that does not begin with the header.
    pub fn open(path: &Path, tracker: Option<&Path>) -> Result<Self, CliError> {
        let failed = |error: io::Error| failed(path, &error);
        let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let tracker = tracker.and_then(|tracker| fs::metadata(tracker).ok());
        if tracker.is_some_and(|other| (other.dev(), other.ino()) == (found.dev(), found.ino())) {
            return Err(refused(path, "it is the tracker file itself"));
        }
        if found.len() == 0 {
            file.write_all(HEAD).map_err(failed)?;
        } else if found.is_file() {
            let mut log = File::open(path).map_err(failed)?;
            let mut head = Vec::new();
            (&log).take(HEAD.len() as u64).read_to_end(&mut head).map_err(failed)?;
            if head != HEAD {
                return Err(refused(path, "it does not begin with the header of a job log"));
            }
            let mut last = [0];
            log.seek(SeekFrom::End(-1)).and_then(|_| log.read_exact(&mut last)).map_err(failed)?;
            if last != *b"\n" {
                // The last row is incomplete: the next row needs a line of its own.
                file.write_all(b"\n").map_err(failed)?;
            }
        }
        Ok(Self { file: Mutex::new(file), path: path.to_owned() })
    }

    pub fn add(
        &self,
        number: u64,
        finished: &FinishedCommand,
        status: CommandStatus,
        printed: u64,
        command: &[u8],
    ) -> Result<(), CliError> {
        let started = finished.started.timestamp_micros();
        let (seconds, millis) = (started.div_euclid(1_000_000), started.rem_euclid(1_000_000) / 1_000);
        let took = finished.took.as_secs_f64();
        let (exit, signal) = status.logged();
        let mut row =
            format!("{number}\t:\t{seconds}.{millis:03}\t{took:10.3}\t0\t{printed}\t{exit}\t{signal}\t").into_bytes();
        // GNU parallel also replaces line breaks by zero bytes.
        row.extend(command.iter().map(|byte| if *byte == b'\n' { 0 } else { *byte }));
        row.push(b'\n');
        let written = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&row);
        written.map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> CliError {
    CliError::file(format!("{}: cannot write the job log: {error}", escape_line(&path.to_string_lossy())))
}

fn refused(path: &Path, why: &str) -> CliError {
    let path = path.to_string_lossy();
    CliError::usage(format!("{}: cannot append the job log: {why}; give --joblog another path", escape_line(&path)))
}
