//! Options and sources that have the meaning that they have in GNU parallel. Each expected output is also compared with the
//! program itself where it is installed (`apt-get install parallel libtext-csv-perl`).

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

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

fn has_parallel() -> bool {
    let has_parallel = Command::new("parallel").arg("--version").output().is_ok_and(|ran| ran.status.success());
    if !has_parallel {
        eprintln!("skipped the comparison with GNU parallel: it is not installed");
    }
    has_parallel
}

fn run_parallel(fixture: &Fixture, arguments: &[&str], input: &str) -> Ran {
    let mut parallel = Command::new("parallel");
    parallel.args(arguments).current_dir(fixture.path(""));
    let mut child = parallel.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end before it has read all.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
    child.wait_with_output().unwrap().into()
}

/// Runs both programs. `tracker run` reads each command without a shell and, if `shell`, with one.
#[track_caller]
fn compare(cases: &[Case], shells: &[bool]) {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("letters"), "a\nb\n").unwrap();
    let has_parallel = has_parallel();
    for (number, Case { options, command, input, expected }) in cases.iter().enumerate() {
        for shell in shells {
            let file = format!("{number}-{shell}.redb");
            let words: &[&str] = if *shell { &["--shell", "--"] } else { &["--"] };
            let ran =
                fixture.run_with_input(input.as_bytes(), &[&["run", &file, "-j1"], *options, words, *command].concat());
            assert_eq!((ran.out.as_str(), ran.err.as_str()), (*expected, ""), "{options:?} {command:?} shell: {shell}");
        }
        if has_parallel {
            let ran = run_parallel(&fixture, &[&["--will-cite", "-j1"], *options, *command].concat(), input);
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

/// The files below a folder, with their content.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(tree(&entry.path()).into_iter().map(|(path, content)| (format!("{name}/{path}"), content)));
        } else {
            files.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
    files
}

#[test]
fn results_are_laid_out_as_by_gnu_parallel() {
    let script = "echo {#}; echo bad >&2; exit 1";
    let cases: &[(&[&str], &str, &[&str])] = &[
        (
            &["printf", "%s", "{}x", ":::", "a/b", "x y", "ü", "\\", "t\tn", "%"],
            "",
            &["1/%", "1/\\\\", "1/a\\_b", "1/t\\tn", "1/x y", "1/ü"],
        ),
        (&["echo", ":::", "1", "2", ":::", "x"], "", &["1/1/2/x", "1/2/2/x"]),
        (&["--header", ":", "echo", "{x}", ":::", "y", "1", "2", ":::", "x", "3"], "", &["x/3/y/1", "x/3/y/2"]),
        (&["--csv", "--header", ":", "echo", "{q}"], "q,p\n1,2\n", &["p/2/q/1"]),
        (&["--colsep", ",", "echo", "{2}"], "a,b\nc\n", &["1/a/2/b", "1/c"]),
        (&["-n", "2", "echo"], "1\n2\n3\n", &["1/1/1/2", "1/3"]),
        (&["-X", "echo"], "1\n2\n", &["1/1/1/2"]),
        (&[script, ":::", "z"], "", &["1/z"]),
    ];
    for (arguments, input, folders) in cases {
        let fixture = Fixture::new();
        let split = arguments.iter().position(|word| ["printf", "echo", script].contains(word)).unwrap();
        let (options, command) = arguments.split_at(split);
        let shell: &[&str] = if command[0] == script { &["--shell"] } else { &[] };
        let words = [&["run", "jobs.redb", "-j1", "--results", "ours"], options, shell, &["--"], command].concat();
        let ran = fixture.run_with_input(input.as_bytes(), &words);
        assert_eq!((ran.out.as_str(), ran.code), ("", Some(i32::from(command[0] == script))), "{arguments:?}: {ran:?}");
        let ours = tree(&fixture.path("ours"));
        let found: Vec<_> = ours.keys().filter_map(|path| path.strip_suffix("/stdout")).collect();
        assert_eq!(found, *folders, "{arguments:?}");
        if has_parallel() {
            let words = [&["--will-cite", "-j1", "--results", "theirs"], *arguments].concat();
            let ran = run_parallel(&fixture, &words, input);
            assert_eq!(
                (ran.out.as_str(), ran.code),
                ("", Some(i32::from(command[0] == script))),
                "{arguments:?}: {ran:?}"
            );
            assert_eq!(ours, tree(&fixture.path("theirs")), "{arguments:?}");
        }
    }
}
