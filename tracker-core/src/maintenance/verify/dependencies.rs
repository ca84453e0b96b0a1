//! What tasks have to do with others: batches, and who waits for whom.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableTable};

use super::Found;
use crate::{
    model::{
        error::Result,
        kind::Kind,
        task::TaskRef,
        transition::{Batch, DependencyEnd, Header, Roles},
    },
    storage::{
        definitions,
        keys::{DependencyKey, MemberKey},
        tables::Tables,
    },
};

/// What the headers say of it.
#[derive(Default)]
pub(super) struct DependencyCheck {
    tasks: BTreeSet<TaskRef>,
    waits: BTreeMap<TaskRef, u32>,
    watched: BTreeSet<TaskRef>,
    succeeded: BTreeSet<TaskRef>,
    members: BTreeSet<MemberKey>,
    counts: BTreeMap<u64, Roles<u64>>,
}

impl DependencyCheck {
    pub(super) fn add(&mut self, kind: &Kind, task: TaskRef, header: &Header, member: Option<MemberKey>) {
        let role = kind.rules(0).counts_as(header);
        self.tasks.insert(task);
        if header.waits > 0 {
            self.waits.insert(task, header.waits);
        }
        if header.watched {
            self.watched.insert(task);
        }
        if DependencyEnd::of(role) == Some(DependencyEnd::Satisfied) {
            self.succeeded.insert(task);
        }
        if let Some(member) = member {
            self.members.insert(member);
            self.counts.entry(member.batch).or_default()[role as usize] += 1;
        }
    }

    pub(super) fn compare(mut self, rows: &mut Tables<&ReadTransaction>, found: &mut Found) -> Result<()> {
        let txn = rows.source();
        let mut members = BTreeSet::new();
        for entry in txn.open_table(definitions::BATCH_MEMBERS)?.iter()? {
            members.insert(MemberKey::unpack(entry?.0.value()));
        }
        found.differ("tracker.batch_members", &self.members, &members);
        self.compare_batches(txn, rows, found)?;
        let untold = Self::untold(txn)?;
        self.compare_needs(txn, &untold, found)
    }

    fn untold(txn: &ReadTransaction) -> Result<BTreeSet<TaskRef>> {
        let mut untold = BTreeSet::new();
        for entry in txn.open_table(definitions::PROPAGATIONS)?.iter()? {
            untold.insert(TaskRef::unpack(entry?.0.value()));
        }
        Ok(untold)
    }

    fn compare_batches(
        &mut self,
        txn: &ReadTransaction,
        rows: &mut Tables<&ReadTransaction>,
        found: &mut Found,
    ) -> Result<()> {
        let mut labels = BTreeMap::new();
        let mut unfinished = BTreeSet::new();
        for entry in txn.open_table(definitions::BATCHES)?.iter()? {
            let number = entry?.0.value();
            let batch = match rows.batch(number) {
                Ok(Some(batch)) => batch,
                Ok(None) => continue,
                Err(error) => {
                    found.told("tracker.batches", error)?;
                    continue;
                }
            };
            let counts = self.counts.remove(&number).unwrap_or_default();
            if counts != batch.members {
                found.add("tracker.batches", format!("batch {number} has {counts:?}, and says {:?}", batch.members));
            }
            self.add_batch(number, &batch, found);
            if batch.finished.is_none() {
                unfinished.insert(number);
            }
            labels.insert(batch.label, number);
        }
        for batch in self.counts.keys() {
            found.add("tracker.batches", format!("batch {batch} is missing, and has tasks"));
        }
        let mut actual = BTreeMap::new();
        for entry in txn.open_table(definitions::BATCH_LABELS)?.iter()? {
            let (label, number) = entry?;
            actual.insert(label.value().to_owned(), number.value());
        }
        found.differ_in("tracker.batch_labels", &labels, &actual);
        for entry in txn.open_table(definitions::FOLLOW_UPS)?.iter()? {
            let number = entry?.0.value();
            if !unfinished.contains(&number) {
                found.add("tracker.follow_ups", format!("batch {number} is over or gone, and has one"));
            }
        }
        Ok(())
    }

    /// A batch stands among the tasks where it is waited for.
    fn add_batch(&mut self, number: u64, batch: &Batch, found: &mut Found) {
        let stands = TaskRef::of_batch(number);
        self.tasks.insert(stands);
        if batch.watched {
            self.watched.insert(stands);
        }
        if batch.news() == Some(DependencyEnd::Satisfied) {
            self.succeeded.insert(stands);
        }
        if batch.news().is_some() && batch.finished.is_none() {
            found.add("tracker.batches", format!("batch {number} is over, and does not know it"));
        }
    }

    fn compare_needs(&self, txn: &ReadTransaction, untold: &BTreeSet<TaskRef>, found: &mut Found) -> Result<()> {
        let (mut needs, mut dependents, mut waits) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for entry in txn.open_table(definitions::DEPENDENCIES)?.iter()? {
            let (key, otherwise) = entry?;
            let need = DependencyKey::unpack(key.value());
            *waits.entry(need.from).or_default() += 1;
            if !untold.contains(&need.to) {
                if !self.tasks.contains(&need.to) || !self.watched.contains(&need.to) {
                    found.add("tracker.dependencies", format!("{need:?}: that one is gone, or does not know it"));
                }
                if self.succeeded.contains(&need.to) {
                    found.add("tracker.dependencies", format!("{need:?}: that one has succeeded"));
                }
            }
            needs.insert(need, otherwise.value());
        }
        for entry in txn.open_table(definitions::DEPENDENTS)?.iter()? {
            let (key, otherwise) = entry?;
            dependents.insert(DependencyKey::unpack(key.value()).turned(), otherwise.value());
        }
        found.differ_in("tracker.dependents", &needs, &dependents);
        found.differ_in("tracker.headers", &waits, &self.waits);
        Ok(())
    }
}
