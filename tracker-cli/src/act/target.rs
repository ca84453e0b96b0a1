use tracker_core::{Tasks, query::Query, task::TaskKey, untyped::Untyped};

use super::{Acted, ConfirmArg, acted::Refused};
use crate::{
    failure::Failure,
    file::{FileArg, KindArg},
    filter::FilterArg,
    output::{Output, number},
};

/// Which tasks are meant: some by their ids, those that a filter finds, or all.
#[derive(clap::Args)]
pub struct TargetArg {
    #[command(flatten)]
    pub file: FileArg,
    /// The tasks' ids, as other commands print them
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    pub kind: KindArg,
    #[command(flatten)]
    pub filter: FilterArg,
    /// All tasks that it can be done to
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub confirm: ConfirmArg,
}

/// What is done: to one task, or to all that a query finds.
pub struct Deed<'d> {
    /// As in `would be cancelled`, and in the answer.
    pub what: &'static str,
    pub one: &'d dyn Fn(&Tasks<Untyped>, &TaskKey) -> tracker_core::Result<()>,
    pub all: &'d dyn Fn(&Query<'_, Untyped>) -> tracker_core::Result<u64>,
    /// The statuses that are meant where none is named.
    pub statuses: &'d dyn Fn(Query<'_, Untyped>) -> Query<'_, Untyped>,
}

impl TargetArg {
    /// Does it, after asking where it is about more than named tasks.
    pub fn act(&self, output: &Output, deed: &Deed<'_>) -> Result<Acted, Failure> {
        let filtered = self.all || !self.filter.is_empty();
        match (self.ids.is_empty(), filtered) {
            (true, false) => Err(Failure::usage(format!(
                "which tasks are to be {}? Name their ids, filter them (--status, --role, --index, …), or say --all",
                deed.what
            ))),
            (false, true) => Err(Failure::usage("ids, or a filter, or --all: one of them")),
            (false, false) => self.act_on_ids(deed),
            (true, true) => self.act_on_found(output, deed),
        }
    }

    fn act_on_ids(&self, deed: &Deed<'_>) -> Result<Acted, Failure> {
        let tracker = self.file.act()?;
        // All ids are known before anything is done to one.
        let found = self.ids.iter().map(|id| self.kind.task(&tracker, id)).collect::<Result<Vec<_>, _>>()?;
        let mut done = Acted { what: deed.what, done: 0, meant: found.len() as u64, refused: Vec::new() };
        for (tasks, id) in found {
            match (deed.one)(&tasks, &id) {
                Ok(()) => done.done += 1,
                Err(error) if error.is_refusal() => {
                    done.refused.push(Refused { id: id.to_string(), message: error.to_string() });
                }
                Err(error) => return Err(error.into()),
            }
        }
        tracker.close()?;
        Ok(done)
    }

    fn act_on_found(&self, output: &Output, deed: &Deed<'_>) -> Result<Acted, Failure> {
        let tracker = self.file.act()?;
        let mut done = Acted { what: deed.what, done: 0, meant: 0, refused: Vec::new() };
        let all = self.kind.all(&tracker)?;
        let mut told = Vec::new();
        let mut queries = Vec::new();
        for tasks in &all {
            let query = self.filter.apply(tasks.query(), tracker.now())?;
            let named = !self.filter.status.is_empty() || !self.filter.role.is_empty();
            let query = if named { query } else { (deed.statuses)(query) };
            let total = query.total()?;
            if total > 0 {
                told.push(format!("{} of {}", number::counted(total, "task", "tasks"), tasks.name()));
                done.meant += total;
                queries.push(query);
            }
        }
        if done.meant == 0 || !self.confirm.ask(output, &format!("{} would be {}", told.join(", "), deed.what))? {
            return Ok(Acted { meant: 0, ..done });
        }
        for query in queries {
            done.done += (deed.all)(&query)?;
        }
        tracker.close()?;
        Ok(done)
    }
}
