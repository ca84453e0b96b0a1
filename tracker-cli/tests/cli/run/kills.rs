//! Killed without warning, and started again.

use std::collections::BTreeSet;

use rustix::process::Signal;

use super::{is_alive, process_in, signal, until};
use crate::fixture::Fixture;

#[test]
fn killed_runs_continue_and_repeat_no_finished_line() {
    let fixture = Fixture::new();
    let lines: Vec<String> = (0..60).map(|number| format!("line {number}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let command = ["--shell", "--", "echo {} >> begun; sleep 0.02; echo {} >> ended", ":::"];
    let words = [&command[..], &lines].concat();
    let arguments = [&["run", "jobs.redb", "-j3", "-q"], &words[..]].concat();
    let (mut finished, mut lost_before) = (BTreeSet::new(), BTreeSet::new());
    for round in 1..=3 {
        let mut child = fixture.spawn(&arguments);
        until("some lines have ended", || fixture.lines("ended").len() >= round * 12);
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        let mut plan = fixture.plan(&words);
        // What still ends the commands of the killed run has its files, too.
        until("nothing of the killed run is left", || {
            plan = fixture.plan(&words);
            plan["running"] == 0
        });
        let left: BTreeSet<_> =
            plan["run"].as_array().unwrap().iter().map(|line| line["line"].as_str().unwrap().to_owned()).collect();
        let done: BTreeSet<_> = lines.iter().map(ToString::to_string).filter(|line| !left.contains(line)).collect();
        // But for three that were being stored at the kill, and three whose commands outlived it for a moment.
        let ended: BTreeSet<_> = fixture.lines("ended").into_iter().collect();
        let lost: BTreeSet<_> = ended.difference(&done).cloned().collect();
        let new: Vec<_> = lost.difference(&lost_before).collect();
        assert!(new.len() <= 6, "what has ended is in the file, but for {new:?} in round {round}");
        lost_before = lost;
        assert!(done.is_superset(&finished), "a finished line stays finished");
        finished = done;
    }
    let begun_before = fixture.lines("begun").len();
    let last = fixture.run(&arguments);
    assert_eq!(last.code, Some(0), "{last:?}");
    let begun = fixture.lines("begun");
    let again: Vec<_> = begun[begun_before..].iter().filter(|line| finished.contains(*line)).collect();
    assert!(again.is_empty(), "finished lines ran again: {again:?}");
    let ended: BTreeSet<_> = fixture.lines("ended").into_iter().collect();
    assert_eq!(ended.len(), lines.len(), "every line has ended");
}

#[test]
fn commands_end_with_a_killed_run() {
    let fixture = Fixture::new();
    let family = ": {}; sh -c 'trap \"\" TERM; echo $$ > grandchild; sleep 300 & wait' & echo $! > child; wait";
    let mut child = fixture.spawn(&["run", "jobs.redb", "--shell", "--", family, ":::", "a"]);
    let processes = ["child", "grandchild"].map(|name| process_in(&fixture.path(name)));
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    for pid in processes {
        until("nothing is left of the command", || !is_alive(pid));
    }
}
