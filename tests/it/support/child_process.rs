//! Starts this test program again as another process, for tests that need two processes or kill one.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

#[cfg(feature = "postgres")]
use crate::model::child_player;
use crate::{
    crash::{process_kills, schedules},
    storage::damaged_writers,
};

const ROLE: &str = "TRACKER_TEST_ROLE";
const FILE: &str = "TRACKER_TEST_FILE";

/// Starts a part about a file, as the last words of a command if one is given.
pub fn start(before: &[&str], role: &str, file: &Path) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut command = match before.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    };
    let errors = OpenOptions::new().create(true).append(true).open(file.with_extension("errors")).unwrap();
    with_role(&mut command, role, file).stdout(Stdio::null()).stderr(errors).spawn().unwrap()
}

/// Starts a part that reads from a pipe and writes to another one, behind the lines of the test program.
#[cfg(feature = "postgres")]
pub fn start_piped(role: &str, file: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    with_role(&mut command, role, file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn with_role<'c>(command: &'c mut Command, role: &str, file: &Path) -> &'c mut Command {
    let test = "support::child_process::child_process_entry";
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role).env(FILE, file)
}

/// The complaints of the child processes about this file.
pub fn errors(file: &Path) -> String {
    fs::read_to_string(file.with_extension("errors")).unwrap_or_default()
}

/// Does nothing but in the processes that other tests start.
#[test]
fn child_process_entry() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let file = PathBuf::from(std::env::var(FILE).unwrap());
    if role == schedules::SUBMITTER {
        return schedules::play(&file);
    }
    #[cfg(feature = "postgres")]
    if role == child_player::ROLE {
        return child_player::play(&file.to_string_lossy());
    }
    match role.strip_prefix("hostile: ") {
        Some(role) => damaged_writers::play(role, &file),
        None => process_kills::play(&role, &file),
    }
}
