//! The hidden command `guard`: a process beside `tracker run` that kills the commands of a killed run. Started by `run/guard_process`; reads
//! its standard input, and kills process groups.

use std::{
    collections::HashSet,
    io::{self, BufRead},
    sync::{Arc, atomic::AtomicBool},
};

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::{error::CliError, exit::Exit, output::Output};

/// Kills the process groups that a dead `tracker run` has left
///
/// `run` starts the guard and writes to its standard input which groups begin (`+PID`) and end (`-PID`). At the end of the
/// input the run has ended, and the guard kills the remaining groups, so that a line never runs twice at the same time.
/// The guard ignores signals that ask it to end.
#[derive(clap::Args)]
pub struct Args {}

impl Args {
    #[expect(clippy::unused_self, reason = "all commands have one shape")]
    pub fn run(&self, _: &Output) -> Result<Exit, CliError> {
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
        }
        let mut groups = HashSet::new();
        for line in io::stdin().lock().lines() {
            // The last line may be incomplete.
            let Some((sign, pid)) = line.ok().as_deref().and_then(parse) else { continue };
            if sign == '+' {
                groups.insert(pid);
            } else {
                groups.remove(&pid);
            }
        }
        for group in groups {
            // The group may have ended already.
            let _ = kill_process_group(group, Signal::KILL);
        }
        Ok(Exit::Success)
    }
}

fn parse(line: &str) -> Option<(char, Pid)> {
    let sign = line.chars().next().filter(|sign| matches!(sign, '+' | '-'))?;
    Some((sign, Pid::from_raw(line.get(1..)?.parse().ok().filter(|pid| *pid > 1)?)?))
}
