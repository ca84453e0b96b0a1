use std::sync::Arc;

use super::Action;
use crate::{
    disk::keys::TaskRef,
    engine::writer::Writer,
    error::{Reason, Result},
    rules::{Command, Header},
    store::{Body, Kind, Progress},
    task::TaskKey,
};

/// Which task is meant.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Id(TaskKey),
    Known(TaskRef, TaskKey),
}

impl Target {
    /// The task's row and id; refused where there is none with this id.
    pub(crate) fn find(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<(TaskRef, TaskKey)> {
        match self {
            Self::Known(task, id) => Ok((*task, id.clone())),
            Self::Id(id) => {
                let found = writer.rows().with_id(kind.id, id)?;
                let task = found.ok_or_else(|| kind.refuse(id.clone(), Reason::NotFound))?;
                Ok((task, id.clone()))
            }
        }
    }
}

/// One command about one task.
#[derive(Clone, Debug)]
pub(crate) struct TaskCommand {
    pub kind: u32,
    pub target: Target,
    pub command: Command,
    /// The body that the command stores, if it does.
    pub body: Option<Body>,
    /// How far the attempt is, told along with a renewal.
    pub progress: Option<Progress>,
}

impl TaskCommand {
    pub(crate) fn new(kind: u32, target: Target, command: Command) -> Self {
        Self { kind, target, command, body: None, progress: None }
    }
}

impl Action for TaskCommand {
    /// The header afterwards; `None` if the task is gone.
    type Out = Option<Header>;

    fn run(&self, writer: &mut Writer<'_>) -> Result<Option<Header>> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        let (task, id) = self.target.find(writer, &kind)?;
        let header = writer.header(task)?;
        let mut command = self.command.clone();
        if let Command::Ignore { fence, .. } = &mut command {
            *fence = writer.take_fence();
        }
        let body = self.body.as_ref();
        let done = writer.decide(&kind, task, header.as_ref(), &command, body, &id)?;
        if let Some(progress) = &self.progress {
            writer.put_progress(&kind, task, &id, progress)?;
        }
        Ok(done.header)
    }
}
