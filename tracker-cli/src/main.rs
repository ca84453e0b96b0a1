//! The program `tracker`: inspects and changes any tracker file, and runs commands durably over lines of input.
//!
//! Each module uses only those before it in this table; `tests/architecture.rs` checks this.
//!
//! | module | content |
//! |---|---|
//! | `exit`, `error` | exit codes, and errors with the exit code that they lead to |
//! | `human_duration` | durations as text |
//! | `output` | answers as text, with colour on a terminal, and as JSON |
//! | `file` | opening a tracker file, and the processes that have it open |
//! | `filter`, `task` | which tasks a command is about, and how they are printed |
//! | `bulk` | the helper of commands that change the tasks that ids, a filter or `--all` select |
//! | `report`, `top` | the HTML page about a file, and the live view |
//! | `commands` | one file per command: its arguments, `run`, its answer |
//! | `args` | the command line |

mod args;
mod bulk;
mod commands;
mod error;
mod exit;
mod file;
mod filter;
mod human_duration;
mod output;
mod report;
mod task;
mod top;

use std::{env, process::ExitCode};

use clap::{CommandFactory, Parser};

use crate::{args::Cli, output::Output};

fn main() -> ExitCode {
    #[cfg(unix)]
    if let Some(exit) = commands::launch::from_arguments() {
        return exit;
    }
    let cli = parsed();
    let output = Output::new(cli.json, cli.color);
    match cli.command.run(&output, Cli::command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.print_error(&error);
            error.exit().into()
        }
    }
}

/// Reads the command line. The message about a mistake repeats arguments, so it is made from arguments without passwords.
fn parsed() -> Cli {
    Cli::try_parse().unwrap_or_else(|_| Cli::parse_from(file::without_secrets(env::args_os())))
}
