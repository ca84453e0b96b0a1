//! Starts this test program again as a process that may be killed.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tracker_core::{ErrorKind, Tracker, file::Sharing};

use crate::{controls, kills, log, ownership};

const ROLE: &str = "TRACKER_TEST_ROLE";
const FILE: &str = "TRACKER_TEST_FILE";
const NAME: &str = "TRACKER_TEST_NAME";
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a process. Its name begins the names of its clients in the log.
pub fn start(role: &str, name: &str, file: &Path) -> Child {
    let errors = OpenOptions::new().create(true).append(true).open(file.with_extension("errors")).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child::child_process_runs_its_role", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(NAME, name)
        .env(FILE, file)
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .unwrap()
}

/// The standard error of the processes of this file.
pub fn errors(file: &Path) -> String {
    std::fs::read_to_string(file.with_extension("errors")).unwrap_or_default()
}

/// Waits until the log has so many bytes; false if the process has ended before.
pub fn wait_for_log(file: &Path, bytes: u64, child: &mut Child) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while log::length(&file.with_extension("log")) < bytes {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Instant::now() < deadline, "the log does not grow: {}", errors(file));
        thread::sleep(Duration::from_micros(200));
    }
    true
}

/// Opens the file, also if the last process that had it is not gone yet.
pub fn open(file: &Path, sharing: Sharing) -> Tracker {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Tracker::options().sharing(sharing).busy_timeout(PATIENCE).open(file) {
            Ok(tracker) => return tracker,
            Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Does nothing unless another test has started this process.
#[test]
fn child_process_runs_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (file, name) = (PathBuf::from(std::env::var(FILE).unwrap()), std::env::var(NAME).unwrap());
    match role.split_once(' ').unwrap_or((&role, "")) {
        ("kills", mode) => kills::run_child(&name, &file, mode),
        ("ownership", _) => ownership::run_child(&name, &file),
        #[cfg(feature = "postgres")]
        ("servers", _) => crate::servers::run_child(&name, &file),
        ("controls", what) => controls::run_child(&name, &file, what),
        _ => panic!("unknown role {role}"),
    }
}
