//! Which input counts as a line, and which lines run.

use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
};

use super::{finish, until};
use crate::fixture::Fixture;

const SHOW: [&str; 4] = ["--", "printf", "[%s]\n", "{}"];

fn run(fixture: &Fixture, input: &[u8], arguments: &[&str]) -> Vec<String> {
    let ran = fixture.run_with_input(input, &[&["run", "jobs.redb", "-j1"], arguments].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.out
        .split_inclusive(']')
        .map(|line| line.trim_start_matches('\n').to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn line_reaches_its_command_unchanged() {
    let fixture = Fixture::new();
    let weird = "a b\n  two  \n'single' \"double\"\n$HOME `id` $(id)\n-n\n\n*\na;b|c&d>e\ntab\there\nback\\slash\\\nnaïve 漢字\n{}{.}\nno end";
    let expected: Vec<_> = weird.split('\n').map(|line| format!("[{line}]")).collect();
    assert_eq!(run(&fixture, weird.as_bytes(), &SHOW), expected);
    // The same through a shell, which reads them as words.
    let quoted = ["--name", "shell", "--shell", "--", "printf", "'[%s]\\n'", "{}"];
    assert_eq!(run(&fixture, weird.as_bytes(), &quoted), expected);
    assert_eq!(run(&fixture, weird.as_bytes(), &SHOW), [""; 0]);
}

#[test]
fn lines_need_not_be_utf8() {
    let fixture = Fixture::new();
    let count = ["--shell", "--", "printf %s {} | od -An -tx1 | tr -d ' \\n'; printf ']'"];
    assert_eq!(run(&fixture, b"\xff\xfe\na\x80b\n\x01\x1b\n", &count), ["fffe]", "618062]", "011b]"]);
    assert_eq!(run(&fixture, b"\xff\xfe\na\x80b\n\x01\x1b\n", &count), [""; 0]);
}

#[test]
fn lines_with_null_may_contain_line_breaks() {
    let fixture = Fixture::new();
    let input = b"one\ntwo\0\nthree\n\0\0last";
    let null = [&["-0"], &SHOW[..]].concat();
    assert_eq!(run(&fixture, input, &null), ["[one\ntwo]", "[\nthree\n]", "[]", "[last]"]);
    assert_eq!(run(&fixture, input, &null), [""; 0]);
}

#[test]
fn line_with_a_zero_byte_is_given_up_alone() {
    let fixture = Fixture::new();
    let ran = fixture.run_with_input(b"a\nb\0c\nd\n", &["run", "jobs.redb", "-j1", "--", "echo"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "a\nd\n"));
}

#[test]
fn lines_may_move_between_runs() {
    let fixture = Fixture::new();
    assert_eq!(run(&fixture, b"b\nc\n", &SHOW), ["[b]", "[c]"]);
    assert_eq!(run(&fixture, b"a\nc\nd\nb\n", &SHOW), ["[a]", "[d]"]);
}

#[test]
fn repeated_line_runs_once_per_copy() {
    let fixture = Fixture::new();
    assert_eq!(run(&fixture, b"a\nb\na\na (2)\n", &SHOW), ["[a]", "[b]", "[a]", "[a (2)]"]);
    assert_eq!(run(&fixture, b"a\na (2)\na\nb\n", &SHOW), [""; 0]);
    assert_eq!(run(&fixture, b"a\na\na\n", &SHOW), ["[a]"]);
}

#[test]
fn long_lines_are_distinguished_by_their_whole_text() {
    let fixture = Fixture::new();
    let (first, second) = ("x".repeat(5_000), format!("{}y", "x".repeat(4_999)));
    let input = format!("{first}\n{second}\n");
    let length = ["--shell", "--", "printf %s {} | wc -c; printf ']'"];
    assert_eq!(run(&fixture, input.as_bytes(), &length).len(), 2);
    assert_eq!(run(&fixture, input.as_bytes(), &length).len(), 0);
}

#[test]
fn arguments_are_lines_and_lines_are_commands() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["run", "jobs.redb", "-j1", "--", "echo", "{#}:{/.}", ":::", "x/a.txt", "b c"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "1:a\n2:b c\n"));
    let ran = fixture.run_with_input(b"echo a | tr a b\nexit 3\n", &["run", "commands.redb", "-j1", "--shell"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "b\n"));
}

#[test]
fn lines_run_before_the_input_ends() {
    let fixture = Fixture::new();
    let mut command = fixture.command(&["run", "jobs.redb", "--", "echo"]);
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
fn late_lines_use_all_jobs() {
    let fixture = Fixture::new();
    // The second line lets the first one end: only if both run at once does this end at all.
    let command = "if [ {} = first ]; then until test -e go; do sleep 0.01; done; else : > go; fi; echo {}";
    let mut child = fixture.command(&["run", "jobs.redb", "-j2", "--shell", "--", command]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "first").unwrap();
    until("the first line runs", || {
        fixture
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
fn unfinished_line_of_an_earlier_input_runs() {
    let fixture = Fixture::new();
    let ran = fixture.run_with_input(b"1\n2\n3\n", &["run", "jobs.redb", "-j1", "--halt", "soon,done=1", "--", "echo"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "1\n"));
    assert_eq!(fixture.plan(&["--", "echo", ":::", "3"])["earlier"], 1);
    assert_eq!(run(&fixture, b"", &["--", "echo"]), ["2\n3\n"]);
}
