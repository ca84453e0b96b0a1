use clap::{Parser, ValueEnum};

use crate::commands::Command;

/// See and steer a tracker file, live; run commands durably over lines of input.
///
/// Looking at a file while its application works needs nothing special: an application that opens it in the usual way
/// shares it with those who look. Acting needs the application stopped, or one that opens it with `Sharing::Writers`.
///
/// Ends with 0 if all is well, 1 if tasks failed or something was found, 2 for a mistake on the command line, and 3 if
/// the file cannot be used.
#[derive(Parser)]
#[command(name = "tracker", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// Answers in JSON; the shapes are in docs/cli.md, and stay
    #[arg(long, global = true, display_order = 1000)]
    pub json: bool,
    /// When to use colour; NO_COLOR is heeded
    #[arg(long, global = true, display_order = 1000, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    Always,
    Never,
}
