//! `ProcessGroups`: the process groups of running commands: ends them at their timeout and when the run stops. Called by `command` and
//! `run/mod`; kills processes.

use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::guard_process::GuardProcess;

/// A guard process ends them when this process is killed.
pub struct ProcessGroups {
    state: Mutex<State>,
    changed: Condvar,
    /// The time between the request to end and the kill.
    grace: Duration,
    guard: Mutex<GuardProcess>,
}

#[derive(Default)]
struct State {
    running: HashMap<Pid, Group>,
    stopped: bool,
    closed: bool,
}

struct Group {
    /// The end of its timeout.
    deadline: Option<Instant>,
    ended: Option<(Cause, Instant)>,
}

/// Why the run ended a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    TimedOut,
    Stopped,
    /// The group was stopped by this signal because it used the terminal.
    NeedsTerminal(i32),
}

impl ProcessGroups {
    pub fn new(grace: Duration) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), grace, guard: Mutex::new(GuardProcess::start()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a group by the number of its first process, which must not be reaped before [`Self::remove`].
    pub fn add(&self, group: Pid, timeout: Option<Duration>) {
        self.guard().add(group);
        let mut state = self.lock();
        let now = Instant::now();
        let mut added = Group { deadline: timeout.and_then(|timeout| now.checked_add(timeout)), ended: None };
        if state.stopped {
            added.end(group, Cause::Stopped, now);
        }
        state.running.insert(group, added);
        self.changed.notify_all();
    }

    /// Removes a group whose first process has ended. If the run ended the group, kills the rest of it, and returns why.
    pub fn remove(&self, group: Pid) -> Option<Cause> {
        let left = self.lock().running.remove(&group);
        let ended = left.and_then(|group| group.ended).map(|(cause, _)| cause);
        if ended.is_some() {
            kill(group, Signal::KILL);
        }
        self.guard().remove(group);
        ended
    }

    /// Asks all groups to end, also those that are added later. The second call kills them.
    pub fn stop(&self) {
        let mut state = self.lock();
        let (again, now) = (state.stopped, Instant::now());
        state.stopped = true;
        for (pid, group) in &mut state.running {
            if again {
                kill(*pid, Signal::KILL);
            } else if group.ended.is_none() {
                group.end(*pid, Cause::Stopped, now);
            }
        }
        self.changed.notify_all();
    }

    /// Asks one group to end.
    pub fn end(&self, group: Pid, cause: Cause) {
        let mut state = self.lock();
        if let Some(running) = state.running.get_mut(&group).filter(|running| running.ended.is_none()) {
            running.end(group, cause, Instant::now());
        }
        self.changed.notify_all();
    }

    /// Ends groups at their timeouts, until [`Self::close`].
    pub fn enforce_timeouts(&self) {
        let mut state = self.lock();
        while !state.closed {
            let now = Instant::now();
            let next = state.running.iter_mut().filter_map(|(pid, group)| group.enforce(*pid, now, self.grace)).min();
            let wait = next.map_or(Duration::from_secs(3600), |next| next.saturating_duration_since(now));
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn guard(&self) -> MutexGuard<'_, GuardProcess> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn end(&mut self, pid: Pid, cause: Cause, now: Instant) {
        kill(pid, Signal::TERM);
        // A stopped process handles the signal only after it continues.
        kill(pid, Signal::CONT);
        self.ended = Some((cause, now));
    }

    /// Ends or kills the group if it is time. Returns the next time to check.
    fn enforce(&mut self, pid: Pid, now: Instant, grace: Duration) -> Option<Instant> {
        match (self.ended, self.deadline) {
            (Some((_, at)), _) => {
                let kill_at = at.checked_add(grace)?;
                if now >= kill_at {
                    kill(pid, Signal::KILL);
                    return None;
                }
                Some(kill_at)
            }
            (None, Some(deadline)) if now >= deadline => {
                self.end(pid, Cause::TimedOut, now);
                now.checked_add(grace)
            }
            (None, deadline) => deadline,
        }
    }
}

fn kill(group: Pid, signal: Signal) {
    // The group may have ended already.
    let _ = kill_process_group(group, signal);
}
