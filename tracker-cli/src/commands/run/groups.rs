use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::guard::Guard;

/// The process groups of the commands that run: ended when their time is over, when the run is stopped, and, by a guard
/// of another process, when this one is killed.
pub struct Groups {
    state: Mutex<State>,
    changed: Condvar,
    /// Between the request to end and the end by force.
    grace: Duration,
    guard: Mutex<Guard>,
}

#[derive(Default)]
struct State {
    running: HashMap<Pid, Group>,
    stopped: bool,
    closed: bool,
}

struct Group {
    /// When its time is over.
    deadline: Option<Instant>,
    ended: Option<(Cause, Instant)>,
}

/// Why a group was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Overtime,
    Stopped,
    /// It was stopped by this signal because it used the terminal, which it does not have.
    NeedsTerminal(i32),
}

impl Groups {
    pub fn new(grace: Duration) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), grace, guard: Mutex::new(Guard::start()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A group has begun. It has the number of its first process, which must not be reaped before [`Self::leave`].
    pub fn enter(&self, group: Pid, limit: Option<Duration>) {
        self.guard().add(group);
        let mut state = self.lock();
        let now = Instant::now();
        let mut entered = Group { deadline: limit.and_then(|limit| now.checked_add(limit)), ended: None };
        if state.stopped {
            entered.end(group, Cause::Stopped, now);
        }
        state.running.insert(group, entered);
        self.changed.notify_all();
    }

    /// The first process of the group has ended, and is yet to be reaped. What is left of a group that was ended goes
    /// with it; says why it was.
    pub fn leave(&self, group: Pid) -> Option<Cause> {
        let left = self.lock().running.remove(&group);
        let ended = left.and_then(|group| group.ended).map(|(cause, _)| cause);
        if ended.is_some() {
            kill(group, Signal::KILL);
        }
        self.guard().remove(group);
        ended
    }

    /// Ends all that run, and all that will begin. Asked a second time, it does so by force.
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

    /// Ends one group.
    pub fn end(&self, group: Pid, cause: Cause) {
        let mut state = self.lock();
        if let Some(running) = state.running.get_mut(&group).filter(|running| running.ended.is_none()) {
            running.end(group, cause, Instant::now());
        }
        self.changed.notify_all();
    }

    /// Ends what is over its time, until [`Self::close`].
    pub fn watch(&self) {
        let mut state = self.lock();
        while !state.closed {
            let now = Instant::now();
            let next = state.running.iter_mut().filter_map(|(pid, group)| group.tend(*pid, now, self.grace)).min();
            let wait = next.map_or(Duration::from_secs(3600), |next| next.saturating_duration_since(now));
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn end(&mut self, pid: Pid, cause: Cause, now: Instant) {
        kill(pid, Signal::TERM);
        // A stopped process hears of it only when it goes on.
        kill(pid, Signal::CONT);
        self.ended = Some((cause, now));
    }

    /// Does what is due; when something will be.
    fn tend(&mut self, pid: Pid, now: Instant, grace: Duration) -> Option<Instant> {
        match (self.ended, self.deadline) {
            (Some((_, at)), _) => {
                let by_force = at.checked_add(grace)?;
                if now >= by_force {
                    kill(pid, Signal::KILL);
                    return None;
                }
                Some(by_force)
            }
            (None, Some(deadline)) if now >= deadline => {
                self.end(pid, Cause::Overtime, now);
                now.checked_add(grace)
            }
            (None, deadline) => deadline,
        }
    }
}

fn kill(group: Pid, signal: Signal) {
    // It may have ended by itself.
    let _ = kill_process_group(group, signal);
}
