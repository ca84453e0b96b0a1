//! What is a line, and which lines run.

use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
};

use super::{finish, until};
use crate::fixture::Scene;

const SHOW: [&str; 4] = ["--", "printf", "[%s]\n", "{}"];

fn run(scene: &Scene, input: &[u8], arguments: &[&str]) -> Vec<String> {
    let ran = scene.keep_running(input, &[&["run", "jobs.redb", "-j1"], arguments].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.out
        .split_inclusive(']')
        .map(|line| line.trim_start_matches('\n').to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn a_line_reaches_its_command_as_it_is() {
    let scene = Scene::new();
    let weird = "a b\n  two  \n'single' \"double\"\n$HOME `id` $(id)\n-n\n\n*\na;b|c&d>e\ntab\there\nback\\slash\\\nnaïve 漢字\n{}{.}\nno end";
    let expected: Vec<_> = weird.split('\n').map(|line| format!("[{line}]")).collect();
    assert_eq!(run(&scene, weird.as_bytes(), &SHOW), expected);
    // The same through a shell, which reads them as words.
    let quoted = ["--name", "shell", "--shell", "--", "printf", "'[%s]\\n'", "{}"];
    assert_eq!(run(&scene, weird.as_bytes(), &quoted), expected);
    assert_eq!(run(&scene, weird.as_bytes(), &SHOW), [""; 0]);
}

#[test]
fn bytes_that_are_no_text_are_lines_too() {
    let scene = Scene::new();
    let count = ["--shell", "--", "printf %s {} | od -An -tx1 | tr -d ' \\n'; printf ']'"];
    assert_eq!(run(&scene, b"\xff\xfe\na\x80b\n\x01\x1b\n", &count), ["fffe]", "618062]", "011b]"]);
    assert_eq!(run(&scene, b"\xff\xfe\na\x80b\n\x01\x1b\n", &count), [""; 0]);
}

#[test]
fn with_null_lines_may_hold_line_breaks() {
    let scene = Scene::new();
    let input = b"one\ntwo\0\nthree\n\0\0last";
    let null = [&["-0"], &SHOW[..]].concat();
    assert_eq!(run(&scene, input, &null), ["[one\ntwo]", "[\nthree\n]", "[]", "[last]"]);
    assert_eq!(run(&scene, input, &null), [""; 0]);
}

#[test]
fn a_line_with_a_zero_byte_is_given_up_and_the_others_run() {
    let scene = Scene::new();
    let ran = scene.keep_running(b"a\nb\0c\nd\n", &["run", "jobs.redb", "-j1", "--", "echo"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "a\nd\n"));
}

#[test]
fn lines_may_move_and_others_may_come_between() {
    let scene = Scene::new();
    assert_eq!(run(&scene, b"b\nc\n", &SHOW), ["[b]", "[c]"]);
    assert_eq!(run(&scene, b"a\nc\nd\nb\n", &SHOW), ["[a]", "[d]"]);
}

#[test]
fn the_same_line_twice_runs_twice_and_no_more() {
    let scene = Scene::new();
    assert_eq!(run(&scene, b"a\nb\na\na (2)\n", &SHOW), ["[a]", "[b]", "[a]", "[a (2)]"]);
    assert_eq!(run(&scene, b"a\na (2)\na\nb\n", &SHOW), [""; 0]);
    assert_eq!(run(&scene, b"a\na\na\n", &SHOW), ["[a]"]);
}

#[test]
fn long_lines_are_told_apart_by_all_of_their_text() {
    let scene = Scene::new();
    let (first, second) = ("x".repeat(5_000), format!("{}y", "x".repeat(4_999)));
    let input = format!("{first}\n{second}\n");
    let length = ["--shell", "--", "printf %s {} | wc -c; printf ']'"];
    assert_eq!(run(&scene, input.as_bytes(), &length).len(), 2);
    assert_eq!(run(&scene, input.as_bytes(), &length).len(), 0);
}

#[test]
fn arguments_can_be_the_lines_and_lines_the_commands() {
    let scene = Scene::new();
    let ran = scene.run(&["run", "jobs.redb", "-j1", "--", "echo", "{#}:{/.}", ":::", "x/a.txt", "b c"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "1:a\n2:b c\n"));
    let ran = scene.keep_running(b"echo a | tr a b\nexit 3\n", &["run", "commands.redb", "-j1", "--shell"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "b\n"));
}

#[test]
fn lines_run_as_they_come_and_not_when_all_are_there() {
    let scene = Scene::new();
    let mut command = scene.command(&["run", "jobs.redb", "--", "echo"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in ["first", "second", "third"] {
        writeln!(input, "{line}").unwrap();
        assert_eq!(output.next().unwrap().unwrap(), line);
    }
    drop(input);
    assert!(output.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn lines_that_come_late_find_all_jobs() {
    let scene = Scene::new();
    // The second line lets the first one end: only if both run at once does this end at all.
    let command = "if [ {} = first ]; then until test -e go; do sleep 0.01; done; else : > go; fi; echo {}";
    let mut child = scene.command(&["run", "jobs.redb", "-j2", "--shell", "--", command]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "first").unwrap();
    until("the first line runs", || {
        scene
            .run(&["counts", "jobs.redb", "--json"])
            .out
            .contains("\"InProgress\",\"role\":\"in_progress\",\"step\":\"\",\"count\":1")
    });
    writeln!(input, "second").unwrap();
    drop(input);
    let ran = finish(child);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 2), "{ran:?}");
}

#[test]
fn what_waits_from_an_earlier_input_runs_without_it() {
    let scene = Scene::new();
    let ran = scene.keep_running(b"1\n2\n3\n", &["run", "jobs.redb", "-j1", "--halt", "soon,done=1", "--", "echo"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "1\n"));
    assert_eq!(scene.plan(&["--", "echo", ":::", "3"])["earlier"], 1);
    assert_eq!(run(&scene, b"", &["--", "echo"]), ["2\n3\n"]);
}
