//! `Pool`: the connections of a process: a bounded number of slots, each with at most one connection. Used by `Shared`; calls wait for a free
//! slot.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{sql::Sql, wire::connection::Connection};

/// A place for a connection. Its commits follow each other, so that one row of the server tells which was the last.
pub(crate) struct Slot {
    pub number: i32,
    /// Number of the last commit that was sent.
    pub batch: i64,
    /// How often the outcome of a commit was asked for.
    pub epoch: i64,
    pub connection: Option<Connection<Sql>>,
}

/// The slots of a process.
pub(crate) struct Pool {
    state: Mutex<State>,
    freed: Condvar,
    most: usize,
}

#[derive(Default)]
struct State {
    /// Slots that no unit uses. The last one was used last.
    free: Vec<Slot>,
    in_use: usize,
    /// The number of the next new slot.
    next: i32,
    is_closed: bool,
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    Closed,
    AllInUse,
}

impl Pool {
    pub(crate) fn new(most: usize) -> Self {
        Self { state: Mutex::default(), freed: Condvar::new(), most }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the list as it is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a slot; waits for one until the deadline.
    pub(crate) fn take(&self, deadline: Instant) -> Result<Slot, NoSlot> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return Err(NoSlot::Closed);
            }
            if let Some(slot) = state.free.pop() {
                state.in_use += 1;
                return Ok(slot);
            }
            if state.in_use < self.most {
                state.in_use += 1;
                return Ok(state.new_slot());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NoSlot::AllInUse);
            }
            state = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn give_back(&self, mut slot: Slot) {
        if slot.connection.as_ref().is_some_and(Connection::is_broken) {
            slot.connection = None;
        }
        let mut state = self.lock();
        state.in_use -= 1;
        if !state.is_closed {
            state.free.push(slot);
        }
        drop(state);
        self.freed.notify_one();
    }

    /// Takes the connection of a slot that no unit uses. A connection belongs to no slot: a slot only counts the commits on it.
    pub(crate) fn idle_connection(&self) -> Option<Connection<Sql>> {
        self.lock().free.iter_mut().rev().find_map(|slot| slot.connection.take())
    }

    /// Gives back a slot whose last commit has an unknown outcome: its number is not used again.
    pub(crate) fn retire(&self) {
        self.lock().in_use -= 1;
        self.freed.notify_one();
    }

    /// Ends the connections that no unit uses; the others end with their units.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let free = std::mem::take(&mut state.free);
        drop(state);
        self.freed.notify_all();
        drop(free);
    }
}

impl State {
    fn new_slot(&mut self) -> Slot {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        Slot { number, batch: 0, epoch: 0, connection: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_is_used_again() {
        let pool = Pool::new(1);
        let slot = pool.take(Instant::now()).ok();
        assert_eq!(pool.take(Instant::now()).err(), Some(NoSlot::AllInUse));
        pool.give_back(slot.unwrap_or_else(|| panic!("a slot")));
        assert_eq!(pool.take(Instant::now()).map(|slot| slot.number).ok(), Some(0));
        pool.retire();
        assert_eq!(pool.take(Instant::now()).map(|slot| slot.number).ok(), Some(1));
        pool.close();
        assert_eq!(pool.take(Instant::now()).err(), Some(NoSlot::Closed));
    }
}
