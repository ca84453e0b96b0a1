use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{child::Ended, end::End};
use crate::{failure::Failure, output::shown};

/// The log of GNU parallel's `--joblog`: one row for each line that has ended.
pub struct Joblog {
    file: Mutex<File>,
    path: PathBuf,
}

const HEAD: &[u8] = b"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

impl Joblog {
    /// Continues the log at this path. Refuses the tracker file, and any file that is not empty and no such log.
    pub fn open(path: &Path, tracker: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| failed(path, &error);
        let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if fs::metadata(tracker).is_ok_and(|other| (other.dev(), other.ino()) == (found.dev(), found.ino())) {
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
                // The last row was cut off: the next one begins a line of its own.
                file.write_all(b"\n").map_err(failed)?;
            }
        }
        Ok(Self { file: Mutex::new(file), path: path.to_owned() })
    }

    pub fn add(&self, number: u64, ended: &Ended, end: End, printed: u64, command: &[u8]) -> Result<(), Failure> {
        let began = ended.began.timestamp_micros();
        let (seconds, millis) = (began.div_euclid(1_000_000), began.rem_euclid(1_000_000) / 1_000);
        let took = ended.took.as_secs_f64();
        let (exit, signal) = end.logged();
        let mut row =
            format!("{number}\t:\t{seconds}.{millis:03}\t{took:10.3}\t0\t{printed}\t{exit}\t{signal}\t").into_bytes();
        // A line break would end the row; parallel puts a zero byte in its place.
        row.extend(command.iter().map(|byte| if *byte == b'\n' { 0 } else { *byte }));
        row.push(b'\n');
        let written = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&row);
        written.map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::file(format!("{}: cannot write the job log: {error}", shown(&path.to_string_lossy())))
}

fn refused(path: &Path, why: &str) -> Failure {
    let path = path.to_string_lossy();
    Failure::usage(format!("{}: cannot append the job log: {why}; give --joblog another path", shown(&path)))
}
