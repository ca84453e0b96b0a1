//! The output on a terminal and in a pipe.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    os::fd::OwnedFd,
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::{Fixture, running_app::RunningApp};

/// A terminal of so many columns: the end that is looked at, and the end that a program writes to.
fn terminal(columns: u16) -> (File, File) {
    let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let program = OpenOptions::new().read(true).write(true).open(name).unwrap();
    tcsetwinsize(&program, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (master.into(), program)
}

/// The output of a command on a terminal.
pub fn shown(fixture: &Fixture, columns: u16, environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let (mut screen, program) = terminal(columns);
    let mut command = fixture.command(arguments);
    command.envs(environment.iter().copied()).stdout(program);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut text = Vec::new();
    // Reading fails when no process holds the other end any more.
    let _ = screen.read_to_end(&mut text);
    child.wait().unwrap();
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

/// Without what sets colours.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    out + rest
}

#[test]
fn terminal_output_has_colors_bars_and_fitting_lines() {
    let fixture = Fixture::new();
    let _app = RunningApp::open(&fixture);
    let text = shown(&fixture, 80, &[], &["status", "jobs.redb"]);
    assert!(text.contains("\x1b[32mDone     \x1b[0m"), "{text}");
    assert!(plain(&text).contains("  Done       3  25%  █████████\n"), "{text}");
    let narrow = plain(&shown(&fixture, 40, &[], &["counts", "jobs.redb"]));
    assert!(narrow.contains("  Done       3  25%\n"), "no room for bars: {narrow}");
    let text =
        plain(&shown(&fixture, 60, &[], &["list", "jobs.redb", "-k", "download", "--columns", "id,status,task"]));
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    assert!(text.contains("Running    {\"url\":\"https://odd.org/7\",…\n"), "{text}");
}

#[test]
fn no_color_is_honoured() {
    let fixture = Fixture::new();
    let _app = RunningApp::open(&fixture);
    let counts = ["counts", "jobs.redb"];
    assert!(shown(&fixture, 80, &[], &counts).contains('\x1b'));
    assert!(!shown(&fixture, 80, &[("NO_COLOR", "1")], &counts).contains('\x1b'));
    assert!(!shown(&fixture, 80, &[("TERM", "dumb")], &counts).contains('\x1b'));
    assert!(!shown(&fixture, 80, &[], &["counts", "jobs.redb", "--color", "never"]).contains('\x1b'));
    assert!(shown(&fixture, 80, &[("NO_COLOR", "")], &counts).contains('\x1b'));
    // Piped: neither colours nor bars, unless they are asked for.
    let piped = fixture.run(&counts).out;
    assert!(!piped.contains('\x1b') && !piped.contains('█'), "{piped}");
    assert!(fixture.run(&["counts", "jobs.redb", "--color", "always"]).out.contains('\x1b'));
}

#[test]
fn control_characters_of_tasks_are_escaped() {
    let fixture = Fixture::new();
    let line = "\x1b[2Jgone\x1b]0;title\x07";
    assert_eq!(
        fixture
            .run(&[
                "run",
                "lines.redb",
                "-q",
                "--",
                "sh",
                "-c",
                "printf '%s' \"$1\" >&2; exit 1",
                "sh",
                "{}",
                ":::",
                line
            ])
            .code,
        Some(1)
    );
    for command in
        [&["list", "lines.redb"][..], &["errors", "lines.redb"], &["show", "lines.redb", line], &["plan", "lines.redb"]]
    {
        let text = shown(&fixture, 80, &[], command);
        assert!(plain(&text).contains("\\u{1b}[2Jgone"), "{command:?}: {text}");
        assert!(!text.contains("\x1b[2J") && !text.contains("\x1b]"), "{command:?}: {text}");
    }
}
