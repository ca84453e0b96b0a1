//! One file per command, all of the same shape: its arguments, `run`, and its answer as a [`View`](crate::output::View).
//!
//! A new command is a file here, its `mod`, and its line in the list.

mod completions;
mod man;
mod verify;

use clap::Subcommand;

use crate::{exit::Exit, failure::Failure, output::Output};

macro_rules! commands {
    ($($(#[$attribute:meta])* $name:ident($args:ty),)*) => {
        #[derive(Subcommand)]
        pub enum Command {
            $($(#[$attribute])* $name($args),)*
        }

        impl Command {
            pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
                match self {
                    $(Self::$name(args) => args.run(output),)*
                }
            }
        }
    };
}

// In the order in which `tracker --help` lists them.
commands! {
    Verify(verify::Args),
    #[command(hide = true)]
    Completions(completions::Args),
    #[command(hide = true)]
    Man(man::Args),
}
