//! `tracker move` that is killed at any moment, and run again until it ends.
//!
//! `TRACKER_KILLS=n` kills about 2 n moves in each direction instead of 8, each one up to twice.

use std::{
    fs,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tracker_core::{
    Tracker, batch::BatchOptions, dependency::OnDependencyFailure, schedule::Schedule, submit::SubmitOptions,
    time::ManualClock,
};

use crate::{
    fixture::{Fixture, Ran},
    random::{Random, setting},
    sample::{Download, Mail, download},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The name of the file with the tasks, which is copied for each move.
pub const SOURCE: &str = "source.redb";

/// 900 tasks with histories, batches with follow-ups, dependencies, and schedules with occurrences.
fn write(path: &Path) {
    // Before the time of the server, so that nothing is in its future.
    let clock = ManualClock::at("2020-01-01T00:00:00Z".parse().unwrap());
    let tracker = Tracker::options().clock(clock.clone()).prune_every(None).open(path).unwrap();
    let (downloads, mails) = (tracker.tasks::<Download>().unwrap(), tracker.tasks::<Mail>().unwrap());
    downloads.submit_all((0..500).map(download)).unwrap();
    for number in 0..150 {
        downloads.start(download(number).url).unwrap().fail("connection reset").unwrap();
    }
    clock.advance(DAY);
    for number in 0..100 {
        let mut again = downloads.start(download(number).url).unwrap();
        again.bytes = Some(number);
        again.note(format!("attempt 2 of {number}"));
        if number % 3 == 0 { again.give_up("404 not found") } else { again.succeed() }.unwrap();
    }
    downloads.submit_all((500..700).map(download)).unwrap();
    for number in 0..20 {
        let follow_up = Mail { number: 1_000 + number, text: format!("batch {number} has ended") };
        let options = BatchOptions::new().then(&mails, &follow_up).unwrap();
        let batch = tracker.open_batch(&format!("batch {number}"), &options).unwrap();
        let members = (0..8).map(|member| Mail { number: number * 8 + member, text: "member".to_owned() });
        mails.submit_all_with(members, &SubmitOptions::new().batch(&batch)).unwrap();
        if number % 2 == 0 {
            batch.seal().unwrap();
        }
        let options = SubmitOptions::new().after_batch(&batch, OnDependencyFailure::Wait);
        let options = options.after(&downloads, download(500 + number).url, OnDependencyFailure::Cancel);
        mails.submit_with(&Mail { number: 2_000 + number, text: "dependent".to_owned() }, &options).unwrap();
    }
    let template = r#"{"url": "{id}", "host": "nightly", "bytes": null}"#;
    let nightly = Schedule::cron("0 3 * * *").unwrap();
    for name in ["one", "two", "three"] {
        tracker.add_schedule(name, "download", &nightly, template).unwrap();
    }
    for _ in 0..3 {
        clock.advance(DAY);
        tracker.submit_due_occurrences().unwrap();
    }
    // No command that opens the file years later submits a further one.
    for name in ["one", "two", "three"] {
        tracker.schedule(name).unwrap().unwrap().pause().unwrap();
    }
    tracker.close().unwrap();
}

/// How killed moves went on.
#[derive(Debug, Default)]
struct Counted {
    kills: u32,
    /// The move began anew, since nothing was marked.
    anew: u32,
    continued: u32,
    /// All was moved, and only the output was missing.
    ended: u32,
}

/// Moves that are killed.
pub struct KilledMoves<'f> {
    fixture: &'f Fixture,
    random: Random,
    /// The numbers of an undisturbed move.
    expected: Value,
    lines: String,
    counted: Counted,
}

/// The result of a move without what may differ.
fn numbers(moved: &Value) -> Value {
    ["kinds", "batches", "schedules", "other_rows", "other_checksum"].iter().map(|name| moved[name].clone()).collect()
}

impl<'f> KilledMoves<'f> {
    /// Writes the source, and moves it to a file and on to another one to learn the numbers.
    pub fn new(fixture: &'f Fixture) -> Self {
        write(&fixture.path(SOURCE));
        fs::copy(fixture.path(SOURCE), fixture.path("undisturbed")).unwrap();
        let moved = fixture.fine(&["move", "undisturbed", "undisturbed-to", "--yes"]);
        let count = |name: &str| moved[name].as_u64().unwrap();
        assert!((count("batches"), count("schedules")) == (20, 3) && count("other_rows") > 100, "{moved}");
        let lines = fixture.run(&["export", "undisturbed-to"]).out;
        assert!(lines.lines().count() > 900 && lines.contains("attempt 2"), "{} lines", lines.lines().count());
        let random = Random::new(setting("TRACKER_SEED").unwrap_or(1));
        Self { fixture, random, expected: numbers(&moved), lines, counted: Counted::default() }
    }

    /// Moves there and back in turns, each move with kills. `places` names the two targets of a turn.
    pub fn play(&mut self, places: impl Fn(u64) -> [String; 2]) {
        let turns = setting("TRACKER_KILLS").unwrap_or(4);
        // How long the moves there and back last.
        let mut lasts = [Duration::ZERO; 2];
        let mut turn = 0;
        // On a busy machine, all kills may come too early.
        while turn <= turns || self.counted.continued == 0 && turn < 10 * turns {
            let mut from = format!("from-{turn}");
            fs::copy(self.fixture.path(SOURCE), self.fixture.path(&from)).unwrap();
            for (to, lasts) in places(turn).into_iter().zip(&mut lasts) {
                if turn == 0 {
                    let start = Instant::now();
                    self.run_to_its_end(&from, &to);
                    *lasts = start.elapsed();
                } else {
                    let part = u32::try_from((turn - 1) % turns).unwrap();
                    let parts = u32::try_from(turns).unwrap();
                    let (first, second) = (self.up_to(*lasts / parts), self.up_to(*lasts));
                    self.kill(&from, &to, *lasts * part / parts + first);
                    self.kill(&from, &to, second);
                    self.run_to_its_end(&from, &to);
                }
                self.compare(&from, &to);
                from = to;
            }
            turn += 1;
        }
        println!("{:?}", self.counted);
        assert!(self.counted.continued > 0, "{:?}", self.counted);
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        most * u32::try_from(self.random.below(1_000)).unwrap() / 1_000
    }

    /// Kills a move after some time. Never can both ends be opened for writing, unless the target is empty.
    fn kill(&mut self, from: &str, to: &str, after: Duration) {
        let mut command = self.fixture.command(&["move", from, to, "--yes", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        thread::sleep(after);
        // SIGKILL. The process may have ended.
        child.kill().unwrap();
        let ran: Ran = child.wait_with_output().unwrap().into();
        match ran.code {
            None => self.counted.kills += 1,
            Some(0) => assert_eq!(numbers(&serde_json::from_str(&ran.out).unwrap()), self.expected),
            // An earlier one has ended.
            Some(_) => assert!(ran.err.contains("were moved to"), "{ran:?}"),
        }
        // Opens for writing, and changes nothing.
        let is_usable = [from, to].map(|place| self.fixture.run(&["rescue", place]).code == Some(0));
        // A kill before the first mark may leave empty tables in a server.
        let target_is_filled = || self.fixture.run(&["export", to]).out.contains('\n');
        assert!(is_usable != [true, true] || !target_is_filled(), "killed after {after:?}");
    }

    fn run_to_its_end(&mut self, from: &str, to: &str) {
        let ran = self.fixture.run(&["move", from, to, "--yes", "--json"]);
        if ran.code == Some(3) && ran.err.contains("were moved to") {
            self.counted.ended += 1;
            return;
        }
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "from {from}");
        let moved: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(numbers(&moved), self.expected);
        if moved["continued"] == true {
            self.counted.continued += 1;
        } else {
            self.counted.anew += 1;
        }
    }

    /// Both ends hold the tasks of the source, and the target is sound.
    fn compare(&self, from: &str, to: &str) {
        for place in [from, to] {
            let ran = self.fixture.run(&["export", place]);
            assert!(ran.code == Some(0) && ran.out == self.lines, "the export differs: {}", ran.err);
        }
        assert_eq!(self.fixture.fine(&["verify", to])["sound"], true);
    }
}

#[test]
fn killed_move_between_files_is_continued() {
    let fixture = Fixture::new();
    KilledMoves::new(&fixture).play(|turn| [format!("there-{turn}"), format!("back-{turn}")]);
}
