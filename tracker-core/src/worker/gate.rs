use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who may begin. A suspect, a task that may have killed processes, runs alone: the others end first, and none begins
/// beside it.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// A suspect is next in line.
    draining: bool,
    /// A suspect runs.
    alone: bool,
}

/// How a thread may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Any task that is no suspect.
    Open,
    /// A suspect: nothing else runs.
    Alone,
    /// Nothing, for now.
    Closed,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a place; one that is given must be left.
    pub(super) fn enter(&self) -> Entry {
        let mut state = self.lock();
        if state.alone || (state.draining && state.running > 0) {
            return Entry::Closed;
        }
        state.running += 1;
        if state.draining {
            state.alone = true;
            Entry::Alone
        } else {
            Entry::Open
        }
    }

    /// Whether a thread that has a place may go on with a further task.
    pub(super) fn may_go_on(&self) -> bool {
        let state = self.lock();
        !state.draining && !state.alone
    }

    /// A suspect was seen at the head of the line.
    pub(super) fn drain(&self) {
        self.lock().draining = true;
    }

    pub(super) fn leave(&self, entry: Entry) {
        let mut state = self.lock();
        state.running = state.running.saturating_sub(1);
        if entry == Entry::Alone {
            state.alone = false;
            state.draining = false;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().running == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspect_waits_for_the_others_and_runs_alone() {
        let gate = Gate::default();
        assert!(gate.is_empty());
        assert_eq!(gate.enter(), Entry::Open);
        assert!(gate.may_go_on() && !gate.is_empty());
        gate.drain();
        assert_eq!(gate.enter(), Entry::Closed);
        assert!(!gate.may_go_on(), "it waits for those who are at work");
        gate.leave(Entry::Open);
        assert_eq!(gate.enter(), Entry::Alone);
        assert_eq!(gate.enter(), Entry::Closed);
        assert!(!gate.may_go_on() && !gate.is_empty());
        gate.leave(Entry::Alone);
        assert!(gate.may_go_on() && gate.is_empty());
        assert_eq!(gate.enter(), Entry::Open);
    }
}
