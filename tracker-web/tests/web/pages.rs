//! Tests of the content of pages.

use axum::http::StatusCode;
use tracker_core::{
    TrackedTask as _, Tracker,
    submit::{SubmitOptions, TraceContext},
};
use tracker_web::{Dashboard, axum};

use crate::{
    Browser,
    browser::attributes,
    sample::{self, Download, Mail, download},
};

#[tokio::test]
async fn kinds_page_counts_each_status_and_links_to_it() {
    let browser = Browser::enter(sample::tracker(), false).await;
    let page = browser.read("/kinds").await;
    assert!(page.contains("61 tasks"), "{page}");
    assert!(page.contains("30 succeeded, 10 failed within"), "{page}");
    let links = attributes(&page, "href");
    for link in ["tasks?kind=download", "tasks?kind=download&status=50", "tasks?kind=mail&status=10"] {
        assert!(links.iter().any(|found| found == link), "{link} {links:?}");
    }
    assert!(!links.iter().any(|found| found.contains("status=60") && found.contains("mail")), "{links:?}");
}

#[tokio::test]
async fn cursor_pages_list_every_task_once() {
    let tracker = sample::tracker();
    let browser = Browser::enter(tracker.clone(), false).await;
    for sort in ["latest-change", "oldest-change", "latest-submit", "oldest-submit"] {
        let (mut listed, mut next) = (Vec::new(), Some(format!("tasks?kind=download&sort={sort}")));
        while let Some(path) = next {
            let page = browser.read(&format!("/{path}")).await;
            let links = attributes(&page, "href");
            listed.extend(links.iter().filter(|link| link.starts_with("task?")).cloned());
            next = links.into_iter().find(|link| link.contains("after="));
        }
        let all = listed.len();
        listed.sort();
        listed.dedup();
        assert_eq!((all, listed.len()), (61, 61), "{sort}");
    }
}

#[tokio::test]
async fn tasks_are_filtered_by_status_index_and_text() {
    let browser = Browser::enter(sample::tracker(), false).await;
    let rows = |page: &str| page.matches("<th scope=\"row\">").count();
    for (filter, count) in [
        ("status=50", 6),
        ("status=50&status=30", 10),
        ("index=host&value=host1", 20),
        ("index=host&value=host1&status=50", 2),
        ("index=host&value=nowhere", 0),
        ("text=RESET", 3),
        ("text=https%3A%2F%2Fhost%2F059", 1),
        ("index=host&value=&text=", 50),
    ] {
        let page = browser.read(&format!("/tasks?kind=download&{filter}")).await;
        assert_eq!(rows(&page), count, "{filter}");
    }
    let page = browser.read("/tasks?kind=download&index=host&value=host1").await;
    assert!(page.contains("20 tasks match") && page.contains("in the order of their submission"), "{page}");
    let page = browser.read("/tasks?kind=download&status=50").await;
    assert!(page.contains("6 tasks match; this page shows 6."), "{page}");
    assert!(page.contains("404 not found"), "{page}");
}

#[tokio::test]
async fn task_page_shows_the_trace_context_of_its_submit() {
    let tracker = Tracker::in_memory().unwrap();
    let downloads = tracker.tasks::<Download>().unwrap();
    let traced = SubmitOptions::new().trace_context(TraceContext::new(7, 9, true).unwrap());
    downloads.submit_with(&download(1), &traced).unwrap();
    downloads.submit(&download(2)).unwrap();
    let browser = Browser::enter(tracker, false).await;
    let row = format!("<dt>Trace</dt><dd><code>00-{:032x}-{:016x}-01</code></dd>", 7, 9);
    let page = browser.read("/task?kind=download&id=text:https://host/001").await;
    assert!(page.contains(&row), "{row}: {page}");
    let page = browser.read("/task?kind=download&id=text:https://host/002").await;
    assert!(!page.contains("<dt>Trace"), "{page}");
}

#[tokio::test]
async fn task_page_shows_reason_payload_attempts_and_neighbours() {
    let browser = Browser::enter(sample::tracker(), false).await;
    let failed = browser.read("/task?kind=download&id=text:https://host/030").await;
    for part in ["It was given up", "&quot;host&quot;: &quot;host0&quot;", "404 not found", "sampler", "gave up"] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    let waiting = browser.read("/task?kind=mail&id=int:3").await;
    assert!(waiting.contains("Waits for") && waiting.contains("https://host/050"), "{waiting}");
    let awaited = browser.read("/task?kind=download&id=text:https://host/050").await;
    assert!(awaited.contains("Tasks that wait for it"), "{awaited}");
    assert!(attributes(&awaited, "href").contains(&"task?kind=mail&id=int%3A3".to_owned()), "{awaited}");
}

#[tokio::test]
async fn find_leads_to_the_task_of_an_id_text() {
    let browser = Browser::enter(sample::tracker(), false).await;
    for (id, task) in [
        ("3", "task?kind=mail&id=int%3A3"),
        ("+https%3A%2F%2Fhost%2F030+", "task?kind=download&id=text%3Ahttps%3A%2F%2Fhost%2F030"),
    ] {
        let page = browser.get(&format!("/find?id={id}")).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, task));
        browser.read(&format!("/{task}")).await;
    }
    let missing = browser.get("/find?id=nowhere").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.text.contains("there is no task &quot;nowhere&quot;"), "{}", missing.text);
}

#[tokio::test]
async fn missing_kinds_tasks_and_pages_say_so() {
    let browser = Browser::enter(sample::tracker(), false).await;
    for (path, status, text) in [
        ("/task?kind=download&id=text:nothing", StatusCode::NOT_FOUND, "there is no download &quot;nothing&quot;"),
        ("/task?kind=nothing&id=text:x", StatusCode::BAD_REQUEST, "the file has no kind"),
        ("/task?kind=download&id=7", StatusCode::BAD_REQUEST, "name a task by its id"),
        ("/tasks", StatusCode::BAD_REQUEST, "name a kind"),
        ("/tasks?kind=nothing", StatusCode::BAD_REQUEST, "the file has no kind"),
        ("/tasks?kind=download&status=Nothing", StatusCode::BAD_REQUEST, "has no status"),
        ("/tasks?kind=download&index=color&value=red", StatusCode::BAD_REQUEST, "color"),
        ("/tasks?kind=download&after=x", StatusCode::BAD_REQUEST, "is no cursor"),
        ("/nothing", StatusCode::NOT_FOUND, "no such page"),
        ("/a/b", StatusCode::NOT_FOUND, "no such page"),
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.text.contains(text), "{path}: {}", page.text);
    }
}

#[tokio::test]
async fn large_payload_is_cut_with_a_link_to_all_of_it() {
    let tracker = Tracker::in_memory().unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    let text = "x".repeat(10 << 20);
    mails.submit_all((0..8).map(|number| Mail { number, text: text.clone() })).unwrap();
    let browser = Browser::enter(tracker, false).await;
    let page = browser.read("/task?kind=mail&id=int:7").await;
    assert!(page.len() < 100_000 && page.contains("10.0 MiB stored; this is only the beginning"), "{}", page.len());
    assert!(attributes(&page, "href").contains(&"payload?kind=mail&id=int%3A7".to_owned()));
    let whole = browser.get("/payload?kind=mail&id=int:7").await;
    assert_eq!(
        (whole.headers["content-type"].as_bytes(), whole.text.len()),
        (&b"application/json"[..], (10 << 20) + 22)
    );
    let list = browser.read("/tasks?kind=mail").await;
    assert!(list.len() < 20_000, "{}", list.len());
}

#[tokio::test]
async fn links_lead_on_under_every_mount() {
    for mount in ["/jobs", "/a/b/jobs"] {
        let mut browser = Browser::mounted(Dashboard::new(sample::tracker()), mount);
        let page = browser.open_with_token().await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "jobs/kinds"), "{mount}");
        let page = browser.read("/kinds").await;
        for link in attributes(&page, "href").iter().filter(|link| !link.starts_with('#')) {
            assert!(!link.starts_with('/') && !link.contains("//"), "{link}");
            browser.read(&format!("/{link}")).await;
        }
    }
    let mut browser = Browser::outside(Dashboard::new(sample::tracker()));
    assert_eq!(browser.open_with_token().await.location(), "kinds");
    assert_eq!(browser.get("/").await.location(), "kinds");
}

#[tokio::test]
async fn file_without_tasks_has_a_page() {
    let browser = Browser::enter(Tracker::in_memory().unwrap(), false).await;
    assert!(browser.read("/kinds").await.contains("No task was submitted yet."));
}

#[tokio::test]
async fn closed_tracker_is_reported_as_unavailable() {
    let tracker = sample::tracker();
    assert_eq!(tracker.tasks::<Download>().unwrap().name(), Download::KIND);
    let browser = Browser::enter(tracker.clone(), false).await;
    let task = format!("/task?kind=download&id=text:{}", download(1).url);
    browser.read(&task).await;
    tracker.close().unwrap();
    for path in ["/kinds", &task] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(page.text.contains("the tracker is closed"), "{}", page.text);
    }
}
