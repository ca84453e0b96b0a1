use std::sync::Arc;

use uuid::Uuid;

use super::{Action, Claimed};
use crate::{
    disk::keys::TaskRef,
    engine::writer::Writer,
    error::{Reason, Result},
    rules::{Command, Start, Submit, Told},
    store::{Body, Kind},
    task::{TaskId, TaskKey},
};

/// A task to be submitted.
#[derive(Clone, Debug)]
pub(crate) struct NewTask {
    pub kind: u32,
    /// `None` where ids are generated.
    pub id: Option<TaskKey>,
    pub indexes: Vec<Vec<u8>>,
    pub uniques: Vec<Vec<u8>>,
    pub payload: Vec<u8>,
    pub submit: Submit,
}

/// The row that a submit found or made.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    pub task: TaskRef,
    pub id: TaskKey,
    pub told: Told,
}

impl NewTask {
    fn body(&self, id: TaskKey) -> Body {
        Body { id, indexes: self.indexes.clone(), uniques: self.uniques.clone(), payload: self.payload.clone() }
    }

    /// The row that has this id or one of these keys.
    fn matching(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<Option<TaskRef>> {
        let mut found = match &self.id {
            Some(id) => writer.rows().with_id(self.kind, id)?,
            None => None,
        };
        for (number, value) in (0..).zip(&self.uniques).filter(|(_, value)| !value.is_empty()) {
            let holder = writer.rows().with_unique(self.kind, number, value)?;
            match (found, holder) {
                (Some(one), Some(other)) if one != other => {
                    let id = self.id.clone().unwrap_or_else(|| "(new)".to_key());
                    let other = writer.rows().body_of(other)?.id;
                    return Err(kind.refuse(id, Reason::Conflict { other }));
                }
                _ => found = found.or(holder),
            }
        }
        Ok(found)
    }
}

impl NewTask {
    /// Ends the lease of whoever holds one of the passing keys, if it ran out: it may have been the task's last.
    fn free(&self, writer: &mut Writer<'_>) -> Result<()> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        for ((number, value), (_, passing)) in (0..).zip(&self.uniques).zip(&kind.uniques) {
            if !passing || value.is_empty() {
                continue;
            }
            if let Some(task) = writer.rows().with_unique(kind.id, number, value)? {
                writer.free(&kind, task)?;
            }
        }
        Ok(())
    }

    /// Puts it in, as one of several steps of an action.
    pub(super) fn put(&self, writer: &mut Writer<'_>) -> Result<Submitted> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        let command = Command::Submit(self.submit.clone());
        let Some(task) = self.matching(writer, &kind)? else {
            let id = self.id.clone().unwrap_or_else(|| Uuid::now_v7().to_key());
            let task = kind.task(writer.new_seq());
            let body = self.body(id.clone());
            writer.decide(&kind, task, None, &command, Some(&body), &id)?;
            return Ok(Submitted { task, id, told: Told::New });
        };
        let header = writer.header(task)?;
        let id = writer.rows().body_of(task)?.id;
        // Found by a unique key under another id: the row stays as it is, its id is in its payload.
        if self.id.as_ref().is_some_and(|own| *own != id) {
            return Ok(Submitted { task, id, told: Told::Existing });
        }
        let body = self.body(id.clone());
        let done = writer.decide(&kind, task, header.as_ref(), &command, Some(&body), &id)?;
        Ok(Submitted { task, id, told: done.told })
    }
}

impl Action for NewTask {
    type Out = Submitted;

    fn run(&self, writer: &mut Writer<'_>) -> Result<Submitted> {
        self.free(writer)?;
        self.put(writer)
    }
}

/// Submit and start in one commit.
pub(crate) struct SubmitAndStart {
    pub new: NewTask,
    pub start: Start,
}

impl Action for SubmitAndStart {
    type Out = (Submitted, Claimed);

    fn run(&self, writer: &mut Writer<'_>) -> Result<Self::Out> {
        self.new.free(writer)?;
        writer.all_or_nothing(|writer| {
            let submitted = self.new.put(writer)?;
            let kind = writer.kind(self.new.kind)?;
            let claimed = super::claim::start(writer, &kind, submitted.task, &submitted.id, &self.start)?;
            Ok((submitted, claimed))
        })
    }
}
