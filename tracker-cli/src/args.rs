//! `Cli`: the command line as a whole: the options of all commands, and the help of the program. Parsed by `main`.

use clap::Parser;

use crate::{commands::Command, output::ColorChoice};

/// Inspect and change a tracker file, live; run commands durably over lines of input
///
/// Inspecting a file while its application runs needs no preparation: an application that opens the file in the default
/// sharing mode lets others read it. Changes are performed by the application that has the file open; without one, by this program.
///
/// Exit codes: 0 for success, 1 if tasks failed or something was found, 2 for a wrong command line, 3 if the file cannot
/// be used.
#[derive(Parser)]
#[command(name = "tracker", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// Prints JSON; docs/cli.md lists the fields
    #[arg(long, global = true, display_order = 1000)]
    pub json: bool,
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, global = true, display_order = 1000, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    #[command(subcommand)]
    pub command: Command,
}
