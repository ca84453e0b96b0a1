//! The option `--slots`: commands of all runs on this machine that share a name, at most so many at once. Used by `runner`.
//!
//! A slot is a file in a private folder of this user, and the command that holds the slot has the file locked (`flock`). The kernel
//! drops a lock with the last process that has it: the run, and the processes of the command, which inherit it. So a slot of a killed run
//! is free when its commands are gone, and nothing is left to clean up.

mod arg;
mod folder;
mod folder_watch;
mod pool;
mod slot_files;

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

pub use self::{arg::SlotsArg, slot_files::HeldSlot};
use self::{
    pool::SlotPool,
    slot_files::{OpenError, SlotFiles},
};
use crate::{commands::launch, error::CliError};

/// The environment variable that has the slots of a command, as `NAME=NUMBER` separated by spaces.
pub const VARIABLE: &str = "TRACKER_SLOTS";

/// The most names of one run: a command inherits a file for each.
const MAX_NAMES: usize = launch::MAX_FILES;

/// The shortest time between two reports of a wait.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// The slots that each command of this run needs, by name.
pub struct MachineSlots {
    /// In the order of the names. All runs take slots in this order, so that no two wait for each other.
    pools: BTreeMap<String, SlotPool>,
    /// The slots of the command that this run itself is a part of.
    outer: OsString,
    reported: Mutex<Option<Instant>>,
}

impl MachineSlots {
    /// Registers this run as a user of the names.
    pub fn open(slots: &[SlotsArg]) -> Result<Self, CliError> {
        let outer = env::var_os(VARIABLE).unwrap_or_default();
        check(slots, &outer.to_string_lossy()).map_err(CliError::usage)?;
        let mut pools = BTreeMap::new();
        for SlotsArg { name, count } in slots {
            let files = folder::of_name(name)
                .map_err(OpenError::Folder)
                .and_then(|folder| SlotFiles::open(folder, *count))
                .map_err(|error| error.describe(name, *count))?;
            pools.insert(name.clone(), SlotPool::new(name, files));
        }
        Ok(Self { pools, outer, reported: Mutex::new(None) })
    }

    /// Waits for a slot of each name. Returns `None` if the run stops before. Long waits for other runs are reported.
    pub fn acquire(&self, is_stopped: impl Fn() -> bool, report: impl Fn(&str)) -> io::Result<Option<Vec<HeldSlot>>> {
        let report = |reason: &str| {
            let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
            if reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
                *reported = Some(Instant::now());
                report(&format!("no command starts now: {reason}"));
            }
        };
        self.pools.values().map(|pool| pool.acquire(&is_stopped, &report)).collect()
    }

    /// The value of [`VARIABLE`] for a command; `None` if the run has no slots.
    pub fn variable(&self, held: &[HeldSlot]) -> Option<OsString> {
        if held.is_empty() {
            return None;
        }
        let mut value = self.outer.clone();
        for slot in held {
            if !value.is_empty() {
                value.push(" ");
            }
            value.push(format!("{}={}", slot.name(), slot.number()));
        }
        Some(value)
    }
}

/// Refuses options that contradict each other, and slots that an enclosing command holds: the run would wait for its own end.
fn check(slots: &[SlotsArg], outer: &str) -> Result<(), String> {
    let held: Vec<_> = outer.split(' ').filter_map(|slot| Some(slot.split_once('=')?.0)).collect();
    for (at, SlotsArg { name, .. }) in slots.iter().enumerate() {
        if slots.iter().take(at).any(|earlier| earlier.name == *name) {
            return Err(format!("--slots {name} is given twice: a command holds one slot of a name"));
        }
        if held.contains(&name.as_str()) {
            return Err(format!(
                "--slots {name}: this run is part of a command that holds a slot of {name} ({VARIABLE}={outer}), and would \
                 wait for itself: use another name, or unset {VARIABLE} if that command has ended"
            ));
        }
    }
    if slots.len() > MAX_NAMES {
        return Err(format!("--slots is given for {} names; the limit is {MAX_NAMES}", slots.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(texts: &[&str]) -> Vec<SlotsArg> {
        texts.iter().map(|text| text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))).collect()
    }

    #[test]
    fn contradictory_and_enclosed_slots_are_refused() {
        let checked = |texts: &[&str], outer: &str| check(&slots(texts), outer).err().unwrap_or_default();
        assert_eq!(checked(&["a=1", "b=1"], "c=1 ab=2"), "");
        assert!(checked(&["a=1", "b=1", "a=1"], "").contains("a is given twice"));
        assert!(checked(&["a=1", "b=1"], "c=1 b=2").contains("b: this run is part of a command"));
        let many: Vec<_> = (0..=MAX_NAMES).map(|number| format!("n{number}=1")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(checked(&many, "").contains("the limit is 16"));
        assert_eq!(checked(&many[1..], ""), "");
    }
}
