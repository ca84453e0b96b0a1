//! `tracker wait` beside the application that ends the tasks, and `--notify`.

use serde_json::{Value, json};

use crate::{Fixture, running_app::RunningApp};

#[test]
fn end_of_a_wait_reaches_the_command_of_notify() {
    let fixture = Fixture::new();
    drop(RunningApp::open(&fixture));
    let save = "cat > end.json; printf '%s\\n' \"$TRACKER_FILE\" \"$TRACKER_KIND\" \"$TRACKER_ID\" \"$TRACKER_RESULT\" \
                \"$TRACKER_ERROR\" > end.txt; echo said";
    for (id, code, result, status, error) in [
        ("https://even.org/0", 0, "succeeded", Some("Done"), None),
        ("https://even.org/4", 1, "given_up", Some("Exhausted"), Some("https://even.org/4: 404 not found")),
        ("https://even.org/8", 1, "cancelled", Some("Cancelled"), None),
        ("https://odd.org/9", 1, "timed_out", None, None),
    ] {
        let ran = fixture.run(&["wait", "jobs.redb", id, "--within", "0", "--json", "--notify", save]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(code), "said\n"), "{id}");
        assert!(serde_json::from_str::<Value>(&ran.out).is_ok(), "{}", ran.out);
        let error_line = error.unwrap_or_default();
        assert_eq!(fixture.read("end.txt"), format!("jobs.redb\ndownload\n{id}\n{result}\n{error_line}\n"));
        let end: Value = serde_json::from_str(&fixture.read("end.json")).unwrap();
        assert_eq!(
            end,
            json!({"file": "jobs.redb", "kind": "download", "id": id, "result": result, "status": status, "error": error})
        );
    }
}

#[test]
fn file_is_closed_when_the_command_of_a_wait_runs() {
    let fixture = Fixture::new();
    drop(RunningApp::open(&fixture));
    let program = env!("CARGO_BIN_EXE_tracker");
    let requeue = format!("'{program}' requeue \"$TRACKER_FILE\" \"$TRACKER_ID\" && exit 7");
    let ran = fixture.run(&["wait", "jobs.redb", "https://even.org/0", "--notify", &requeue]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("the command of --notify failed (exit status: 7)"), "{}", ran.err);
    assert_eq!(fixture.fine(&["show", "jobs.redb", "https://even.org/0"])["status"], "Pending");
    assert_eq!(fixture.run(&["wait", "jobs.redb", "nowhere", "--notify", "touch told"]).code, Some(1));
    assert!(!fixture.path("told").exists(), "a wait that did not begin does not notify");
}

#[test]
fn wait_returns_when_the_running_app_ends_a_task() {
    let fixture = Fixture::new();
    let mut app = RunningApp::open(&fixture);
    let ask = |id: &str, within: &str, code: i32| {
        let ran = fixture.run(&["wait", "jobs.redb", id, "--within", within, "--json"]);
        assert_eq!(ran.code, Some(code), "{id}: {}", ran.err);
        ran
    };
    let result = |ran: crate::fixture::Ran| serde_json::from_str::<Value>(&ran.out).unwrap();
    let done = result(ask("https://even.org/0", "1m", 0));
    assert_eq!((&done["result"], &done["task"]["status"]), (&json!("ended"), &json!("Done")));
    assert_eq!(result(ask("https://even.org/4", "1m", 1))["task"]["status"], "Exhausted");
    assert_eq!(result(ask("https://even.org/6", "0", 1)), json!({"result": "timed_out", "task": null}));
    assert!(ask("https://even.org/99", "1m", 1).err.contains("there is no task"));
    let ended = std::thread::scope(|scope| {
        let waits = scope.spawn(|| ask("https://even.org/6", "1m", 0));
        app.running[0].succeed().unwrap();
        waits.join().unwrap()
    });
    assert_eq!(result(ended)["task"]["status"], "Done");
    let plain = fixture.run(&["wait", "jobs.redb", "https://even.org/6"]);
    assert_eq!(plain.out.trim(), "https://even.org/6  Done");
}
