//! The selection of tasks by ids, by a filter or by `--all`, and the run of a bulk command on it.

use tracker_core::{Tasks, query::Query, task::TaskKey, untyped::Untyped};

use super::{BulkResult, ConfirmArg, result::Refused};
use crate::{
    error::CliError,
    file::{FileArg, KindArg},
    filter::FilterArg,
    output::{Output, number},
};

#[derive(clap::Args)]
pub struct SelectionArg {
    #[command(flatten)]
    pub file: FileArg,
    /// The ids of the tasks, as other commands print them
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    pub kind: KindArg,
    #[command(flatten)]
    pub filter: FilterArg,
    /// All tasks that allow the change
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub confirm: ConfirmArg,
}

/// A change of one task, and the same change of all tasks that a query finds.
pub struct BulkCommand<'c> {
    /// The change in one word, as in `would be cancelled`; also in the answer.
    pub action: &'static str,
    pub one: &'c dyn Fn(&Tasks<Untyped>, &TaskKey) -> tracker_core::Result<()>,
    pub query: &'c dyn Fn(&Query<'_, Untyped>) -> tracker_core::Result<u64>,
    /// Restricts a query whose filter names neither status nor role.
    pub default_statuses: &'c dyn Fn(Query<'_, Untyped>) -> Query<'_, Untyped>,
}

impl SelectionArg {
    /// Returns whether neither ids, nor a filter, nor `--all` are given.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.filter.is_empty() && !self.all
    }

    /// Applies the change to the selected tasks. Asks first unless all tasks are given by id.
    pub fn run(&self, output: &Output, command: &BulkCommand<'_>) -> Result<BulkResult, CliError> {
        let is_filtered = self.all || !self.filter.is_empty();
        match (self.ids.is_empty(), is_filtered) {
            _ if self.is_empty() => Err(CliError::usage(format!(
                "no tasks are selected to be {}: give their ids, filter them (--status, --role, --index, …), or use --all",
                command.action
            ))),
            (false, true) => Err(CliError::usage("give either ids, or a filter, or --all")),
            (false, false) => self.run_on_ids(command),
            (true, _) => self.run_on_queries(output, command),
        }
    }

    fn run_on_ids(&self, command: &BulkCommand<'_>) -> Result<BulkResult, CliError> {
        let tracker = self.file.open_shared()?;
        // An unknown id is an error before any task is changed.
        let found = self.ids.iter().map(|id| self.kind.task(&tracker, id)).collect::<Result<Vec<_>, _>>()?;
        let result = change_each(command.action, found, command.one)?;
        tracker.close()?;
        Ok(result)
    }

    /// Applies a change to whole kinds. Asks first unless a kind is named.
    pub fn run_on_kinds(
        &self,
        output: &Output,
        action: &'static str,
        change: impl Fn(&Tasks<Untyped>) -> tracker_core::Result<()>,
    ) -> Result<BulkResult, CliError> {
        let tracker = self.file.open_shared()?;
        let kinds = self.kind.all(&tracker)?;
        let names: Vec<_> = kinds.iter().map(Tasks::name).collect();
        let question = format!("all claims of {} would be {action}", names.join(", "));
        let mut result = BulkResult::of_kinds(action);
        if self.kind.kind.is_some() || self.confirm.ask(output, &question)? {
            result.selected = kinds.len() as u64;
            for tasks in &kinds {
                change(tasks)?;
                result.changed += 1;
            }
        }
        tracker.close()?;
        Ok(result)
    }

    fn run_on_queries(&self, output: &Output, command: &BulkCommand<'_>) -> Result<BulkResult, CliError> {
        let tracker = self.file.open_shared()?;
        let mut result = BulkResult::new(command.action);
        let kinds = self.kind.all(&tracker)?;
        let (mut counts, mut queries) = (Vec::new(), Vec::new());
        for tasks in &kinds {
            let query = self.filter.apply(tasks.query(), tracker.now())?;
            let names_statuses = !self.filter.status.is_empty() || !self.filter.role.is_empty();
            let query = if names_statuses { query } else { (command.default_statuses)(query) };
            let total = query.total()?;
            if total > 0 {
                counts.push(format!("{} of {}", number::counted(total, "task", "tasks"), tasks.name()));
                result.selected += total;
                queries.push(query);
            }
        }
        let question = format!("{} would be {}", counts.join(", "), command.action);
        if result.selected == 0 || !self.confirm.ask(output, &question)? {
            return Ok(BulkResult { selected: 0, ..result });
        }
        for query in queries {
            result.changed += (command.query)(&query)?;
        }
        tracker.close()?;
        Ok(result)
    }
}

/// Applies a change to tasks one by one. A refusal is reported and stops nothing.
pub fn change_each(
    action: &'static str,
    tasks: Vec<(Tasks<Untyped>, TaskKey)>,
    change: impl Fn(&Tasks<Untyped>, &TaskKey) -> tracker_core::Result<()>,
) -> Result<BulkResult, CliError> {
    let mut result = BulkResult { selected: tasks.len() as u64, ..BulkResult::new(action) };
    for (tasks, id) in tasks {
        match change(&tasks, &id) {
            Ok(()) => result.changed += 1,
            Err(error) if error.is_refusal() => {
                result.refused.push(Refused { id: id.to_string(), message: error.to_string() });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(result)
}
