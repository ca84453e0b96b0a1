//! The `tracker` program: see and steer any tracker file, live, and run commands durably over lines of input.
//!
//! | for | see |
//! |---|---|
//! | what can be asked on the command line | `args` |
//! | one file per command, each with its arguments and its answer | `commands` |
//! | opening a tracker file to look or to act, and who stands in the way | `file` |
//! | which tasks a command is about, and how they are told | `filter`, `task` |
//! | what all commands that act have in common | `act` |
//! | answers for people, plain or with colour, and as JSON | `output` |
//! | the live view, and the page about a file | `top`, `report` |
//! | spans of time as people write them | `span` |
//! | how the program ends, and the words for what went wrong | `exit`, `failure` |

mod act;
mod args;
mod commands;
mod exit;
mod failure;
mod file;
mod filter;
mod output;
mod report;
mod span;
mod task;
mod top;

use std::process::ExitCode;

use clap::Parser;

use crate::{args::Cli, output::Output};

fn main() -> ExitCode {
    #[cfg(unix)]
    if let Some(exit) = commands::launch::from_arguments() {
        return exit;
    }
    let cli = Cli::parse();
    let output = Output::new(cli.json, cli.color);
    match cli.command.run(&output) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.fail(&failure);
            failure.exit().into()
        }
    }
}
