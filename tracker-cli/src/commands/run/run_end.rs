//! `RunEnd`: the end of a run as the command of `--notify` gets it. Called once, after the file is closed.

use serde::Serialize;

use super::Summary;
use crate::{commands::notify::notify, error::CliError, exit::Exit};

#[derive(Serialize)]
pub struct RunEnd<'a> {
    file: String,
    name: &'a str,
    result: &'static str,
    error: Option<String>,
    /// Absent if the counts cannot be read.
    #[serde(flatten)]
    summary: Option<Summary>,
}

impl<'a> RunEnd<'a> {
    pub fn new(file: String, name: &'a str, ended: &Result<Exit, CliError>, summary: Option<Summary>) -> Self {
        let result = match ended {
            Ok(Exit::Success) => "succeeded",
            Ok(Exit::Interrupted) => "stopped",
            Ok(_) => "given_up",
            Err(_) => "error",
        };
        let error = ended.as_ref().err().map(ToString::to_string);
        Self { file, name, result, error, summary }
    }

    /// Runs the command with the shell, and warns if it fails.
    pub fn notify(&self, command: &str) {
        let mut environment = vec![
            ("TRACKER_FILE", self.file.clone()),
            ("TRACKER_NAME", self.name.to_owned()),
            ("TRACKER_RESULT", self.result.to_owned()),
            ("TRACKER_ERROR", self.error.clone().unwrap_or_default()),
        ];
        if let Some(summary) = &self.summary {
            environment.extend([
                ("TRACKER_SUCCEEDED", summary.succeeded.to_string()),
                ("TRACKER_GIVEN_UP", summary.given_up.to_string()),
                ("TRACKER_UNFINISHED", summary.unfinished.to_string()),
                ("TRACKER_SET_ASIDE", summary.set_aside.to_string()),
            ]);
        }
        notify(command, environment, self);
    }
}
