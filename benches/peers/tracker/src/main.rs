//! This tracker on a file. Variants: `readers` and `exclusive`, after its sharing modes; each also with `-log`, a redo log, and with `-prefetch`.
#![forbid(unsafe_code)]

use peer_protocol::{Args, Error};
use peer_tracker::{Place, ThisTracker};
use tracker_core::{Tracker, file::Sharing};

struct File;

impl Place for File {
    fn open(args: &Args) -> Result<Tracker, Error> {
        let sharing = if args.variant.starts_with("readers") { Sharing::Readers } else { Sharing::Exclusive };
        let redo_log = args.variant.contains("-log");
        Ok(Tracker::options().sharing(sharing).redo_log(redo_log).open(args.dir.join("tasks.redb"))?)
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<ThisTracker<File>>()
}
