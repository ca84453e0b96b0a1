//! `tracker run` in several processes on one schema.

use std::{
    collections::BTreeSet,
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Schema, schema_or_skip};
use crate::fixture::{Ran, until};

impl Schema {
    pub(super) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The lines that commands have written into a file.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.fixture.path(name)).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

pub(super) fn finish(child: Child) -> Ran {
    child.wait_with_output().unwrap().into()
}

#[test]
fn three_runs_at_once_run_each_of_300_lines_once() {
    let schema = schema_or_skip!();
    let lines: Vec<_> = (1..=300).map(|number| format!("line-{number}")).collect();
    std::fs::write(schema.fixture.path("lines"), lines.join("\n")).unwrap();
    let arguments = ["run", "@", "-j4", "-q", "--shell", "--", "echo {} {#} $PPID >> began", "::::", "lines"];
    let runs: Vec<_> = (0..3).map(|_| schema.spawn(&arguments)).collect();
    for run in runs {
        let ran = finish(run);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    }
    let began = schema.lines("began");
    let words = |place: usize| began.iter().map(move |line| line.split(' ').nth(place).unwrap().to_owned());
    assert_eq!((began.len(), words(0).collect::<BTreeSet<_>>()), (300, lines.iter().cloned().collect()));
    assert!(
        began.iter().all(|line| line.starts_with(&format!("line-{} ", line.split(' ').nth(1).unwrap()))),
        "{began:?}"
    );
    assert!(words(2).collect::<BTreeSet<_>>().len() > 1, "one run took all lines");
    let counts = schema.fine(&["counts", "@"]);
    let succeeded = counts["kinds"][0]["counts"].as_array().unwrap().iter().find(|count| count["role"] == "succeeded");
    assert_eq!(succeeded.unwrap()["count"], 300, "{counts}");
    // Nothing is left for a further run.
    assert_eq!(schema.run(&arguments).code, Some(0));
    assert_eq!(schema.lines("began").len(), 300);
    assert_eq!(schema.fine(&["verify", "@"])["sound"], true);
}

#[test]
fn lines_of_a_killed_run_run_in_another_after_the_lease() {
    let schema = schema_or_skip!();
    // The first attempt of each line waits for its end.
    let command = "echo {} $TRACKER_ATTEMPT >> began; [ $TRACKER_ATTEMPT = 2 ] || sleep 300";
    let arguments = ["run", "@", "-j2", "-q", "--lease", "2s", "--shell", "--", command, ":::", "a", "b"];
    let mut first = schema.spawn(&arguments);
    until("both lines run", || schema.lines("began").len() == 2);
    let second = schema.spawn(&arguments);
    kill_process(Pid::from_child(&first), Signal::KILL).unwrap();
    first.wait().unwrap();
    // The other run waits for the lines, and then runs them.
    let ran = finish(second);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let began: BTreeSet<_> = schema.lines("began").into_iter().collect();
    assert_eq!(began, ["a 1", "a 2", "b 1", "b 2"].map(ToOwned::to_owned).into());
    let shown = schema.fine(&["show", "@", "a"]);
    assert_eq!(
        (&shown["history"][0]["status"], shown["attempts"].as_u64()),
        (&"interrupted".into(), Some(2)),
        "{shown}"
    );
    assert!(!first.try_wait().unwrap().unwrap().success());
}

#[test]
fn run_waits_for_lines_that_another_run_has() {
    let schema = schema_or_skip!();
    let command = "echo {} >> began; while [ {} = slow ] && [ ! -e go ]; do sleep 0.02; done";
    let first = schema.spawn(&["run", "@", "-j1", "-q", "--shell", "--", command, ":::", "slow"]);
    until("the slow line runs", || schema.lines("began").len() == 1);
    let mut second = schema.spawn(&["run", "@", "-j1", "-q", "--shell", "--", command, ":::", "slow", "fast"]);
    until("the other run takes the other line", || schema.lines("began").len() == 2);
    until("the other line has ended", || schema.fine(&["show", "@", "fast"])["role"] == "succeeded");
    assert!(second.try_wait().unwrap().is_none(), "it waits");
    std::fs::write(schema.fixture.path("go"), "").unwrap();
    for run in [first, second] {
        let ran = finish(run);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    assert_eq!(schema.lines("began").len(), 2);
}

#[test]
fn plan_of_a_schema_numbers_lines_by_their_place() {
    let schema = schema_or_skip!();
    let arguments = |lines: &[&'static str]| [&["run", "@", "-j1", "--", "echo", "{#}", ":::"][..], lines].concat();
    assert_eq!(schema.run(&arguments(&["a", "b"])).out, "1\n2\n".to_owned());
    let ran = schema.run(&["run", "@", "--plan", "--json", "--", "echo", "{#}", ":::", "b", "c", "d"]);
    let plan: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let planned: Vec<_> =
        plan["run"].as_array().unwrap().iter().map(|line| (line["line"].clone(), line["number"].clone())).collect();
    assert_eq!(planned, [("c".into(), 2.into()), ("d".into(), 3.into())]);
    assert_eq!(plan["done"], 1);
}

#[test]
fn options_that_need_one_run_are_refused() {
    let schema = schema_or_skip!();
    for (option, words) in [
        ("--keep-order", "other runs take lines too"),
        ("--lease=100ms", "from 1s to 1d"),
        ("--lease=2d", "from 1s to 1d"),
    ] {
        let ran = schema.run(&["run", "@", option, "--", "true", ":::", "a"]);
        assert!(ran.code == Some(2) && ran.err.contains(words), "{ran:?}");
    }
}
