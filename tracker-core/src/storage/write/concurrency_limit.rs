//! Limits per value of an index. The tasks of such a kind that a claim may come to stand in the line like all others, and
//! besides in a lane for each value. While a value has a slot free, the first task of its lane (one for each status and
//! priority) is a front. Claims look at the fronts instead of the line, so that they never walk past tasks that may not
//! start, however many there are.

use std::collections::BTreeSet;

use redb::{ReadableTable, WriteTransaction};

use super::change::TaskChange;
use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        task::TaskRef,
        task_row::TaskRow,
        transition::{Header, LATEST},
    },
    storage::{
        keys::{self, ClaimKey},
        order::position,
        tables::{Source, Tables},
    },
};

/// Where a task of a kind with a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LimitPlace {
    /// No claim comes to it.
    Out,
    /// In the lane of its value.
    KindRunner(ClaimKey),
    /// In a slot of its value.
    Slot,
}

impl Kind {
    /// Where a task of this kind stands beside the line: a function of its header alone.
    pub(crate) fn place(&self, task: TaskRef, header: &Header) -> LimitPlace {
        if header.lease.is_some() {
            return LimitPlace::Slot;
        }
        if !self.is_claimable(header.code) {
            return LimitPlace::Out;
        }
        match position(&self.graph, task, header).line {
            key if key.at > LATEST => LimitPlace::Out,
            key => LimitPlace::KindRunner(key),
        }
    }

    /// The value of a task that the kind's limit is about. Empty where it has none: such a task is not limited.
    pub(crate) fn limited_value<'b>(&self, body: &'b TaskRow) -> &'b [u8] {
        let value = self.limit().and_then(|(number, _)| body.indexes.get(number));
        value.map(Vec::as_slice).filter(|value| *value != NONE).unwrap_or_default()
    }
}

/// How `None` is encoded.
const NONE: &[u8] = &[0];

impl<S: Source> Tables<S> {
    /// How many tasks with this value are in progress.
    pub(crate) fn slots_taken(&mut self, kind: &Kind, value: &[u8]) -> Result<u64> {
        Ok(self.slots()?.get(keys::lane(kind.id, value).as_slice())?.map_or(0, |taken| taken.value()))
    }

    /// Whether no further task with this value may start.
    pub(crate) fn is_full(&mut self, kind: &Kind, value: &[u8]) -> Result<bool> {
        let Some((_, most)) = kind.limit().filter(|_| !value.is_empty()) else { return Ok(false) };
        Ok(self.slots_taken(kind, value)? >= u64::from(most))
    }

    /// Whether no further task with the value of this one may start.
    pub(crate) fn is_limited(&mut self, kind: &Kind, task: TaskRef) -> Result<bool> {
        let body = self.body_of(task)?;
        self.is_full(kind, kind.limited_value(&body))
    }

    /// The tasks of a lane that stand first for their status and priority; none while the value has no slot free.
    fn fronts_of(&mut self, kind: &Kind, value: &[u8]) -> Result<BTreeSet<ClaimKey>> {
        let mut fronts = BTreeSet::new();
        if self.is_full(kind, value)? {
            return Ok(fronts);
        }
        let lane = keys::lane(kind.id, value);
        let end = keys::lane_key(&lane, ClaimKey::last(kind.id, i32::MAX, u8::MAX));
        let mut from = Some(ClaimKey::first(kind.id, i32::MIN, 0));
        while let Some(first) = from {
            let start = keys::lane_key(&lane, first);
            let mut range = self.lanes()?.range::<&[u8]>(start.as_slice()..=end.as_slice())?;
            let Some(entry) = range.next() else { break };
            let key = keys::lane_place(kind.id, entry?.0.value())
                .ok_or_else(|| Error::corrupted("tracker.lanes", kind.id, "a key is too short"))?;
            if (key.code, key.rank) < (first.code, first.rank) {
                return Err(Error::corrupted("tracker.lanes", key.task(), "its rows are out of order"));
            }
            fronts.insert(key);
            from = match (key.rank.checked_add(1), key.code.checked_add(1)) {
                (Some(rank), _) => Some(ClaimKey::first(kind.id, key.code, rank)),
                (None, Some(code)) => Some(ClaimKey::first(kind.id, code, 0)),
                (None, None) => None,
            };
        }
        Ok(fronts)
    }
}

impl Tables<&WriteTransaction> {
    /// Moves a task between its lane and its slot, and brings the fronts of its values up to date.
    pub(crate) fn apply_lane(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange) -> Result<()> {
        if kind.limit().is_none() {
            return Ok(());
        }
        let place = |header: Option<&Header>| header.map_or(LimitPlace::Out, |header| kind.place(task, header));
        let (left, entered) = (place(change.old), place(change.new));
        if left == entered && change.new_body.is_none() {
            return Ok(());
        }
        let before = match (change.old_body, left) {
            (Some(body), _) => kind.limited_value(body).to_vec(),
            (None, LimitPlace::KindRunner(key)) => self.value_at(key)?,
            (None, _) => Vec::new(),
        };
        let after = change.new_body.map_or_else(|| before.clone(), |body| kind.limited_value(body).to_vec());
        let mut fronts = Vec::new();
        for value in BTreeSet::from([&before, &after]) {
            fronts.push((value, self.fronts_of(kind, value)?));
        }
        self.leave(kind, &before, left)?;
        self.enter(kind, &after, entered)?;
        for (value, old) in fronts {
            let new = self.fronts_of(kind, value)?;
            let table = self.fronts()?;
            for key in old.difference(&new) {
                table.remove(&key.pack())?;
            }
            for key in new.difference(&old) {
                table.insert(&key.pack(), value.as_slice())?;
            }
        }
        Ok(())
    }

    fn leave(&mut self, kind: &Kind, value: &[u8], place: LimitPlace) -> Result<()> {
        let lane = keys::lane(kind.id, value);
        match place {
            LimitPlace::Out => {}
            LimitPlace::KindRunner(key) => drop(self.lanes()?.remove(keys::lane_key(&lane, key).as_slice())?),
            LimitPlace::Slot => match self.slots_taken(kind, value)?.saturating_sub(1) {
                0 => drop(self.slots()?.remove(lane.as_slice())?),
                taken => drop(self.slots()?.insert(lane.as_slice(), taken)?),
            },
        }
        Ok(())
    }

    fn enter(&mut self, kind: &Kind, value: &[u8], place: LimitPlace) -> Result<()> {
        let lane = keys::lane(kind.id, value);
        match place {
            LimitPlace::Out => {}
            LimitPlace::KindRunner(key) => drop(self.lanes()?.insert(keys::lane_key(&lane, key).as_slice(), ())?),
            LimitPlace::Slot => {
                let taken = self.slots_taken(kind, value)?.saturating_add(1);
                self.slots()?.insert(lane.as_slice(), taken)?;
            }
        }
        Ok(())
    }

    /// The value of a front whose body cannot be read.
    fn value_at(&mut self, front: ClaimKey) -> Result<Vec<u8>> {
        let value = self.fronts()?.get(&front.pack())?;
        let value = value.ok_or_else(|| Error::corrupted("tracker.bodies", front.task(), "the task has no body"))?;
        Ok(value.value().to_vec())
    }

    /// Empties the lanes and slots of a kind whose limit changes, and the ring of its starts if the rate does.
    pub(crate) fn clear_lanes(&mut self, kind: u32) -> Result<()> {
        let (first, end) = (kind.to_be_bytes(), kind.saturating_add(1).to_be_bytes());
        self.lanes()?.retain_in::<&[u8], _>(&first[..]..&end[..], |_, ()| false)?;
        self.slots()?.retain_in::<&[u8], _>(&first[..]..&end[..], |_, _| false)?;
        let (first, last) = (ClaimKey::first(kind, i32::MIN, 0).pack(), ClaimKey::last(kind, i32::MAX, u8::MAX).pack());
        self.fronts()?.retain_in::<&[u8; ClaimKey::LEN], _>(&first..=&last, |_, _| false)?;
        Ok(())
    }
}
