//! `tracker move`.

use crate::{
    bulk::change_each,
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    output::Output,
};

/// Moves waiting tasks to the front of their priority, or before another task
///
/// Several tasks go one after the other in the given order. A task takes over the due time of the task before which it goes; at
/// the front it is due at once.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("destination").required(true))]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The ids of the tasks, as other commands print them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    kind: KindArg,
    /// Before all tasks of the same kind and priority
    #[arg(long, group = "destination")]
    front: bool,
    /// Before this task, which has the same kind and priority
    #[arg(long, group = "destination", value_name = "ID")]
    before: Option<String>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.open_shared()?;
        let mut tasks = self.ids.iter().map(|id| self.kind.task(&tracker, id)).collect::<Result<Vec<_>, _>>()?;
        let other = self.before.as_ref().map(|id| self.kind.task(&tracker, id)).transpose()?;
        if let Some((kind, other)) = &other
            && let Some((elsewhere, id)) = tasks.iter().find(|(tasks, _)| tasks.name() != kind.name())
        {
            return Err(CliError::usage(format!(
                "{} {id} cannot be moved before {} {other}: their kinds differ",
                elsewhere.name(),
                kind.name()
            )));
        }
        // Each task goes to the front in turn: the last one first.
        if other.is_none() {
            tasks.reverse();
        }
        let result = change_each("moved", tasks, |tasks, id| match &other {
            Some((_, other)) => tasks.move_before(id, other),
            None => tasks.move_to_front(id),
        })?;
        tracker.close()?;
        output.print(&result)?;
        Ok(result.exit())
    }
}
