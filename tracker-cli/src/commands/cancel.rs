use tracker_core::status::Role;

use crate::{
    act::{Deed, TargetArg},
    exit::Exit,
    failure::Failure,
    output::Output,
};

/// Calls tasks off: waiting ones at once, running ones are asked to end
///
/// Without a status or role, the filter and --all are about those that have not ended.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: TargetArg,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let done = self.target.act(
            output,
            &Deed {
                what: "cancelled",
                one: &|tasks, id| tasks.cancel(id),
                all: &|query| query.cancel(),
                statuses: &|query| query.unfinished().role(Role::InProgress),
            },
        )?;
        output.put(&done)?;
        Ok(done.exit())
    }
}
