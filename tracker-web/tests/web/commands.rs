//! Commands by forms: what changes, what is asked before, and what a page says where nothing can be changed.

use axum::{
    body::Body,
    http::{StatusCode, header},
};
use tracker_core::{
    Tracker,
    live::{Report, Request},
};
use tracker_web::{Source, SourceError, axum};

use crate::{
    Browser,
    browser::{Page, attributes},
    sample::{self, Download, Status, download},
};

async fn follow(browser: &Browser, page: &Page) -> String {
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    browser.read(&format!("/{}", page.location())).await
}

fn count(tracker: &Tracker, status: Status) -> u64 {
    tracker.tasks::<Download>().unwrap().counts().unwrap().get(status)
}

#[tokio::test]
async fn command_on_one_task_is_performed_and_reported() {
    let tracker = sample::tracker();
    let browser = Browser::enter(tracker.clone(), true).await;
    let id = format!("text:{}", download(30).url);
    let form = [("change", "requeue"), ("kind", "download"), ("id", &id), ("from", "task")];
    let page = follow(&browser, &browser.post("/command", &form).await).await;
    assert!(page.contains("Requeued 1 task."), "{page}");
    assert!(page.contains("Pending"), "{page}");
    let form = [("change", "priority"), ("priority", "9"), ("kind", "download"), ("id", &id), ("from", "task")];
    follow(&browser, &browser.post("/command", &form).await).await;
    let record = tracker.tasks::<Download>().unwrap().get(download(30).url).unwrap().unwrap();
    assert_eq!((record.status, record.priority), (Status::Pending, 9));
}

#[tokio::test]
async fn command_on_all_that_match_asks_with_the_count() {
    let tracker = sample::tracker();
    let browser = Browser::enter(tracker.clone(), true).await;
    let form = [("change", "retry"), ("kind", "download"), ("scope", "all"), ("status", "50")];
    let question = browser.post("/command", &form).await;
    assert_eq!(question.status, StatusCode::OK);
    assert!(question.text.contains("Retry 6 tasks?"), "{}", question.text);
    assert_eq!(count(&tracker, Status::Exhausted), 6);
    // The question repeats the form with its confirmation.
    let (_, form_text) = question.text.split_once("action=\"command\"").unwrap();
    let names = attributes(form_text, "name");
    assert_eq!(names, ["change", "kind", "scope", "status", "confirmed"]);
    let page = browser.post("/command", &[&form[..], &[("confirmed", "1")]].concat()).await;
    assert_eq!(page.location().split("&done=").next(), Some("tasks?kind=download&status=50"));
    let page = follow(&browser, &page).await;
    assert!(page.contains("Requeued 6 tasks."), "{page}");
    assert_eq!(count(&tracker, Status::Exhausted), 0);
}

#[tokio::test]
async fn selected_tasks_change_and_refusals_are_listed() {
    let tracker = sample::tracker();
    let browser = Browser::enter(tracker.clone(), true).await;
    let (failed, ended) = (format!("text:{}", download(31).url), format!("text:{}", download(1).url));
    let form = [("change", "retry"), ("kind", "download"), ("scope", "selected"), ("id", &failed), ("id", &ended)];
    let question = browser.post("/command", &form).await;
    assert!(question.text.contains("Retry 2 tasks?"), "{}", question.text);
    let page = follow(&browser, &browser.post("/command", &[&form[..], &[("confirmed", "1")]].concat()).await).await;
    assert!(page.contains("Requeued 1 task.") && page.contains("1 task was refused:"), "{page}");
    assert_eq!(count(&tracker, Status::Exhausted), 5);
}

#[tokio::test]
async fn kind_is_paused_resumed_and_pruned() {
    let tracker = sample::tracker();
    let browser = Browser::enter(tracker.clone(), true).await;
    let kind = [("kind", "download"), ("confirmed", "1")];
    for (change, expected) in [("pause-kind", "Paused 1 kind."), ("resume-kind", "Resumed 1 kind.")] {
        let page =
            follow(&browser, &browser.post("/command", &[&kind[..], &[("change", change)]].concat()).await).await;
        assert!(page.contains(expected), "{page}");
    }
    let prune = [("kind", "download"), ("change", "prune"), ("age", "0")];
    let question = browser.post("/command", &prune).await;
    assert!(question.text.contains("Delete 38 tasks?"), "{}", question.text);
    let page = follow(&browser, &browser.post("/command", &[&prune[..], &[("confirmed", "1")]].concat()).await).await;
    assert!(page.contains("Deleted 38 tasks."), "{page}");
    assert_eq!(count(&tracker, Status::Succeeded), 0);
}

#[tokio::test]
async fn hostile_ids_survive_a_command() {
    let tracker = sample::tracker();
    let browser = Browser::enter(tracker.clone(), true).await;
    let list = browser.read("/tasks?kind=download&text=alert(1)").await;
    let id = attributes(&list, "value").into_iter().find(|value| value.starts_with("key:")).unwrap();
    let cancel = [("change", "cancel"), ("kind", "download"), ("id", &id), ("from", "task")];
    let question = browser.post("/command", &cancel).await;
    assert!(question.text.contains("Cancel 1 task?") && !question.text.contains("<script>alert"), "{}", question.text);
    assert!(attributes(&question.text, "value").contains(&id), "{}", question.text);
    let page = follow(&browser, &browser.post("/command", &[&cancel[..], &[("confirmed", "1")]].concat()).await).await;
    assert!(page.contains("Cancelled 1 task."), "{page}");
    assert_eq!(count(&tracker, Status::Cancelled), 2);
}

#[tokio::test]
async fn read_only_dashboard_refuses_and_offers_no_command() {
    let tracker = sample::tracker();
    let browser = Browser::enter(tracker.clone(), false).await;
    for path in ["/tasks?kind=download", "/task?kind=download&id=text:https://host/030"] {
        let page = browser.read(path).await;
        assert!(!page.contains("method=\"post\"") && page.contains("Read only: "), "{page}");
    }
    let form = [("change", "prune"), ("kind", "download"), ("age", "0"), ("confirmed", "1")];
    let page = browser.post("/command", &form).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("nothing was changed: "), "{}", page.text);
    assert_eq!(count(&tracker, Status::Succeeded), 30);
}

#[tokio::test]
async fn command_of_another_site_changes_nothing() {
    let tracker = sample::tracker();
    let browser = Browser::enter(tracker.clone(), true).await;
    let form = "change=prune&kind=download&age=0&confirmed=1";
    for origin in [Some("http://evil.example"), Some("http://127.0.0.1:9"), Some("null"), None] {
        let mut request = browser.request("POST", "/command");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        assert_eq!(
            browser.send(request.body(Body::from(form)).unwrap()).await.status,
            StatusCode::FORBIDDEN,
            "{origin:?}"
        );
    }
    // Commands are no links.
    assert_eq!(browser.get(&format!("/command?{form}")).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(count(&tracker, Status::Succeeded), 30);
}

#[tokio::test]
async fn wrong_and_oversized_forms_are_refused() {
    let browser = Browser::enter(sample::tracker(), true).await;
    let large = "x".repeat(2 << 20);
    for (form, status) in [
        (vec![], StatusCode::BAD_REQUEST),
        (vec![("change", "retry"), ("kind", "download")], StatusCode::BAD_REQUEST),
        (
            vec![("change", "retry"), ("kind", "download"), ("id", "text:nothing"), ("from", "task")],
            StatusCode::CONFLICT,
        ),
        (vec![("change", "retry"), ("kind", "nothing"), ("scope", "all")], StatusCode::BAD_REQUEST),
        (vec![("change", &large)], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let page = browser.post("/command", &form).await;
        assert_eq!(page.status, status, "{}", page.text);
    }
}

/// A file that another process holds.
struct Held(Tracker);

impl Source for Held {
    fn name(&self) -> String {
        "jobs.redb".to_owned()
    }

    fn tracker(&self) -> Result<Tracker, SourceError> {
        Ok(self.0.clone())
    }

    fn perform(&self, _: &Request) -> Result<Report, SourceError> {
        Err(SourceError::new("it is held"))
    }

    fn read_only(&self) -> Option<String> {
        Some("jobs.redb is opened by process 7, which serves no live commands".to_owned())
    }
}

#[tokio::test]
async fn source_that_cannot_write_gives_its_reason() {
    let browser = Browser::enter(Held(sample::tracker()), true).await;
    let page = browser.read("/tasks?kind=download").await;
    assert!(
        page.contains("Read only: jobs.redb is opened by process 7") && !page.contains("method=\"post\""),
        "{page}"
    );
}
