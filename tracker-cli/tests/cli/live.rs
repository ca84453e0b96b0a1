//! Changes through the process that has the file open: the output and the exit codes of the direct way, in every command.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use serde_json::json;
use tracker_core::{Execution, Tracker, file::Sharing, live::Client, worker::WorkerPool};

use crate::{
    Fixture,
    running_app::{Download, Film, RunningApp},
};

/// The file and the sharing mode of the process that `Application::start` starts.
const FILE: &str = "TRACKER_TEST_LIVE_FILE";
const EXCLUSIVE: &str = "TRACKER_TEST_LIVE_EXCLUSIVE";

/// The application in another process; killed with the test.
struct Application {
    process: Child,
    lines: Receiver<String>,
}

impl Application {
    fn start(fixture: &Fixture, exclusive: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "live::application_entry", "--nocapture", "--test-threads=1"]);
        command.env(FILE, fixture.path("jobs.redb")).stdin(Stdio::piped()).stdout(Stdio::piped());
        if exclusive {
            command.env(EXCLUSIVE, "1");
        }
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (line, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).all(|read| line.send(read).is_ok()));
        Self { process, lines }
    }

    /// Reads the output up to the line that begins like this, and returns the rest of the line.
    fn printed(&self, start: &str) -> String {
        loop {
            let line =
                self.lines.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|error| panic!("{start:?}: {error}"));
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Does nothing but in the process of an [`Application`]: a pool works on downloads, which run until they are cancelled, and on films.
#[test]
fn application_entry() {
    let Ok(file) = std::env::var(FILE) else { return };
    let sharing = if std::env::var(EXCLUSIVE).is_ok() { Sharing::Exclusive } else { Sharing::Readers };
    let tracker = Tracker::options().sharing(sharing).open(file).unwrap();
    let downloads = tracker.tasks::<Download>().unwrap();
    let films = tracker.tasks::<Film>().unwrap().step("cut").unwrap();
    let pool = WorkerPool::new().threads(2).keep_running();
    let pool = pool.serve(&downloads, |job: &mut Execution<Download>| {
        println!("\nrunning {}", job.url);
        while !job.is_cancelled() {
            thread::sleep(Duration::from_millis(1));
        }
        println!("\ncancelled {}", job.url);
        Err::<(), _>("cancelled")
    });
    let pool = pool.serve(&films, |_: &mut Execution<Film>| Ok::<_, std::io::Error>(()));
    thread::spawn(|| {
        // The process ends with its parent.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    pool.run().unwrap();
}

#[test]
fn live_change_has_the_output_and_exit_code_of_a_direct_one() {
    let (live, direct) = (Fixture::new(), Fixture::new());
    let _served = RunningApp::open_with(&live, Tracker::options().sharing(Sharing::Readers));
    let _shared = RunningApp::open_with(&direct, Tracker::options().sharing(Sharing::Writers));
    let edited = r#"{"url":"https://even.org/10","host":"moved.org","bytes":5}"#;
    for fixture in [&live, &direct] {
        fs::write(fixture.path("edited.json"), edited).unwrap();
        fs::write(fixture.path("other-id.json"), edited.replace("/10", "/12")).unwrap();
        fs::write(fixture.path("wrong.json"), "[1]").unwrap();
        let row = |id: u32| {
            format!("{{\"id\": \"new-{id}\", \"payload\": {{\"url\": \"new-{id}\", \"host\": \"new.org\"}}}}\n")
        };
        fs::write(fixture.path("new.jsonl"), (0..2_500).map(row).collect::<String>()).unwrap();
        fs::write(fixture.path("partly.jsonl"), format!("{}[1]\n{}", row(9_000), row(9_001))).unwrap();
    }
    let commands: &[&[&str]] = &[
        // Wrong requests change nothing.
        &["cancel", "jobs.redb"],
        &["cancel", "jobs.redb", "nowhere"],
        &["cancel", "jobs.redb", "-k", "nothing", "1"],
        &["cancel", "jobs.redb", "--all"],
        &["cancel", "jobs.redb", "--status", "Nothing", "--yes"],
        &["cancel", "jobs.redb", "--index", "color=red", "--yes"],
        &["prune", "jobs.redb", "--older-than", "0", "--status", "Pending", "--yes", "--kind", "film"],
        &["prune", "jobs.redb", "--older-than", "0"],
        &["move", "jobs.redb", "--front", "nowhere"],
        &["move", "jobs.redb", "--before", "1", "https://odd.org/9"],
        &["rescue", "jobs.redb", "--running-longer-than", "0"],
        &["edit", "jobs.redb", "https://even.org/10", "--from", "other-id.json"],
        &["edit", "jobs.redb", "https://even.org/10", "--from", "wrong.json"],
        &["pause", "jobs.redb"],
        &["set", "jobs.redb", "--priority", "9"],
        &["import", "jobs.redb", "nowhere.jsonl"],
        &["import", "jobs.redb", "new.jsonl"],
        &["import", "jobs.redb", "partly.jsonl", "--kind", "download"],
        // Refusals of tasks.
        &["ignore", "jobs.redb", "https://odd.org/9"],
        &["cancel", "jobs.redb", "https://even.org/0", "https://even.org/8"],
        &["retry", "jobs.redb", "https://odd.org/9"],
        // Changes.
        &["move", "jobs.redb", "--front", "https://even.org/10", "https://even.org/0"],
        &["move", "jobs.redb", "--before", "https://odd.org/9", "https://even.org/10"],
        &["set", "jobs.redb", "--priority", "3", "https://odd.org/9", "https://even.org/0"],
        &["set", "jobs.redb", "--due", "2999-01-01T00:00:00Z", "--kind", "film", "--all", "--yes"],
        &["pause", "jobs.redb", "https://odd.org/9"],
        &["resume", "jobs.redb", "--kind", "download", "--all", "--yes"],
        &["pause", "jobs.redb", "--kind", "film"],
        &["resume", "jobs.redb", "--yes"],
        &["edit", "jobs.redb", "https://even.org/10", "--from", "edited.json"],
        &["edit", "jobs.redb", "https://even.org/10", "--from", "edited.json"],
        &["retry", "jobs.redb", "--status", "Failed", "--kind", "download", "--yes"],
        &["retry", "jobs.redb", "--all", "--yes"],
        &["import", "jobs.redb", "new.jsonl", "--kind", "download"],
        &["import", "jobs.redb", "partly.jsonl", "--kind", "download", "--keep-going"],
        &["requeue", "jobs.redb", "--kind", "film", "1", "--reset"],
        &["requeue", "jobs.redb", "--kind", "download", "--role", "succeeded", "--yes"],
        &["cancel", "jobs.redb", "--kind", "download", "--containing", "/9", "--yes"],
        &["cancel", "jobs.redb", "--kind", "download", "--all", "--yes"],
        &["rescue", "jobs.redb"],
        &["rescue", "jobs.redb", "--running-longer-than", "0", "--yes"],
        &["prune", "jobs.redb", "--older-than", "1h", "--yes"],
        &["prune", "jobs.redb", "--older-than", "0", "--yes"],
        &["counts", "jobs.redb"],
    ];
    for command in commands {
        // A repeated change is refused or has no effect.
        for arguments in [command.to_vec(), [*command, &["--json"]].concat()] {
            let (one, other) = (live.run(&arguments), direct.run(&arguments));
            assert_eq!((one.code, one.out, one.err), (other.code, other.out, other.err), "{arguments:?}");
        }
    }
    assert_eq!(live.fine(&["verify", "jobs.redb"])["sound"], true);
}

#[test]
fn commands_reach_a_running_application() {
    let fixture = Fixture::left();
    let application = Application::start(&fixture, false);
    // The first by its priority, and the first by its age, which fill both threads.
    application.printed("running https://odd.org/11");
    application.printed("running https://odd.org/9");
    assert_eq!(fixture.fine(&["set", "jobs.redb", "--priority", "7", "https://even.org/10"])["changed"], 1);
    assert_eq!(fixture.fine(&["retry", "jobs.redb", "--kind", "download", "--all", "--yes"])["changed"], 5);
    assert_eq!(fixture.fine(&["move", "jobs.redb", "--front", "https://even.org/4"])["changed"], 1);
    let refused = fixture.run(&["requeue", "jobs.redb", "https://odd.org/11"]);
    assert!(refused.code == Some(1) && refused.out.contains("it is leased by"), "{refused:?}");
    assert_eq!(
        fixture.fine(&["cancel", "jobs.redb", "https://odd.org/11"]),
        json!({"action": "cancelled", "changed": 1, "selected": 1, "refused": []})
    );
    application.printed("cancelled https://odd.org/11");
    application.printed("running https://even.org/10");
    assert_eq!(fixture.fine(&["pause", "jobs.redb", "--kind", "download"])["changed"], 1);
    assert_eq!(
        fixture.fine(&["cancel", "jobs.redb", "--role", "in_progress", "--kind", "download", "--yes"])["changed"],
        2
    );
    let cancelled = [application.printed("cancelled "), application.printed("cancelled ")];
    assert!(cancelled.contains(&"https://odd.org/9".to_owned()), "{cancelled:?}");
    assert_eq!(fixture.fine(&["resume", "jobs.redb", "--kind", "download"])["changed"], 1);
    application.printed("running https://even.org/4");
    assert_eq!(
        fixture.fine(&["prune", "jobs.redb", "--older-than", "0", "--status", "Done", "-k", "download", "--yes"])["changed"],
        3
    );
    fs::write(
        fixture.path("urgent.jsonl"),
        r#"{"id": "urgent", "priority": 250, "payload": {"url": "urgent", "host": "new.org"}}"#,
    )
    .unwrap();
    assert_eq!(fixture.fine(&["import", "jobs.redb", "urgent.jsonl", "--kind", "download"])["new"], 1);
    assert_eq!(fixture.fine(&["cancel", "jobs.redb", "https://even.org/4"])["changed"], 1);
    application.printed("running urgent");
    let ran = fixture.run(&["compact", "jobs.redb"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    #[cfg(target_os = "linux")]
    assert!(
        ran.err.contains("does not work through it: stop it") && ran.err.contains("retry, requeue, cancel"),
        "{}",
        ran.err
    );

    // Killed without warning, it leaves its socket; then the file is opened directly.
    drop(application);
    assert!(Client::find(fixture.path("jobs.redb")).unwrap().is_none());
    assert_eq!(fixture.fine(&["cancel", "jobs.redb", "urgent"])["changed"], 1);
    assert_eq!(fixture.fine(&["verify", "jobs.redb"])["sound"], true);
}

#[test]
fn exclusive_application_takes_commands_and_excludes_readers() {
    let fixture = Fixture::left();
    let application = Application::start(&fixture, true);
    application.printed("running https://odd.org/11");
    assert_eq!(fixture.run(&["counts", "jobs.redb"]).code, Some(3));
    assert_eq!(fixture.fine(&["retry", "jobs.redb", "--older-than", "0", "--kind", "download", "--yes"])["changed"], 5);
    assert_eq!(fixture.fine(&["cancel", "jobs.redb", "https://odd.org/11"])["changed"], 1);
    application.printed("cancelled https://odd.org/11");
    let ran = fixture.run(&["cancel", "jobs.redb", "nowhere"]);
    assert!(ran.code == Some(1) && ran.err.contains("there is no task \"nowhere\""), "{ran:?}");
}
