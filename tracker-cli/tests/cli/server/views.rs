//! The live view and the dashboard of a schema.

use super::{PASSWORD, schema_or_skip};
use crate::terminal::Terminal;

#[test]
fn top_shows_and_changes_a_schema() {
    let schema = schema_or_skip!().with_sample();
    let arguments = ["top", schema.url.as_str(), "--every", "100ms"];
    let mut top = Terminal::start(&schema.fixture.path("."), 24, 200, &arguments);
    let screen = top.shows(&["download", "60 tasks", "mail", "4 tasks", &format!("?schema={}", schema.name)]);
    assert!(!screen.contains(PASSWORD), "{screen}");
    assert_eq!(schema.run(&["cancel", "@", "https://host1/049"]).code, Some(0));
    top.shows(&["Cancelled 2"]);
    top.press("P");
    top.shows(&["pause or resume"]);
    top.press("y");
    top.shows(&["download is paused"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
}

#[cfg(feature = "serve")]
#[test]
fn dashboard_shows_and_changes_a_schema() {
    use crate::serve::Served;

    let schema = schema_or_skip!().with_sample();
    let served = Served::start_on(&schema.fixture, &schema.url, &["--write"]);
    let pages =
        ["/kinds", "/tasks?kind=download&status=50", "/errors", "/health"].map(|path| served.send("GET", path, ""));
    assert!(pages[0].contains(&format!("?schema={}", schema.name)) && pages[0].contains("60 tasks"), "{}", pages[0]);
    let done = served.send("POST", "/command", "change=retry&kind=download&scope=all&status=50&confirmed=1");
    assert!(done.starts_with("HTTP/1.1 303"), "{done}");
    assert_eq!(schema.fine(&["list", "@", "--kind", "download", "--status", "Exhausted"])["total"], 0);
    for text in pages.iter().chain([&done]) {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}
