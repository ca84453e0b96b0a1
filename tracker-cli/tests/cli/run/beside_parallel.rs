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
