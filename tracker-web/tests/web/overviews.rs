//! Errors, batches, workers, health, and live updates.

use std::time::Duration;

use axum::{
    body::Body,
    http::{StatusCode, header},
};
use http_body_util::BodyExt as _;
use tracker_core::{batch::BatchOptions, inspect::Metrics, submit::SubmitOptions};
use tracker_web::{Dashboard, axum};

use crate::{
    Browser,
    browser::attributes,
    sample::{self, Download, Mail, download},
};

#[tokio::test]
async fn errors_are_grouped_and_lead_to_their_tasks() {
    let browser = Browser::enter(sample::tracker(), false).await;
    let page = browser.read("/errors").await;
    assert!(page.contains("The last errors of 11 tasks"), "{page}");
    let link = attributes(&page, "href").into_iter().find(|link| link.contains("text=404")).unwrap();
    let tasks = browser.read(&format!("/{link}")).await;
    assert_eq!(tasks.matches("<th scope=\"row\">").count(), 6, "{tasks}");
    assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert(1)"), "{page}");
    assert!(browser.read("/errors?kind=mail").await.contains("No task has failed."));
    assert_eq!(browser.get("/errors?kind=nothing").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn batches_show_their_progress() {
    let tracker = sample::tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    let new = (10..14).map(|number| Mail { number, text: String::new() });
    mails.submit_batch("<b>letters</b>", new, &BatchOptions::new()).unwrap().seal().unwrap();
    mails.start(10_u64).unwrap().succeed().unwrap();
    let browser = Browser::enter(tracker, false).await;
    let page = browser.read("/batches").await;
    assert!(page.contains("&lt;b&gt;letters&lt;/b&gt;") && page.contains("4 tasks, 3 not ended; sealed"), "{page}");
    assert!(browser.read("/task?kind=mail&id=int:11").await.contains("&lt;b&gt;letters&lt;/b&gt;"));
}

#[tokio::test]
async fn batch_lists_its_tasks_page_by_page_over_kinds() {
    let tracker = sample::tracker();
    let (mails, downloads) = (tracker.tasks::<Mail>().unwrap(), tracker.tasks::<Download>().unwrap());
    let batch = tracker.open_batch("a&b", &BatchOptions::new()).unwrap();
    let into = SubmitOptions::new().batch(&batch);
    for number in 1_000..1_060 {
        mails.submit_with(&Mail { number, text: String::new() }, &into).unwrap();
    }
    downloads.submit_with(&download(99), &into).unwrap();
    let browser = Browser::enter(tracker, false).await;
    let link = |page: &str, start: &str| attributes(page, "href").into_iter().find(|link| link.starts_with(start));
    let first = browser.read(&format!("/{}", link(&browser.read("/batches").await, "batch?").unwrap())).await;
    assert_eq!(first.matches("<th scope=\"row\">").count(), 50, "{first}");
    assert!(first.contains("61 tasks, 61 not ended"), "{first}");
    let second = browser.read(&format!("/{}", link(&first, "batch?label=a%26b").unwrap())).await;
    assert_eq!(second.matches("<th scope=\"row\">").count(), 11, "{second}");
    assert!(link(&second, "batch?").is_none() && second.contains("id=int%3A1059"), "{second}");
    assert_eq!(browser.get("/batch?label=none").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/batch?label=a%26b&kind=mail&after=7").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.get("/batch?label=a%26b&kind=mail&after=int:7").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn workers_list_their_leases_and_progress() {
    let tracker = sample::tracker();
    let downloads = tracker.tasks::<Download>().unwrap().worker_name("<i>worker</i>");
    let mut running = downloads.start(download(45).url).unwrap();
    running.progress(3, Some(10), "half");
    tracker.flush().unwrap();
    let browser = Browser::enter(tracker, false).await;
    let page = browser.read("/workers").await;
    assert!(page.contains("&lt;i&gt;worker&lt;/i&gt;") && page.contains("1 running task of 1 worker"), "{page}");
    assert!(page.contains("3 of 10: half"), "{page}");
    assert!(attributes(&page, "href").iter().any(|link| link.contains("045")), "{page}");
}

#[tokio::test]
async fn health_names_problems_and_why_nothing_can_be_changed() {
    let tracker = sample::tracker();
    tracker.tasks::<Mail>().unwrap().pause().unwrap();
    let browser = Browser::enter(tracker, false).await;
    let page = browser.read("/health").await;
    assert!(page.contains("download: 6 tasks</a> given up"), "{page}");
    assert!(page.contains("mail: 2 tasks</a> waiting while the kind is paused"), "{page}");
    assert!(page.contains("The program that shows this dashboard allows no commands"), "{page}");
}

#[tokio::test]
async fn metrics_are_text_for_a_collector_with_the_token() {
    let dashboard = Dashboard::new(sample::tracker());
    let token = dashboard.token().unwrap().to_owned();
    let browser = Browser::outside(dashboard);
    assert_eq!(browser.get("/metrics").await.status, StatusCode::FORBIDDEN);
    let request = browser.request("GET", "/metrics").header(header::AUTHORIZATION, format!("Bearer {token}"));
    let page = browser.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(page.headers[header::CONTENT_TYPE], Metrics::CONTENT_TYPE);
    assert!(page.text.contains("tracker_tasks{kind=\"download\"") && page.text.ends_with("# EOF\n"), "{}", page.text);
}

#[tokio::test]
async fn page_is_told_of_a_change() {
    let tracker = sample::tracker();
    let browser = Browser::enter(tracker.clone(), false).await;
    let request = browser.request("GET", "/events").body(Body::empty()).unwrap();
    let mut events = browser.stream(request).await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    // The first part says that the stream has seen the present state.
    let first = events.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, ":\n\n");
    tracker.tasks::<Mail>().unwrap().submit(&Mail { number: 99, text: String::new() }).unwrap();
    let next = tokio::time::timeout(Duration::from_secs(30), events.body_mut().frame()).await.unwrap();
    assert_eq!(next.unwrap().unwrap().into_data().unwrap(), "event: change\ndata:\n\n");
}

#[tokio::test]
async fn listeners_are_limited_and_leave_their_places() {
    let browser = Browser::enter(sample::tracker(), false).await;
    let listen = || browser.stream(browser.request("GET", "/events").body(Body::empty()).unwrap());
    let mut open = Vec::new();
    for _ in 0..64 {
        let response = listen().await;
        assert_eq!(response.status(), StatusCode::OK);
        open.push(response);
    }
    assert_eq!(listen().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    open.pop();
    assert_eq!(listen().await.status(), StatusCode::OK);
}
