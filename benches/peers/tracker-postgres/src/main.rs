//! This tracker on a PostgreSQL server. Variants: `strict` and `prefetch`.
#![forbid(unsafe_code)]

use peer_protocol::{Args, Error};
use peer_tracker::{Place, ThisTracker};
use tracker_core::Tracker;

struct Server;

impl Place for Server {
    fn open(args: &Args) -> Result<Tracker, Error> {
        Ok(tracker_postgres::connect(&args.url)?)
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<ThisTracker<Server>>()
}
