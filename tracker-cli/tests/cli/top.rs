//! The live view, driven through a terminal; its screens are read.

use tracker_core::Tracker;

use crate::{
    fixture::Fixture,
    rows,
    sample::{self, Download, Status, download},
    terminal::Terminal,
};

fn top(fixture: &Fixture) -> Terminal {
    sample::write(&fixture.path("work.redb"));
    Terminal::start(&fixture.path("."), 24, 80, &["top", "work.redb", "--every", "100ms"])
}

#[test]
fn overview_shows_every_kind_within_80_columns() {
    let fixture = Fixture::new();
    let mut top = top(&fixture);
    let screen = top.shows(&["download", "60 tasks", "mail", "4 tasks", "Succeeded 30", "Exhausted 6", "Failed 3"]);
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    assert!(top.is_coloured());
    top.press("q");
    assert_eq!(top.ends(), 0);
}

#[test]
fn top_works_without_colors() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("work.redb"));
    let mut top = Terminal::start(&fixture.path("."), 24, 80, &["--color", "never", "top", "work.redb"]);
    top.shows(&["Succeeded 30"]);
    assert!(!top.is_coloured());
    top.press("q");
    assert_eq!(top.ends(), 0);
}

#[test]
fn keys_lead_from_the_overview_to_a_task_and_back() {
    let fixture = Fixture::new();
    let mut top = top(&fixture);
    top.shows(&["60 tasks"]);
    top.press("\r");
    top.shows(&["all statuses", "https://host1/040", "Cancelled"]);
    // Statuses in their order: the fifth is that of those given up.
    top.press("sssss");
    top.shows(&["Exhausted (6)", "https://host2/035", "404 not found"]);
    top.press("j\r");
    top.shows(&[
        "https://host1/034  Exhausted (50)",
        "it was given up",
        "404 not found",
        "gave_up",
        "sampler",
        "\"host\": \"host1\"",
    ]);
    top.press("\u{1b}");
    top.shows(&["Exhausted (6)"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
}

#[test]
fn filter_finds_tasks_by_their_errors() {
    let fixture = Fixture::new();
    let mut top = top(&fixture);
    top.shows(&["60 tasks"]);
    top.press("2");
    top.shows(&["all statuses"]);
    top.press("/reset\r");
    top.shows_without(&["containing \"reset\"", "https://host0/036", "https://host2/038"], &["404", "host2/035"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
}

#[test]
fn page_with_unreadable_tasks_shows_the_others() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("work.redb"));
    let places = std::cell::Cell::new(0);
    // Two of the 60 downloads get a status that their kind does not have.
    rows::change_headers(&fixture.path("work.redb"), |header| {
        if places.replace(places.get() + 1) < 2 {
            header.put_signed32(77);
        }
    });
    let mut top = Terminal::start(&fixture.path("."), 24, 80, &["top", "work.redb", "--every", "100ms"]);
    top.shows(&["60 tasks"]);
    top.press("2");
    top.shows(&[
        "2 tasks of this page cannot be shown, the first:",
        "unknown status",
        "code 77",
        "https://host1/040",
        "Cancelled",
    ]);
    top.press("q");
    assert_eq!(top.ends(), 0);
}

#[test]
fn group_of_errors_leads_to_its_tasks() {
    let fixture = Fixture::new();
    let mut top = top(&fixture);
    top.shows(&["60 tasks"]);
    top.press("3");
    top.shows(&["404 not found", "connection reset", "6", "3"]);
    top.press("\r");
    top.shows(&["containing \"404 not found\"", "https://host0/030"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
}

#[test]
fn top_escapes_content_of_tasks() {
    let fixture = Fixture::new();
    let mut top = top(&fixture);
    top.shows(&["60 tasks"]);
    top.press("l2");
    top.shows(&["<b>bold</b> & \\u{1b}[31mred"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
}

#[test]
fn help_lists_the_keys() {
    let fixture = Fixture::new();
    let mut top = top(&fixture);
    top.shows(&["60 tasks"]);
    top.press("?");
    top.shows(&["upper case changes tasks", "retry a failed or given-up task", "pause or resume the kind"]);
    top.press("x");
    top.shows(&["Succeeded 30"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
}

#[test]
fn retry_in_top_needs_a_confirmation() {
    let fixture = Fixture::new();
    let mut top = top(&fixture);
    top.shows(&["60 tasks"]);
    top.press("/404\r");
    top.shows(&["https://host2/035"]);
    top.press("R");
    top.shows(&["retry https://host2/035?"]);
    top.press("n");
    top.shows(&["not changed"]);
    top.press("R");
    top.shows(&["retry https://host2/035?"]);
    top.press("y");
    top.shows(&["https://host2/035: requeued"]);
    top.press("1");
    top.shows(&["Exhausted 5", "Pending 20"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
    let tracker = Tracker::open(fixture.path("work.redb")).unwrap();
    let downloads = tracker.tasks::<Download>().unwrap();
    assert_eq!(downloads.get(download(35).url).unwrap().unwrap().status, Status::Pending);
}

#[test]
fn top_follows_an_application_and_changes_its_tasks() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("work.redb"));
    let tracker = Tracker::open(fixture.path("work.redb")).unwrap();
    let downloads = tracker.tasks::<Download>().unwrap();
    let mut top = Terminal::start(&fixture.path("."), 24, 80, &["top", "work.redb", "--every", "50ms"]);
    top.shows(&["Succeeded 30"]);
    downloads.start(download(50).url).unwrap().succeed().unwrap();
    let mut running = downloads.worker_name("busy bee").start(download(51).url).unwrap();
    running.progress(3, Some(10), "half way");
    tracker.flush().unwrap();
    top.shows(&["Succeeded 31", "1 running"]);
    top.press("2");
    top.shows(&["busy bee 3/10 half way"]);
    top.press("P");
    top.shows(&["pause or resume the kind?"]);
    top.press("y");
    top.shows(&["download is paused"]);
    assert!(downloads.claim().unwrap().is_none());
    top.press("C");
    top.shows(&["cancel "]);
    top.press("y");
    top.shows(&["cancelled, or asked to end if it is running"]);
    assert!(running.is_cancelled());
    running.succeed().unwrap();
    top.press("1");
    top.shows(&["Succeeded 32"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
}

#[test]
fn top_reports_a_missing_file_and_a_pipe() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["top", "nothing.redb"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("top needs a terminal"), "{}", ran.err);
    let top = Terminal::start(&fixture.path("."), 24, 80, &["top", "nothing.redb"]);
    assert_eq!(top.ends(), 3);
}
