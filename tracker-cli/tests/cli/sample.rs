//! A file with tasks in many states, as an application leaves it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask, Tracker, time::ManualClock};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
    Cancelled = 70,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "download", status = Status, max_attempts = 2)]
pub struct Download {
    #[task(id)]
    pub url: String,
    #[task(index)]
    pub host: String,
    pub bytes: Option<u64>,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "mail", status = Status)]
pub struct Mail {
    #[task(id)]
    pub number: u64,
    pub text: String,
}

pub fn download(number: u64) -> Download {
    Download {
        url: format!("https://host{}/{number:03}", number % 3),
        host: format!("host{}", number % 3),
        bytes: None,
    }
}

/// 60 downloads: 30 succeeded, 6 given up, 3 failed once, 1 ignored, 1 cancelled, 19 pending; 4 mails, one with a text
/// that tries to be markup and to steer the terminal.
pub fn write(path: &Path) {
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).open(path).unwrap();
    let downloads = tracker.tasks::<Download>().unwrap().worker_name("sampler");
    downloads.submit_all((0..60).map(download)).unwrap();
    for number in 0..30 {
        let mut download = downloads.start(download(number).url).unwrap();
        clock.advance(std::time::Duration::from_millis(100 * (number + 1)));
        download.bytes = Some(1_000 * number);
        download.succeed().unwrap();
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
    for number in 1..=3 {
        mails.submit(&Mail { number, text: "hello".to_owned() }).unwrap();
    }
    mails.submit(&Mail { number: 4, text: "<script>alert(1)</script> \u{1b}[2J".to_owned() }).unwrap();
    mails.start(4_u64).unwrap().fail("<b>bold</b> & \u{1b}[31mred").unwrap();
    tracker.close().unwrap();
}
