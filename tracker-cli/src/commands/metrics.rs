//! `tracker metrics`: the numbers of a file as OpenMetrics text. Reads the file.

use std::{io, time::Duration};

use serde::Serialize;
use tracker_core::inspect::Metrics;

use crate::{
    error::CliError,
    exit::Exit,
    file::FileArg,
    human_duration::HumanDuration,
    output::{Output, TextStyle, TextWriter, View},
};

/// Prints metrics of all kinds in the format OpenMetrics
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// Counts the attempts that ended within this time
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    window: HumanDuration,
}

/// The number of tasks of each kind whose attempts are read.
const EXAMINED: usize = 5_000;

#[derive(Serialize)]
struct MetricsText {
    content_type: &'static str,
    text: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let metrics = self.file.inspect()?.metrics(self.window.0.max(Duration::from_secs(1)), EXAMINED)?;
        output.print(&MetricsText { content_type: Metrics::CONTENT_TYPE, text: metrics.open_metrics() })?;
        Ok(Exit::Success)
    }
}

impl View for MetricsText {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        self.text.lines().try_for_each(|line| out.line(TextStyle::Plain, line))
    }
}
