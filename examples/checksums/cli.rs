use std::{num::NonZero, path::PathBuf, thread};

use clap::Parser;

/// SHA-256 sums of all files below a folder, resumable.
///
/// The tracker file stores the finished work: interrupt the run in any way (Ctrl-C, kill, a power cut), and the same
/// command goes on where it was. A later run reads only files that are new or whose size or modification time changed.
/// While it runs, a second terminal can look at it with --plan.
///
/// Ends with 0 if all went well, with 1 if files failed, with 130 if it was stopped.
#[derive(Parser)]
#[command(name = "checksums", version)]
pub struct Cli {
    /// The folder; symbolic links in it are not followed
    pub folder: PathBuf,
    /// The tracker file, made where there is none
    #[arg(long, value_name = "FILE", default_value = "checksums.redb")]
    pub db: PathBuf,
    /// How many files are in work at once [default: four per processor, since they mostly wait for the disk]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Tries files again that failed in an earlier run; otherwise they wait until they change
    #[arg(long)]
    pub retry_failed: bool,
    /// Shows what would run and why, and changes nothing
    #[arg(long)]
    pub plan: bool,
    /// Writes the sums as sha256sum prints them, for `sha256sum -c FILE` from the same working folder
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl Cli {
    pub fn threads(&self) -> usize {
        let processors = || thread::available_parallelism().map_or(1, NonZero::get);
        self.threads.map_or_else(|| 4 * processors(), NonZero::get)
    }
}
