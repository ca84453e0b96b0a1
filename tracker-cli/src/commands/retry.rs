use tracker_core::status::Role;

use crate::{
    act::{Deed, TargetArg},
    exit::Exit,
    failure::Failure,
    output::Output,
};

/// Makes tasks that failed or were given up startable again, in their current step
///
/// Without a status or role, the filter and --all are about those that failed, or were given up.
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
                what: "made startable again",
                one: &|tasks, id| tasks.requeue(id),
                all: &|query| query.requeue(),
                statuses: &|query| query.role(Role::Failed).role(Role::Exhausted),
            },
        )?;
        output.put(&done)?;
        Ok(done.exit())
    }
}
