//! `tracker edit`: changes the payload of a task in an editor or from a file. Starts the editor on a temporary file; changes the task through
//! `FileControl`.

use std::{
    env, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::Command,
};

use serde::Serialize;
use tracker_core::{live::Request, untyped::Payload};

use crate::{
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg, private_temporary},
    output::{Output, TextStyle, TextWriter, View, escaped_json},
};

/// Changes the payload of a task in an editor
///
/// Opens the payload as JSON in $VISUAL or $EDITOR. Stores it if it is valid and the task was neither changed nor claimed
/// meanwhile. Values that JSON lacks are objects with one key that begins with $: docs/json-lines.md.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The id of the task, as other commands print it
    id: String,
    #[command(flatten)]
    kind: KindArg,
    /// Reads the payload from this file, or from the standard input (-), instead of an editor
    #[arg(long, value_name = "JSON")]
    from: Option<PathBuf>,
}

#[derive(Serialize)]
struct Edited {
    changed: bool,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        // Opens for changes first, so that a refusal comes before the editor. The file is closed while the editor runs.
        let tracker = self.file.open_for_changes()?.into_reader(&self.file)?;
        let (tasks, id) = self.kind.task(&tracker, &self.id)?;
        let record = tasks.get(&id)?.ok_or_else(|| CliError::refused(format!("task {id} was just deleted")))?;
        if let Some(lease) = &record.lease {
            return Err(CliError::refused(format!(
                "the task is leased by {} until {}: a running task cannot be edited",
                lease.worker, lease.until
            )));
        }
        let kind = tasks.name().to_owned();
        drop(tasks);
        tracker.close()?;
        let before = serde_json::to_string_pretty(&record.task).map_err(io::Error::from)?;
        let (after, kept) = if let Some(path) = &self.from {
            (read(path)?, None)
        } else {
            let (after, path) = run_editor(&escaped_json(&before))?;
            (after, Some(path))
        };
        let store = || -> Result<bool, CliError> {
            let payload = payload(after)?;
            if payload == record.task {
                return Ok(false);
            }
            let control = self.file.open_for_changes()?;
            let payload = payload.as_bytes().to_vec();
            let replaced = control.perform(&Request::Replace { kind, id, revision: record.revision, payload });
            replaced.map_err(|error| CliError::refused(error.to_string()))?;
            control.close()?;
            Ok(true)
        };
        let changed = store().map_err(|failure| match &kept {
            Some(path) => kept_in(&failure, path),
            None => failure,
        })?;
        if let Some(path) = kept {
            // The task is stored. An editor may have moved the file.
            let _ = fs::remove_file(path);
        }
        output.print(&Edited { changed })?;
        Ok(Exit::Success)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut text).map(drop)
    } else {
        fs::read(path).map(|read| text = read)
    };
    read.map_err(|error| CliError::file(format!("{}: {error}", path.display())))?;
    Ok(text)
}

/// Parses a payload. Some editors begin a text with a byte order mark.
fn payload(text: Vec<u8>) -> Result<Payload, CliError> {
    let unreadable = |error: &dyn std::fmt::Display| CliError::refused(format!("the text is not a payload: {error}"));
    let text = String::from_utf8(text).map_err(|error| unreadable(&format!("not UTF-8 ({error})")))?;
    Payload::from_json(text.strip_prefix('\u{feff}').unwrap_or(&text)).map_err(|error| unreadable(&error))
}

fn kept_in(error: &CliError, path: &Path) -> CliError {
    CliError::refused(format!("{error}; your text is kept in {}", path.display()))
}

/// Runs the editor on a text. Returns the new text and the file that holds it.
fn run_editor(text: &str) -> Result<(Vec<u8>, PathBuf), CliError> {
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| env::var(name).ok().filter(|editor| !editor.is_empty()));
    let editor = editor.ok_or_else(|| CliError::usage("no editor: set EDITOR, or give the payload with --from"))?;
    let path = private_temporary(".json", text.as_bytes())?;
    // The variable may contain arguments, such as `code --wait`.
    let status = if cfg!(unix) {
        Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "tracker"]).arg(&path).status()
    } else {
        Command::new(&editor).arg(&path).status()
    };
    let after = fs::read(&path);
    let failure = match (status, after) {
        (Ok(status), Ok(after)) if status.success() => return Ok((after, path)),
        (Ok(status), after) if !status.success() => {
            let failure = CliError::refused(format!("{editor} ended with {status}: the task was not changed"));
            if after.is_ok_and(|after| after != text.as_bytes()) {
                return Err(kept_in(&failure, &path));
            }
            failure
        }
        (Ok(_), after) => {
            let error = after.err().map(|error| error.to_string()).unwrap_or_default();
            return Err(CliError::file(format!("cannot read {} after {editor}: {error}", path.display())));
        }
        (Err(error), _) => CliError::file(format!("cannot start {editor}: {error}")),
    };
    // The editor has not changed the file.
    let _ = fs::remove_file(&path);
    Err(failure)
}

impl View for Edited {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        out.line(TextStyle::Plain, if self.changed { "changed" } else { "not changed" })
    }
}
