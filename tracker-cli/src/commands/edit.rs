use std::{
    env, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::Command,
};

use serde::Serialize;
use tracker_core::untyped::Payload;

use crate::{
    exit::Exit,
    failure::Failure,
    file::{FileArg, KindArg, private_temporary},
    output::{Ink, Output, Page, View, escaped_json},
};

/// Changes a task's payload in an editor
///
/// It opens as JSON in $VISUAL or $EDITOR, and is written back if it can be read and nobody changed or claimed the task
/// meanwhile. What JSON has not is an object with one key that begins with $: docs/json-lines.md.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The task's id, as other commands print it
    id: String,
    #[command(flatten)]
    kind: KindArg,
    /// The payload is read from this file instead, or from the standard input (-)
    #[arg(long, value_name = "JSON")]
    from: Option<PathBuf>,
}

#[derive(Serialize)]
struct Edited {
    changed: bool,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        // Whether it can be written is known before anybody types. Nobody is kept waiting while the editor is open.
        let tracker = self.file.act()?;
        let (tasks, id) = self.kind.task(&tracker, &self.id)?;
        let record = tasks.get(&id)?.ok_or_else(|| Failure::refused(format!("task {id} was just deleted")))?;
        if let Some(lease) = &record.lease {
            return Err(Failure::refused(format!(
                "{} has the task until {}: a task that runs is not changed",
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
            let (after, path) = edited(&escaped_json(&before))?;
            (after, Some(path))
        };
        let store = || -> Result<bool, Failure> {
            let payload = payload(after)?;
            if payload == record.task {
                return Ok(false);
            }
            let tracker = self.file.act()?;
            let replaced = tracker.untyped(&kind)?.replace(&id, record.revision, &payload);
            replaced.map_err(|error| Failure::refused(error.to_string()))?;
            tracker.close()?;
            Ok(true)
        };
        let changed = store().map_err(|failure| match &kept {
            Some(path) => kept_in(&failure, path),
            None => failure,
        })?;
        if let Some(path) = kept {
            // The task is changed; an editor may have moved the file.
            let _ = fs::remove_file(path);
        }
        output.put(&Edited { changed })?;
        Ok(Exit::Fine)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut text).map(drop)
    } else {
        fs::read(path).map(|read| text = read)
    };
    read.map_err(|error| Failure::file(format!("{}: {error}", path.display())))?;
    Ok(text)
}

/// The payload of a text, which some editors begin with a byte order mark.
fn payload(text: Vec<u8>) -> Result<Payload, Failure> {
    let unreadable =
        |error: &dyn std::fmt::Display| Failure::refused(format!("this cannot be read as a payload: {error}"));
    let text = String::from_utf8(text).map_err(|error| unreadable(&format!("it is not UTF-8 ({error})")))?;
    Payload::from_json(text.strip_prefix('\u{feff}').unwrap_or(&text)).map_err(|error| unreadable(&error))
}

fn kept_in(failure: &Failure, path: &Path) -> Failure {
    Failure::refused(format!("{failure}; what you wrote is in {}", path.display()))
}

/// What the editor makes of a text, and the file in which it stands.
fn edited(text: &str) -> Result<(Vec<u8>, PathBuf), Failure> {
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| env::var(name).ok().filter(|editor| !editor.is_empty()));
    let editor =
        editor.ok_or_else(|| Failure::usage("there is no editor: set EDITOR, or give the payload with --from"))?;
    let path = private_temporary(".json", text.as_bytes())?;
    // The variable may hold arguments, as in `code --wait`.
    let status = if cfg!(unix) {
        Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "tracker"]).arg(&path).status()
    } else {
        Command::new(&editor).arg(&path).status()
    };
    let after = fs::read(&path);
    let failure = match (status, after) {
        (Ok(status), Ok(after)) if status.success() => return Ok((after, path)),
        (Ok(status), after) if !status.success() => {
            let failure = Failure::refused(format!("{editor} ended with {status}: nothing was changed"));
            if after.is_ok_and(|after| after != text.as_bytes()) {
                return Err(kept_in(&failure, &path));
            }
            failure
        }
        (Ok(_), after) => {
            let error = after.err().map(|error| error.to_string()).unwrap_or_default();
            return Err(Failure::file(format!("cannot read {} after {editor}: {error}", path.display())));
        }
        (Err(error), _) => Failure::file(format!("cannot start {editor}: {error}")),
    };
    // Nothing was written into it.
    let _ = fs::remove_file(&path);
    Err(failure)
}

impl View for Edited {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.line(Ink::Plain, if self.changed { "changed" } else { "nothing was changed" })
    }
}
