//! One file per command, all of the same shape: `Args`, `run`, and the answer as a [`View`](crate::output::View). `main` calls `run` of the
//! chosen command through `Command::run`.
//!
//! A new command needs a file here, its `mod`, and its line in the list below.

mod backup;
mod budget;
mod cancel;
mod compact;
mod completions;
mod counts;
mod doctor;
mod edit;
mod errors;
#[cfg(unix)]
mod events;
mod export;
#[cfg(unix)]
mod guard;
mod ignore;
mod import;
#[cfg(unix)]
pub mod launch;
mod list;
mod man;
mod metrics;
mod move_all;
#[cfg(unix)]
mod notify;
mod pause;
mod plan;
mod prune;
mod recover;
mod reorder;
mod repair_time;
mod report;
mod requeue;
mod rescue;
mod resume;
mod retry;
#[cfg(unix)]
mod run;
mod schedule;
mod serve;
mod set;
mod show;
mod status;
mod top;
mod verify;
mod wait;

use clap::Subcommand;

use crate::{error::CliError, exit::Exit, output::Output};

macro_rules! commands {
    ($($(#[cfg($cfg:meta)])? $(#[command($($word:tt)*)])? $name:ident($args:ty),)*) => {
        #[derive(Subcommand)]
        pub enum Command {
            $($(#[cfg($cfg)])? $(#[command($($word)*)])? $name($args),)*
            #[command(hide = true)]
            Completions(completions::Args),
            #[command(hide = true)]
            Man(man::Args),
        }

        impl Command {
            /// Runs the command. `program` returns the whole command line, which completions and manual pages describe.
            pub fn run(&self, output: &Output, program: fn() -> clap::Command) -> Result<Exit, CliError> {
                match self {
                    $($(#[cfg($cfg)])? Self::$name(args) => args.run(output),)*
                    Self::Completions(args) => args.run(program()),
                    Self::Man(args) => args.run(program()),
                }
            }
        }
    };
}

// In the order of `tracker --help`.
commands! {
    Status(status::Args),
    List(list::Args),
    Show(show::Args),
    Wait(wait::Args),
    Errors(errors::Args),
    Plan(plan::Args),
    Counts(counts::Args),
    Metrics(metrics::Args),
    Top(top::Args),
    Serve(serve::Args),
    Report(report::Args),
    Retry(retry::Args),
    Requeue(requeue::Args),
    Cancel(cancel::Args),
    Ignore(ignore::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Schedule(schedule::Args),
    Budget(budget::Args),
    Set(set::Args),
    #[command(name = "move")]
    Reorder(reorder::Args),
    Rescue(rescue::Args),
    Prune(prune::Args),
    Edit(edit::Args),
    Import(import::Args),
    Export(export::Args),
    #[cfg(unix)]
    Run(Box<run::Args>),
    #[cfg(unix)]
    Logs(run::logs::Args),
    #[cfg(unix)]
    Events(events::Args),
    Verify(verify::Args),
    Doctor(doctor::Args),
    Backup(backup::Args),
    Compact(compact::Args),
    Recover(recover::Args),
    #[cfg(unix)]
    #[command(hide = true)]
    Guard(guard::Args),
}
