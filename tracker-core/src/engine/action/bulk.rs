//! `SubmitMany` submits many tasks of a kind, whose payloads were encoded on the caller's thread (`Prepared`). Queued by `api/tasks/bulk`;
//! writes through `Writer`.

use std::sync::Arc;

use uuid::Uuid;

use super::Action;
use crate::{
    engine::writer::Writer,
    model::{
        error::{Error, Result},
        kind::Kind,
        kinds::Kinds,
        new_task::NewTask,
        task::{TaskId, TaskKey},
        task_row::TaskRow,
        throttle::Throttle,
        time::Micros,
        transition::{CommandResult, Submit},
    },
    storage::{encoding, read::expected_rows::ExpectedRows},
};

/// A task to be submitted, encoded on the thread of its caller.
pub(crate) struct Prepared {
    pub id: TaskKey,
    /// Whether the id was generated.
    generated: bool,
    pub indexes: Vec<Vec<u8>>,
    /// The payload record.
    pub record: Vec<u8>,
    pub submit: Submit,
    throttle: Option<Throttle>,
}

impl Prepared {
    pub(crate) fn new(new: NewTask) -> Result<Self> {
        let NewTask { id, indexes, uniques, payload, submit, throttle, .. } = new;
        let generated = id.is_none();
        let row = TaskRow { id: id.unwrap_or_else(|| Uuid::now_v7().to_key()), indexes, uniques, payload };
        let record = encoding::encode(&row)?;
        Ok(Self { id: row.id, generated, indexes: row.indexes, record, submit, throttle })
    }

    /// The task as a single submit, for tasks that the bulk write does not cover.
    fn decoded_task(&self, kind: &Kind) -> Result<NewTask> {
        let row: TaskRow =
            encoding::decode(&self.record).map_err(|what| Error::corrupted("tracker.payloads", &self.id, what))?;
        let TaskRow { id, indexes, uniques, payload } = row;
        let id = (!self.generated).then_some(id);
        Ok(NewTask {
            kind: kind.id,
            id,
            indexes,
            uniques,
            payload,
            submit: self.submit.clone(),
            throttle: self.throttle.clone(),
            dependencies: Vec::new(),
        })
    }
}

/// Submits many tasks of a kind. Returns a result for each.
pub(crate) struct SubmitMany {
    pub kind: u32,
    pub tasks: Vec<Prepared>,
}

impl Action for SubmitMany {
    type Out = Vec<Result<CommandResult>>;

    fn expect_rows(&self, _: &Kinds, _: Micros, rows: &mut ExpectedRows) {
        self.tasks.iter().for_each(|task| rows.id(self.kind, &task.id));
    }

    fn run(&self, writer: &mut Writer<'_>) -> Result<Self::Out> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        let plain = kind.is_plain() && self.tasks.iter().all(|task| task.throttle.is_none());
        let new = if plain { writer.put_new(&kind, &self.tasks)? } else { vec![false; self.tasks.len()] };
        let mut result = Vec::with_capacity(new.len());
        for (task, new) in self.tasks.iter().zip(new) {
            result.push(if new { Ok(CommandResult::New) } else { put_alone(writer, &kind, task)? });
        }
        Ok(result)
    }
}

/// The outer error concerns the transaction, the inner one the task.
fn put_alone(writer: &mut Writer<'_>, kind: &Kind, task: &Prepared) -> Result<Result<CommandResult>> {
    let new = task.decoded_task(kind)?;
    // The end of an expired lease stays, even if this submit is refused.
    new.end_expired_leases(writer)?;
    let before = writer.writes();
    match new.submit_if_room(writer) {
        Err(error) if writer.writes() != before || error.stops_a_batch() => Err(error),
        answer => Ok(answer.map(|submitted| submitted.result)),
    }
}
