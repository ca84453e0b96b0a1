//! The routes of the dashboard: the handler of each page, form and file, by its path. Called by axum; reads through `site`. All paths are flat,
//! so that every link is relative.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, Uri, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tracker_core::inspect::Metrics;

use crate::{
    failure::Failure,
    guard::{guard, original_path, root_of},
    html,
    model::{
        batch::BatchPage,
        batches::BatchesPage,
        errors::ErrorsPage,
        health::HealthPage,
        kinds::KindsPage,
        task::{TaskPage, found, whole_payload},
        tasks::TasksPage,
        workers::WorkersPage,
    },
    params::Params,
    site::Site,
};

/// The largest form in bytes: a page of selected tasks with the longest ids.
const BODY: usize = 1 << 20;
/// The time over which metrics count ended attempts, and the most tasks of a kind whose attempts are read.
const METRICS: (Duration, usize) = (Duration::from_secs(300), 5_000);

type SharedSite = State<Arc<Site>>;

pub fn router(site: Arc<Site>) -> Router {
    let routes = Router::new()
        .route("/", get(root))
        .route("/kinds", get(kinds))
        .route("/tasks", get(tasks))
        .route("/task", get(task))
        .route("/payload", get(payload))
        .route("/find", get(find))
        .route("/errors", get(errors))
        .route("/batches", get(batches))
        .route("/batch", get(batch))
        .route("/workers", get(workers))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/events", get(events))
        .route("/command", post(command))
        .route("/style.css", get(async || file("text/css", include_str!("assets/style.css"))))
        .route("/live.js", get(async || file("text/javascript", include_str!("assets/live.js"))))
        .route("/icon.svg", get(async || file("image/svg+xml", include_str!("assets/icon.svg"))))
        .merge(schedule_routes())
        .fallback(missing)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(site.clone(), guard));
    routes.with_state(site)
}

async fn root(request: Request) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, root_of(original_path(&request)))]).into_response()
}

async fn kinds(State(site): SharedSite, uri: Uri) -> Response {
    site.page(&uri, |page| Ok(html::kinds::kinds(page.frame, &KindsPage::read(page.tracker, page.params)?))).await
}

async fn tasks(State(site): SharedSite, uri: Uri) -> Response {
    site.page(&uri, |page| Ok(html::tasks::tasks(page.frame, &TasksPage::read(page.tracker, page.params)?))).await
}

async fn task(State(site): SharedSite, uri: Uri) -> Response {
    site.page(&uri, |page| Ok(html::task::task(page.frame, &TaskPage::read(page.tracker, page.params)?))).await
}

async fn errors(State(site): SharedSite, uri: Uri) -> Response {
    site.page(&uri, |page| Ok(html::errors::errors(page.frame, &ErrorsPage::read(page.tracker, page.params)?))).await
}

async fn batches(State(site): SharedSite, uri: Uri) -> Response {
    site.page(&uri, |page| Ok(html::batches::batches(page.frame, &BatchesPage::read(page.tracker)?))).await
}

#[cfg(feature = "schedules")]
fn schedule_routes() -> Router<Arc<Site>> {
    use crate::model::schedules::SchedulesPage;

    async fn schedules(State(site): SharedSite, uri: Uri) -> Response {
        site.page(&uri, |page| {
            Ok(html::schedules::schedules(page.frame, &SchedulesPage::read(page.tracker, page.params)?))
        })
        .await
    }
    Router::new().route("/schedules", get(schedules))
}

#[cfg(not(feature = "schedules"))]
fn schedule_routes() -> Router<Arc<Site>> {
    Router::new()
}

async fn batch(State(site): SharedSite, uri: Uri) -> Response {
    site.page(&uri, |page| Ok(html::batch::batch(page.frame, &BatchPage::read(page.tracker, page.params)?))).await
}

async fn workers(State(site): SharedSite, uri: Uri) -> Response {
    site.page(&uri, |page| Ok(html::workers::workers(page.frame, &WorkersPage::read(page.tracker)?))).await
}

async fn health(State(site): SharedSite, uri: Uri) -> Response {
    site.page(&uri, |page| Ok(html::health::health(page.frame, &HealthPage::read(page.tracker, page.source.facts())?)))
        .await
}

async fn events(State(site): SharedSite) -> Response {
    crate::events::events(site)
}

async fn payload(State(site): SharedSite, uri: Uri) -> Response {
    site.answer(&uri, |page| {
        let json = whole_payload(page.tracker, page.params)?;
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"payload.json\""),
        ];
        Ok((headers, json).into_response())
    })
    .await
}

async fn command(State(site): SharedSite, form: Bytes) -> Response {
    site.command(Params::parse(&form)).await
}

async fn find(State(site): SharedSite, uri: Uri) -> Response {
    site.answer(&uri, |page| {
        let target = found(page.tracker, page.params)?;
        Ok((StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response())
    })
    .await
}

async fn metrics(State(site): SharedSite, uri: Uri) -> Response {
    site.answer(&uri, |page| {
        let (window, most) = METRICS;
        let metrics = page.tracker.metrics(window, most)?;
        Ok(([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], metrics.open_metrics()).into_response())
    })
    .await
}

async fn missing(State(site): SharedSite, uri: Uri) -> Response {
    site.page(&uri, |_| Err(Failure::not_found("this dashboard has no such page"))).await
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
