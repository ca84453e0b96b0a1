//! The trace context of a run: stored with new lines, and given to their commands.

use serde_json::Value;

use crate::fixture::Fixture;

const FIRST: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SECOND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-00";
const COMMAND: [&str; 4] = ["--shell", "--", ": {}; echo $TRACEPARENT/$TRACESTATE; test -e done", ":::"];

#[test]
fn trace_context_of_the_environment_reaches_commands() {
    let fixture = Fixture::new();
    let run = |parent: &str, lines: &[&str]| {
        let mut command =
            fixture.command(&[&["run", "jobs.redb", "-j1", "--retry-failed"], &COMMAND[..], lines].concat());
        let ran = command.env("TRACEPARENT", parent).env("TRACESTATE", "a=1").output().unwrap();
        crate::fixture::Ran::from(ran)
    };
    let ran = run(FIRST, &["a"]);
    assert_eq!(ran.out, format!("{FIRST}/a=1\n"), "{ran:?}");
    let shown = fixture.fine(&["show", "jobs.redb", "a"]);
    assert_eq!(shown["traceparent"], FIRST);
    let text = fixture.run(&["show", "jobs.redb", "a"]).out;
    assert!(text.contains(&format!("trace     {FIRST}")), "{text}");
    // A line keeps the context of the run that submitted it.
    std::fs::write(fixture.path("done"), "").unwrap();
    let ran = run(SECOND, &["a", "b"]);
    assert_eq!((ran.code, ran.out), (Some(0), format!("{FIRST}/a=1\n{SECOND}/a=1\n")), "{}", ran.err);
}

#[test]
fn invalid_trace_context_is_named_and_not_stored() {
    let fixture = Fixture::new();
    let arguments = ["run", "jobs.redb", "--", "echo", ":::", "a"];
    let ran = fixture.command(&arguments).env("TRACEPARENT", "00-0").env_remove("TRACESTATE").output().unwrap();
    let ran = crate::fixture::Ran::from(ran);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "a\n"));
    assert!(
        ran.err.contains("the trace context of the environment is ignored: invalid traceparent \"00-0\""),
        "{}",
        ran.err
    );
    assert_eq!(fixture.fine(&["show", "jobs.redb", "a"])["traceparent"], Value::Null);
    let ran = fixture.run(&["run", "jobs.redb", "--traceparent", "00-0", "--", "echo", ":::", "b"]);
    assert!(ran.code == Some(2) && ran.err.contains("invalid traceparent"), "{ran:?}");
    let ran = fixture.run(&["run", "jobs.redb", "--traceparent", FIRST, "--", "echo", ":::", "b"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fixture.fine(&["show", "jobs.redb", "b"])["traceparent"], FIRST);
}
