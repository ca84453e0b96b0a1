//! What is too large, empty or not to be had.

use tracker_core::{ErrorKind, RunError};

use crate::kinds::{Job, Mail, Page, Status, fine, job, jobs, mail, page, refused, sound, tracker, with_time};

#[test]
fn bad_input_is_refused_and_leaves_nothing() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["good"]);
    refused(tasks.submit(&job("")), ErrorKind::Invalid);
    refused(tasks.submit(&job(&"x".repeat(10_000))), ErrorKind::TooLarge);
    refused(tasks.submit(&Job { host: "x".repeat(10_000), ..job("host") }), ErrorKind::TooLarge);
    assert!(tasks.get("x".repeat(10_000)).unwrap().is_none());
    refused(tasks.start(""), ErrorKind::NotFound);
    let mails = tracker.tasks::<Page>().unwrap();
    refused(mails.submit(&page(&"x".repeat(20 << 20), 1)), ErrorKind::TooLarge);
    let mut odd = ["\0", "é\u{202e}", "a/b\\c", "'; --", " ", "\n"].map(job);
    odd[0].result = Some(u32::MAX);
    tasks.submit_all(&odd).unwrap();
    for job in &odd {
        assert_eq!(&tasks.get(&job.name).unwrap().unwrap().task, job);
    }
    assert_eq!((tasks.counts().unwrap().total(), mails.counts().unwrap().total()), (7, 0));
    sound(&tracker);
}

#[test]
fn a_body_that_makes_its_task_too_large_or_another_fails_it_and_the_others_go_on() {
    let (clock, tracker) = tracker();
    let big = tracker.tasks_as::<Mail>("big").unwrap();
    big.submit_all((0..5).map(mail)).unwrap();
    let summary = with_time(&tracker, &clock, || {
        big.worker().run(|mail| {
            match mail.number {
                1 => mail.reference = Some("x".repeat(20 << 20)),
                2 => mail.client = "x".repeat(20 << 20),
                3 => mail.number = 99,
                _ => {}
            }
            fine()
        })
    })
    .unwrap();
    assert_eq!((summary.succeeded, summary.failed), (2, 9), "{summary:?}");
    assert_eq!(big.counts().unwrap().get(Status::Exhausted), 3);
    big.requeue(2).unwrap();
    let error = big.run(2, |mail| {
        mail.client = "x".repeat(20 << 20);
        fine()
    });
    assert!(matches!(&error, Err(RunError::Body(_))), "{error:?}");
    assert_eq!(big.get(2).unwrap().unwrap().status, Status::Failed);
    sound(&tracker);
}
