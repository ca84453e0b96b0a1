//! `SelectionArg`: selects tasks by ids, by a filter or by `--all`, and runs a bulk command on them. Called by bulk commands; changes tasks
//! through `FileControl`.

use tracker_core::live::{Request, SelectedId, Selection, TaskChange};

use super::{BulkResult, ConfirmArg, counted_kinds};
use crate::{
    error::CliError,
    file::{FileArg, FileControl, KindArg},
    filter::FilterArg,
    output::Output,
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

impl SelectionArg {
    /// Returns whether neither ids, nor a filter, nor `--all` are given.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.filter.is_empty() && !self.all
    }

    /// Applies the change to the selected tasks. Asks first unless all tasks are given by id. `action` is the change in one word, as in
    /// `would be cancelled`.
    pub fn run(&self, output: &Output, action: &'static str, change: TaskChange) -> Result<BulkResult, CliError> {
        let is_filtered = self.all || !self.filter.is_empty();
        match (self.ids.is_empty(), is_filtered) {
            _ if self.is_empty() => Err(CliError::usage(format!(
                "no tasks are selected to be {action}: give their ids, filter them (--status, --role, --index, …), or use --all"
            ))),
            (false, true) => Err(CliError::usage("give either ids, or a filter, or --all")),
            (false, false) => self.run_on_ids(action, change),
            (true, _) => self.run_on_filter(output, action, change),
        }
    }

    fn run_on_ids(&self, action: &'static str, change: TaskChange) -> Result<BulkResult, CliError> {
        let control = self.file.open_for_changes()?;
        let ids = self.ids.iter().map(|id| SelectedId::from(id.as_str())).collect();
        let selection = Selection::Ids { kind: self.kind.kind.clone(), ids };
        let report = control.perform(&Request::Tasks { selection, change })?;
        control.close()?;
        Ok(BulkResult::of_report(action, self.ids.len() as u64, report))
    }

    fn run_on_filter(&self, output: &Output, action: &'static str, change: TaskChange) -> Result<BulkResult, CliError> {
        let control = self.file.open_for_changes()?;
        let filter = self.filter.conditions(self.kind.kind.clone(), control.now()?)?;
        let request = Request::Tasks { selection: Selection::Filter(filter), change };
        run_after_question(control, output, &self.confirm, action, &request)
    }

    /// Pauses or resumes whole kinds. Asks first unless a kind is named.
    pub fn run_on_kinds(&self, output: &Output, action: &'static str, paused: bool) -> Result<BulkResult, CliError> {
        let control = self.file.open_for_changes()?;
        let request = Request::Kinds { kind: self.kind.kind.clone(), paused };
        let kinds = control.count(&request)?;
        let names: Vec<_> = kinds.iter().map(|kind| kind.kind.as_str()).collect();
        let question = format!("all claims of {} would be {action}", names.join(", "));
        let mut result = BulkResult::of_kinds(action);
        if self.kind.kind.is_some() || self.confirm.ask(output, &question)? {
            result.selected = kinds.len() as u64;
            result.changed = control.perform(&request)?.changed;
        }
        control.close()?;
        Ok(result)
    }
}

/// Counts the tasks that a request is about, asks, and performs the request.
pub fn run_after_question(
    control: FileControl,
    output: &Output,
    confirm: &ConfirmArg,
    action: &'static str,
    request: &Request,
) -> Result<BulkResult, CliError> {
    let counts = control.count(request)?;
    let selected = counts.iter().map(|count| count.tasks).sum();
    let question = format!("{} would be {action}", counted_kinds(&counts));
    if selected == 0 || !confirm.ask(output, &question)? {
        control.close()?;
        return Ok(BulkResult::new(action));
    }
    let report = control.perform(request)?;
    control.close()?;
    Ok(BulkResult::of_report(action, selected, report))
}
