//! Checks batches and dependencies against the headers. Called by `verify`; reads only.

use std::collections::{BTreeMap, BTreeSet};

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
        tables::{Reading, Source, Tables},
    },
};

/// The dependencies and batches according to the headers.
#[derive(Default)]
pub(super) struct DependencyCheck {
    tasks: BTreeSet<TaskRef>,
    waits: BTreeMap<TaskRef, u32>,
    with_dependents: BTreeSet<TaskRef>,
    succeeded: BTreeSet<TaskRef>,
    members: BTreeSet<MemberKey>,
    counts: BTreeMap<u64, Roles<u64>>,
}

impl DependencyCheck {
    pub(super) fn add(&mut self, kind: &Kind, task: TaskRef, header: &Header, member: Option<MemberKey>) {
        let role = kind.rules(0).overall_role(header);
        self.tasks.insert(task);
        if header.waits > 0 {
            self.waits.insert(task, header.waits);
        }
        if header.has_dependents {
            self.with_dependents.insert(task);
        }
        if DependencyEnd::of(role) == Some(DependencyEnd::Satisfied) {
            self.succeeded.insert(task);
        }
        if let Some(member) = member {
            self.members.insert(member);
            self.counts.entry(member.batch).or_default()[role as usize] += 1;
        }
    }

    pub(super) fn compare(mut self, rows: &mut Tables<Reading<'_>>, found: &mut Found) -> Result<()> {
        let source = rows.source();
        let mut members = BTreeSet::new();
        for entry in source.open(definitions::BATCH_MEMBERS)?.rows()? {
            members.insert(MemberKey::unpack(entry?.0.value()));
        }
        found.differ("tracker.batch_members", &self.members, &members);
        self.compare_batches(source, rows, found)?;
        let propagating = Self::propagating(source)?;
        self.compare_dependencies(source, &propagating, found)
    }

    fn propagating(source: Reading<'_>) -> Result<BTreeSet<TaskRef>> {
        let mut propagating = BTreeSet::new();
        for entry in source.open(definitions::PROPAGATIONS)?.rows()? {
            propagating.insert(TaskRef::unpack(entry?.0.value()));
        }
        Ok(propagating)
    }

    fn compare_batches(
        &mut self,
        source: Reading<'_>,
        rows: &mut Tables<Reading<'_>>,
        found: &mut Found,
    ) -> Result<()> {
        let mut labels = BTreeMap::new();
        let mut unfinished = BTreeSet::new();
        for entry in source.open(definitions::BATCHES)?.rows()? {
            let number = entry?.0.value();
            let batch = match rows.batch(number) {
                Ok(Some(batch)) => batch,
                Ok(None) => continue,
                Err(error) => {
                    found.add_error("tracker.batches", error)?;
                    continue;
                }
            };
            let counts = self.counts.remove(&number).unwrap_or_default();
            if counts != batch.members {
                found.add(
                    "tracker.batches",
                    format!("batch {number} has {counts:?}, but its row counts {:?}", batch.members),
                );
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
        for entry in source.open(definitions::BATCH_LABELS)?.rows()? {
            let (label, number) = entry?;
            actual.insert(label.value().to_owned(), number.value());
        }
        found.differ_in("tracker.batch_labels", &labels, &actual);
        for entry in source.open(definitions::FOLLOW_UPS)?.rows()? {
            let number = entry?.0.value();
            if !unfinished.contains(&number) {
                found.add("tracker.follow_ups", format!("batch {number} is over or gone, and has one"));
            }
        }
        Ok(())
    }

    /// Dependents wait for a batch as for a task: it has the place of a task here.
    fn add_batch(&mut self, number: u64, batch: &Batch, found: &mut Found) {
        let target = TaskRef::of_batch(number);
        self.tasks.insert(target);
        if batch.has_dependents {
            self.with_dependents.insert(target);
        }
        if batch.end() == Some(DependencyEnd::Satisfied) {
            self.succeeded.insert(target);
        }
        if batch.end().is_some() && batch.finished.is_none() {
            found.add("tracker.batches", format!("batch {number} is over, but its row has no end"));
        }
    }

    fn compare_dependencies(
        &self,
        source: Reading<'_>,
        propagating: &BTreeSet<TaskRef>,
        found: &mut Found,
    ) -> Result<()> {
        let (mut dependencies, mut dependents, mut waits) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for entry in source.open(definitions::DEPENDENCIES)?.rows()? {
            let (key, on_failure) = entry?;
            let dependency = DependencyKey::unpack(key.value());
            *waits.entry(dependency.from).or_default() += 1;
            if !propagating.contains(&dependency.to) {
                if !self.tasks.contains(&dependency.to) || !self.with_dependents.contains(&dependency.to) {
                    found.add(
                        "tracker.dependencies",
                        format!("{dependency:?}: the dependency is deleted, or not marked as having dependents"),
                    );
                }
                if self.succeeded.contains(&dependency.to) {
                    found.add("tracker.dependencies", format!("{dependency:?}: the dependency has succeeded"));
                }
            }
            dependencies.insert(dependency, on_failure.value());
        }
        for entry in source.open(definitions::DEPENDENTS)?.rows()? {
            let (key, on_failure) = entry?;
            dependents.insert(DependencyKey::unpack(key.value()).reversed(), on_failure.value());
        }
        found.differ_in("tracker.dependents", &dependencies, &dependents);
        found.differ_in("tracker.headers", &waits, &self.waits);
        Ok(())
    }
}
