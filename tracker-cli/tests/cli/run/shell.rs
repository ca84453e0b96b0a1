//! Placeholders with `--shell`, against lines that a shell would obey, and those that are refused.

use crate::fixture::Fixture;

/// Ended by zero bytes, so that line breaks are among them.
const HOSTILE: [&str; 26] = [
    "$(touch pwn)",
    "`touch pwn`",
    "\"; touch pwn; \"",
    "'; touch pwn; '",
    "\"$(touch pwn)\"",
    "'\"$(touch pwn)\"'",
    "; touch pwn",
    "& touch pwn &",
    "| touch pwn",
    "a\ntouch pwn\nb",
    "\ntouch pwn",
    "${x:=$(touch pwn)}",
    "$((x[$(touch pwn)]))",
    "<(touch pwn)",
    "> pwn",
    "*",
    "[a-z]*",
    "~",
    "-n",
    "--help",
    "\\",
    "\\\"; touch pwn #",
    "a\\'; touch pwn #",
    "  two  words  ",
    "",
    "!! $HOME #{x} ${tracker_place_1} {} %s",
];

#[test]
fn hostile_lines_reach_a_shell_command_as_text() {
    let input = HOSTILE.join("\0");
    let expected: Vec<_> = HOSTILE.iter().map(|line| format!("[<{line}>]")).collect();
    for command in [
        "printf '[<%s>]' {}",
        "printf '[%s]' \"<{}>\"",
        "printf '[%s]' \"$(printf '<%s>.' {})\" | sed 's/\\.]$/]/'",
        "f() { printf '[<%s>]' {}; }; f other",
        "set -- other; printf '[<%s>]' {}",
        "printf \"[<%s>]\" \"\"{}''",
        ": # it's\nprintf '[<%s>]' {}",
    ] {
        let fixture = Fixture::new();
        let ran =
            fixture.run_with_input(input.as_bytes(), &["run", "jobs.redb", "-j1", "-0", "--shell", "--", command]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{command}");
        assert_eq!(ran.out, expected.concat(), "{command}");
        assert!(!fixture.path("pwn").exists(), "{command} executed a line");
    }
}

#[test]
fn placeholders_in_single_quotes_are_refused() {
    let fixture = Fixture::new();
    for command in ["echo '{}'", "sh -c 'echo {}'", "cat <<E\n{}\nE", "echo $(( {} ))"] {
        let ran = fixture.run(&["run", "jobs.redb", "--shell", "--", command, ":::", "$(touch pwn)"]);
        assert_eq!(ran.code, Some(2), "{command}");
        assert!(ran.err.contains("the placeholder {} is "), "{}", ran.err);
    }
    assert!(!fixture.path("pwn").exists() && !fixture.path("jobs.redb").exists());
}

#[test]
fn unsupported_placeholders_of_parallel_are_refused() {
    let fixture = Fixture::new();
    for (words, name) in [(["echo", "{+}", ":::", "a"], "{+}"), (["echo", "{= s/a/b/ =}", ":::", "a"], "{= s/a/b/ =}")]
    {
        let ran = fixture.run(&[&["run", "jobs.redb", "--"][..], &words].concat());
        assert_eq!(ran.code, Some(2), "{words:?}");
        assert!(ran.err.contains(&format!("{name} of GNU parallel is not supported")), "{}", ran.err);
    }
    assert!(!fixture.path("jobs.redb").exists());
    let ran = fixture.run(&["run", "jobs.redb", "--", "sh", "-c", "echo ${1}", "sh", "{}", ":::", "a"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "a\n"));
}
