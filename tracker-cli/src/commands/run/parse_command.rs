//! Reads the command and its sources from the arguments of `tracker run`, and refuses combinations without a meaning. Called by `run/mod`;
//! opens the sources.

use std::{
    io::{self, IsTerminal},
    num::NonZero,
};

use super::{
    CHECK_COMMAND,
    args::Args,
    columns::Columns,
    input::{Input, InputOptions},
    placeholder::with_positions,
    results::ValueNames,
    source,
    template::{InputForm, Template},
};
use crate::error::CliError;

/// The command of the arguments, its input and the names of its values.
pub(super) struct GivenCommand {
    pub template: Template,
    pub input: Input,
    pub names: ValueNames,
}

impl Args {
    /// Splits the arguments into the command and the input, with the names of its values.
    pub(super) fn parse_command(&self) -> Result<GivenCommand, CliError> {
        let (command, sources) = source::split(&self.command).map_err(CliError::usage)?;
        if command.is_empty() && !self.shell {
            return Err(CliError::usage("no command: give one after --, or --shell to run the lines themselves"));
        }
        if self.tty && self.jobs.is_some_and(|jobs| jobs.get() > 1) {
            return Err(CliError::usage("--tty runs one command at a time: leave out --jobs"));
        }
        let count = sources.iter().flatten().count();
        let columns = Columns::new(self.colsep.as_deref(), self.csv).map_err(CliError::usage)?;
        let has_columns = columns.is_some();
        let form = self.input_form(count, has_columns);
        let end = if self.null { 0 } else { b'\n' };
        let options =
            InputOptions { end, columns, has_header: self.header, max_lines: self.max_lines, fills: self.fill };
        let (input, names) = Input::open(sources, &options).map_err(CliError::usage)?;
        if self.tty && input.reads_stdin() && io::stdin().is_terminal() {
            return Err(CliError::usage(
                "with --tty the commands use the terminal: give the lines after :::, or from a file or a pipe",
            ));
        }
        let command: Vec<_> = command.iter().map(|word| with_positions(word, &names)).collect();
        let template = Template::new(&command, self.shell, form).map_err(CliError::usage)?;
        if let Some(program) = template.missing_program() {
            // Checked before any line is stored.
            return Err(CliError::usage(format!("program {program:?} not found: {CHECK_COMMAND}")));
        }
        let takes_groups = self.fill || self.max_lines.is_some();
        let per_line = match (has_columns, names.len()) {
            (false, _) => Some(count),
            (true, names) if takes_groups && names > 0 => Some(names),
            (true, _) => None,
        };
        Ok(GivenCommand { template, input, names: ValueNames { names, per_line } })
    }

    /// Describes how lines become values, for a number of sources.
    fn input_form(&self, sources: usize, has_columns: bool) -> InputForm {
        let lines = self.max_lines.map_or(1, NonZero::get);
        let parts = [
            self.csv.then(|| "--csv".to_owned()),
            self.colsep.as_ref().map(|separator| format!("--colsep {separator:?}")),
            (sources > 1).then(|| format!("{sources} sources")),
            (lines > 1).then(|| format!("-n {lines}")),
            self.fill.then(|| "-X".to_owned()),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        InputForm {
            description: (!parts.is_empty()).then(|| parts.join(", ")),
            values: (!has_columns).then(|| sources.saturating_mul(lines)),
            fills: self.fill,
        }
    }
}
