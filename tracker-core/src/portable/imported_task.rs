//! `ImportedTask` is a task of an import, checked before it is stored. Used by `import`; `batch` uses its check of ids. Runs the code of open
//! types and the user's function of `Options::redact`, and writes through `Writer`.

use std::sync::Arc;

use super::{
    attempt::cut_texts,
    dependency::{AwaitedDependency, numbered},
    payload::PortablePayload,
    task::{PortableHistory, PortableTask},
    timestamp::Recorded,
};
use crate::{
    api::shared::Shared,
    engine::Writer,
    model::{
        error::{Error, Result},
        kind::Kind,
        task::TaskKey,
        transition::{Annotations, Command, Finish, Outcome, Owner, PayloadChange},
    },
    storage::read::{task_rows::TaskRows, type_check::check_id},
};

/// A task on its way from a line into the file.
pub(super) struct ImportedTask {
    pub kind: Arc<Kind>,
    pub id: TaskKey,
    pub line: PortableTask,
}

impl ImportedTask {
    /// The task of a line; `default` is the kind of those that name none.
    pub(super) fn of(writer: &Writer<'_>, line: PortableTask, default: Option<&String>) -> Result<Self> {
        let name = line
            .kind
            .as_ref()
            .or(default)
            .ok_or_else(|| Error::invalid("it names no kind: add \"kind\", or say of which kind such lines are"))?;
        let kind = writer.kinds().find(|kind| kind.name == *name).ok_or_else(|| {
            Error::invalid(format!(
                "the file has no kind {name:?}: put its definition before ({{\"define\": {name:?}, …}}), or open the kind with its type first"
            ))
        })?;
        let id = line.id.0.clone();
        Ok(Self { kind, id, line })
    }

    /// The names by which other lines wait for it or for its batch.
    pub(super) fn names(&self) -> Vec<AwaitedDependency> {
        let batch = self.line.batch.clone().map(AwaitedDependency::Batch);
        batch.into_iter().chain([AwaitedDependency::Task(self.kind.name.clone(), self.id.clone())]).collect()
    }

    /// Reserves its sequence number now, so that it keeps its place among the others when it is stored later.
    pub(super) fn reserve(&mut self, writer: &mut Writer<'_>) -> Result<()> {
        if self.line.reserved.is_none() {
            self.line.reserved = Some(writer.reserve_seq()?);
        }
        Ok(())
    }

    /// Returns whether its id is there already. A new id of another type than the open type declares is refused.
    pub(super) fn exists(&self, writer: &mut Writer<'_>, shared: &Shared) -> Result<bool> {
        let exists = writer.rows().with_id(self.kind.id, &self.id)?.is_some();
        if !exists {
            check_imported_id(shared, &self.kind, &self.id)?;
        }
        Ok(exists)
    }

    /// Its first dependency that is not in the file.
    pub(super) fn awaits(&self, writer: &mut Writer<'_>) -> Result<Option<AwaitedDependency>> {
        for dependency in &self.line.dependencies {
            let Some(awaited) = dependency.awaited()? else { continue };
            if awaited.new_dependency(writer, dependency.on_failure)?.is_none() {
                return Ok(Some(awaited));
            }
        }
        Ok(None)
    }

    /// Stores the task. The caller has looked up its id and its dependencies. Writes nothing if it is refused.
    pub(super) fn put(mut self, writer: &mut Writer<'_>, shared: &Shared, future: bool) -> Result<()> {
        let typed = shared.open.typed(&self.kind.name);
        let (kind, line) = (&self.kind, &mut self.line);
        let now = writer.now();
        let PortableHistory { mut header, mut past_attempts, fenceless } =
            line.header_and_history(kind, Recorded { now, future }).map_err(Error::invalid)?;
        let own = PortablePayload {
            indexes: line.indexes.take(),
            uniques: line.uniques.take(),
            payload: line.payload.clone(),
        };
        let keyed = own.keyed(kind, Some(&self.id), typed)?;
        header.fingerprint = header.fingerprint.or(keyed.fingerprint);
        if line.priority.is_none()
            && let Some(own) = typed.and_then(|typed| typed(line.payload.as_bytes()))
        {
            header.priority = own.priority.unwrap_or(kind.policy.priority);
        }
        past_attempts.iter_mut().chain(&mut header.last).for_each(|ended| cut_texts(shared, ended));
        let successor = line.successor.take().map(|line| line.keyed(kind, Some(&self.id), typed)).transpose()?;
        let guessed = keyed.guessed || successor.as_ref().is_some_and(|successor| successor.guessed);
        if fenceless {
            for ended in past_attempts.iter_mut().chain(&mut header.last) {
                ended.fence = writer.take_fence()?;
            }
        }
        let successor = successor.map(|keyed| keyed.task_row(&self.id));
        let task = kind.task(line.reserved.map_or_else(|| writer.new_seq(), Ok)?);
        let task_rows =
            TaskRows { task, header, row: keyed.task_row(&self.id), past_attempts, progress: None, successor };
        let task_rows = released(kind, task_rows, now)?;
        if self.line.batch.is_none() && self.line.dependencies.is_empty() {
            writer.put_imported(kind, &task_rows)?;
        } else {
            self.put_with_dependencies(writer, task_rows)?;
        }
        if guessed {
            writer.mark_stale(self.kind.id)?;
        }
        Ok(())
    }

    /// Stores the task with its batch and its dependencies.
    fn put_with_dependencies(&self, writer: &mut Writer<'_>, mut task_rows: TaskRows) -> Result<()> {
        let mut made = None;
        if let Some(label) = &self.line.batch {
            let (number, new) = numbered(writer, label)?;
            task_rows.header.batch = Some(number);
            made = new.then_some(number);
        }
        let put = writer.all_or_nothing(|writer| {
            if let Some(number) = task_rows.header.batch {
                writer.check_can_join(&self.kind, &self.id, None, number)?;
            }
            let (mut found, mut deleted) = (Vec::with_capacity(self.line.dependencies.len()), Vec::new());
            for dependency in &self.line.dependencies {
                let on_failure = dependency.on_failure;
                match dependency.awaited()? {
                    Some(awaited) => {
                        found.push(awaited.new_dependency(writer, on_failure)?.ok_or_else(|| awaited.is_absent())?);
                    }
                    None => deleted.push(on_failure),
                }
            }
            writer.put_imported(&self.kind, &task_rows)?;
            if !found.is_empty() {
                writer.set_dependencies(&self.kind, task_rows.task, &self.id, &found)?;
            }
            deleted.into_iter().try_for_each(|on_failure| writer.apply_missing_target(task_rows.task, on_failure))
        });
        if let (Err(_), Some(number)) = (&put, made) {
            writer.remove_batch(number)?;
        }
        put
    }
}

/// Refuses an id of another type than those of the type that is open. A kind that is not open may have ids of several types.
pub(super) fn check_imported_id(shared: &Shared, kind: &Kind, id: &TaskKey) -> Result<()> {
    shared.open.id_type(&kind.name).map_or(Ok(()), |declared| check_id("import", kind, id, declared))
}

/// The task with its attempt released, because the owner of its lease does not exist in this file.
fn released(kind: &Kind, mut task_rows: TaskRows, now: i64) -> Result<TaskRows> {
    let Some(lease) = &task_rows.header.lease else { return Ok(task_rows) };
    let finish = Finish {
        owner: Owner { fence: lease.fence, token: lease.token },
        outcome: Outcome::Release,
        with_changes: false,
        priority: None,
        failure: None,
        annotations: Annotations::default(),
        run: None,
        random: 0.0,
    };
    let decided = kind.rules(now).decide(Some(&task_rows.header), &Command::Finish(finish));
    let decision = decided.map_err(|reason| kind.refuse(task_rows.row.id.clone(), reason))?;
    task_rows.past_attempts.extend(decision.history);
    if let Some(row) = task_rows.successor.take().filter(|_| decision.payload == PayloadChange::TakeSuccessor) {
        task_rows.row = row;
    }
    if let Some(header) = decision.header {
        task_rows.header = header;
    }
    Ok(task_rows)
}
