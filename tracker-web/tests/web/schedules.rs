//! The page of schedules, and the commands on them.

use axum::http::StatusCode;
use tracker_core::{Tracker, schedule::Schedule, time::ManualClock};
use tracker_web::axum;

use crate::{
    Browser,
    browser::attributes,
    sample::{Download, download},
};

/// A tracker with the schedule `nightly`, two of whose occurrences were submitted, and 30 others.
fn tracker() -> Tracker {
    let clock = ManualClock::at("2026-06-01T12:00:00Z".parse().unwrap());
    let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    let downloads = tracker.tasks::<Download>().unwrap();
    let nightly = Schedule::cron("0 3 * * *").unwrap().time_zone("Europe/Berlin").unwrap();
    downloads.schedule("nightly", &nightly, |occurrence| Download { url: occurrence.id(), ..download(0) }).unwrap();
    let yearly = Schedule::cron("0 0 1 1 *").unwrap();
    for number in 0..30 {
        let name = if number == 0 { "<b>yearly</b>".to_owned() } else { format!("yearly {number:02}") };
        downloads.schedule(&name, &yearly, |occurrence| Download { url: occurrence.id(), ..download(0) }).unwrap();
    }
    for _ in 0..2 {
        clock.advance(std::time::Duration::from_secs(86_400));
        tracker.submit_due_occurrences().unwrap();
        downloads.claim().unwrap().unwrap().succeed().unwrap();
    }
    tracker
}

#[tokio::test]
async fn schedules_show_their_times_and_latest_tasks() {
    let browser = Browser::enter(tracker(), false).await;
    let page = browser.read("/schedules").await;
    assert!(page.contains("cron 0 3 * * * (Europe/Berlin)") && page.contains("2 submitted"), "{page}");
    assert!(page.contains("(2026-06-04T01:00:00Z)"), "{page}");
    assert!(page.contains("&lt;b&gt;yearly&lt;/b&gt;") && !page.contains("<b>yearly"), "{page}");
    assert!(!page.contains("run-schedule"), "a page that only reads offers no command");
    let link = attributes(&page, "href").into_iter().find(|link| link.contains("nightly%402026-06-03")).unwrap();
    let task = browser.read(&format!("/{link}")).await;
    assert!(task.contains("Scheduled for") && task.contains("2026-06-03T01:00:00Z"), "{task}");
    // 31 schedules take two pages.
    let next = attributes(&page, "href").into_iter().find(|link| link.starts_with("schedules?after=")).unwrap();
    let second = browser.read(&format!("/{next}")).await;
    assert_eq!(page.matches("<section").count() + second.matches("<section").count(), 31);
}

#[tokio::test]
async fn schedule_runs_now_is_paused_and_removed() {
    let tracker = tracker();
    let browser = Browser::enter(tracker.clone(), true).await;
    let schedule = tracker.schedule("nightly").unwrap().unwrap();
    for (change, result) in [
        ("run-schedule", "Submitted an occurrence of 1 schedule."),
        ("pause-schedule", "Paused 1 schedule."),
        ("resume-schedule", "Resumed 1 schedule."),
    ] {
        let done = browser.post("/command", &[("change", change), ("schedule", "nightly")]).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
        assert!(browser.read(&format!("/{}", done.location())).await.contains(result), "{change}");
        assert_eq!(schedule.info().unwrap().paused, change == "pause-schedule");
    }
    assert_eq!(schedule.info().unwrap().submitted, 3);
    let form = [("change", "remove-schedule"), ("schedule", "nightly")];
    let question = browser.post("/command", &form).await;
    assert!(question.text.contains("Remove 1 schedule?"), "{}", question.text);
    assert!(tracker.schedule("nightly").unwrap().is_some());
    browser.post("/command", &[&form[..], &[("confirmed", "1")]].concat()).await;
    assert!(tracker.schedule("nightly").unwrap().is_none());
    let gone = browser.post("/command", &[("change", "run-schedule"), ("schedule", "nightly")]).await;
    assert!(gone.text.contains("nightly") && gone.text.contains("no schedule"), "{}", gone.text);
}
