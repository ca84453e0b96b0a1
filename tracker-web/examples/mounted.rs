//! A service that mounts the dashboard of its tracker under a path, beside its own routes.
//!
//! ```text
//! cargo run -p tracker-web --features serve --example mounted
//! ```

use std::error::Error;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tracker_core::{TaskStatus, TrackedTask, Tracker};
use tracker_web::{
    Dashboard,
    axum::{self, Router, routing::get},
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "mail", status = Status, max_attempts = 3)]
struct Mail {
    #[task(id)]
    address: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let tracker = Tracker::in_memory()?;
    let mails = tracker.tasks::<Mail>()?;
    mails.submit_all(["ada@example.org", "grace@example.org"].map(|address| Mail { address: address.to_owned() }))?;

    // The token keeps other users of the machine out. A service with a login of its own puts the router behind that, and calls
    // `without_token` and `host("jobs.example.org")`.
    let dashboard = Dashboard::new(tracker).title("mail service").write(true);
    let token = dashboard.token().unwrap_or_default().to_owned();
    let app = Router::new().route("/", get(|| async { "the service" })).nest("/jobs", dashboard.router());

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/jobs?token={token}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
