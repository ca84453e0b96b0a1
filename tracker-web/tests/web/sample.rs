//! A tracker with tasks in many states, with hostile text wherever a user can put text.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracker_core::{
    TaskStatus, TrackedTask, Tracker, dependency::OnDependencyFailure, submit::SubmitOptions, time::ManualClock,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending = 10,
    #[status(in_progress)]
    Running = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
    Cancelled = 70,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "download", status = Status, max_attempts = 2, backoff = "fixed(1h)")]
pub struct Download {
    #[task(id)]
    pub url: String,
    #[task(index)]
    pub host: String,
    pub text: String,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "mail", status = Status)]
pub struct Mail {
    #[task(id)]
    pub number: u64,
    pub text: String,
}

/// Markup, marks of text direction and control characters.
pub const HOSTILE: &str = "</title></pre><script>alert(1)</script>\"'&\u{202e}\u{1b}[2J/../?a=b&c#d";

pub fn download(number: u64) -> Download {
    Download { url: format!("https://host/{number:03}"), host: format!("host{}", number % 3), text: String::new() }
}

/// 60 downloads: 30 succeeded, 6 given up, 3 failed, 1 ignored, 1 cancelled, 19 pending; 3 mails, of which one waits for a download;
/// and one download and one mail with hostile text.
pub fn tracker() -> Tracker {
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    let downloads = tracker.tasks::<Download>().unwrap().worker_name("sampler");
    downloads.submit_all((0..60).map(download)).unwrap();
    for number in 0..30 {
        let mut execution = downloads.start(download(number).url).unwrap();
        clock.advance(Duration::from_millis(100 * (number + 1)));
        execution.succeed().unwrap();
    }
    for number in 30..36 {
        downloads.start(download(number).url).unwrap().give_up("404 not found").unwrap();
    }
    for number in 36..39 {
        downloads.start(download(number).url).unwrap().fail("connection reset").unwrap();
    }
    downloads.ignore(download(39).url, "not wanted").unwrap();
    downloads.cancel(download(40).url).unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((1..=2).map(|number| Mail { number, text: "hello".to_owned() })).unwrap();
    let after = SubmitOptions::new().after(&downloads, download(50).url, OnDependencyFailure::Cancel);
    mails.submit_with(&Mail { number: 3, text: "bye".to_owned() }, &after).unwrap();
    let hostile = Download { url: HOSTILE.to_owned(), host: HOSTILE.to_owned(), text: HOSTILE.to_owned() };
    downloads.submit(&hostile).unwrap();
    downloads.start(HOSTILE).unwrap().fail(HOSTILE).unwrap();
    clock.advance(Duration::from_secs(1));
    tracker
}
