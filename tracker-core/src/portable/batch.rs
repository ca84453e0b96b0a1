//! Converts batches, with their counters and follow-up, to JSON and back. Called by `line`, `export` and `import`; `put` runs the code of open
//! types for a follow-up and the user's function of `Options::redact`, and writes through `Writer`.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    imported_task::check_imported_id,
    payload::{Keys, PortablePayload},
    task::HexNumber,
    timestamp::{Recorded, Timestamp},
    value::PortableId,
};
use crate::{
    api::{batch::check_label, shared::Shared},
    engine::Writer,
    model::{
        bounds::TEXT,
        error::{Error, Result},
        kind::Kind,
        kinds::Kinds,
        new_task::NewTask,
        payload::Payload,
        status::Role,
        transition::{Batch, CompletionRate, DependencyEnd, Roles, Submit},
    },
};

/// The line of a batch, which comes before its tasks: everything that the lines of its tasks lack.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableBatch {
    /// Its label. The batch is open until a [`PortableSeal`].
    pub open_batch: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    /// When it was over for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished: Option<Timestamp>,
    /// How many tasks ended in each role, and were deleted or went to another batch since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    gone: BTreeMap<Role, u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pace: Option<PortableCompletionRate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    follow_up: Option<PortableFollowUp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    follow_up_refused: Option<String>,
}

/// Seals a batch. The line follows all tasks, so that the batch is not over too early.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableSeal {
    pub seal_batch: String,
}

/// The rate from which the remaining time is estimated.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortableCompletionRate {
    ends: u64,
    each_us: f64,
    last: Timestamp,
}

/// The task that is submitted when the batch is over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortableFollowUp {
    kind: String,
    /// Left out if it is generated when the task is submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<PortableId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<HexNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    indexes: Option<Keys>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uniques: Option<Keys>,
    payload: Payload,
}

/// A number of tasks that no batch has.
const TASKS: u64 = u64::MAX / 2;

impl PortableBatch {
    pub(super) fn of(kinds: &Kinds, batch: &Batch, follow_up: Option<&NewTask>) -> Self {
        let gone = Role::ALL.map(|role| (role, batch.gone[role as usize]));
        let rate = batch.throughput;
        Self {
            open_batch: batch.label.clone(),
            created: Some(Timestamp(batch.created)),
            finished: batch.finished.map(Timestamp),
            gone: gone.into_iter().filter(|(_, tasks)| *tasks > 0).collect(),
            pace: (rate.ends > 0).then_some(PortableCompletionRate {
                ends: rate.ends,
                each_us: rate.each,
                last: Timestamp(rate.last),
            }),
            follow_up: follow_up.and_then(|new| Some(PortableFollowUp::of(kinds.get(new.kind)?, new))),
            follow_up_refused: batch.refused.clone(),
        }
    }

    /// Makes the batch; false if there is one with this label, which stays as it is.
    pub(super) fn put(self, writer: &mut Writer<'_>, shared: &Shared, future: bool) -> Result<bool> {
        check_label(&self.open_batch)?;
        if writer.rows().with_label(&self.open_batch)?.is_some() {
            return Ok(false);
        }
        if self.finished.is_some() && self.follow_up.is_some() {
            return Err(Error::invalid("the batch was over, so its follow-up task has come: leave one of them out"));
        }
        let follow_up = self.follow_up.map(|line| line.new_task(writer, shared)).transpose()?;
        let times = Recorded { now: writer.now(), future };
        let recorded = |stamp: Timestamp, field| stamp.recorded(field, times).map_err(Error::invalid);
        let created = self.created.map_or(Ok(times.now), |stamp| recorded(stamp, "created"))?;
        let batch = Batch {
            created,
            finished: self.finished.map(|stamp| recorded(stamp, "finished")).transpose()?,
            gone: gone_counts(&self.gone)?,
            throughput: self.pace.map(|pace| pace.completion_rate(times)).transpose()?.unwrap_or_default(),
            refused: self.follow_up_refused.map(|why| shared.text(why, TEXT + 64)),
            ..Batch::new(&self.open_batch, created)
        };
        let guessed = follow_up.as_ref().and_then(|(new, guessed)| guessed.then_some(new.kind));
        writer.add_batch(batch, follow_up.as_ref().map(|(new, _)| new))?;
        guessed.map_or(Ok(()), |kind| writer.mark_stale(kind))?;
        Ok(true)
    }
}

impl PortableSeal {
    pub(super) fn of(batch: &Batch) -> Self {
        Self { seal_batch: batch.label.clone() }
    }

    pub(super) fn put(&self, writer: &mut Writer<'_>) -> Result<()> {
        let label = &self.seal_batch;
        match writer.rows().with_label(label)? {
            Some(number) => writer.seal(number, true),
            None => Err(Error::invalid(format!("there is no batch {label:?} to seal: put its line before"))),
        }
    }
}

/// Counts the deleted tasks of a batch by role, and checks what a line says of them.
fn gone_counts(counts: &BTreeMap<Role, u64>) -> Result<Roles<u64>> {
    let mut gone = Roles::default();
    let mut all: u64 = 0;
    for (role, tasks) in counts {
        if DependencyEnd::of(*role).is_none() {
            return Err(Error::invalid(format!("\"gone\" counts tasks that have ended, and those {role} have not")));
        }
        all = all.saturating_add(*tasks);
        gone[*role as usize] = *tasks;
    }
    if all > TASKS {
        return Err(Error::invalid(format!("\"gone\" counts {all} tasks, more than any batch has had")));
    }
    Ok(gone)
}

impl PortableCompletionRate {
    fn completion_rate(self, times: Recorded) -> Result<CompletionRate> {
        if !(self.each_us.is_finite() && self.each_us >= 0.0) {
            return Err(Error::invalid("the pace's \"each_us\" is a number of microseconds, not below 0"));
        }
        let last = self.last.recorded("last", times).map_err(Error::invalid)?;
        Ok(CompletionRate { ends: self.ends, each: self.each_us, last })
    }
}

impl PortableFollowUp {
    fn of(kind: &Kind, new: &NewTask) -> Self {
        let PortablePayload { indexes, uniques, payload } =
            PortablePayload::of(kind, (&new.indexes, &new.uniques), &new.payload);
        Self {
            kind: kind.name.clone(),
            id: new.id.clone().map(PortableId),
            priority: Some(new.submit.priority),
            due: new.submit.due.map(Timestamp),
            fingerprint: new.submit.fingerprint.map(HexNumber),
            indexes,
            uniques,
            payload,
        }
    }

    /// The task, and whether its keys are guessed.
    fn new_task(self, writer: &Writer<'_>, shared: &Shared) -> Result<(NewTask, bool)> {
        let kind: Option<Arc<Kind>> = writer.kinds().find(|kind| kind.name == self.kind);
        let kind = kind.ok_or_else(|| {
            Error::invalid(format!(
                "the file has no kind {:?} of its follow-up task: put its definition before",
                self.kind
            ))
        })?;
        let id = self.id.map(|id| id.0);
        if let Some(id) = &id {
            check_imported_id(shared, &kind, id)?;
        }
        let line = PortablePayload { indexes: self.indexes, uniques: self.uniques, payload: self.payload };
        let typed = shared.open.typed(&kind.name);
        let own = typed.filter(|_| self.priority.is_none()).and_then(|typed| typed(line.payload.as_bytes()));
        let own = own.and_then(|own| own.priority);
        let keyed = line.keyed(&kind, id.as_ref(), typed)?;
        let submit = Submit {
            due: self.due.map(|stamp| stamp.0),
            priority: self.priority.or(own).unwrap_or(kind.policy.priority),
            sets_priority: true,
            fingerprint: self.fingerprint.map(|stated| stated.0).or(keyed.fingerprint),
            batch: None,
            scheduled_at: None,
            max_wait: None,
            trace: None,
        };
        let (indexes, uniques) = keyed.values;
        let new = NewTask {
            kind: kind.id,
            id,
            indexes,
            uniques,
            payload: keyed.payload,
            submit,
            throttle: None,
            dependencies: Vec::new(),
        };
        Ok((new, keyed.guessed))
    }
}
