use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who may begin. A isolated, a task that may have killed processes, runs alone: the others end first, and none begins
/// beside it.
#[derive(Debug, Default)]
pub(super) struct Isolation(Mutex<IsolationState>);

#[derive(Debug, Default)]
struct IsolationState {
    running: usize,
    /// A isolated is next in line.
    draining: bool,
    /// A isolated runs.
    alone: bool,
}

/// How a thread may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsolationEntry {
    /// Any task that is no isolated.
    Open,
    /// A isolated: nothing else runs.
    Alone,
    /// Nothing, for now.
    Closed,
}

impl Isolation {
    fn lock(&self) -> MutexGuard<'_, IsolationState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a place; one that is given must be left.
    pub(super) fn enter(&self) -> IsolationEntry {
        let mut state = self.lock();
        if state.alone || (state.draining && state.running > 0) {
            return IsolationEntry::Closed;
        }
        state.running += 1;
        if state.draining {
            state.alone = true;
            IsolationEntry::Alone
        } else {
            IsolationEntry::Open
        }
    }

    /// Whether a thread that has a place may go on with a further task.
    pub(super) fn may_go_on(&self) -> bool {
        let state = self.lock();
        !state.draining && !state.alone
    }

    /// A isolated was seen at the head of the line.
    pub(super) fn drain(&self) {
        self.lock().draining = true;
    }

    pub(super) fn leave(&self, entry: IsolationEntry) {
        let mut state = self.lock();
        state.running = state.running.saturating_sub(1);
        if entry == IsolationEntry::Alone {
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
        let isolation = Isolation::default();
        assert!(isolation.is_empty());
        assert_eq!(isolation.enter(), IsolationEntry::Open);
        assert!(isolation.may_go_on() && !isolation.is_empty());
        isolation.drain();
        assert_eq!(isolation.enter(), IsolationEntry::Closed);
        assert!(!isolation.may_go_on(), "it waits for those who are at work");
        isolation.leave(IsolationEntry::Open);
        assert_eq!(isolation.enter(), IsolationEntry::Alone);
        assert_eq!(isolation.enter(), IsolationEntry::Closed);
        assert!(!isolation.may_go_on() && !isolation.is_empty());
        isolation.leave(IsolationEntry::Alone);
        assert!(isolation.may_go_on() && isolation.is_empty());
        assert_eq!(isolation.enter(), IsolationEntry::Open);
    }
}
