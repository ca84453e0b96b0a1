//! `tracker run`, with real commands, kills and signals.

mod attempts;
mod beside_parallel;
mod command_ends;
mod command_output;
mod documented;
mod inputs;
mod kills;
mod line_numbers;
mod lines;
mod logs;
mod notify;
mod orphans;
mod output_order;
mod results;
mod scheduled;
mod shell;
mod signals;
mod slots;
mod start_limits;
mod starts;
mod trace;
mod tty;

use std::{
    fs,
    path::Path,
    process::{Child, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use crate::fixture::{Fixture, Ran, until};

impl Fixture {
    /// Starts the program and does not wait.
    fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The output of `--plan` for these arguments, which must not name it themselves.
    fn plan(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["run", "jobs.redb", "--plan", "--json"], arguments].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"))
    }

    /// The lines of a file that commands write.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn finish(child: Child) -> Ran {
    Output::into(child.wait_with_output().unwrap())
}

/// The process whose number a command has written.
fn process_in(path: &Path) -> Pid {
    let read = || fs::read_to_string(path).ok().and_then(|text| text.trim_end_matches('\n').parse().ok());
    let mut pid = None;
    until("a command writes the number of a process", || {
        pid = fs::read(path).is_ok_and(|text| text.ends_with(b"\n")).then(read).flatten();
        pid.is_some()
    });
    Pid::from_raw(pid.unwrap()).unwrap()
}

/// Whether a process runs: a dead one that is not reaped yet does not.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let is_dead = stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')));
    test_kill_process(pid).is_ok() && !is_dead
}
