//! Options and sources that have the meaning that they have in GNU parallel. Each expected output is also compared with the
//! program itself where it is installed (`apt-get install parallel libtext-csv-perl`).

use std::process::{Command, Stdio};

use crate::fixture::{Fixture, Ran};

/// A command line that both programs take, and its output.
struct Case {
    options: &'static [&'static str],
    command: &'static [&'static str],
    input: &'static str,
    expected: &'static str,
}

const fn case(
    options: &'static [&'static str],
    command: &'static [&'static str],
    input: &'static str,
    expected: &'static str,
) -> Case {
    Case { options, command, input, expected }
}

/// Runs both programs. `tracker run` reads each command without a shell and, if `shell`, with one.
#[track_caller]
fn compare(cases: &[Case], shells: &[bool]) {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("letters"), "a\nb\n").unwrap();
    let has_parallel = Command::new("parallel").arg("--version").output().is_ok_and(|ran| ran.status.success());
    if !has_parallel {
        eprintln!("skipped the comparison with GNU parallel: it is not installed");
    }
    for (number, Case { options, command, input, expected }) in cases.iter().enumerate() {
        for shell in shells {
            let file = format!("{number}-{shell}.redb");
            let words: &[&str] = if *shell { &["--shell", "--"] } else { &["--"] };
            let ran =
                fixture.run_with_input(input.as_bytes(), &[&["run", &file, "-j1"], *options, words, *command].concat());
            assert_eq!((ran.out.as_str(), ran.err.as_str()), (*expected, ""), "{options:?} {command:?} shell: {shell}");
        }
        if has_parallel {
            let mut parallel = Command::new("parallel");
            parallel.args(["--will-cite", "-j1"]).args(*options).args(*command).current_dir(fixture.path(""));
            let mut child =
                parallel.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
            let ran = Ran::from(child.wait_with_output().unwrap());
            assert_eq!((ran.out.as_str(), ran.err.as_str()), (*expected, ""), "parallel {options:?} {command:?}");
        }
    }
}

#[test]
fn output_options_match_gnu_parallel() {
    compare(
        &[
            case(&["--tag"], &["echo", "x{}"], "a\nb c\n", "a\txa\nb c\txb c\n"),
            case(&["--tag"], &["printf", "{}"], "a\nb\n", "a\tab\tb"),
            case(&["-k", "--tag"], &["seq", "{}"], "2\n0\n1\n", "2\t1\n2\t2\n1\t1\n"),
            case(&["--dry-run"], &["echo", "{#}", "{.}", ":::", "a.b", "c d"], "", "echo 1 a\necho 2 'c d'\n"),
            case(&["--delay", "0.01"], &["echo", ":::", "a", "b"], "", "a\nb\n"),
        ],
        &[false, true],
    );
}

#[test]
fn sources_are_combined_as_by_gnu_parallel() {
    compare(
        &[
            case(&[], &["echo", ":::", "a", "b", ":::", "1", "2"], "", "a 1\na 2\nb 1\nb 2\n"),
            case(&[], &["echo", "{2}-{1/.}", "{-1}", ":::", "x/a.c", "b", ":::+", "1", "2", "3"], "", "1-a 1\n2-b 2\n"),
            case(
                &[],
                &["echo", ":::", "a", "b", ":::+", "1", "2", ":::", "x", "y"],
                "",
                "a 1 x\na 1 y\nb 2 x\nb 2 y\n",
            ),
            case(&[], &["echo", "{1}{2}", ":::", "1", "::::", "letters", "-"], "x\ny\n", "1a\n1a\n1b\n1b\n"),
            case(&[], &["echo", "{3}{2}", ":::", "1", "::::", "letters", "-"], "x\ny\n", "xa\nya\nxb\nyb\n"),
            case(&[], &["echo", ":::", "1", "2", "3", "::::+", "letters", "letters"], "", "1 a a\n2 b b\n"),
            case(&[], &["echo", "x{1}-{2}", ":::", "a", "::::", "/dev/null"], "", "xa-\n"),
            case(&[], &["echo", "{}", "::::", "/dev/null"], "", ""),
            case(&[], &["echo", "{}{/}p{}q{//}", ":::", "a/b", ":::", "c"], "", "a/b cb cpa/b cqa .\n"),
            case(&["--tag"], &["echo", "{2}", ":::", "a b", ":::", "c", "d"], "", "a b c\tc\na b d\td\n"),
        ],
        &[false, true],
    );
}

#[test]
fn columns_are_split_as_by_gnu_parallel() {
    compare(
        &[
            case(&["--colsep", " +"], &["echo", "{2}:{1}:{3}:{-1}:{}"], "a b  c\nd\n", "b:a:c:c:a b c\n:d::d:d\n"),
            case(&["--colsep", "\\t"], &["echo", "{1.}", "{2}"], "a.b\tc d\n", "a c d\n"),
            case(&["--colsep", ","], &["echo", "{1}-{2}-{3}", ":::", "a,b", "c,d", ":::", "e"], "", "a-b-e\nc-d-e\n"),
            case(&["--csv"], &["echo", "{2}-{1}"], "a,\"b,\"\"c\"\"\"\n\"x\",\n", "b,\"c\"-a\n-x\n"),
            case(&["--csv", "--colsep", ";"], &["echo", "{2}"], "a,b;\"c;d\"\n", "c;d\n"),
            case(&["--csv"], &["printf", "%s.", "{1}", "{2}"], "\"l1\nl2\",b\nc,d\n", "l1\nl2.b.c.d."),
            case(
                &["--csv", "--header", ":"],
                &["echo", "{name.}", "{size}-{1/}{3}"],
                "name,size\nx/a.b,7\n",
                "x/a 7-a.b\n",
            ),
            case(&["--header", ":"], &["echo", "{x}{y}", ":::", "x", "1", "2", ":::", "y", "3"], "", "13\n23\n"),
            case(&["--header", ":"], &["echo", "{x}{z}"], "x\n1\n", "1{z}\n"),
        ],
        &[false, true],
    );
}

#[test]
fn several_lines_per_command_match_gnu_parallel() {
    compare(
        &[
            case(&["-n", "2"], &["echo", "{1}x{2}", "{}", "p{}q"], "1\n2\n3\n", "1x2 1 2 p1 2q\n3x 3 p3q\n"),
            case(&["-n2"], &["echo"], "1\n2\n3\n4\n", "1 2\n3 4\n"),
            case(&["-n", "2"], &["echo", "x{4}", "{}", ":::", "a", "b", "c", ":::", "d"], "", "xd a d b d\nx c d\n"),
        ],
        &[false, true],
    );
    compare(
        &[
            case(&["-X"], &["echo", "p{}q", "r{.}s", "x"], "1\n2.c\n3\n", "p1q p2.cq p3q r1s r2s r3s x\n"),
            case(&["-X"], &["echo"], "1\n2\n", "1 2\n"),
            case(&["-X", "-n", "2"], &["echo", "{}{/}"], "a/b\nc\nd\n", "a/bb cc\ndd\n"),
        ],
        &[false],
    );
}
