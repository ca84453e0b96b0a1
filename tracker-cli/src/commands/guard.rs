use std::{
    collections::HashSet,
    io::{self, BufRead},
    sync::{Arc, atomic::AtomicBool},
};

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::{exit::Exit, failure::Failure, output::Output};

/// Ends the process groups that a dead `tracker run` has left
///
/// `run` starts it and tells it on its standard input which groups begin (`+PID`) and end (`-PID`). When the input ends,
/// whoever wrote it has ended; groups that are left then are killed, so that a line that is run again never runs twice
/// at the same time. Requests to end do not end it: it ends with its input.
#[derive(clap::Args)]
pub struct Args {}

impl Args {
    #[expect(clippy::unused_self, reason = "all commands have one shape")]
    pub fn run(&self, _: &Output) -> Result<Exit, Failure> {
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
        }
        let mut left = HashSet::new();
        for told in io::stdin().lock().lines() {
            // A line that was cut off by the end of its writer tells nothing.
            let Some((sign, pid)) = told.ok().as_deref().and_then(parse) else { continue };
            if sign == '+' {
                left.insert(pid);
            } else {
                left.remove(&pid);
            }
        }
        for group in left {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
        Ok(Exit::Fine)
    }
}

fn parse(line: &str) -> Option<(char, Pid)> {
    let sign = line.chars().next().filter(|sign| matches!(sign, '+' | '-'))?;
    Some((sign, Pid::from_raw(line.get(1..)?.parse().ok().filter(|pid| *pid > 1)?)?))
}
