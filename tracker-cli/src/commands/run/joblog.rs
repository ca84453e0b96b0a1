use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

use super::{child::Ended, end::End};

/// The log of GNU parallel's `--joblog`: one row for each line that has ended.
pub struct Joblog(Mutex<File>);

const HEAD: &[u8] = b"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

impl Joblog {
    /// Goes on with the log that is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        if file.metadata()?.len() == 0 {
            file.write_all(HEAD)?;
        }
        Ok(Self(Mutex::new(file)))
    }

    pub fn add(&self, number: u64, ended: &Ended, end: End, printed: u64, command: &[u8]) -> io::Result<()> {
        let began = ended.began.timestamp_micros();
        let (seconds, millis) = (began.div_euclid(1_000_000), began.rem_euclid(1_000_000) / 1_000);
        let took = ended.took.as_secs_f64();
        let (exit, signal) = end.logged();
        let mut row =
            format!("{number}\t:\t{seconds}.{millis:03}\t{took:10.3}\t0\t{printed}\t{exit}\t{signal}\t").into_bytes();
        // A line break would end the row; parallel puts a zero byte in its place.
        row.extend(command.iter().map(|byte| if *byte == b'\n' { 0 } else { *byte }));
        row.push(b'\n');
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&row)
    }
}
