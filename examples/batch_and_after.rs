//! A nightly build: pages are rendered in a batch, the index waits for the batch, and what depends on a page that cannot be
//! rendered is skipped, saying why.
//!
//! ```sh
//! cargo run --example batch_and_after
//! ```

use std::io;

use serde::{Deserialize, Serialize};
use tracker_core::{
    TaskStatus, TrackedTask, Tracker, batch::BatchOptions, dependency::OnDependencyFailure, status::Role,
    submit::SubmitOptions,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "page", status = Status, max_attempts = 2)]
struct Page {
    #[task(id)]
    name: String,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "message", status = Status)]
struct Message {
    #[task(id)]
    about: String,
}

fn page(name: &str) -> Page {
    Page { name: name.to_owned() }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tracker = Tracker::in_memory()?;
    let pages = tracker.tasks::<Page>()?;
    let messages = tracker.tasks::<Message>()?;

    // The batch: when its last page has ended, a message is submitted in the same commit, once.
    let options = BatchOptions::new().then(&messages, &Message { about: "the night is over".to_owned() })?;
    let night = tracker.open_batch("night", &options)?;
    let member = SubmitOptions::new().batch(&night);
    pages.submit_all_with(["home", "broken", "about"].map(page), &member)?;

    // Dependencies: on a task, and on the whole batch.
    pages.submit_with(&page("broken/details"), &member.clone().after(&pages, "broken", OnDependencyFailure::Skip))?;
    night.seal()?;
    pages.submit_with(&page("index"), &SubmitOptions::new().after_batch(&night, OnDependencyFailure::Run))?;
    println!("index: {}", pages.explain("index")?);

    let summary = pages.worker().run(|page| match page.name.as_str() {
        "broken" => Err(io::Error::other("no such template")),
        name => {
            println!("rendered {name}");
            Ok(())
        }
    })?;
    println!("{} rendered", summary.succeeded);

    let info = night.info()?;
    let count = |role| info.count(role);
    println!(
        "night: {} of {} ended, {} succeeded, {} given up, {} skipped",
        info.total() - info.open(),
        info.total(),
        count(Role::Succeeded),
        count(Role::Exhausted),
        count(Role::Ignored)
    );
    let skipped = pages.get("broken/details")?.ok_or("it was submitted")?;
    let why = skipped.history.iter().find_map(|attempt| attempt.failure.as_ref()).ok_or("it says why")?;
    println!("broken/details: {}", why.error);
    while let Some(mut message) = messages.claim()? {
        println!("message: {}", message.about);
        message.succeed()?;
    }

    // The template is corrected: the skipped tasks run after their dependencies.
    night.requeue(&[Role::Exhausted, Role::Ignored])?;
    pages.worker().run(|page| {
        println!("rendered {}", page.name);
        Ok::<_, io::Error>(())
    })?;
    println!("night: {} of {} succeeded", night.info()?.count(Role::Succeeded), night.info()?.total());
    Ok(())
}
