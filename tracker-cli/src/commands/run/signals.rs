//! Calls a function on SIGINT, SIGTERM and SIGHUP, except for those that were ignored at start. Called by `run/mod` and `events`; starts a
//! thread.

use std::{
    fs, io,
    process::{Command, Stdio},
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

const REQUESTS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Calls `stop` on each request to end. A signal that is ignored when the program starts (by `nohup`, or in a background
/// job of a shell without job control) stays ignored, here and in commands.
pub fn on_request_to_end(mut stop: impl FnMut() + Send + 'static) -> io::Result<()> {
    let handled: Vec<i32> = REQUESTS.into_iter().filter(|signal| !is_ignored(*signal)).collect();
    if handled.is_empty() {
        return Ok(());
    }
    let mut signals = Signals::new(handled)?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            stop();
        }
    })?;
    Ok(())
}

fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status, signal).unwrap_or_else(|| survives(signal))
}

/// Reads the mask of ignored signals from the status of a process on Linux; bit 0 is signal 1.
fn ignored_in(status: &str, signal: i32) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u128::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal - 1) & 1 == 1)
}

/// Returns whether a shell survives the signal: it inherits ignored signals. For systems without /proc.
fn survives(signal: i32) -> bool {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("kill -{signal} $$; exit 0")]);
    let status = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert_eq!(
            [1, 2, 13, 15].map(|signal| ignored_in(status, signal)),
            [Some(true), Some(false), Some(true), Some(false)]
        );
        assert_eq!(ignored_in("Name:\tx\n", 1), None);
    }

    #[test]
    fn shell_survives_only_ignored_signals() {
        // The test process handles none of them; the mask has the inherited ones.
        for signal in REQUESTS {
            if let Some(ignored) = ignored_in(&fs::read_to_string("/proc/self/status").unwrap_or_default(), signal) {
                assert_eq!(survives(signal), ignored, "{signal}");
            }
        }
    }
}
